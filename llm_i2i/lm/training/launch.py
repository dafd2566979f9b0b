"""Training processes from the outside: started, listened to, ended with us."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

import llm_i2i
from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.settings import WHERE, PretrainedSettings
from llm_i2i.lm.trainer import LogRow, Progress
from llm_i2i.lm.training.examples import read_examples
from llm_i2i.lm.training.job import TrainingJob, job_digest
from llm_i2i.lm.training.plot import write_loss_plot

WORKER = "llm_i2i.lm.training.worker"
MARK = "llmi2i"
JOB = ".job"  # inside the checkpoint's folder, removed before anybody sees it
PLOT = "loss.svg"
STDERR_LINES = 12
PATIENCE = 10.0  # seconds from a polite end to a kill


def train_in_processes(
    examples: pa.Table,
    folder: Path,
    settings: PretrainedSettings,
    items: pa.Table | None,
    initial: Path | None,
    random_seed: int,
    progress: Progress,
    resume_dir: Path | None,
    base_dir: Path | None,
) -> list[LogRow]:
    """Fine-tune a pretrained model in processes of its own; see `lm.open.train_checkpoint`.

    Also without DeepSpeed: a GPU's memory is free again once the process is gone.
    """
    read_examples(examples)  # a mistake in the rows shows before a process starts
    check_installed(settings)
    place = folder / JOB
    shutil.rmtree(place, ignore_errors=True)
    states = place / "states"
    if resume_dir is not None and settings.checkpoint_every:
        states = resume_dir / job_digest(examples, items, settings, initial, random_seed)
    job = TrainingJob(
        examples, items, settings, initial, random_seed, folder, states, base_dir or Path()
    )
    try:
        job.write(place)
        log = run_worker(place, settings, progress)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    write_loss_plot(log, folder / PLOT)
    return log


def check_installed(settings: PretrainedSettings) -> None:
    """Raises LlmI2iError if a package these settings need is absent."""
    needs = {"torch": "local", "transformers": "local"}
    needs |= {"peft": "lora"} if settings.lora is not None else {}
    needs |= {"deepspeed": "deepspeed"} if settings.deepspeed is not None else {}
    for package, extra in needs.items():
        if importlib.util.find_spec(package) is None:
            raise LlmI2iError(
                f"this language model is trained with {package}, which is not installed",
                where=f"{WHERE}.{extra}" if extra != "local" else WHERE,
                fix=f"pip install 'llm_i2i[{extra}]'",
            )


def run_worker(place: Path, settings: PretrainedSettings, progress: Progress) -> list[LogRow]:
    """Start the processes of a written job and follow them to their end.

    Raises:
        LlmI2iError: A process failed; the last lines of its stderr are told.
    """
    errors = place / "stderr.txt"
    log: list[LogRow] | None = None
    problems: list[dict[str, str]] = []
    with (
        errors.open("wb") as stderr,
        _processes(command(place, settings), settings, stderr) as child,
    ):
        for event in _events(child):
            if event["event"] == "progress":
                progress(event["done"], event["total"], event["message"])
            elif event["event"] == "log":
                log = [LogRow(**row) for row in event["rows"]]
            else:
                problems.append(event)
        code = child.wait()
    # The first problem is the cause, those of other processes follow from it.
    for problem in problems:
        if problem["event"] == "error":
            raise LlmI2iError(**{key: problem[key] for key in ("what", "where", "found", "fix")})
    if code or log is None:
        lines = deque(
            errors.read_text(encoding="utf-8", errors="replace").splitlines(), STDERR_LINES
        )
        cause = [problem["found"] for problem in problems[:1]]
        raise LlmI2iError(
            "the training process failed" + (f" with signal {-code}" if code < 0 else ""),
            where=settings.pretrained,
            found="\n".join([*cause, *lines]) or f"exit code {code}",
            fix="out of memory: lower memory_gb, set gradient_checkpointing or lora"
            if "out of memory" in " ".join(cause).lower() or code == -signal.SIGKILL
            else "",
        )
    return log


def command(place: Path, settings: PretrainedSettings) -> list[str]:
    """The command line of a training; with DeepSpeed torch's launcher starts the processes."""
    worker = ["-m", WORKER, str(place.resolve())]
    if settings.deepspeed is None:
        return [sys.executable, *worker]
    launcher = [
        "-m",
        "torch.distributed.run",
        "--standalone",
        f"--nproc_per_node={settings.processes}",
    ]
    return [sys.executable, *launcher, *worker]


def environment(place: Path, settings: PretrainedSettings) -> dict[str, str]:
    """Environment of the processes."""
    found = dict(os.environ)
    package = str(Path(llm_i2i.__file__).parents[1])
    found["PYTHONPATH"] = os.pathsep.join(filter(None, [package, found.get("PYTHONPATH")]))
    found["TOKENIZERS_PARALLELISM"] = "false"
    if settings.threads or settings.processes > 1:
        cores = max(1, (os.cpu_count() or 1) // settings.processes)
        found["OMP_NUM_THREADS"] = str(settings.threads or cores)
    if settings.deepspeed is not None:
        # DeepSpeed compiles and calls tools of this environment; a compile killed half way leaves a lock that hangs later ones,
        # so the folder is our own unless the user names one.
        found["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), found.get("PATH", "")])
        found.setdefault("TORCH_EXTENSIONS_DIR", str(place.resolve() / "extensions"))
    return found


@contextmanager
def _processes(
    line: list[str], settings: PretrainedSettings, stderr: Any
) -> Iterator[subprocess.Popen[bytes]]:
    # stdin stays open as long as we live; its end is what ends the workers if we are killed. A session of their own keeps a
    # Ctrl-C in the terminal from them: it reaches us, and we end them.
    child = subprocess.Popen(
        line,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        env=environment(Path(line[-1]), settings),
        start_new_session=True,
    )
    try:
        yield child
    finally:
        child.stdin.close()
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        child.stdout.close()


def _events(child: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    for line in child.stdout:
        try:
            event = json.loads(line)[MARK]
        except (ValueError, KeyError, TypeError):
            continue  # DeepSpeed and others talk on stdout too
        yield event
