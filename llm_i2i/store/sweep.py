"""Removes what killed processes left: scratch whose process is gone, files that were being written beside their place."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from llm_i2i.store.store import Store

ABANDONED = 3600.0  # seconds: no writer leaves the file it is making alone for so long


def sweep_killed(target_dir: Path) -> None:
    """Remove scratch and half-written files that killed processes left, wherever they lie."""
    Store(target_dir).sweep()
    for folder in (target_dir / "tmp").glob("[0-9]*"):  # spill of an engine, by process
        if folder.name.isdecimal() and not _is_alive(int(folder.name)):
            shutil.rmtree(folder, ignore_errors=True)
    for path in target_dir.glob("*"):
        if path.name != "store":  # which is written in its scratch alone
            sweep_abandoned(path)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def sweep_abandoned(place: Path) -> None:
    """Remove what killed writers left of the files and folders they were making: `.NAME.*.tmp`, here and in all folders below."""
    for path in (place, *place.rglob(".*.tmp")):
        is_beside = path.name.startswith(".") and path.suffix == ".tmp"
        if is_beside and time.time() - _last_write(path) > ABANDONED:
            remove(path)


def _last_write(path: Path) -> float:
    """Seconds since 1970; now if it is gone."""
    try:
        return max(p.lstat().st_mtime for p in (path, *path.rglob("*")))
    except FileNotFoundError:
        return time.time()


def remove(path: Path) -> None:
    """Remove a file, a link or a whole folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
