"""The system refuses a write: said as ours, nothing published is hurt, the next build goes on. More of it in tests/crash."""

from __future__ import annotations

import subprocess
import sys

from llm_i2i.runner.project import Project
from tests.project.conftest import ShopProject


def test_a_file_that_may_not_grow(shop: ShopProject) -> None:
    """A limit on the size of files stands in for a full disk, which needs a disk of its own."""
    # Set by a Python of its own: a fork of this process, with a server of Sail in it, may die of that server's threads.
    limited = "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (900, resource.RLIM_INFINITY)); os.execv(sys.executable, sys.argv[1:])"  # fmt: skip
    command = [sys.executable, "-m", "llm_i2i", "build", "--project-dir", str(shop.dir)]
    done = subprocess.run(
        [sys.executable, "-c", limited, *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "defect" not in done.stderr
    assert "larger than is allowed" in done.stderr or "File too large" in done.stderr
    assert not (shop.dir / "target/dev.duckdb").exists()
    assert shop.run("build").returncode == 0
    assert len(Project.load(shop.dir).query("from scored").fetchall()) == 20
