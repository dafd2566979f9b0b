"""The generic tests for synthetic data, against their definitions in Python."""

from __future__ import annotations

import math
from collections import Counter

import duckdb
import pytest

from llm_i2i.errors import ProjectError
from llm_i2i.render.renderer import MacroLibrary, Renderer

REAL = {"a": 1, "b": 1, "c": 2, "d": 4, "e": 8}  # item -> events
SYNTHETIC = {"a": 3, "d": 1, "e": 1, "new": 1}


@pytest.fixture
def rows():
    """Runs a data test and gives its failing rows as dicts."""
    connection = duckdb.connect()
    events = [(u, item) for item, n in REAL.items() for u in range(n)]
    made = [(u + 100, item) for item, n in SYNTHETIC.items() for u in range(n)]
    for name, pairs in (("interactions_train", events), ("made", made), ("nothing", [])):
        connection.execute(f"create table {name} (user_id integer, item_id varchar)")
        if pairs:
            connection.executemany(f"insert into {name} values (?, ?)", pairs)
    connection.execute(
        "create table item_long_tail as select unnest(['a', 'b', 'c', 'd', 'e', 'new']) as item_id, item_id in ('a', 'new') as is_long_tail"
    )
    renderer = Renderer(vars={}, macros=MacroLibrary.load())

    def run(test, model="made", **arguments):
        sql = renderer.render_data_test(test, model, None, arguments, location="x.yml:1").sql
        found = connection.execute(sql)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    run.connection = connection
    return run


def divergence(synthetic: Counter[object], real: Counter[object]) -> float:
    total = 0.0
    for key in synthetic | real:
        p, q = synthetic[key] / synthetic.total(), real[key] / real.total()
        for share in (p, q):
            total += share * math.log2(share / ((p + q) / 2)) / 2 if share else 0
    return total


def test_popularity_drift_is_the_jensen_shannon_divergence(rows) -> None:
    by_item = divergence(Counter(SYNTHETIC), Counter(REAL))
    (found,) = rows("popularity_drift", max_divergence=0, bins=None)
    assert found["value"] == pytest.approx(by_item)
    assert f"{by_item:.3f} bits" in found["message"]
    # two bins of eight events: a b c d and e; the new item belongs to the least popular.
    halves = divergence(Counter({0: 5, 1: 1}), Counter({0: 8, 1: 8}))
    assert rows("popularity_drift", max_divergence=0, bins=2)[0]["value"] == pytest.approx(halves)
    assert rows("popularity_drift", max_divergence=halves + 1e-9, bins=2) == []


def test_popularity_drift_as_a_ratio(rows) -> None:
    logs = [math.log(REAL.get(item, 0) + 1) for item, n in SYNTHETIC.items() for _ in range(n)]
    real = [math.log(n + 1) for n in REAL.values() for _ in range(n)]
    expected = math.exp(sum(logs) / len(logs) - sum(real) / len(real))
    (found,) = rows("popularity_drift", max_ratio=0.1)
    assert found["value"] == pytest.approx(expected)
    assert rows("popularity_drift", max_ratio=1, max_divergence=1) == []


def test_the_same_data_do_not_drift_and_none_pass(rows) -> None:
    assert (
        rows("popularity_drift", "interactions_train", max_divergence=1e-12, max_ratio=1.0000001)
        == []
    )
    assert rows("popularity_drift", "nothing", max_divergence=0, max_ratio=0) == []


def test_popularity_drift_needs_a_bound(rows) -> None:
    with pytest.raises(ProjectError, match="needs max_divergence, max_ratio or both"):
        rows("popularity_drift")


def test_long_tail_share(rows) -> None:
    assert rows("long_tail_share", min_value=0.6, max_value=0.7) == []  # 4 of 6
    (found,) = rows("long_tail_share", max_value=0.5)
    assert found["share"] == pytest.approx(4 / 6)
    assert found["message"] == "66.7% of the rows are long-tail items, not 0 to 50.0%"


def test_pairs_are_new(rows) -> None:
    assert rows("synthetic_pairs_are_new") == []
    rows.connection.execute("insert into made values (0, 'a'), (1, 'a')")
    assert rows("synthetic_pairs_are_new") == [{"user_id": 0, "item_id": "a"}]
    assert (
        len(rows("synthetic_pairs_are_new", real="ref('made')", columns=["user_id", "item_id"]))
        == 8
    )


def test_row_cap(rows) -> None:
    assert rows("row_cap", cap=4) == []
    assert rows("row_cap", cap=3) == [{"user_id": 100, "n_rows": 4}]
    assert rows("row_cap", cap=None) == []


def test_calibration(rows) -> None:
    judged = [(0.1, 0), (0.1, 1), (0.2, 0), (0.6, 1), (0.7, 0), (0.9, 1)]
    rows.connection.execute("create table judged (confidence double, hit integer)")
    rows.connection.executemany("insert into judged values (?, ?)", judged)
    halves = [judged[:3], judged[3:]]
    expected = sum(abs(sum(p for p, _ in h) - sum(o for _, o in h)) for h in halves) / 6
    (found,) = rows("expected_calibration_error", "judged", outcome="hit = 1", max_value=0, bins=2)
    assert found["error"] == pytest.approx(expected)
    assert (
        rows("expected_calibration_error", "judged", outcome="hit = 1", max_value=0.3, bins=2) == []
    )


def test_equal_probabilities_share_a_bin(rows) -> None:
    rows.connection.execute(
        "create table judged as select 0.5 as confidence, i % 2 = 0 as hit from range(100) t(i)"
    )
    assert rows("expected_calibration_error", "judged", outcome="hit", max_value=1e-9) == []
