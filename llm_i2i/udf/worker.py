"""A process that runs table UDFs for `udf.processes`: `python -m llm_i2i.udf.worker`.

It reads the folders of calls from stdin, a line each, tells how they go in lines of JSON on its first stdout, and ends when stdin
does: however the parent dies, no function goes on for nobody.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llm_i2i.errors import LlmI2iError
from llm_i2i.tabular import write_table
from llm_i2i.udf.processes import RESULT, cpu_seconds, read_call
from llm_i2i.udf.registry import UdfRegistry

SECONDS = 0.2  # between two reports of progress
Emit = Callable[[dict[str, Any]], None]


def run(place: Path, registries: dict[Path, UdfRegistry], emit: Emit) -> None:
    """Run the call in a folder; its result is `RESULT` there."""
    said = 0.0

    def progress(done: float, total: float, message: str) -> None:
        nonlocal said
        if time.monotonic() - said >= SECONDS:
            said = time.monotonic()
            with contextlib.suppress(BlockingIOError):  # nobody listens just now
                emit({"event": "progress", "done": done, "total": total, "message": message})

    call = read_call(place, progress)
    if call.file not in registries:
        registries[call.file] = UdfRegistry()
        registries[call.file].load_file(call.file)
    write_table(call.run(registries[call.file].function(call.udf)), place / RESULT)


def main() -> None:
    """Serve until stdin ends."""
    events = os.dup(1)
    os.dup2(2, 1)  # what a function prints is not for the parent to read
    sys.stdout = sys.stderr  # which is not held back until an end that never comes
    places: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(places,), daemon=True).start()

    def emit(event: dict[str, Any]) -> None:
        os.write(events, (json.dumps(event) + "\n").encode())

    registries: dict[Path, UdfRegistry] = {}
    told = 0.0  # CPU seconds
    while True:
        place = Path(places.get())
        os.set_blocking(events, False)
        end: dict[str, Any] = {"event": "done"}
        try:
            run(place, registries, emit)
        except LlmI2iError as error:
            end = _described(error)
        except Exception as error:
            traceback.print_exc()
            end = {"event": "error", "what": f"{type(error).__name__}: {error}"}
        os.set_blocking(events, True)
        emit({**end, "cpu_seconds": cpu_seconds() - told})
        told = cpu_seconds()


def _described(error: LlmI2iError) -> dict[str, Any]:
    kind = type(error).__name__
    parts = {key: getattr(error, key) for key in ("what", "where", "found", "fix")}
    return {"event": "error", "kind": kind, **parts}


def _listen(places: queue.SimpleQueue[str]) -> None:
    pending = b""
    while data := os.read(
        0, 65536
    ):  # not sys.stdin: its lock would stop the interpreter from ending
        *lines, pending = (pending + data).split(b"\n")
        for line in lines:
            places.put(os.fsdecode(line))
    os._exit(1)


if __name__ == "__main__":
    main()
