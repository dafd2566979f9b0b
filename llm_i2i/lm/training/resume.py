"""State of an unfinished training on disk: what a killed training goes on from. Scratch files, removed after success."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from llm_i2i.lm.trainer import LogRow

STATE = "state.json"
BEST = "best-{step:08d}.safetensors"


@dataclass
class TrainingState:
    """Where a training is, apart from weights, optimizer and random numbers.

    Attributes:
        step: Steps done.
        seconds: Time spent on them, over all attempts.
        losses: Loss of each step since the last log row.
        best_step: Step of the lowest validation loss so far; -1 before the first evaluation.
        worse: Evaluations since then.
    """

    step: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)
    log: list[LogRow] = field(default_factory=list)
    best_loss: float = float("inf")
    best_step: int = -1
    worse: int = 0


class ResumeFolder:
    """States of one training, `step-00000040/` and so on; the newest whole one counts.

    Args:
        root: Folder that names one training: equal path, equal training.
        barrier: Waits for the other processes; every process calls `save`.
    """

    def __init__(self, root: Path, rank: int, barrier: Callable[[], None]) -> None:
        self.root = root
        self.rank = rank
        self.barrier = barrier
        root.mkdir(parents=True, exist_ok=True)

    def latest(self) -> tuple[TrainingState, Path] | None:
        """The newest state and the folder with its tensors; None at a first start."""
        for folder in sorted(self.root.glob("step-*"), reverse=True):
            try:
                values: dict[str, Any] = json.loads((folder / STATE).read_text(encoding="utf-8"))
                sizes = values.pop("files", {})
                values["log"] = [LogRow(**row) for row in values["log"]]
                state = TrainingState(**values)
                whole = all((folder / name).stat().st_size == n for name, n in sizes.items())
            except (OSError, ValueError, TypeError, KeyError):
                continue  # damaged since it was written: an older one, or a new start
            if whole and (state.best_step < 0 or self.best_path(state).exists()):
                return state, folder
        return None

    def save(self, state: TrainingState, write: Callable[[Path], None]) -> None:
        """Keep a state; `write` puts the tensors of this process into the folder it is given. A kill leaves the state before."""
        final = self.root / f"step-{state.step:08d}"
        beside = self.root / f".{final.name}"
        if self.rank == 0:
            shutil.rmtree(beside, ignore_errors=True)  # a killed attempt
            beside.mkdir()
        self.barrier()
        write(beside)
        self.barrier()
        if self.rank == 0:
            written = [path for path in beside.rglob("*") if path.is_file()]
            sizes = {str(path.relative_to(beside)): path.stat().st_size for path in written}
            text = json.dumps(asdict(state) | {"files": sizes})
            (beside / STATE).write_text(text, encoding="utf-8")
            for path in beside.rglob("*"):
                _sync(path)
            shutil.rmtree(final, ignore_errors=True)  # one that was found damaged
            beside.rename(final)
            _sync(self.root)
            for old in self.root.glob("step-*"):
                if old != final:
                    shutil.rmtree(old)
            for old in self.root.glob("best-*"):
                if old != self.best_path(state):
                    old.unlink()

    def best_path(self, state: TrainingState) -> Path:
        """File of the best weights so far."""
        return self.root / BEST.format(step=max(state.best_step, 0))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
