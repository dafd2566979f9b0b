"""Runs `llmi2i` commands that kill themselves, or are killed, at a chosen point. No code of the package knows of it.

A process of this file (`python victim.py`) has everything imported and forks once for each command, so that hundreds of kills
take minutes. One JSON request a line on stdin: {"argv": [...], "log": FILE, "step": N | "commit": N | "after": SECONDS | none of them};
one JSON answer a line on stdout: {"code": exit code, -9 if it was killed, "steps": [kinds of steps, if it ended itself]}.

A step is a call that changes files: opening for writing, mkdir, rename, link, remove, fsync and the like. A commit is a step that
puts a finished file, folder or link in its place. Death comes just before the step, and "just after" is the step before the next.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import Any

CHANGES = "os.mkdir os.rmdir os.remove os.truncate os.rename os.symlink os.link".split()
COMMITS = {"os.rename", "os.symlink", "os.link"}


def changes_files(event: str, arguments: tuple[Any, ...]) -> bool:
    """Whether an audit event is a step; see `sys.addaudithook`."""
    if event in CHANGES:
        return True
    return event == "open" and bool(int(arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


class Steps:
    """Counts the steps of this process, and ends it at one of them."""

    def __init__(self, step: int | None, commit: int | None) -> None:
        self.kinds: list[str] = []
        self._step, self._commit = step, commit
        self._sync = os.fsync
        os.fsync = self._fsync
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if changes_files(event, arguments):
            self._count(event)

    def _fsync(self, descriptor: int) -> None:
        self._count("os.fsync")
        self._sync(descriptor)

    def _count(self, kind: str) -> None:
        if len(self.kinds) == self._step:
            os.kill(os.getpid(), signal.SIGKILL)
        if kind in COMMITS and sum(k in COMMITS for k in self.kinds) == self._commit:
            os.kill(os.getpid(), signal.SIGKILL)
        self.kinds.append(kind)


def be_the_command(request: dict[str, Any], answer: int) -> None:
    """In the child: run the command; the steps go to `answer` if it lives so long."""
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    steps = Steps(request.get("step"), request.get("commit"))
    sys.argv = ["llmi2i", *request["argv"]]
    from llm_i2i.cli.main import main

    code: int | str | None = 0
    try:
        main()
    except SystemExit as done:
        code = done.code
    sys.stdout.flush()
    sys.stderr.flush()
    os.write(answer, json.dumps(steps.kinds).encode())
    os._exit(code if isinstance(code, int) else 0)


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Fork, wait, and kill in time where the request says when."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        be_the_command(request, writing)
    os.close(writing)
    if "after" in request:
        time.sleep(request["after"])
        os.kill(child, signal.SIGKILL)  # not waited for yet, so the id is still its own
    with os.fdopen(reading, "rb") as pipe:
        kinds = pipe.read()
    _, status = os.waitpid(child, 0)
    return {"code": os.waitstatus_to_exitcode(status), "steps": json.loads(kinds or "[]")}


def main() -> None:
    import duckdb  # noqa: F401  what every command needs is there before the first fork
    import sqlglot.optimizer.qualify  # noqa: F401

    import llm_i2i.api
    import llm_i2i.cli.main
    import llm_i2i.experiment.report  # noqa: F401

    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
