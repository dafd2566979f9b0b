"""A training as a folder: what the parent writes down and the training processes read."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from llm_i2i.lm.checkpoint import checkpoint_digest
from llm_i2i.lm.settings import PretrainedSettings
from llm_i2i.tabular import read_table, write_table

JOB, EXAMPLES, ITEMS = "job.json", "examples.arrow", "items.arrow"


@dataclass(frozen=True)
class TrainingJob:
    """One fine-tuning of a pretrained model; the attributes are those of `lm.open.train_checkpoint`.

    Attributes:
        folder: Where the checkpoint goes.
        states: Where states to resume from go.
    """

    examples: pa.Table
    items: pa.Table | None
    settings: PretrainedSettings
    initial: Path | None
    random_seed: int
    folder: Path
    states: Path
    base_dir: Path

    def write(self, place: Path) -> None:
        """Write everything into a folder."""
        place.mkdir(parents=True)
        write_table(self.examples, place / EXAMPLES)
        if self.items is not None:
            write_table(self.items, place / ITEMS)
        values: dict[str, Any] = {
            "settings": self.settings.dump(),
            "initial": str(self.initial.resolve()) if self.initial else None,
            "random_seed": self.random_seed,
            "folder": str(self.folder.resolve()),
            "states": str(self.states.resolve()),
            "base_dir": str(self.base_dir.resolve()),
        }
        (place / JOB).write_text(json.dumps(values), encoding="utf-8")


def load_job(place: Path) -> TrainingJob:
    """Read what `TrainingJob.write` wrote."""
    values = json.loads((place / JOB).read_text(encoding="utf-8"))
    return TrainingJob(
        examples=read_table(place / EXAMPLES),
        items=read_table(place / ITEMS) if (place / ITEMS).exists() else None,
        settings=PretrainedSettings.model_validate(values["settings"]),
        initial=Path(values["initial"]) if values["initial"] else None,
        random_seed=values["random_seed"],
        folder=Path(values["folder"]),
        states=Path(values["states"]),
        base_dir=Path(values["base_dir"]),
    )


def job_digest(
    examples: pa.Table,
    items: pa.Table | None,
    settings: PretrainedSettings,
    initial: Path | None,
    random_seed: int,
) -> str:
    """Names a training: another digest must not go on from its states (16 hex characters)."""
    digest = hashlib.sha256(json.dumps([settings.dump(), random_seed], sort_keys=True).encode())
    digest.update((checkpoint_digest(initial) if initial else "").encode())
    for table in (examples, items):
        if table is not None:
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, table.schema) as writer:
                writer.write_table(table.combine_chunks())
            digest.update(sink.getvalue())
    return digest.hexdigest()[:16]
