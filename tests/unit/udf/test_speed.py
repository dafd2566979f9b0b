from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llm_i2i.store.calls import CallCache
from llm_i2i.udf.speed import Amount, Stopwatch, estimate_seconds


def run(subject: str, at: float, *batches: Amount) -> dict[str, Any]:
    watch = Stopwatch()
    for batch in batches:
        watch.add(batch)
    # As it comes back from disk.
    return json.loads(json.dumps({**watch.measurement(subject), "measured_at": at}))  # type: ignore[no-any-return]


def test_the_start_of_the_model_counts_once():
    # 1,000 tokens a second, after a start of 40 s.
    known = run("a", 1, Amount(200, 2000, 42.0), Amount(200, 2000, 2.0), Amount(100, 1000, 1.0))
    assert estimate_seconds([known], "a", Amount(600, 6000)) == pytest.approx(46.0)


def test_one_batch_is_taken_as_it_is():
    known = run("a", 1, Amount(200, 2000, 4.0))
    assert estimate_seconds([known], "a", Amount(100, 500)) == pytest.approx(1.0)


def test_calls_count_where_there_are_no_tokens():
    known = run("a", 1, Amount(200, 0, 4.0))
    assert estimate_seconds([known], "a", Amount(100)) == pytest.approx(2.0)


def test_the_latest_of_the_same_subject_counts_and_a_long_run_more_than_a_short_one():
    runs = [
        run("a", 1, Amount(100, 1000, 9.0)),
        run("a", 2, Amount(100, 1000, 1.0)),
        run("a", 3, Amount(2, 20, 30.0)),
        run("b", 4, Amount(100, 1000, 70.0)),
    ]
    assert estimate_seconds(runs, "a", Amount(50, 500)) == pytest.approx(0.5)
    assert estimate_seconds(runs[2:3], "a", Amount(1, 10)) == pytest.approx(15.0)


def test_nothing_is_invented():
    assert estimate_seconds([run("a", 1, Amount(9, 9, 9.0))], "b", Amount(5, 5)) is None
    assert estimate_seconds([], "b", Amount(0, 0)) == 0.0


def test_speeds_are_kept_beside_the_calls(tmp_path: Path):
    cache = CallCache(tmp_path)
    assert cache.speeds("score") == []
    cache.record_speed("score", "g1", run("a", 1, Amount(1, 1, 1.0)))
    cache.record_speed("score", "g1", run("a", 2, Amount(2, 2, 2.0)))
    cache.record_speed("score", "g2", run("b", 3, Amount(3, 3, 3.0)))
    (tmp_path / "calls/score/g3").mkdir()
    (tmp_path / "calls/score/g3/speed.json").write_text("{")
    assert [(s["subject"], s["measured_at"]) for s in cache.speeds("score")] == [("a", 2), ("b", 3)]
    assert cache.segments("score", "g1") == []
