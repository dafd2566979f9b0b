"""BPR against implicit itself, on a log of two groups that share nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.i2i.bpr import Factors, factorise

pytest.importorskip("implicit")


def groups(seed: int = 1) -> pa.Table:
    """Users 0-29 take even items, users 30-59 odd ones; four of ten each."""
    draw = np.random.default_rng(seed)
    rows = [
        (user, 2 * item + (user >= 30))
        for user in range(60)
        for item in draw.choice(10, 4, replace=False)
    ]
    return pa.table({"user_number": [u for u, _ in rows], "item_number": [i for _, i in rows]})


def weighted(table: pa.Table, weights: Any) -> pa.Table:
    return table.append_column("weight", pa.array(weights, pa.float64()))


def same(one: Factors, other: Factors) -> bool:
    return np.array_equal(one.users, other.users) and np.array_equal(one.items, other.items)


def test_it_gives_what_implicit_gives() -> None:
    from implicit.cpu.bpr import BayesianPersonalizedRanking
    from scipy.sparse import csr_matrix

    log = groups()
    matrix = csr_matrix(
        (
            np.ones(len(log), np.float32),
            (log["user_number"].to_numpy(), log["item_number"].to_numpy()),
        )
    )
    model = BayesianPersonalizedRanking(factors=8, iterations=20, num_threads=1, random_state=7)
    model.fit(matrix, show_progress=False)
    found = factorise(log, factors=8, iterations=20, random_seed=7)
    np.testing.assert_array_equal(found.users, model.user_factors)
    np.testing.assert_array_equal(found.items, model.item_factors)
    assert found.items.shape == (20, 9)
    assert (found.users[:, -1] == 1).all()


def test_it_learns_who_takes_what() -> None:
    found = factorise(groups(), factors=8, learning_rate=0.05, iterations=300)
    scores = found.users @ found.items.T
    own = np.arange(20)[None, :] % 2 == (np.arange(60) >= 30)[:, None]
    liked, others = scores[own].reshape(60, 10), scores[~own].reshape(60, 10)
    assert (liked[:, :, None] > others[:, None, :]).mean() > 0.9


def test_same_seed_same_factors_whatever_the_order() -> None:
    log = groups()
    first = factorise(log, factors=8, random_seed=3)
    assert same(first, factorise(log, factors=8, random_seed=3))
    assert same(first, factorise(log.take(np.arange(len(log))[::-1]), factors=8, random_seed=3))
    assert not same(first, factorise(log, factors=8, random_seed=4))


def test_weights_are_honoured() -> None:
    log = groups()
    plain = factorise(log, factors=8)
    assert same(plain, factorise(weighted(log, np.full(len(log), 0.5)), factors=8))
    # what weighs nothing is not there; what weighs little moves little.
    extra = pa.table({"user_number": np.arange(30), "item_number": np.full(30, 1)})
    both = pa.concat_tables([log, extra])
    light, heavy = (
        factorise(
            weighted(both, np.append(np.ones(len(log)), np.full(30, weight))),
            factors=8,
            learning_rate=0.05,
            iterations=300,
        )
        for weight in (0.1, 1.0)
    )
    liking = [(f.users[:30] @ f.items[1]).mean() for f in (light, heavy)]
    assert liking[0] < liking[1]
    none = factorise(weighted(both, np.append(np.ones(len(log)), np.zeros(30))), factors=8)
    assert same(plain, none)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"factors": 0}, "factors must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"regularization": -0.1}, "regularization must be at least 0"),
        ({"iterations": 0}, "iterations must be at least 1"),
    ],
)
def test_bad_settings(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(LlmI2iError, match=message):
        factorise(groups(), **changes)
