"""kill -9 at any moment, two builds at once: nothing is lost, nothing half-written is seen."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import duckdb
import pytest

from tests.project.conftest import ShopProject

BATCH = 7  # of the project's UDF


def start(shop: ShopProject, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "llm_i2i", "build", "--project-dir", str(shop.dir), *arguments]
    return subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that starts tests in the background lets them inherit an ignored SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_for(path: Path) -> None:
    """Until the build has got so far, however slow the machine is."""
    until = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < until, f"no {path}"
        time.sleep(0.02)


def slow_down(shop: ShopProject, seconds: float) -> None:
    """Make each batch take a while."""
    shop.replace("udfs/functions.py", "import hashlib\n", "import hashlib\nimport time\n")
    shop.replace("udfs/functions.py", "return [int(", f"time.sleep({seconds})\n    return [int(")


def tables(shop: ShopProject) -> dict[str, list[tuple[object, ...]]]:
    with duckdb.connect(str(shop.dir / "target/dev.duckdb"), read_only=True) as client:
        names = [
            row[0]
            for row in client.sql(
                "select view_name from duckdb_views() where not internal"
            ).fetchall()
        ]
        return {
            name: sorted(client.sql(f'from "{name}"').fetchall(), key=repr)
            for name in sorted(names)
        }


@pytest.fixture
def undisturbed(tmp_path: Path) -> dict[str, list[tuple[object, ...]]]:
    other = ShopProject(tmp_path / "undisturbed")
    slow_down(other, 0.15)
    assert other.run("build").returncode == 0
    return tables(other)


def test_killed_builds_resume_and_pay_at_most_one_batch_each(
    shop: ShopProject, undisturbed: dict[str, list[tuple[object, ...]]]
) -> None:
    slow_down(shop, 0.15)
    chance = random.Random(0)
    kills = 0
    for _ in range(5):
        build = start(shop)
        time.sleep(0.5 + chance.random() * 0.8)
        if build.poll() is None:
            build.send_signal(signal.SIGKILL)
            kills += 1
        build.communicate()
        if (shop.dir / "target/dev.duckdb").exists():
            assert tables(shop) == undisturbed
    assert kills
    last = shop.run("build")
    assert last.returncode == 0, last.stderr
    assert tables(shop) == undisturbed
    calls = Counter(shop.calls())
    assert len(calls) == 20
    assert sum(calls.values()) - 20 <= kills * BATCH
    assert not list((shop.dir / "target/store/.tmp").glob("*"))


def test_readers_keep_the_last_published_state_while_a_build_runs_and_dies(
    shop: ShopProject,
) -> None:
    assert shop.run("build").returncode == 0
    before = tables(shop)
    shop.replace("project/prompts/hello.jinja", "Hello", "Dear")
    slow_down(shop, 0.3)
    shop.calls()
    build = start(shop)
    reads = 0
    while not (shop.dir / "calls.log").exists() and build.poll() is None:
        assert tables(shop) == before
        reads += 1
    build.send_signal(signal.SIGKILL)
    build.communicate()
    assert reads
    assert tables(shop) == before


def test_two_builds_at_once_do_the_work_once(shop: ShopProject) -> None:
    slow_down(shop, 0.1)
    builds = [start(shop), start(shop)]
    messages = [build.communicate(timeout=60)[1] for build in builds]
    assert [build.returncode for build in builds] == [0, 0], messages
    assert len(shop.calls()) == 20


def test_ctrl_c_says_how_to_go_on(shop: ShopProject) -> None:
    slow_down(shop, 0.5)
    build = start(shop)
    wait_for(shop.dir / "calls.log")
    build.send_signal(signal.SIGINT)
    message = build.communicate(timeout=30)[1]
    assert build.returncode == 130
    assert "run the same command again" in message
    assert "Traceback" not in message
    assert shop.run("build").returncode == 0
