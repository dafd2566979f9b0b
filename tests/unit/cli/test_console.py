"""Lines of a running build: 80 characters, whatever a node is called and took."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from llm_i2i.cli.console import Console
from llm_i2i.cli.output import line_width
from llm_i2i.runner.build.events import NodeOutcome
from llm_i2i.udf.batch import CallCounts


def line(capsys: pytest.CaptureFixture[str], name: str, calls: CallCounts | None) -> str:
    step = cast("Any", SimpleNamespace(node=SimpleNamespace(name=name, materialized="table")))
    outcome = NodeOutcome(step, "OK", rows=101_858, seconds=120.62, calls=calls)
    Console().node_finished(34, 114, outcome)
    return capsys.readouterr().err.rstrip("\n")[len("00:00:00  ") :]


def test_a_line_loses_what_matters_least_before_it_grows(
    capsys: pytest.CaptureFixture[str],
) -> None:
    many = CallCounts(97_675, 3)
    assert line(capsys, "log", None).startswith("34 of 114 OK created log ....")
    assert line(capsys, "log", None).endswith(".. [101,858 rows in 120.62s]")
    assert line(capsys, "log", many).startswith("34 of 114 OK log ..")
    assert line(capsys, "log", many).endswith(". [101,858 rows, 97,672 calls, 3 cached, 120.62s]")
    assert line(capsys, "scored_item_pairs", many).endswith(
        ". [101,858 rows, 97,672 calls, 120.62s]"
    )
    assert line(capsys, "scored_pairs_" * 2, many).endswith(". [97,672 calls, 120.62s]")
    for length in range(1, 31):
        assert len(line(capsys, "n" * length, many)) <= 70
    assert line(capsys, "n" * 70, many) == f"34 of 114 OK {'n' * 70} [97,672 calls, 120.62s]"


def test_a_listing_is_as_wide_as_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "132")
    assert line_width() == 132
    monkeypatch.setenv("COLUMNS", "40")
    assert line_width() == 80


def named(name: str) -> Any:
    return cast("Any", SimpleNamespace(node=SimpleNamespace(name=name, materialized="table")))


def test_the_rate_is_that_of_this_run_of_the_node(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("llm_i2i.cli.console.time.monotonic", lambda: clock[0])
    console = Console()

    def told(done: float, seconds: float) -> str:
        clock[0] += seconds
        console.progress(named("generator"), "fine_tune", done, 1000, "")
        return capsys.readouterr().err.rstrip("\n")[len("00:00:00  ") :]

    told(400, 0)  # resumed there
    assert told(440, 20) == "generator: fine_tune 440/1,000  2.0/s  ETA 4:40"
    console.node_finished(1, 2, NodeOutcome(named("generator"), "OK"))
    capsys.readouterr()
    # Once more with another seed, ten minutes later.
    told(0, 600)
    assert told(200, 10) == "generator: fine_tune 200/1,000  20/s  ETA 0:40"


def test_what_is_left_follows_the_pace_of_what_is_finished(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr("llm_i2i.cli.console.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    console = Console()
    console.expects({"log": 20.0, "generator": 60.0, "index": 30.0})
    plan = cast("Any", SimpleNamespace(to_build=[1, 2, 3, 4]))
    console.started(plan, {"model": 4})
    said = capsys.readouterr().err
    assert "To build: 3 nodes that took 1:50 last time, 1 new" in said

    def started(name: str) -> str:
        step = cast("Any", SimpleNamespace(**vars(named(name)), reason="new", compiled=None))
        console.node_started(1, 4, step)
        return capsys.readouterr().err

    assert "[1:50 left] START log" in started("log").replace("1 of 4 ", "")
    clock[0] = 40.0  # twice as slow as last time
    console.node_finished(1, 4, NodeOutcome(named("log"), "OK"))
    assert "[3:00 left]" in started("generator")
    clock[0] = 70.0
    assert "[2:30 left]" in started("generator")
    clock[0] = 1000.0
    assert "left]" not in started("generator")
