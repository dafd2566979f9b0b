"""Protocols global_time and sampled99 on logs worked by hand, and against a full sort in Python."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from typing import Any

import pytest

from llm_i2i.errors import ProjectError
from tests.unit.test_reference_sql import Log, Warehouse, random_log, synthetic

# Time 0 to 19. Cut at 10 and 15: train is before 10, validation targets lie in [10, 15), test targets from 15 on.
BY_TIME: Log = [
    # both targets; the later events c, d are no targets.
    ("both", "a", 1), ("both", "b", 5), ("both", "x", 10), ("both", "c", 12), ("both", "y", 15), ("both", "d", 19),
    # never again after 10: no target, all of it is train.
    ("early", "x", 2), ("early", "y", 3), ("early", "a", 9),
    # begins after 10: no history before its validation event, but before its test event.
    ("late", "a", 11), ("late", "b", 14), ("late", "x", 16),
    # begins after 15: nothing to query with.
    ("last", "a", 17), ("last", "b", 18),
    # its first event after 10 is of an item nobody had met (new); after 15 it is known.
    ("first buyer", "b", 4), ("first buyer", "new", 13), ("first buyer", "c", 15),
    ("second buyer", "c", 8), ("second buyer", "d", 9), ("second buyer", "new", 18),
]  # fmt: skip
CUTS = {"protocol": "global_time", "train_before": 10, "query_before": 15}
SPLIT_MODELS = ("interactions_train", "targets", "evaluation_triggers", "known_items", "time_cuts")


def test_global_time_by_hand() -> None:
    house = Warehouse(BY_TIME, **CUTS).build(*SPLIT_MODELS, "items")
    train = house.rows("select user_id, item_id from interactions_train")
    assert sorted(train) == sorted((u, i) for u, i, when in BY_TIME if when < 10)
    assert {(u, s): i for u, s, i in house.rows("select user_id, split, item_id from targets")} == {
        ("both", "validation"): "x",
        ("both", "test"): "y",
        ("late", "test"): "x",
        ("first buyer", "test"): "c",
        ("second buyer", "test"): "new",
    }
    triggers: dict[tuple[str, str], list[str]] = defaultdict(list)
    for user, split, item in house.rows(
        "select user_id, split, trigger_item from evaluation_triggers order by weight desc"
    ):
        triggers[user, split].append(item)
    assert triggers == {
        ("both", "validation"): ["b", "a"],
        ("both", "test"): ["c", "x", "b", "a"],
        ("late", "test"): ["b", "a"],
        ("first buyer", "test"): ["new", "b"],
        ("second buyer", "test"): ["d", "c"],
    }
    known: dict[str, set[str]] = defaultdict(set)
    for split, item in house.rows("select split, item_id from known_items join items using (item_number)"):  # fmt: skip
        known[split].add(item)
    assert known == {"validation": set("abcdxy"), "test": {*"abcdxy", "new"}}
    for model in SPLIT_MODELS:
        # a log of eight users has no long-tail target for the gate to judge.
        assert set(house.failures(model)) <= {"long_tail_gain_is_sure"}, model


@pytest.mark.parametrize(
    ("cast", "train_before"),
    [
        ("ts", 10),
        ("ts", "10"),
        ("timestamp '2024-01-01' + to_days(ts)", "2024-01-11"),
        ("(date '2024-01-01' + ts)", "2024-01-11"),
        ("ts", 0.5),  # the tenth of 20 events is at time 10
    ],
)
def test_a_cut_is_a_time_of_the_logs_own_type_or_a_share(cast: str, train_before: Any) -> None:
    log: Log = [(f"u{n % 4}", f"i{n % 3}", n) for n in range(19)] + [("u9", "i9", 19)]
    log = [(f"u{n}", f"i{n % 5}", n) for n in range(21)]  # no pair repeats
    house = Warehouse(
        log, protocol="global_time", train_before=train_before, query_before=0.99, order_column="t"
    )
    house.connection.execute(f"create or replace table log__interactions as select user_id, item_id, {cast} as t from log__interactions")  # fmt: skip
    house.build("time_cuts", "interactions_train")
    assert house.rows("select count(*) from interactions_train") == [(10,)]
    assert house.rows("select typeof(train_before) = typeof(t) from time_cuts, log__interactions limit 1") == [(True,)]  # fmt: skip


def test_cuts_in_the_wrong_order_fail_a_data_test() -> None:
    house = Warehouse(BY_TIME, protocol="global_time", train_before=15, query_before=10)
    assert "train_before_is_earlier_than_query_before" in house.build("time_cuts").failures(
        "time_cuts"
    )


@pytest.mark.parametrize(
    ("vars", "message"),
    [
        ({"order_column": "position"}, "needs points in time"),
        ({"held_out_events": 1}, "held_out_events does not go with"),
        ({"train_before": True}, "write a share of the events"),
    ],
)
def test_global_time_says_what_it_needs(vars: dict[str, Any], message: str) -> None:
    with pytest.raises(ProjectError, match=message):
        Warehouse(BY_TIME, **CUTS | vars)


def full_sort(
    house: Warehouse, allowed: dict[int, set[str]], exclude_seen: bool
) -> Counter[int | None]:
    """Checks each rank of target_ranks_swing against a sort of all that compete."""
    index: dict[str, dict[str, float]] = defaultdict(dict)
    for trigger, related, score in house.rows(
        "select trigger_item_id, related_item_id, score from index_swing"
    ):
        index[trigger][related] = score
    order = dict(house.rows("select item_id, item_number from item_numbers"))
    place = {(u, i): p for u, i, p in house.rows("select user_id, item_id, position from interactions")}  # fmt: skip
    triggers: dict[int, list[tuple[str, float]]] = defaultdict(list)
    for number, item, weight in house.rows(
        "select target_number, trigger_item, weight from evaluation_triggers"
    ):
        triggers[number].append((item, weight))
    found: Counter[int | None] = Counter()
    for number, user, target, rank in house.rows(
        "select target_number, user_id, item_id, rank from target_ranks_swing"
    ):
        scores: dict[str, float] = defaultdict(float)
        for trigger, weight in triggers[number]:
            for item, score in index[trigger].items():
                scores[item] += weight * score
        competing = {
            i: s
            for i, s in scores.items()
            if i in allowed[number]
            and not (exclude_seen and place.get((user, i), math.inf) < place[user, target])
        }
        listed = sorted(competing, key=lambda item: (-round(competing[item], 7), order[item]))
        assert rank == (listed.index(target) + 1 if target in listed else None)
        found[rank] += 1
    return found


def timed_log(seed: int, users: int = 60, items: int = 24) -> Log:
    """Events over 100 steps of time; later items begin later."""
    draw = random.Random(seed)
    log = []
    for user in range(users):
        for _ in range(draw.choice([2, 4, 6, 9])):
            when = draw.randrange(100)
            log.append((f"u{user}", f"i{int(draw.random() ** 2 * items * (0.4 + when / 160)):02}", when))  # fmt: skip
    return log


@pytest.mark.parametrize("seed", range(3))
def test_global_time_ranks_equal_a_full_sort_of_the_known_items(seed: int) -> None:
    log = timed_log(seed)
    house = Warehouse(log, protocol="global_time", train_before=60, query_before=80)
    house.build("target_ranks_swing", "evaluation_triggers", "items", *SPLIT_MODELS)
    first_time: dict[str, int] = {}
    for _, item, when in log:
        first_time[item] = min(when, first_time.get(item, when))
    allowed = {
        number: {i for i, when in first_time.items() if when < (80 if number % 2 else 60)}
        for (number,) in house.rows("select target_number from targets")
    }
    ranks = full_sort(house, allowed, exclude_seen=True)
    assert sum(n for rank, n in ranks.items() if rank) > 10
    assert all(len(items) < len(first_time) for n, items in allowed.items() if n % 2 == 0)
    for model in (*SPLIT_MODELS, "target_ranks_swing"):
        # a log of eight users has no long-tail target for the gate to judge.
        assert set(house.failures(model)) <= {"long_tail_gain_is_sure"}, model


@pytest.mark.parametrize("seed", range(2))
def test_sampled_ranks_equal_a_full_sort_of_the_sample(seed: int) -> None:
    log = random_log(seed, users=300, items=200)
    house = Warehouse(log, protocol="sampled99", random_seed=seed)
    house.build("target_ranks_swing", "evaluation_triggers", "items", "sampled_candidates")
    sample: dict[int, set[str]] = defaultdict(set)
    for number, item in house.rows(
        "select target_number, item_id from sampled_candidates join item_numbers using (item_number)"
    ):
        sample[number].add(item)
    met: dict[str, set[str]] = defaultdict(set)
    for user, item, _ in log:
        met[user].add(item)
    n_items = len({item for _, item, _ in log})
    assert n_items > 110
    for number, user, target in house.rows("select target_number, user_id, item_id from targets"):
        assert len(sample[number]) == 100
        assert sample[number] & met[user] == {target}
    ranks = full_sort(house, sample, exclude_seen=False)
    assert sum(n for rank, n in ranks.items() if rank) > 10
    for model in ("sampled_candidates", "targets", "target_ranks_swing", "interactions_train"):
        # a log of eight users has no long-tail target for the gate to judge.
        assert set(house.failures(model)) <= {"long_tail_gain_is_sure"}, model


def test_lists_of_a_generator_are_ranked_among_those_that_compete() -> None:
    house = Warehouse(BY_TIME, generator_arm=True, **CUTS).build("targets", "item_numbers")
    # each list: all items by id, a b c d new x y; new is not known at the first cut, so x is not the sixth but the fifth.
    house.table(
        "generator_rankings",
        "select target_number as user_number, items.item_number, items.item_number + 1 as rank from targets cross join item_numbers as items",
    )
    house.build("target_ranks_generator")
    ranks = house.rows("select user_id, split, item_id, rank from target_ranks_generator")
    assert sorted(ranks) == [
        ("both", "test", "y", 7),
        ("both", "validation", "x", 5),
        ("first buyer", "test", "c", 3),
        ("late", "test", "x", 6),
        ("second buyer", "test", "new", 5),
    ]


def test_a_small_catalogue_is_drawn_whole() -> None:
    log: Log = [("u", item, n) for n, item in enumerate("abcd")]
    log += [("v", item, n) for n, item in enumerate("efghi")]
    house = Warehouse(log, protocol="sampled99").build("sampled_candidates", "items")
    drawn: dict[tuple[str, str], set[str]] = defaultdict(set)
    for user, split, item in house.rows(
        "select user_id, split, item_id from sampled_candidates join item_numbers using (item_number)"
        " join (select user_id, split, target_number from targets) using (target_number)"
    ):
        drawn[user, split].add(item)
    assert drawn == {
        ("u", "test"): set("defghi"),
        ("u", "validation"): set("cefghi"),
        ("v", "test"): set("abcdi"),
        ("v", "validation"): set("abcdh"),
    }
    assert house.failures("sampled_candidates") == {}


def test_draws_are_uniform_and_follow_the_seed() -> None:
    log: Log = [(f"u{u}", f"i{(u * 3 + k) % 400:03}", k) for u in range(400) for k in range(3)]
    one, same, other = (
        Warehouse(log, protocol="sampled99", random_seed=seed).build("sampled_candidates")
        for seed in (1, 1, 2)
    )
    query = (
        "select target_number, item_number from sampled_candidates where not is_target order by all"
    )
    assert one.rows(query) == same.rows(query) != other.rows(query)
    drawn = [n for (n,) in one.rows("select count(*) from sampled_candidates where not is_target group by item_number")]  # fmt: skip
    assert len(drawn) == 400
    mean = 800 * 99 / 400
    # without replacement: chi square with 399 degrees of freedom, times 1 - 99 / 397; its standard deviation is 21.
    assert sum((n - mean) ** 2 / mean for n in drawn) == pytest.approx(299, abs=85)
    # two items come together as often as chance has it, whether or not their numbers are close.
    near = one.rows(
        f"with drawn as ({query}) select count(*) from drawn as a join drawn as b using (target_number)"
        " where b.item_number = a.item_number + 1"
    )[0][0]
    assert near == pytest.approx(800 * 395 * (99 / 397) * (98 / 396), rel=0.04)


# -- figures of different protocols never meet -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vars", "label"),
    [
        ({"new_users": 0.1}, "standard"),
        ({"new_users": 0}, "standard (new_users 0)"),
        (
            {"new_users": 0.1, "triggers": 5, "exclude_seen": False},
            "standard (triggers 5, exclude_seen false)",
        ),
        ({"new_users": 0.1, "swing_preset": "flink", "self_pairs": True}, "standard"),
        ({"protocol": "sampled99"}, "sampled99"),
        (
            CUTS | {"new_users": 0.1, "query_before": 0.9},
            "global_time (train_before 10, query_before 0.9)",
        ),
    ],
)
def test_the_label_names_what_departs_from_the_protocol(vars: dict[str, Any], label: str) -> None:
    house = Warehouse(BY_TIME, **vars)
    assert house.rows(f"select {house.render('{{ protocol_label() }}')}") == [(label,)]


def test_a_row_of_another_protocol_fails() -> None:
    house = synthetic(Warehouse(random_log(8)))
    house.build("metrics_summary", "paired_differences")
    for model in ("ranking_metrics", "metrics_summary", "paired_differences"):
        # a log of eight users has no long-tail target for the gate to judge.
        assert set(house.failures(model)) <= {"long_tail_gain_is_sure"}, model
        row = f"(select * replace ('paper' as protocol) from {model} limit 1)"
        house.connection.execute(f"insert into {model} {row}")
        found = house.failures(model)[f"one_protocol_{model}_protocol"]
        assert found == [("paper", "protocol paper among rows of standard (new_users 0)")]
