"""Durable file steps shared by the store, the call cache and the environments."""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def sync_file(path: Path) -> None:
    """Force a file's (or folder's) content to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` make a file beside `path`, then rename it into place: readers see the old or the new, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        write(beside)
        sync_file(beside)
        beside.replace(path)
        sync_file(path.parent)
    finally:
        beside.unlink(missing_ok=True)


def replace_text(path: Path, text: str) -> None:
    """`replace_file` for a text."""
    replace_file(path, lambda beside: _write(beside, text))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def replace_link(path: Path, target: str) -> None:
    """Make `path` a link to `target` (relative to its folder) in one step, whatever was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        beside.symlink_to(target)
        beside.replace(path)
        sync_file(path.parent)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def file_lock(
    path: Path, waiting: Callable[[], None] | None = None, *, shared: bool = False
) -> Iterator[None]:
    """Hold a lock that the system frees by itself when the process dies.

    Args:
        path: Lock file, created if absent and never removed (removing it would let two processes hold "the" lock).
        waiting: Called once if another process holds the lock.
        shared: With others that share it, against one that holds it alone.
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting:
                waiting()
            fcntl.flock(handle, kind)
        yield
