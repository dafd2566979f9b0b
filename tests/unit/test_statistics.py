"""Bootstrap estimates against plain Python, enumeration and scipy; the table UDF that offers them to SQL against the same."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from llm_i2i import statistics
from llm_i2i.errors import LlmI2iError
from llm_i2i.statistics import bootstrap, gains
from llm_i2i.udf.registry import UdfRegistry

UDFS = UdfRegistry()
UDFS.load_file(Path(__file__).parents[2] / "udfs" / "statistics.py")
PAIRED = UDFS.function("paired_bootstrap")


def plain_bootstrap(
    values: list[float], resamples: int, seed: int
) -> tuple[float, float, list[float]]:
    """2.5% and 97.5% quantile of the mean, and all resampled means."""
    draw = random.Random(seed)
    means = sorted(mean(draw.choices(values, k=len(values))) for _ in range(resamples))
    return means[round(0.025 * resamples)], means[round(0.975 * resamples) - 1], means


def recall_differences(seed: int, users: int) -> np.ndarray:
    return np.random.default_rng(seed).choice([-1.0, 0.0, 1.0], users, p=[0.1, 0.7, 0.2])


SHAPES = {  # a few values of many users; many values of few users; values of one user each
    "recall": lambda draw: draw.choice([-1.0, 0.0, 1.0], 300, p=[0.1, 0.7, 0.2]),
    "ndcg": lambda draw: gains(draw.integers(1, 30, 300) * 1.0, "ndcg", 20) - gains(draw.integers(1, 40, 300) * 1.0, "ndcg", 20),
    "continuous": lambda draw: draw.normal(0.1, 1.0, 300),
}  # fmt: skip


# -- gains -------------------------------------------------------------------------------------------------------------


def test_gains() -> None:
    ranks = np.array([1, 2, 5, 6, np.inf])
    np.testing.assert_array_equal(gains(ranks, "recall", 5), [1, 1, 1, 0, 0])
    np.testing.assert_allclose(
        gains(ranks, "ndcg", 5), [1, 1 / math.log2(3), 1 / math.log2(6), 0, 0]
    )
    with pytest.raises(LlmI2iError, match="unknown metric"):
        gains(ranks, "mrr", 5)


# -- the bootstrap -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_it_equals_a_plain_bootstrap_over_users(shape: str) -> None:
    values = SHAPES[shape](np.random.default_rng(5))
    found = bootstrap(values, resamples=4000)
    error = stdev(values) / math.sqrt(len(values))
    assert found.mean == pytest.approx(mean(values), abs=1e-12)
    assert found.standard_error == pytest.approx(error, abs=1e-12)
    assert found.n_users == 300
    lower, upper, means = plain_bootstrap(values.tolist(), 4000, 1)
    assert (found.lower, found.upper) == pytest.approx((lower, upper), abs=0.15 * error)
    rarer = min(sum(m <= 1e-12 for m in means), sum(m >= -1e-12 for m in means))
    assert found.p_value == pytest.approx(2 * (rarer + 1) / 4001, abs=0.03)


@pytest.mark.parametrize("shape", SHAPES)
def test_it_equals_the_percentile_bootstrap_of_scipy(shape: str) -> None:
    stats = pytest.importorskip("scipy.stats")
    values = SHAPES[shape](np.random.default_rng(6))
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(2)
    )
    found = bootstrap(values, resamples=4000)
    error = found.standard_error
    interval = expected.confidence_interval
    assert (found.lower, found.upper) == pytest.approx((interval.low, interval.high), abs=0.15 * error)  # fmt: skip
    assert expected.standard_error == pytest.approx(error, rel=0.05)


@pytest.mark.parametrize("common", [1, 2, 1000])  # all as counts, some, all user by user
def test_resamples_have_exactly_the_distribution_of_draws_of_users(
    common: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "COMMON", common)
    users = [-1.0, 0.0, 0.0, 2.0]
    expected = Counter(sum(drawn) for drawn in itertools.product(users, repeat=4))
    n = 40_000
    distinct, counts = np.array([-1.0, 0.0, 2.0]), np.array([1, 2, 1])
    sums = np.concatenate(list(statistics._resampled_sums(distinct, counts, n, 3)))
    found = Counter(sums.tolist())
    assert set(found) == set(expected)
    for value, ways in expected.items():
        share = ways / 4**4
        assert found[value] / n == pytest.approx(share, abs=4.5 * math.sqrt(share / n))


def test_users_of_one_value_may_be_given_as_their_number() -> None:
    values = recall_differences(1, 500)
    distinct, counts = np.unique(values, return_counts=True)
    assert bootstrap(distinct, counts) == bootstrap(values)
    twice = np.concatenate([distinct, distinct[::-1], [7.0]])
    parts = np.concatenate([counts - 20, np.full(3, 20), [0]])
    assert bootstrap(twice, parts) == bootstrap(values)


def test_neither_the_order_nor_another_call_changes_the_draws() -> None:
    values = SHAPES["ndcg"](np.random.default_rng(7))
    found = bootstrap(values, random_seed=4)
    bootstrap(recall_differences(1, 50), random_seed=4)
    assert bootstrap(values[::-1].copy(), random_seed=4) == found
    other = bootstrap(values, random_seed=5)
    assert (other.mean, other.standard_error) == (found.mean, found.standard_error)
    assert (other.lower, other.upper) != (found.lower, found.upper)


def test_the_interval_of_a_mean_is_about_two_standard_errors() -> None:
    values = np.random.default_rng(1).normal(size=4000)
    found = bootstrap(values)
    assert (found.upper - found.lower) / found.standard_error == pytest.approx(3.92, abs=0.4)


def test_an_interval_holds_the_true_difference_about_19_times_of_20() -> None:
    estimates = [bootstrap(recall_differences(seed, 400), resamples=400) for seed in range(300)]
    share = mean(e.lower <= 0.1 <= e.upper for e in estimates)
    assert share == pytest.approx(0.95, abs=0.04)


def test_the_p_value_of_no_difference_is_uniform() -> None:
    draw = np.random.default_rng(3)
    values = [draw.choice([-1.0, 0.0, 1.0], 400, p=[0.2, 0.6, 0.2]) for _ in range(300)]
    found = [bootstrap(v, resamples=400).p_value for v in values]
    for level in (0.05, 0.25, 0.5):
        assert mean(p <= level for p in found) == pytest.approx(level, abs=0.08)


def test_a_million_users_take_little_memory_and_time() -> None:
    found = bootstrap(np.array([-1.0, 0.0, 1.0]), np.array([100_000, 795_000, 105_000]))
    assert found.n_users == 1_000_000
    assert found.mean == 0.005
    assert found.lower == pytest.approx(0.005 - 1.96 * found.standard_error, abs=1e-4)
    assert found.p_value == pytest.approx(2 / 1001)


def test_nobody_one_user_and_no_difference() -> None:
    nobody = bootstrap(np.array([]))
    assert math.isnan(nobody.mean)
    assert math.isnan(nobody.lower)
    assert nobody.n_users == 0
    one = bootstrap(np.array([0.5]))
    assert (one.mean, one.lower, one.upper, one.n_users) == (0.5, 0.5, 0.5, 1)
    assert math.isnan(one.standard_error)
    same = bootstrap(np.zeros(10))
    assert (same.standard_error, same.lower, same.upper, same.p_value) == (0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"values": np.ones(3), "resamples": 0}, "0 resamples"),
        ({"values": np.ones(3), "n_users": np.ones(2)}, "of shape"),
        ({"values": np.ones((3, 2))}, "of shape"),
        ({"values": np.array([1.0, np.nan])}, "1 values that are NaN"),
        ({"values": np.ones(2), "n_users": np.array([1, -1])}, "negative"),
    ],
)
def test_what_it_refuses(arguments: dict[str, Any], found: str) -> None:
    with pytest.raises(LlmI2iError) as refused:
        bootstrap(**arguments)
    assert found in str(refused.value.found)


# -- the table UDF -----------------------------------------------------------------------------------------------------


def pairs(seed: int, segment: str, users: int = 60) -> list[dict[str, Any]]:
    """Ranks of both arms, one row per user; half of them are misses."""
    draw = random.Random(seed)
    key = {"recommender": "swing", "augmentation": "llm_i2i", "against": "none", "other_recommender": "swing", "other_augmentation": "none"}  # fmt: skip
    ranks = [{"rank": draw.choice([None, draw.randint(1, 30)]), "other_rank": draw.choice([None, draw.randint(1, 30)])} for _ in range(users)]  # fmt: skip
    return [{**key, "split": "test", "segment": segment, **rank, "n_users": 1} for rank in ranks]


def test_the_udf_estimates_each_comparison_metric_and_cutoff() -> None:
    parts = {segment: pairs(seed, segment) for seed, segment in enumerate(["other", "all"])}
    rows = [row for part in parts.values() for row in part]
    found = PAIRED(pa.Table.from_pylist(rows), cutoffs=[5, 20], resamples=300, random_seed=2)
    assert [(r["segment"], r["metric"], r["k"]) for r in found.to_pylist()] == [
        (s, m, k) for s in ("all", "other") for m in ("recall", "ndcg") for k in (5, 20)
    ]

    def gain(rank: int | None, metric: str, k: int) -> float:
        hit = rank is not None and rank <= k
        return 0.0 if not hit else 1.0 if metric == "recall" else 1 / math.log2(rank + 1)  # type: ignore[operator]

    for row in found.to_pylist():
        differences = [
            gain(r["rank"], row["metric"], row["k"]) - gain(r["other_rank"], row["metric"], row["k"])
            for r in parts[row["segment"]]
        ]  # fmt: skip
        assert row["difference"] == pytest.approx(mean(differences), abs=1e-12)
        assert row["standard_error"] == pytest.approx(stdev(differences) / math.sqrt(60), abs=1e-12)
        one = bootstrap(np.array(differences), resamples=300, random_seed=2)
        # 1 / log2 of Python and numpy may differ in the last bit, which makes other values, and so other draws.
        tolerance = 1e-12 if row["metric"] == "recall" else 0.5 * row["standard_error"]
        assert (row["lower"], row["upper"]) == pytest.approx((one.lower, one.upper), abs=tolerance)
        assert row["n_users"] == 60


def test_the_udf_takes_rows_in_any_order_and_users_in_any_parts() -> None:
    rows = pairs(3, "all") + pairs(4, "other")
    found = PAIRED(pa.Table.from_pylist(rows), cutoffs=[10], resamples=200)
    shuffled = random.Random(1).sample(rows, len(rows))
    assert PAIRED(pa.Table.from_pylist(shuffled), cutoffs=[10], resamples=200) == found
    counted = Counter(tuple(row.items()) for row in rows)
    fewer = [dict(row) | {"n_users": n} for row, n in counted.items()]
    assert len(fewer) < len(rows)
    assert PAIRED(pa.Table.from_pylist(fewer), cutoffs=[10], resamples=200) == found
    alone = PAIRED(pa.Table.from_pylist(pairs(4, "other")), cutoffs=[10], resamples=200)
    assert alone.to_pylist() == found.to_pylist()[2:]


def test_the_udf_of_no_rows_and_of_a_single_user() -> None:
    table = pa.Table.from_pylist(pairs(5, "all", users=1))
    one = PAIRED(table, cutoffs=[10], resamples=100)
    assert one["standard_error"].to_pylist() == [None, None]
    nothing = PAIRED(table.slice(1), cutoffs=[10], resamples=100)
    assert nothing.num_rows == 0
    assert nothing.column_names == one.column_names
