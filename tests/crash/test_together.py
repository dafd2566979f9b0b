"""Several at once on one store, and ends that are asked for: signals, and a worker that dies."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

import pytest

from llm_i2i.runner.project import Project
from tests.project.conftest import ShopProject
from tests.project.test_crash import slow_down, start, tables, wait_for

pytestmark = pytest.mark.crash

Tables = dict[str, list[tuple[object, ...]]]


def undisturbed(folder: Path, seconds: float) -> Tables:
    """What one build alone makes, with batches of this length."""
    other = ShopProject(folder)
    slow_down(other, seconds)
    assert other.run("build").returncode == 0
    return tables(other)


def finish(builds: list[subprocess.Popen[str]]) -> None:
    said = [build.communicate(timeout=300)[1] for build in builds]
    assert [build.returncode for build in builds] == [0] * len(builds), said


@pytest.mark.parametrize("count", [2, 10])
def test_builds_at_once_make_one_result_and_each_call_once(
    shop: ShopProject, tmp_path: Path, count: int
) -> None:
    slow_down(shop, 0.15)
    finish([start(shop) for _ in range(count)])
    assert len(shop.calls()) == 20
    for node in ("events", "prompts", "trained", "scored", "kept"):
        assert len(list((shop.dir / "target/store" / node).iterdir())) == 1
    assert tables(shop) == undisturbed(tmp_path / "alone", 0.15)


def test_builds_of_different_nodes_share_their_calls(shop: ShopProject) -> None:
    """Ten variants ask the same prompts: their results differ, their calls do not."""
    slow_down(shop, 0.1)
    shop.replace("models/prompts.sql", "    user_id,\n", "    user_id,\n    {{ var('threshold') }} as variant,\n")  # fmt: skip
    builds = [
        start(shop, "--env", f"v{n}", "--vars", f"{{threshold: 0.{n}}}") for n in range(1, 10)
    ]
    finish(builds)
    assert len(list((shop.dir / "target/store/scored").iterdir())) == 9
    assert len(shop.calls()) == 20


def test_builds_go_on_while_gc_runs(shop: ShopProject, tmp_path: Path) -> None:
    slow_down(shop, 0.15)
    build, collections = start(shop), 0
    while build.poll() is None:
        done = shop.run("gc", "--yes", "--calls", "--unfinished", "--keep-states", "1")
        assert done.returncode == 0, done.stderr
        collections += 1
    finish([build])
    assert collections > 1
    assert len(shop.calls()) == 20
    assert tables(shop) == undisturbed(tmp_path / "alone", 0.15)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_build_in_order(
    shop: ShopProject, tmp_path: Path, number: signal.Signals
) -> None:
    slow_down(shop, 0.5)
    build = start(shop)
    wait_for(shop.dir / "calls.log")
    build.send_signal(number)
    said = build.communicate(timeout=60)[1]
    assert build.returncode == 128 + number
    assert "run the same command again" in said
    assert "Traceback" not in said
    assert not list((shop.dir / "target/store/.tmp").glob("*"))
    assert not list((shop.dir / "target/tmp").glob("*"))
    made = Counter(shop.calls())
    assert shop.run("build").returncode == 0
    assert sum((made + Counter(shop.calls())).values()) <= 20 + 7
    assert tables(shop) == undisturbed(tmp_path / "alone", 0.5)


def test_a_function_that_hangs_is_ended_by_a_signal(shop: ShopProject) -> None:
    slow_down(shop, 3600)
    build = start(shop)
    wait_for(shop.dir / "calls.log")
    build.send_signal(signal.SIGTERM)
    assert "run the same command again" in build.communicate(timeout=60)[1]


CLOCK = """
    import sys, time
    from datetime import UTC, datetime

    back, start, real = float(sys.argv[1]), time.time(), time.time
    time.time = lambda: start - back - 100 * (real() - start)
    import llm_i2i.store.environment as environment
    environment._now = lambda: datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds")
    sys.argv = ["llmi2i", *sys.argv[2:]]
    from llm_i2i.cli.main import main
    main()
"""


def test_a_clock_that_goes_backwards(shop: ShopProject) -> None:
    """Order is by number, never by time; a clock that jumps back a day with each command changes nothing."""

    def run(day: int, *arguments: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-c", textwrap.dedent(CLOCK), str(86_400 * day), *arguments]
        done = subprocess.run(
            [*line, "--project-dir", str(shop.dir)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done

    run(1, "build")
    run(2, "build", "--vars", "{threshold: 0.2}")
    after = tables(shop)
    run(3, "build", "--vars", "{threshold: 0.9}")
    run(4, "rollback", "dev")
    assert tables(shop) == after
    run(5, "promote", "dev", "prod", "--force")
    assert len(shop.calls()) == 20
    states = Project.load(shop.dir).environment.history()
    assert [state.number for state in states] == [4, 3, 2, 1]
    assert [state.at for state in states] == sorted(state.at for state in states)
    run(6, "gc", "--yes", "--keep-states", "1")
    assert tables(shop) == after
