"""New users are drawn out of all that models learn from; the segments against a few lines of plain Python over the index."""

from __future__ import annotations

import hashlib
import math
import random
from collections import defaultdict
from typing import Any

import pytest

from tests.unit.test_reference_sql import Log, Warehouse, random_log, synthetic

SHARE = 0.2


def is_new(user: str, share: float = SHARE, seed: int = 1) -> bool:
    """The draw as users.sql makes it: the digest of seed and id, as a number in [0, 1), is below the share."""
    return int(hashlib.md5(f"{seed}:{user}".encode()).hexdigest()[:7], 16) < int(share * 16**7)


def ordered_log(seed: int) -> Log:
    """Users with 2 to 9 different items of 30, popular ones more often, no two at one time."""
    draw = random.Random(seed)
    items = [f"item {n:02}" for n in range(30)]
    weights = [1 / (n + 1) for n in range(30)]
    return [
        (f"user {user}", item, when)
        for user in range(80)
        for when, item in enumerate(
            dict.fromkeys(draw.choices(items, weights, k=draw.randint(2, 9)))
        )
    ]


def new_users(log: Log, **vars: Any) -> set[str]:
    house = Warehouse(log, **vars).build("users")
    return {user for (user,) in house.rows("select user_id from users where is_new")}


def test_the_draw_follows_its_own_seed_and_the_ids_alone() -> None:
    log: Log = [(f"user {n}", "a", 0) for n in range(300)]
    found = new_users(log, new_users=0.1)
    assert found == {user for user, _, _ in log if is_new(user, 0.1)}
    assert 15 <= len(found) <= 45  # 30 are expected
    assert new_users(log, new_users=0.1, random_seed=7) == found
    assert new_users(log, new_users=0.1, new_users_seed=2) != found
    assert new_users([*log, ("another", "b", 3)], new_users=0.1) >= found
    assert new_users(log, new_users=0) == set()
    assert new_users(log, protocol="paper", new_users=None) == set()


def test_a_log_too_small_for_one_new_user_has_none() -> None:
    log: Log = [(f"user {n}", "a", 0) for n in range(300) if is_new(f"user {n}", 0.1)]
    assert len(new_users(log[:10], new_users=0.1)) == 10
    assert new_users(log[:9], new_users=0.1) == set()


@pytest.mark.parametrize("protocol", ["standard", "standard_val"])
def test_segments_equal_plain_python_over_the_index(protocol: str) -> None:
    log = ordered_log(3)
    # items that only test events have, so that nothing learns them: one of a new user, one of a known one.
    for fresh, new in (("fresh a", True), ("fresh b", False)):
        log.append((next(u for u, _, _ in log if is_new(u) == new), fresh, 99))
    house = synthetic(Warehouse(log, protocol=protocol, new_users=SHARE))
    house.build("metrics_summary", "paired_differences", "index_swing")
    assert house.failures("interactions_train") == house.failures("targets") == {}
    # made-up pairs need not help.
    assert set(house.failures("ranking_metrics")) <= {"augmentation_does_not_hurt"}

    histories: dict[str, list[str]] = defaultdict(list)
    for user, item, _ in sorted(log, key=lambda event: (event[0], event[2], event[1])):
        if item not in histories[user]:
            histories[user].append(item)
    held_out = 2 if protocol == "standard" else 1
    train = {
        (user, item)
        for user, items in histories.items()
        if not is_new(user)
        for item in (items if len(items) < 3 else items[:-held_out])
    }
    assert set(house.rows("select user_id, item_id from interactions_train")) == train
    counts = {item: sum(item in items for items in histories.values()) for _, item, _ in log}
    shares = {c: sum(n <= c for n in counts.values()) / len(counts) for c in counts.values()}
    tail = min((c for c in shares if shares[c] < 1), key=lambda c: (abs(shares[c] - 0.2), c))
    known = {item for _, item in train}

    index: dict[str, dict[str, float]] = defaultdict(dict)
    for trigger, item, score in house.rows(
        "select trigger_item_id, related_item_id, score from index_swing"
    ):
        index[trigger][item] = score
    hits: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for user, items in histories.items():
        if len(items) < 3:
            continue
        for split, place in (("test", len(items) - 1), ("validation", len(items) - 2))[:held_out]:
            target, before = items[place], items[:place]
            scores: dict[str, float] = defaultdict(float)
            for age, trigger in enumerate(reversed(before[-10:])):
                for item, score in index[trigger].items():
                    scores[item] += score * 0.5**age
            listed = sorted(set(scores) - set(before), key=lambda i: (-round(scores[i], 7), i))
            if is_new(user):
                segments = ["new_users"]
            else:
                segments = ["all", "long_tail" if counts[target] <= tail else "other"]
                segments += ["new_items"] * (target not in known)
            for segment in segments:
                hits[split, segment].append(target in listed[:5])
    found = {
        (split, segment): (value, n_users)
        for split, segment, value, n_users in house.rows(
            "select split, segment, value, n_users from ranking_metrics"
            " where recommender = 'swing' and augmentation = 'none' and metric = 'recall' and k = 5"
            " and segment not like '%trigger'"
        )
    }
    assert {"all", "long_tail", "other", "new_users", "new_items"} == {s for _, s in found}
    assert found == {
        key: (pytest.approx(sum(values) / len(values)), len(values)) for key, values in hits.items()
    }
    assert 0 < found["test", "new_users"][0] < 1
    compared = house.rows(
        "select distinct segment from paired_differences where split = 'test' and segment not like '%trigger'"
    )
    assert {segment for (segment,) in compared} == {s for _, s in found}


def test_no_new_users_is_a_data_test_that_can_fail() -> None:
    house = Warehouse(random_log(5, users=60), new_users=SHARE).build("interactions_train", "users")
    house.connection.execute("update users set is_new = true where user_number % 7 = 0")
    assert "no_new_users_interactions_train" in house.failures("interactions_train")


def test_a_share_is_what_is_drawn() -> None:
    log: Log = [(str(n), "a", 0) for n in range(4000)]
    assert math.isclose(len(new_users(log, new_users=0.1)) / 4000, 0.1, abs_tol=0.015)
