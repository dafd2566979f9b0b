from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest

from llm_i2i.engine.duckdb import DuckDBEngine
from llm_i2i.runner.build.meter import call_meter
from llm_i2i.store.calls import CallCache
from llm_i2i.udf.batch import BatchCall, run_batch_call
from llm_i2i.udf.context import UdfContext
from llm_i2i.udf.pace import AIM, FIRST, Pace
from llm_i2i.udf.registry import UdfRegistry


@pytest.mark.parametrize("seconds", [0.0005, 0.02, 0.4, 3.0, 25.0])
def test_no_batch_but_of_single_calls_takes_half_a_minute(seconds: float) -> None:
    pace = Pace(2048)
    sizes = []
    for _ in range(8):
        sizes.append(pace.rows())
        pace.took(sizes[-1], sizes[-1] * seconds)
    assert all(rows * seconds <= 3 * AIM or rows in {1, FIRST} for rows in sizes)
    assert sizes[-1] == max(1, min(2048, int(AIM / seconds + 1e-9)))
    assert all(later <= 8 * rows for rows, later in itertools.pairwise(sizes))


def test_what_was_measured_before_is_where_it_begins() -> None:
    assert Pace(2048, 0.1).rows() == AIM / 0.1
    assert Pace(2048, 100).rows() == 1
    assert Pace(4).rows() == 4


def test_a_batch_that_was_slower_than_thought_makes_the_next_one_smaller() -> None:
    pace = Pace(2048, 0.01)
    pace.took(pace.rows(), 10 * AIM)
    assert pace.rows() == 100


def test_a_slow_model_commits_every_few_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill after 100 s of a model that takes 2 s a prompt costs the calls of the last batch only."""
    clock = [0.0]
    monkeypatch.setattr("llm_i2i.udf.batch.time.monotonic", lambda: clock[0])
    path = tmp_path / "functions.py"
    path.write_text(
        "from llm_i2i.udf import batch_udf\n"
        "@batch_udf(returns='DOUBLE', batch_size=2048)\n"
        "def score(text: list[str], *, model: str = '') -> list[float]: ...\n"
    )
    registry = UdfRegistry()
    registry.load_file(path)
    sizes: list[int] = []

    def score(texts: Sequence[str], *, model: str = "") -> list[float]:
        sizes.append(len(texts))
        clock[0] += 2 * len(texts)
        if clock[0] > 100:
            raise KeyboardInterrupt
        return [float(len(text)) for text in texts]

    engine, cache = DuckDBEngine(threads=1), CallCache(tmp_path)
    said: list[int] = []

    def progress(done: float, total: float, message: str = "") -> None:
        said.append(int(done))

    context = UdfContext(tmp_path, tmp_path, tmp_path, "", progress=progress)

    def call(model: str) -> BatchCall:
        return BatchCall(
            relation="calls",
            signature=registry.signatures["score"],
            function=score,
            arguments="select 'text ' || range as calls_arg_0 from range(300)",
            constants={"model": model} if model else {},
            file=path,
            meter=call_meter("score", {}, tmp_path),
        )

    try:
        with pytest.raises(KeyboardInterrupt):
            run_batch_call(call("large"), engine, cache, context)
        assert sizes == [8, *[5] * (len(sizes) - 1)]
        kept = sum(sizes[:-1])
        assert said[-1] == kept
        assert kept >= (100 - AIM) / 2
        clock[0] = -1e9
        counts = run_batch_call(call("large"), engine, cache, context)
        assert counts.made == 300 - kept
        # Nothing is said of the speed of a function that asks no model: it is called with its batch_size.
        sizes.clear()
        run_batch_call(call(""), engine, cache, context)
        assert sizes == [300]
    finally:
        engine.close()
