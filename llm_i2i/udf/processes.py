"""Table UDFs in processes of their own, several at once: a training leaves the build free to go on with what does not need it.

A call is a folder: its tables as Arrow files, the rest as JSON; so is its result. Nothing is pickled.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_i2i import errors
from llm_i2i.errors import LlmI2iError, NodeError
from llm_i2i.tabular import read_table, write_table
from llm_i2i.udf.context import ProgressCallback, UdfContext
from llm_i2i.udf.table import TableCall

if TYPE_CHECKING:
    import pyarrow as pa

WORKER = "llm_i2i.udf.worker"
CALL, RESULT = "call.json", "result.arrow"
PATIENCE = 10.0  # seconds from a polite end to a kill


@dataclass(eq=False)
class RunningCall:
    """A call that was handed over."""

    call: TableCall
    place: Path
    done: bool = False
    error: LlmI2iError | None = None
    cpu_seconds: float = 0.0  # of the process, its start included

    def result(self) -> pa.Table:
        """What the function returned; raises what it raised. The folder is gone afterwards."""
        try:
            if self.error is not None:
                raise self.error
            return read_table(self.place / RESULT)
        finally:
            shutil.rmtree(self.place, ignore_errors=True)


@dataclass(eq=False)
class _Worker:
    process: subprocess.Popen[bytes]
    running: RunningCall | None = None
    pending: bytes = b""


@dataclass
class Workers:
    """At most `number` processes; each runs one call after another, started when it is first needed."""

    number: int
    _all: list[_Worker] = field(default_factory=list)
    _queue: deque[RunningCall] = field(default_factory=deque)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def start(self, call: TableCall, place: Path) -> RunningCall:
        """Hand a call over; it waits for a process to be free. `place` is a folder to make for it."""
        write_call(call, place)
        running = RunningCall(replace(call, tables={}), place)  # they are on disk
        self._queue.append(running)
        self._hand_over()
        return running

    def wait(self, timeout: float | None) -> None:
        """Hear what the processes say for so many seconds at most, until something is said; progress is passed on."""
        for key, _ in self._selector.select(timeout):
            self._hear(key.data)
        self._hand_over()

    @property
    def n_idle(self) -> int:
        """Processes that have nothing to do; each holds what its last call has left in memory."""
        return sum(worker.running is None for worker in self._all)

    def end_idle(self, kept: int) -> None:
        """End the idle processes but for so many."""
        if not self._queue:
            self._end([worker for worker in self._all if worker.running is None][kept:])

    def close(self) -> None:
        """End all processes, finished or not."""
        self._end(list(self._all))
        self._selector.close()

    def _end(self, workers: list[_Worker]) -> None:
        for worker in workers:
            self._selector.unregister(worker.process.stdout)  # type: ignore[arg-type]
            self._all.remove(worker)
            worker.process.stdin.close()  # type: ignore[union-attr]
        for worker in workers:
            try:
                worker.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(worker.process.pid, signal.SIGKILL)
                worker.process.wait()
            worker.process.stdout.close()  # type: ignore[union-attr]

    def _hand_over(self) -> None:
        while self._queue and (worker := self._idle()) is not None:
            worker.running = self._queue.popleft()
            try:
                _tell(worker, worker.running.place)
            except OSError:
                self._lost(worker)

    def _idle(self) -> _Worker | None:
        for worker in self._all:
            if worker.running is None:
                return worker
        if len(self._all) == self.number:
            return None
        # A session of its own keeps a Ctrl-C in the terminal from it: it reaches us, and we end it.
        process = subprocess.Popen(
            [sys.executable, "-m", WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(),
            start_new_session=True,
        )
        worker = _Worker(process)
        self._all.append(worker)
        self._selector.register(process.stdout, selectors.EVENT_READ, worker)  # type: ignore[arg-type]
        return worker

    def _hear(self, worker: _Worker) -> None:
        data = os.read(worker.process.stdout.fileno(), 65536)  # type: ignore[union-attr]
        if not data:
            self._lost(worker)
            return
        *lines, worker.pending = (worker.pending + data).split(b"\n")
        for line in lines:
            self._take(worker, json.loads(line))

    def _take(self, worker: _Worker, event: dict[str, Any]) -> None:
        running = worker.running
        assert running is not None
        if event["event"] == "progress":
            running.call.context.progress(event["done"], event["total"], event["message"])
            return
        if event["event"] == "error":
            running.error = _error_of(event)
        running.cpu_seconds = event["cpu_seconds"]
        running.done, worker.running = True, None

    def _lost(self, worker: _Worker) -> None:
        """A process has died; another takes its place when there is something to do."""
        self._selector.unregister(worker.process.stdout)  # type: ignore[arg-type]
        code = worker.process.wait()
        worker.process.stdout.close()  # type: ignore[union-attr]
        with contextlib.suppress(OSError):
            worker.process.stdin.close()  # type: ignore[union-attr]
        self._all.remove(worker)
        if (running := worker.running) is not None:
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            running.done = True
            running.error = NodeError(
                f"the process of UDF {running.call.udf!r} ended before its result",
                where=str(running.call.file),
                found=f"{how}, called by model {running.call.model!r}",
                fix="out of memory: set jobs: 1 in the target, or give it less to learn from"
                if code == -signal.SIGKILL
                else "see what it wrote above, then build again",
            )


def cpu_seconds() -> float:
    """What this process has used until now, all threads, and its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _tell(worker: _Worker, place: Path) -> None:
    assert worker.process.stdin is not None
    worker.process.stdin.write(os.fsencode(f"{place}\n"))
    worker.process.stdin.flush()


