"""Events of a user at one time: their order is drawn and means nothing, whatever the ids are and however the file is sorted."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from typing import Any

import pytest

from tests.unit.test_reference_sql import Log, Warehouse, follows_in_the_mean, signals_house

Steps = dict[str, dict[int, list[str]]]


def baskets_log(users: int = 300, each: int = 6, items: int = 90) -> Log:
    """Each user has two baskets of `each` different items; ids of one length, so that they sort like numbers."""
    draw = random.Random(1)
    log = []
    for user in range(users):
        drawn = draw.sample(range(items), 2 * each)
        log += [(f"u{user:03}", f"i{item:03}", n // each) for n, item in enumerate(drawn)]
    return log


def order_of(log: Log, **vars: Any) -> dict[str, list[str]]:
    return orders(Warehouse(log, **vars).build("interactions"), "interactions")


def orders(house: Warehouse, events: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for user, item in house.rows(f"select user_id, item_id from {events} order by user_id, position"):  # fmt: skip
        found[user].append(item)
    return dict(found)


def share_ascending(log: Log, found: dict[str, list[str]]) -> float:
    """Of the events that follow another of the same basket, the share whose item has the larger id."""
    time = {(user, item): when for user, item, when in log}
    tied = [
        first < following
        for user, items in found.items()
        for first, following in itertools.pairwise(items)
        if time[user, first] == time[user, following]
    ]
    assert len(tied) > 2000
    return sum(tied) / len(tied)


def test_ids_do_not_order_a_basket() -> None:
    log = baskets_log()
    # 3,000 pairs: three standard deviations are .027, less yet as neighbouring pairs move against each other.
    assert share_ascending(log, order_of(log)) == pytest.approx(0.5, abs=0.03)
    items = sorted({item for _, item, _ in log})
    other_id = dict(zip(items, random.Random(2).sample(items, len(items)), strict=True))
    renamed = [(user, other_id[item], when) for user, item, when in log]
    assert share_ascending(renamed, order_of(renamed)) == pytest.approx(0.5, abs=0.03)


def test_users_do_not_share_an_order() -> None:
    log = [(f"u{user}", item, 0) for user in range(2000) for item in "ab"]
    first = [items[0] for items in order_of(log).values()]
    assert first.count("a") / 2000 == pytest.approx(0.5, abs=0.04)


def test_the_order_is_the_same_on_every_run_and_in_every_file() -> None:
    log = baskets_log(users=40)
    found = order_of(log)
    assert order_of(random.Random(3).sample(log, len(log))) == found
    assert order_of(log, random_seed=7) == found, "every seed of a comparison has the same targets"
    assert order_of(log, tie_seed=7) != found


def test_an_order_stays_as_the_log_grows() -> None:
    log = baskets_log(users=40)
    found = order_of(log)
    # A user and an item that sort before all others, so that every number moves, and an item more in the last basket.
    grown = order_of([("a", "a", 0), *log, ("u000", "a", 1)])
    assert {user: [item for item in items if item != "a"] for user, items in grown.items()} == {
        "a": [],
        **found,
    }


def test_times_order_events_before_any_draw() -> None:
    log = baskets_log(users=40)
    time = {(user, item): when for user, item, when in log}
    for user, items in order_of(log).items():
        assert [time[user, item] for item in items] == [0] * 6 + [1] * 6
    distinct = [(user, item, 10 * n) for n, (user, item, _) in enumerate(log)]
    house = Warehouse(distinct).build("interactions")
    assert house.rows("select user_id, item_id from interactions order by timestamp") == [(u, i) for u, i, _ in log]  # fmt: skip
    assert house.rows("select count(*) from interactions where step <> position") == [(0,)]


# -- what is held out --------------------------------------------------------------------------------------------------


def random_baskets(seed: int, users: int = 40, largest: int = 3) -> Log:
    """One to five baskets of a user, of one to `largest` items each, at times of any distance."""
    draw = random.Random(seed)
    log = []
    for user in range(users):
        sizes = [draw.randint(1, largest) for _ in range(draw.randint(1, 5))]
        items = iter(draw.sample(range(16), sum(sizes)))
        log += [(f"u{user:02}", f"i{next(items):02}", 3 * when) for when, size in enumerate(sizes) for _ in range(size)]  # fmt: skip
    return log


def steps_of(house: Warehouse, events: str) -> Steps:
    found: Steps = defaultdict(lambda: defaultdict(list))
    for user, step, item in house.rows(f"select user_id, step, item_id from {events} order by all"):
        found[user][step].append(item)
    return found


@pytest.mark.parametrize("held_out", [1, 2])
def test_a_step_is_held_out_as_a_whole(held_out: int) -> None:
    house = Warehouse(random_baskets(5), tied_targets="step", held_out_events=held_out, discriminator="signals")  # fmt: skip
    house.build("targets", "interactions_train", "interactions_crossfit", "crossfit_targets")
    train = steps_of(house, "interactions_train")
    crossfit = steps_of(house, "interactions_crossfit")
    targets = {(user, split): (item, position) for user, split, item, position in house.rows("select user_id, split, item_id, position from targets")}  # fmt: skip
    asked = dict(house.rows("select user_id, item_id from crossfit_targets"))
    n_targets = 0
    for user, steps in steps_of(house, "interactions").items():
        n = len(steps)
        kept = n if n < 3 else n - held_out
        assert train[user] == {step: steps[step] for step in range(kept)}
        assert crossfit[user] == {step: steps[step] for step in range(kept if kept < 3 else kept - 1)}  # fmt: skip
        assert (asked[user] in steps[kept - 1]) if kept >= 3 else user not in asked
        for split, step in [("test", n - 1), ("validation", n - 2)][:held_out]:
            assert (n >= 3) == ((user, split) in targets)
            if n >= 3:
                item, position = targets[user, split]
                assert item in steps[step]
                # The history, all before the position, are the steps before.
                assert position == sum(len(steps[earlier]) for earlier in range(step))
                n_targets += 1
    assert n_targets == len(targets) > 20
    assert house.failures("interactions_train") == {}
    assert house.failures("targets") == {}


def test_a_drawn_target_is_the_last_of_its_step() -> None:
    house = Warehouse(random_baskets(6)).build("targets", "log_report")
    last = {user: items[-1] for user, items in orders(house, "interactions").items() if len(items) > 2}  # fmt: skip
    assert dict(house.rows("select user_id, item_id from targets where split = 'test'")) == last
    step = {(user, position): step for user, position, step in house.rows("select user_id, position, step from interactions")}  # fmt: skip
    asked = house.rows("select user_id, position from targets")
    tied = sum(step[user, position] == step[user, position - 1] for user, position in asked)
    assert house.rows("select n from log_report where finding = 'tied_targets'") == [(tied,)]


def test_no_history_holds_an_event_of_the_targets_step() -> None:
    house = Warehouse(random_baskets(6), tied_targets="step").build("log_report")
    assert house.rows("select n from log_report where finding = 'tied_targets'") == []


def test_figures_of_other_targets_have_another_label() -> None:
    labels = [
        Warehouse([("u", "a", 0)], new_users=0.1, **vars).render("{{ protocol_label() }}")
        for vars in ({}, {"tied_targets": "step"})
    ]
    assert labels == ["'standard'", "'standard (tied_targets step)'"]


@pytest.mark.parametrize("tied_targets", ["drawn", "step"])
def test_semantic_ids_know_the_crossfit_part(tied_targets: str) -> None:
    vars = {"item_ids": "semantic", "discriminator": "signals", "tied_targets": tied_targets}
    log = random_baskets(7)
    known = orders(Warehouse(log, **vars).build("semantic_events"), "semantic_events")
    plain = Warehouse(log, **{**vars, "item_ids": "token"}).build("interactions_crossfit")
    assert known == orders(plain, "interactions_crossfit")


# -- which item follows which ------------------------------------------------------------------------------------------


def transitions(log: Log, **vars: Any) -> tuple[Warehouse, dict[tuple[str, str], float]]:
    """How often an item follows another, before it is divided by the events of both."""
    house = Warehouse(log, held_out_events=0, discriminator="signals", **vars).build("transitions", "item_numbers")  # fmt: skip
    rows = house.rows(
        """
        select items.item_id, next_items.item_id, transitions.score
            * sqrt((select count(*) from interactions_train as t where t.item_number = transitions.item_number)::double
            * (select count(*) from interactions_train as t where t.item_number = transitions.next_item_number))
        from transitions
        inner join item_numbers as items on items.item_number = transitions.item_number
        inner join item_numbers as next_items on next_items.item_number = transitions.next_item_number
        """
    )
    return house, {(first, following): n for first, following, n in rows}


@pytest.mark.parametrize("seed", [8, 9])
def test_a_pair_counts_what_it_counts_in_the_mean_over_all_orders(seed: int) -> None:
    house, found = transitions(random_baskets(seed))
    expected = follows_in_the_mean(house, {1: 1.0}, "item_id", "interactions_train")
    assert found == pytest.approx(expected, abs=1e-5)


def test_no_direction_within_a_basket() -> None:
    _, found = transitions([("u", item, 0) for item in "abcd"])
    assert found == pytest.approx(dict.fromkeys(itertools.permutations("abcd", 2), 1 / 4))


def test_a_log_without_ties_counts_whole_steps() -> None:
    log = [(user, item, n) for n, (user, item, _) in enumerate(random_baskets(10))]
    house, found = transitions(log)
    counted: dict[tuple[str, str], int] = defaultdict(int)
    for items in orders(house, "interactions").values():
        for pair in itertools.pairwise(items):
            counted[pair] += 1
    assert found == pytest.approx(counted, abs=1e-9)


def test_events_among_very_many_follow_nothing() -> None:
    log = [("u", item, 0) for item in "abcd"] + [("u", "e", 1), ("u", "f", 2)]
    assert transitions(log, max_tied_events=3)[1] == {("e", "f"): pytest.approx(1)}


def test_item_pairs_count_what_they_count_in_the_mean_over_all_orders() -> None:
    house = signals_house(11, random_baskets(11, largest=4)).build("crossfit_item_pair_features")
    expected = follows_in_the_mean(house, {1: 1, 2: 1 / 2, 3: 1 / 3}, "item_number")
    rows = house.rows("select item_number, related_item_number, follows, precedes from crossfit_item_pair_features")  # fmt: skip
    assert len(rows) > 50
    for item, related, *found in rows:
        pairs = [(item, related), (related, item)]
        assert found == pytest.approx([expected.get(pair, 0) for pair in pairs], abs=1e-5)
