"""Day 2 of a log with the reference project: calls for users with new events alone, under var daily."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llm_i2i.runner.project import Project
from llm_i2i.simulate.big_log import BigLog, write_daily_log
from llm_i2i.store.store import PARTITIONS

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow

LOG = BigLog(events=5000, users=500, items=150, group_size=15, session=5.0, days=100)


def build(folder: Path) -> tuple[Project, int, dict[str, str]]:
    """The build's project, calls made, and what it did with each node."""
    vars: dict[str, Any] = {
        "interactions": str(folder / "log/*.parquet"),
        "items": None,
        "language_model": "fake",
        "daily": True,
        "log_partitions": True,
        "second_generator": False,
        "controls": [],
    }
    project = Project.load(ROOT, vars=vars, target_path=folder / "target")
    result = project.build(select="+i2i_index")
    errors = [f"{n.step.node.name}: {n.error}" for n in result.nodes if n.error]
    errors += [c.check.name for c in result.checks if c.status in ("FAIL", "ERROR")]
    assert not errors
    made = sum(n.calls.made for n in result.nodes if n.calls)
    return project, made, {n.step.node.name: n.status for n in result.nodes}


def test_a_day_of_one_percent_costs_at_most_five_percent_of_the_calls(tmp_path: Path) -> None:
    rows = write_daily_log(LOG, tmp_path / "log")
    last = max(rows)
    assert 0.005 < rows[last] / sum(rows.values()) < 0.02
    (tmp_path / "log" / f"{last}.parquet").rename(tmp_path / "last.parquet")
    _, first_day, _ = build(tmp_path)
    (tmp_path / "last.parquet").rename(tmp_path / "log" / f"{last}.parquet")
    project, second_day, status = build(tmp_path)

    assert 0 < second_day <= 0.05 * first_day
    assert status["generator"] == status["discriminator"] == status["item_pair_discriminator"] == "REUSED"  # fmt: skip
    assert status["interactions_train"] == status["i2i_index"] == "OK"
    store = project.store
    files = store.root.glob(f"log_events/*/{PARTITIONS}/*.parquet")
    assert len({path.stat().st_ino for path in files}) == LOG.days, "99 days were linked, not read"
    # a user with new events has other candidates, one without has the same
    newest = project.query("select count(*) from interactions where timestamp >= timestamp '2026-04-10'")  # fmt: skip
    assert newest.fetchall()[0][0] > 0
