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
