"""Durable file steps shared by the store, the call cache and the environments."""

from __future__ import annotations

import fcntl
import hashlib
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


def sha256(path: Path) -> str:
    """SHA-256 of a file, 64 hex characters; empty if it cannot be read."""
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError:
        return ""


def sync_file(path: Path) -> None:
    """Force a file's (or folder's) content to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, durably."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_file(folder.parent)


def replace_file(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` make a file beside `path`, then rename it into place: readers see the old or the new, never half."""
    make_folder(path.parent)
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
    make_folder(path.parent)
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
        path: Lock file, created if absent; only who holds it may remove it.
        waiting: Called once if another process holds the lock.
        shared: With others that share it, against one that holds it alone.
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    make_folder(path.parent)
    while True:
        with path.open("a") as handle:
            try:
                fcntl.flock(handle, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                if waiting:
                    waiting()
                    waiting = None
                fcntl.flock(handle, kind)
            if not _is_at(handle, path):
                continue  # who held it has removed it: others lock a new file of this name
            yield
            return


@contextmanager
def lock_if_free(path: Path) -> Iterator[bool]:
    """Hold the lock of an existing lock file if nobody does; False, at once, if somebody does or the file is gone."""
    try:
        handle = path.open("r+")
    except FileNotFoundError:
        yield False
        return
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield _is_at(handle, path)


def _is_at(handle: IO[str], path: Path) -> bool:
    """Whether an open file is still what its path names."""
    try:
        return os.path.samestat(os.fstat(handle.fileno()), os.stat(path))
    except FileNotFoundError:
        return False
