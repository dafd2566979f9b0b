"""How the project reads a log that is not in its own shape: other column names, rows that lack something, the k-core."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from llm_i2i.errors import ProjectError
from tests.unit.test_reference_sql import Log, Warehouse


def test_columns_by_other_names() -> None:
    house = Warehouse(
        [("replaced", "below", 0)],
        "select 7 as \"Art. Nr\", 'Kite' as produkt, 'old' as title, 'Fun' as \"BRAND\", 3 as stock",
        user_column="Kunde",
        item_column="Art. Nr",
        order_column="wann",
        item_columns={"title": "produkt"},
    )
    house.connection.execute(
        "create or replace table log__interactions as select * from (values ('k', 7, 2), ('k', 8, 1)) as log(Kunde, \"Art. Nr\", wann)"
    )
    house.build("interactions", "items")
    assert house.rows("select user_id, item_id, position, timestamp from interactions") == [
        ("k", 8, 0, 1),
        ("k", 7, 1, 2),
    ]
    assert house.rows("select item_id, title, brand from items order by 1") == [
        (7, "Kite", "Fun"),
        (8, None, None),
    ]
    # what the file has beyond the text can be used too (near_column).
    assert house.rows("select stock from log_items") == [(3,)]


def test_a_wrong_item_column_is_named() -> None:
    with pytest.raises(ProjectError, match="'titel', which is none of item_id, title, brand"):
        Warehouse([("u", "a", 0)], item_columns={"titel": "produkt"})


INCOMPLETE: list[tuple[Any, Any, Any]] = [
    ("u", "a", 1),
    ("u", "b", 2),
    ("u", None, 3),
    (None, "a", 4),
    (None, None, None),
    ("u", "c", None),
    ("v", "a", 1),
    ("v", "a", 0),
]


def test_rows_that_lack_something_are_counted_and_left_out() -> None:
    house = Warehouse(INCOMPLETE).build("interactions")
    assert house.rows("select user_id, item_id, timestamp from interactions order by all") == [
        ("u", "a", 1),
        ("u", "b", 2),
        ("v", "a", 0),
    ]
    assert dict(house.rows("select problem, count(*) from log_events group by all")) == {
        None: 4,
        "no item": 1,
        "no user": 1,
        "neither user nor item": 1,
        "no order value": 1,
    }
    failing = house.failures("log_events")["log_rows_have_user_item_and_order"]
    assert {row[2] for row in failing} == {
        "1 of 8 rows have no item; max_rejected_share: 0.5 would leave them out",
        "1 of 8 rows have no user; max_rejected_share: 0.5 would leave them out",
        "1 of 8 rows have neither user nor item; max_rejected_share: 0.5 would leave them out",
        "1 of 8 rows have no order value; max_rejected_share: 0.5 would leave them out",
    }


@pytest.mark.parametrize(("share", "fails"), [(0.5, False), (0.49, True)])
def test_how_many_may_be_left_out_is_declared(share: float, fails: bool) -> None:
    house = Warehouse(INCOMPLETE, max_rejected_share=share).build("interactions")
    assert bool(house.failures("log_events")) == fails


def k_core(pairs: set[tuple[str, str]], k: int) -> set[tuple[str, str]]:
    while True:
        users, items = Counter(u for u, _ in pairs), Counter(i for _, i in pairs)
        kept = {(u, i) for u, i in pairs if users[u] >= k and items[i] >= k}
        if kept == pairs:
            return pairs
        pairs = kept


@pytest.mark.parametrize("seed", range(3))
def test_k_core_equals_striking_out_until_nothing_changes(seed: int) -> None:
    draw = random.Random(seed)
    log: Log = [
        (f"u{draw.randrange(60)}", f"i{int(draw.expovariate(0.05))}", n) for n in range(420)
    ]
    items = "select 'never bought' as item_id, 'Kite' as title"
    house = Warehouse(log, items, min_events=4).build("interactions", "items")
    pairs = {(user, item) for user, item, _ in log}
    expected = k_core(pairs, 4)
    users = Counter(u for u, _ in pairs)
    one_round = {(u, i) for u, i in pairs if users[u] >= 4}
    assert 20 < len(expected) < len(one_round), "it must take more than one round"
    assert set(house.rows("select user_id, item_id from interactions")) == expected
    assert {i for (i,) in house.rows("select item_id from items")} == {i for _, i in expected}
    assert house.failures("first_events") == {}
    assert house.failures("interactions") == {}


def test_k_core_of_two_worked_by_hand() -> None:
    # d is bought once, so w keeps a alone and goes; then b has u and v, a has u and v.
    log = [("u", "a", 0), ("u", "b", 1), ("v", "a", 0), ("v", "b", 1), ("w", "a", 0), ("w", "d", 1)]
    house = Warehouse(log, min_events=2).build("first_events")
    assert sorted(house.rows("select user_id, item_id from first_events")) == [
        ("u", "a"),
        ("u", "b"),
        ("v", "a"),
        ("v", "b"),
    ]
    whole = Warehouse(log).build("first_events")
    sql = whole.render("{{ test_k_core(ref('first_events'), 2) }}")
    assert whole.rows(sql) == [("item_id", "d", 1)]


# -- log_report --------------------------------------------------------------------------------------------------------


def report(log: Log, items: str = "", **vars: Any) -> dict[str, tuple[str, int, int]]:
    """Finding -> level, n, total."""
    house = Warehouse(log, items, **vars) if items else Warehouse(log, **vars)
    house.build("log_report")
    assert house.failures("log_report").keys() <= {"log_report"}
    return {
        name: (level, n, total)
        for name, level, n, total in house.rows("select finding, level, n, total from log_report")
    }


def test_a_report_counts_what_it_sees() -> None:
    # u1: five different items, one of them twice; u2: two items at one time; u3: three items, two of them tied.
    log = [("u1", item, n) for n, item in enumerate("abcdea")]
    log += [("u2", "a", 5), ("u2", "b", 5), ("u3", "a", 1), ("u3", "b", 1), ("u3", "c", 2)]
    items = "select * from (values ('a', 'Kite'), ('b', 'Drum'), ('c', null), ('d', 'Ball')) as t(item_id, title)"
    assert report(log, items) == {
        "dominant_user": ("warning", 6, 11),
        "no_order": ("warning", 1, 3),
        "tied_order": ("warning", 4, 10),
        "few_users": ("warning", 3, 3),
        "few_items": ("warning", 5, 5),
        "repeated_pairs": ("note", 1, 11),
        "tiny_users": ("note", 1, 3),
        "items_without_text": ("note", 2, 5),
        "items_not_in_the_items_file": ("note", 1, 5),
    }


def large_log(users: int = 250, items: int = 120, each: int = 6) -> Log:
    """Every user has `each` items and every item users * each / items users: nothing to say but a k-core."""
    return [(f"u{u:03}", f"i{(u * each + k) % items:03}", k) for u in range(users) for k in range(each)]  # fmt: skip


def test_a_core_gives_away_which_items_are_held_out() -> None:
    log = large_log()
    items = "select distinct item_id, 'Kite ' || item_id as title from log__interactions"
    # all have 12 or 13 events but users have six: k is 6. Items with fewer than six train events: those that are often last.
    train = Counter(item for _, item, when in log if when < 4)
    below = sum(train[item] < 6 for item in {item for _, item, _ in log})
    assert 0 < below < 120
    assert report(log, items) == {"k_core_trap": ("warning", below, 120)}
    short = [*log, ("u", "i000", 0), ("u", "i001", 1)]
    assert report(short, items) == {"tiny_users": ("note", 1, 251)}, "no core, no trap"


@pytest.mark.parametrize(
    ("times", "finding"),
    [
        ("date '2024-01-01' + ts", "day_granular_times"),
        ("timestamp '2024-01-01' + to_days(ts)", "day_granular_times"),
        ("1704067200 + ts * 86400", "day_granular_times"),
        ("1704067200000 + ts::bigint * 86400000", "day_granular_times"),
        ("timestamp '2024-01-01 10:00:00' + to_days(ts)", None),
        ("1704067201 + ts * 86400", None),
        ("ts", None),
        ("'day ' || ts", "order_is_text"),
    ],
)
def test_a_report_knows_days_and_text(times: str, finding: str | None) -> None:
    log = [*large_log(), ("u", "i000", 0)]
    house = Warehouse(log, "select distinct item_id, 'Kite ' || item_id as title from log__interactions")  # fmt: skip
    house.connection.execute(f"create or replace table log__interactions as select user_id, item_id, {times} as ts from log__interactions")  # fmt: skip
    house.build("log_report")
    found = dict(house.rows("select finding, level from log_report"))
    assert found == {"tiny_users": "note"} | ({finding: "warning"} if finding else {})


def test_a_report_counts_users_without_a_target_by_time() -> None:
    log = [("a", "x", 1), ("b", "x", 2), ("b", "y", 3), ("a", "y", 12), ("b", "z", 16), ("c", "x", 17)]  # fmt: skip
    found = report(log, protocol="global_time", train_before=10, query_before=15)
    # validation: a alone; test: b's z was never met before, c has nothing before.
    assert found["users_without_validation_target"] == ("warning", 2, 3)
    assert found["users_without_test_target"] == ("warning", 3, 3)
