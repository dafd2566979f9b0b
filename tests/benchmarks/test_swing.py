"""Swing in SQL against compiled and plain references, in one run: ratios of CPU time (`make bench`)."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llm_i2i.engine.duckdb import DuckDBEngine
from llm_i2i.runner.project import Project
from tests.benchmarks.ratios import Ratio, Side
from tests.benchmarks.references import numba_swing, python_swing, scipy_swing
from tests.benchmarks.report import write_report
from tests.research_data import DATA, HAS_DATA

ROOT = Path(__file__).parents[2]
SETS = {"Toys": "toys_and_games", "Beauty": "beauty", "Sports": "sports_and_outdoors"}
REPEATS = 3
pytestmark = [pytest.mark.bench, pytest.mark.skipif(not HAS_DATA, reason=f"needs {DATA}")]


def cpu_seconds(what: str, run: Callable[[], Any]) -> tuple[Side, Any]:
    """CPU seconds of all threads over a few runs, and the last result."""
    seconds = []
    for _ in range(REPEATS):
        started = time.process_time()
        result = run()
        seconds.append(time.process_time() - started)
    return Side.of(what, seconds), result


def swing_queries(path: Path) -> dict[str, str]:
    """The models from the events of the train part to the sums of Swing, in the order they are made; ephemeral ones are views."""
    project = Project.load(
        ROOT,
        vars={
            "interactions": str(path),
            "items": str(path).replace(".interactions.", ".items."),
            "order_column": "position",
            "max_users_per_item": 0,
            "max_items_per_user": 0,
        },
    )
    compiled = project.compile(["swing_sums"])
    kinds = dict.fromkeys(("swing_events", "swing_costs"), "table")
    kinds |= dict.fromkeys(("swing_user_weights", "swing_sums_by_user"), "view")
    kinds["swing_sums"] = "table"
    return {
        f"create or replace {kind} {name} as": compiled[name].sql for name, kind in kinds.items()
    }


def run_swing(engine: DuckDBEngine, queries: dict[str, str]) -> None:
    for create, query in queries.items():
        engine.run(f"{create} {query}")


def test_swing_cpu_time() -> None:
    rows = []
    ratios = []
    for name, stem in SETS.items():
        path = DATA / f"{stem}.interactions.parquet"
        engine = DuckDBEngine(threads=1)
        engine.run(
            "create table interactions_train as select user_id - 1 as user_number, item_id - 1 as item_number, position"
            f" from read_parquet('{path}') qualify position < count(*) over (partition by user_id) - 1"
        )  # trainval: all but the last event, as the figures of the design notes
        events = engine.table("select user_number, item_number from interactions_train")
        users = events["user_number"].to_numpy().astype(np.int64)
        items = events["item_number"].to_numpy().astype(np.int64)
        queries = swing_queries(path)
        sql, _ = cpu_seconds("SQL", lambda q=queries, e=engine: run_swing(e, q))
        numba_swing(users, items)  # compile outside the clock
        numba, (keys, sums, selves) = cpu_seconds(
            "numba", lambda u=users, i=items: numba_swing(u, i)
        )
        scipy, (scipy_keys, scipy_sums, _) = cpu_seconds(
            "scipy.sparse", lambda u=users, i=items: scipy_swing(u, i)
        )
        python, reference = cpu_seconds("Python sets", lambda u=users, i=items: python_swing(u, i))
        found = engine.rows(
            "select item_number, related_item_number, user_pairs, self_terms from swing_sums"
        )
        assert len(found) == len(reference) == len(keys) == len(scipy_keys)
        assert (
            max(abs(s - reference[i, j][0]) + abs(t - reference[i, j][1]) for i, j, s, t in found)
            < 1e-9
        )
        total = sum(s for s, _ in reference.values())
        np.testing.assert_allclose([sums.sum(), scipy_sums.sum()], total)
        np.testing.assert_allclose(selves.sum(), sum(t for _, t in reference.values()))
        compiled = min(numba, scipy, key=lambda side: side.value)
        ratios += [
            Ratio.of(f"{name}, SQL / best compiled", sql, compiled, aim=1.5),
            Ratio.of(f"{name}, SQL / Python sets", sql, python),
        ]
        times = [side.value for side in (sql, numba, scipy, python)]
        rows.append((name, *times, sql.value / compiled.value, python.value / sql.value))
    write_report(
        "swing",
        "Swing on all but the last event of each user, CPU seconds, one thread, median of 3",
        (
            "set",
            "SQL",
            "numba",
            "scipy.sparse",
            "Python sets",
            "SQL / best compiled",
            "Python / SQL",
        ),
        rows,
        "make bench",
        ratios,
        ("project/macros/swing.sql", "models/similarity/swing*.sql", "llm_i2i/engine"),
    )
