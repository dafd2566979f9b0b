"""Two indices compared in SQL give what a few lines of Python give."""

from __future__ import annotations

import random
from collections.abc import Iterator
from statistics import mean
from types import SimpleNamespace
from typing import Any

import duckdb
import numpy as np
import pytest

from llm_i2i.cli.diff import diff_lines
from llm_i2i.runner.environments.diff import Difference, TableDifference
from llm_i2i.runner.environments.index_diff import IndexDifference, compare_indices, is_index
from llm_i2i.statistics import bootstrap
from llm_i2i.store.environment import Pointer

N_ITEMS = 30
Lists = dict[str, list[str]]


def item(number: int) -> str:
    return f"i{number:02d}"


def make_index(seed: int, triggers: range) -> Lists:
    chance = random.Random(seed)
    return {
        item(t): chance.sample(
            [item(i) for i in range(N_ITEMS) if i != t], chance.choice([1, 4, 12])
        )
        for t in triggers
    }


HERE, THERE = make_index(1, range(0, 26)), make_index(2, range(3, 30))
RANKS = {
    side: {user: chance.choice([None, *range(1, 15)]) for user in range(40)}
    for side, chance in (("here", random.Random(3)), ("there", random.Random(4)))
}


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        for side, lists in (("here", HERE), ("there", THERE)):
            connection.execute(f"attach ':memory:' as {side}")
            connection.execute(f"create table {side}.i2i (trigger_item_id varchar, related_item_id varchar, score double, rank integer)")  # fmt: skip
            rows = [(t, r, 1 / n, n) for t, found in lists.items() for n, r in enumerate(found, 1)]
            connection.executemany(f"insert into {side}.i2i values (?, ?, ?, ?)", rows)
            connection.execute(f"create table {side}.items (item_id varchar, n_interactions integer, is_long_tail boolean)")  # fmt: skip
            connection.executemany(
                f"insert into {side}.items values (?, ?, ?)",
                [(item(i), i // 2, i < 10) for i in range(N_ITEMS)],
            )
            connection.execute(f"create table {side}.ranks (user_id varchar, split varchar, item_id varchar, rank integer, is_long_tail boolean, target_number integer)")  # fmt: skip
            # one user's target differs: it cannot be paired.
            users = [(f"u{u}", "test", item(u % N_ITEMS if u or side == "here" else 29), rank, u % N_ITEMS < 10, 2 * u) for u, rank in RANKS[side].items()]  # fmt: skip
            connection.executemany(f"insert into {side}.ranks values (?, ?, ?, ?, ?, ?)", users)
        yield connection


def compare(connection: duckdb.DuckDBPyConnection, ks: list[int], **meta: Any) -> IndexDifference:
    columns = [(c, "") for c in ("user_id", "split", "item_id", "rank", "is_long_tail", "target_number")]  # fmt: skip
    found = SimpleNamespace(parts={"inputs": {"i2i": "x"}}, columns=columns)
    store: Any = SimpleNamespace(meta=lambda node, fingerprint: found)
    nodes = meta.get("nodes", {"ranks": Pointer("1")})
    return compare_indices(store, connection, "i2i", nodes, nodes, ks, 2)


def decile(name: str) -> int:
    return int(name[1:]) * 10 // N_ITEMS + 1


def spearman(one: list[str], other: list[str]) -> float | None:
    both = [name for name in one if name in other]
    if len(both) < 2:
        return None
    order = sorted(both, key=other.index)
    return float(np.corrcoef(range(len(both)), [order.index(name) for name in both])[0, 1])


@pytest.mark.parametrize("k", [1, 3, 10])
def test_lists_overlap_and_correlate_as_python_says(
    connection: duckdb.DuckDBPyConnection, k: int
) -> None:
    found = compare(connection, [k])
    both = [t for t in HERE if t in THERE]
    overlap = {
        t: len(set(HERE[t][:k]) & set(THERE[t][:k])) / max(len(HERE[t][:k]), len(THERE[t][:k]))
        for t in both
    }
    assert found.overlap.triggers == len(both) == 23
    assert found.overlap.overlap[k] == pytest.approx(mean(overlap.values()))
    correlations = [c for t in both if (c := spearman(HERE[t], THERE[t])) is not None]
    assert found.overlap.correlation == pytest.approx(mean(correlations))
    for part in found.deciles:
        inside = [overlap[t] for t in both if decile(t) == part.decile]
        assert part.triggers == len(inside)
        assert part.overlap[k] == pytest.approx(mean(inside))
    assert sum(part.triggers for part in found.deciles) == len(both)


def test_items_gained_and_lost(connection: duckdb.DuckDBPyConnection) -> None:
    found = compare(connection, [1])
    triggers, related = found.coverage
    assert (triggers.here, triggers.there, triggers.n_gained, triggers.n_lost) == (26, 27, 3, 4)
    assert triggers.gained == ["i02", "i00"]  # by popularity, ties by name
    assert triggers.long_tail_here == 10
    first = {lists[0] for lists in HERE.values()}, {lists[0] for lists in THERE.values()}
    assert (related.here, related.there) == (len(first[0]), len(first[1]))
    assert related.n_gained == len(first[0] - first[1])
    assert related.n_lost == len(first[1] - first[0])


def test_recall_has_the_interval_of_the_experiments(connection: duckdb.DuckDBPyConnection) -> None:
    found = compare(connection, [5, 10])
    metrics = {(m.segment, m.metric, m.k): m for m in found.metrics}
    users = [u for u in RANKS["here"] if u]  # user 0 has another target there
    hits = {side: np.array([float((RANKS[side][u] or 99) <= 10) for u in users]) for side in RANKS}
    expected = bootstrap(hits["here"] - hits["there"])
    one = metrics["all", "recall", 10]
    assert (one.here, one.there) == pytest.approx((hits["here"].mean(), hits["there"].mean()))
    assert (one.difference, one.lower, one.upper) == (
        expected.mean,
        expected.lower,
        expected.upper,
    )
    assert one.targets == 39
    assert metrics["long_tail", "ndcg", 5].targets == len([u for u in users if u % N_ITEMS < 10])
    deciles = [m for m in found.metrics if m.segment.startswith("decile") and m.k == 10]
    assert sum(m.targets for m in deciles) == 39
    assert found.note == "2 targets of ranks are in one environment only and left out"


def test_it_says_what_cannot_be_compared(connection: duckdb.DuckDBPyConnection) -> None:
    for side in ("here", "there"):
        connection.execute(f"drop table {side}.items")
    found = compare(connection, [10], nodes={})
    assert "no deciles" in found.note
    assert "no recall: no table with item_id, rank, split, user_id reads i2i" in found.note
    assert not found.deciles + found.metrics
    assert found.coverage[0].long_tail_here is None


def test_indices_without_a_common_trigger(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("update here.i2i set trigger_item_id = 'x' || trigger_item_id")
    found = compare(connection, [10])
    assert found.overlap.triggers == 0
    assert found.coverage[0].n_gained == 26


def test_an_index_is_told_by_its_columns() -> None:
    assert is_index({"trigger_item_id": "", "related_item_id": "", "rank": "", "score": ""})
    assert not is_index({"item_id": "", "related_item_id": "", "score": ""})


def test_the_text_fits_80_columns(connection: duckdb.DuckDBPyConnection) -> None:
    table = TableDifference(
        "i2i", "var a changed", [], [], [], 200, 210, ["trigger_item_id", "related_item_id"],
        only_here=3, index=compare(connection, [1, 10]),
    )  # fmt: skip
    lines = list(diff_lines(Difference("dev", "a_long_environment", [], [], [], [table])))
    assert not [line for line in lines if len(line) > 80]
    text = "\n".join(lines)
    assert "dev against a_long_environment: 1 table differs" in text
    whole = next(m for m in table.index.metrics if (m.segment, m.metric, m.k) == ("all", "recall", 10))  # type: ignore[union-attr]  # fmt: skip
    row = next(line.split() for line in lines if line.split()[:2] == ["all", "recall@10"])
    assert row[2:5] == [f"{whole.there:.4f}", f"{whole.here:.4f}", f"{whole.difference:+.4f}"]
    assert len([line for line in lines if line.split()[:1] == ["10"]]) == 1
