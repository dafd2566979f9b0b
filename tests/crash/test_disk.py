"""A disk that is full, and one that is read-only: said plainly, nothing published is hurt, and the next build goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.scenes import Stage, changed_project, new_project

pytestmark = pytest.mark.crash

DISK = 40 << 20  # bytes


def mount(*arguments: str) -> bool:
    """Whether the system lets us."""
    try:
        done = subprocess.run(["mount", *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return done.returncode == 0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Stage]:
    """A stage on a small disk of its own, with a published project whose prompt was changed."""
    place = tmp_path / "disk"
    place.mkdir()
    if not mount("-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(place)):
        pytest.skip("mounting a tmpfs is not allowed here (needs root)")
    stage = Stage(place)
    stage.log = tmp_path / "log.txt"  # on another disk
    try:
        new_project(stage)
        changed_project(stage)
        yield stage
    finally:
        stage.close()
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(stage: Stage, leave: int) -> Path:
    """Take all of the disk but some bytes."""
    ballast = stage.dir / "ballast"
    free = shutil.disk_usage(stage.dir).free
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free - leave)
    return ballast


def test_a_full_disk(disk: Stage) -> None:
    before = disk.everything()
    disk.keep("base")
    disk.must("build")
    after, calls = disk.everything(), sum(disk.made_calls().values())
    failed = 0
    for leave in [*range(0, 128 << 10, 12 << 10), *range(128 << 10, 1 << 20, 128 << 10)]:
        disk.go_back_to("base")
        ballast = fill(disk, leave)
        done = disk.run("build")
        said = disk.log.read_text()
        if done["code"]:
            failed += 1
            assert done["code"] == 1, said
            assert "No space left" in said or "the disk is full" in said, f"{leave}: {said}"
            assert "Traceback" not in said
            assert "defect of llmi2i" not in said, f"{leave}: {said}"
            assert disk.everything() == before
        ballast.unlink()
        made, kept = disk.made_calls(), disk.committed_calls()
        disk.must("build")
        again = disk.made_calls()
        assert not set(again) & set(kept)
        assert sum((made + again).values()) <= calls + 7
        assert disk.everything() == after
    assert failed > 10


def test_a_read_only_disk(disk: Stage) -> None:
    before = disk.everything()
    place = str(disk.dir)
    assert mount("-o", "remount,ro", place)
    try:
        for command in (["query", "from kept"], ["ls"], ["show", "kept"], ["rollback", "dev", "--list"], ["diff", "dev", "dev"]):  # fmt: skip
            disk.must(*command)
        for command in (
            ["build"],
            ["promote", "dev", "prod", "--force"],
            ["gc", "--yes"],
            ["test"],
        ):
            done = disk.run(*command)
            said = disk.log.read_text()
            assert done["code"] == 1, said
            assert "the disk is read-only" in said
            assert "Traceback" not in said
        assert disk.everything() == before
    finally:
        assert mount("-o", "remount,rw", place)
    disk.must("build")