def _environment() -> dict[str, str]:
    found = dict(os.environ)
    package = str(Path(errors.__file__).parents[1])
    found.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # other processes have use for the cores
    found["PYTHONPATH"] = os.pathsep.join(filter(None, [package, found.get("PYTHONPATH")]))
    return found


def _error_of(event: dict[str, Any]) -> LlmI2iError:
    kind = getattr(errors, event.get("kind", ""), NodeError)
    parts = {key: event.get(key, "") for key in ("where", "found", "fix")}
    known = isinstance(kind, type) and issubclass(kind, LlmI2iError)
    error = (kind if known else NodeError)(event["what"], **parts)
    assert isinstance(error, LlmI2iError)
    return error


# -- a call as a folder ------------------------------------------------------------------------------------------------


def write_call(call: TableCall, place: Path) -> None:
    """Write a call into a new folder."""
    place.mkdir(parents=True)
    for name, table in call.tables.items():
        write_table(table, place / f"{name}.table")
    context = call.context
    values = {
        "udf": call.udf,
        "file": str(call.file.resolve()),
        "model": call.model,
        "columns": list(call.columns),
        "tables": list(call.tables),
        "constants": dict(call.constants),
        "wants_context": call.wants_context,
        "project_dir": str(context.project_dir),
        "store_dir": str(context.store_dir),
        "artifact_dir": str(context.artifact_dir.resolve()),
        "artifact_name": context.artifact_name,
        "resume_dir": str(context.resume_dir.resolve()) if context.resume_dir else None,
        "serving": dict(context.serving),
    }
    (place / CALL).write_text(json.dumps(values), encoding="utf-8")


def read_call(place: Path, progress: ProgressCallback) -> TableCall:
    """Read what `write_call` wrote."""
    values = json.loads((place / CALL).read_text(encoding="utf-8"))
    context = UdfContext(
        project_dir=Path(values["project_dir"]),
        store_dir=Path(values["store_dir"]),
        artifact_dir=Path(values["artifact_dir"]),
        artifact_name=values["artifact_name"],
        resume_dir=Path(values["resume_dir"]) if values["resume_dir"] else None,
        progress=progress,
        serving=values["serving"],
    )
    return TableCall(
        udf=values["udf"],
        file=Path(values["file"]),
        model=values["model"],
        columns=values["columns"],
        tables={name: read_table(place / f"{name}.table") for name in values["tables"]},
        constants=values["constants"],
        context=context,
        wants_context=values["wants_context"],
    )
