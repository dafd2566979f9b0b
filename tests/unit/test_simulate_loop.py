"""A shop that learns from its own lists: the drift measures by hand, and rounds that repeat."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise, permutations

import numpy as np
import pytest

from llm_i2i.simulate import LoopSettings, Shop, make_shop, run_loop
from llm_i2i.simulate.loop import best_liked, cooccurrence_recommender, gini


def tiny_shop() -> Shop:
    return make_shop(users=120, items=60, groups=5, seed=4)


SETTINGS = LoopSettings(rounds=4, days=4, requests_a_day=0.8, page=5, seed=4)
FEW_EVENTS = np.arange(60) < 12


def test_gini_by_hand() -> None:
    assert gini(np.array([3, 3, 3])) == 0
    assert gini(np.array([0, 0, 0])) == 0
    assert gini(np.array([0, 8, 0, 0])) == pytest.approx(3 / 4)
    # pairs of different values: |1 - 3| twice over 2 n^2 mean = 2 * 2 / (2 * 4 * 2).
    assert gini(np.array([3, 1])) == pytest.approx(1 / 4)


def test_the_index_counts_users_in_common() -> None:
    shop = tiny_shop()
    shop = replace(shop, histories=[np.array(list(dict.fromkeys(h.tolist()))) for h in shop.histories])  # fmt: skip
    recommend = cooccurrence_recommender(shop, neighbours=4)
    together: Counter[tuple[int, int]] = Counter()
    degree: Counter[int] = Counter()
    for history in shop.histories:
        degree.update(history.tolist())
        together.update(permutations(history.tolist(), 2))
    related = defaultdict(list)
    for (first, second), n in together.items():
        related[first].append((-n / (degree[first] * degree[second]) ** 0.25, second))
    for trigger, found in related.items():
        answer = recommend([shop.items[trigger]], 10)
        assert answer == [shop.items[item] for _, item in sorted(found)[:4]]


def test_best_liked_items_are_new_to_the_user() -> None:
    shop = tiny_shop()
    best = best_liked(shop, 5)
    assert (best.sum(axis=1) == 5).all()
    for user, history in enumerate(shop.histories):
        assert not best[user, history].any()
        liking = shop.vectors @ shop.tastes[user]
        others = np.setdiff1d(np.flatnonzero(~best[user]), history)
        assert liking[best[user]].min() >= liking[others].max()


def test_rounds_repeat_and_the_log_grows() -> None:
    rounds = run_loop(tiny_shop(), FEW_EVENTS, SETTINGS)
    assert rounds == run_loop(tiny_shop(), FEW_EVENTS, SETTINGS)
    assert rounds != run_loop(tiny_shop(), FEW_EVENTS, replace(SETTINGS, seed=5))
    assert [one.round for one in rounds] == [1, 2, 3, 4]
    for before, after in pairwise(rounds):
        assert after.events >= before.events + before.clicks  # and the items they found themselves
    for one in rounds:
        assert one.clicks > 0
        for value in (one.ctr, one.coverage, one.gini, one.top_share, one.long_tail_share, one.recall):  # fmt: skip
            assert 0 <= value <= 1
    # five of sixty items drawn blindly would hold a twelfth of a user's five best.
    assert rounds[0].recall > 1 / 12


def test_without_learning_only_the_index_stays() -> None:
    learning = run_loop(tiny_shop(), FEW_EVENTS, SETTINGS)
    frozen = run_loop(tiny_shop(), FEW_EVENTS, replace(SETTINGS, learns=False))
    assert learning[0] == frozen[0]
    assert learning[1].events == frozen[1].events
    assert learning[1:] != frozen[1:]
