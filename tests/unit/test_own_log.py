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
        "tied_targets": ("warning", 1, 4),
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


# -- logs as they are --------------------------------------------------------------------------------------------------


def finding(house: Warehouse, name: str) -> tuple[str, int, int, str | None] | None:
    """Level, n, total and example of one finding of log_report."""
    house.build("log_report")
    rows = house.rows(f"select level, n, total, example from log_report where finding = '{name}'")
    return rows[0] if rows else None


@pytest.mark.parametrize(
    ("times", "name", "expected"),
    [
        ("1700000000 + ts", "mixed_time_units", None),
        ("case when ts = 0 then 1700000000000 else 1700000000 + ts end", "mixed_time_units", ("warning", 1, 4, "1700000000000 and 1700000001")),
        ("case when ts = 0 then 1700000000000000 else 1700000000000 + ts end", "mixed_time_units", ("warning", 1, 4, "1700000000000000 and 1700000000001")),
        ("case when ts = 0 then 0 else 1700000000 + ts end", "times_out_of_range", ("warning", 1, 4, "0")),
        ("case when ts = 0 then -1 else 1700000000 + ts end", "times_out_of_range", ("warning", 1, 4, "-1")),
        ("timestamp '1970-01-01' + to_days(case ts when 0 then 0 else 19000 end)", "times_out_of_range", ("warning", 1, 4, "1970-01-01 00:00:00")),
        ("date '1994-12-30' + ts", "times_out_of_range", ("warning", 2, 4, "1994-12-30")),
        ("4102444800 + ts", "times_out_of_range", ("warning", 4, 4, "4102444800")),
        ("timestamp '2999-01-01'", "times_out_of_range", ("warning", 4, 4, "2999-01-01 00:00:00")),
        ("ts", "times_out_of_range", None),
        ("timestamp '2024-01-01' + to_days(ts)", "times_out_of_range", None),
    ],
)  # fmt: skip
def test_times_that_cannot_be_right(times: str, name: str, expected: Any) -> None:
    house = Warehouse([("u", "a", 0), ("u", "b", 1), ("u", "c", 2), ("v", "a", 3)])
    house.connection.execute(f"create or replace table log__interactions as select user_id, item_id, {times} as ts from log__interactions")  # fmt: skip
    assert finding(house, name) == expected


def test_text_that_is_no_time_is_read_by_its_format() -> None:
    log = [("u", "first", "25.12.24"), ("u", "second", "03.01.25"), ("u", "third", "14.02.25"), ("u", "never", "99.99.25")]  # fmt: skip

    def house(**vars: Any) -> Warehouse:
        made = Warehouse([("u", "a", 0)], **vars)
        made.connection.execute("create or replace table log__interactions (user_id varchar, item_id varchar, ts varchar)")  # fmt: skip
        made.connection.executemany("insert into log__interactions values (?, ?, ?)", log)
        return made

    level, n, total, _ = finding(house(), "order_is_text") or ("", 0, 0, None)
    assert (level, n, total) == ("warning", 4, 4)
    parsed = house(order_format="%d.%m.%y", max_rejected_share=1).build("interactions")
    assert parsed.rows("select item_id from interactions order by position") == [("first",), ("second",), ("third",)]  # fmt: skip
    assert parsed.rows("select item_id, problem from log_events where problem is not null") == [("never", "no order value that order_format reads")]  # fmt: skip


def test_a_log_without_an_order() -> None:
    house = Warehouse([("u", "a", 5), ("u", "b", 1)], order_column=None)
    assert finding(house, "no_order") == ("warning", 1, 1, None)
    assert house.rows("select count(*) from log_events where problem is not null") == [(0,)]
    assert house.manifest.nodes["log__interactions"].columns == ("user_id", "item_id")


def test_time_cuts_need_an_order() -> None:
    with pytest.raises(ProjectError, match="global_time needs points in time"):
        Warehouse([("u", "a", 0)], order_column=None, protocol="global_time").build("targets")


NOTHING = [("", "a", 1), ("u", "  ", 2), ("NULL", "a", 3), (r"\N", "b", 4), ("u", "nan", 5), ("u", "c", 6)]  # fmt: skip


def test_blank_text_is_nothing_and_words_for_nothing_are_told() -> None:
    house = Warehouse(NOTHING, max_rejected_share=1)
    assert finding(house, "missing_words") == ("warning", 3, 6, "NULL")
    assert house.rows("select problem from log_events order by order_value") == [
        ("no user",),
        ("no item",),
        *[(None,)] * 4,
    ]


def test_words_for_nothing_are_nothing_where_they_are_named() -> None:
    house = Warehouse(NOTHING, max_rejected_share=1, null_values=["NULL", r"\N", "nan"])
    assert finding(house, "missing_words") is None
    assert house.rows("select user_id, item_id from first_events") == [("u", "c")]


def test_an_order_value_that_is_no_number_is_none() -> None:
    house = Warehouse([("u", "a", 0), ("u", "b", 1)], max_rejected_share=1)
    house.connection.execute("create or replace table log__interactions as select user_id, item_id, case when ts = 0 then 'nan'::double else ts end as ts from log__interactions")  # fmt: skip
    assert house.build("log_events").rows("select item_id, problem from log_events order by 1") == [
        ("a", "no order value"),
        ("b", None),
    ]


@pytest.mark.parametrize(("share", "found"), [(0.5, True), (0.7, False)])
def test_one_user_with_most_of_the_events_is_named(share: float, found: bool) -> None:
    log = [("guest", item, n) for n, item in enumerate("abcdef")] + [("7", i, 1) for i in "abc"]
    house = Warehouse(log, dominant_user_share=share)
    expected = ("warning", 6, 9, "user guest") if found else None
    assert finding(house, "dominant_user") == expected
    messages = [row[1] for row in house.failures("log_report").get("log_report", [])]
    assert any("user guest)" in message for message in messages) == found


def test_ids_that_a_spreadsheet_shortened_are_told() -> None:
    log = [("u", "1.23E+12", 1), ("u", "7", 2), ("v", "1.5e+07", 3)]
    assert finding(Warehouse(log), "scientific_ids") == ("warning", 2, 5, "1.23E+12")


def test_blanks_around_ids_are_a_finding():
    log = [("u", " a", 1), ("u", "a", 2), ("v ", "b", 3), ("w", "c d", 4)]
    assert finding(Warehouse(log), "padded_ids") == ("warning", 2, 7, '" a"')
    assert finding(Warehouse([("u", "a b", 1)]), "padded_ids") is None


def test_the_fullest_row_of_an_item_counts() -> None:
    items = """select * from (values
        ('a', 'Red kite', 'Acme', 'Toys'), ('a', 'A kite (old)', null, null), ('b', '', null, ' '), ('b', null, 'Zed', null), ('c', 'z', null, null), ('c', 'y', null, null)
    ) as t(item_id, title, brand, category)"""
    house = Warehouse([("u", "a", 1), ("u", "b", 2), ("u", "c", 3)], items)
    assert finding(house, "repeated_items") == ("warning", 3, 6, None)
    assert house.build("items").rows("select item_id, title, brand from items order by 1") == [
        ("a", "Red kite", "Acme"),
        ("b", None, "Zed"),
        ("c", "y", None),
    ]


@pytest.mark.parametrize(
    ("log", "items", "message"),
    [
        (["007", "008"], ["7", "8"], "2 of 2 items of the log are in the items file only but for leading zeros"),
        (["a1", "b"], ["A1", "b", "B2"], None),
        (["7", "007"], ["7", "007"], None),
        (["12.0", "x"], ["12", "y"], "1 of 2 items"),
        (["7"], [], None),
    ],
)  # fmt: skip
def test_ids_that_one_file_writes_otherwise(
    log: list[str], items: list[str], message: str | None
) -> None:
    rows = ", ".join(f"('{item}', 't')" for item in items) or "(null, null)"
    house = Warehouse([("u", item, n) for n, item in enumerate(log)], f"select * from (values {rows}) as t(item_id, title)")  # fmt: skip
    failing = house.build("log_items", "first_events").failures("log_items")
    assert [row[0].startswith(message or "") for (row,) in failing.values()] == [True] * bool(message)  # fmt: skip


def test_a_log_too_sparse_for_a_long_tail_says_so() -> None:
    house = Warehouse([("u", item, n) for n, item in enumerate("abcdef")])
    ((message,),) = [
        row[1:2]
        for row in house.build("evaluation_long_tail").failures("evaluation_long_tail").popitem()[1]
    ]
    assert message.startswith("no item is long-tail: 6 of 6 items have the lowest count, 1,")
    assert "long_tail_rule: exact_fraction" in message


def test_settings_of_the_items_file_are_known_ones() -> None:
    with pytest.raises(ProjectError, match="items_file has 'encodng', which is none of encoding"):
        Warehouse([], items_file={"encodng": "latin-1"})


def kinds_of_events(**vars: Any) -> Warehouse:
    house = Warehouse([("u", "a", 0)], **vars)
    house.connection.execute("""create or replace table log__interactions as select * from (values
        ('u', 'a', 'view', 1700000000), ('u', 'b', 'cart', 1700000060), ('u', 'a', 'purchase', 1700007200), ('v', 'b', 'view', 1700000000)
    ) as t(user_id, item_id, kind, ts)""")
    return house


def test_kinds_of_events_are_chosen() -> None:
    house = kinds_of_events(event_column="kind", event_kinds=["cart", "purchase"])
    found = house.build("log_events").rows("select item_id, problem from log_events order by 1")
    assert found == [("a", None), ("b", None)]
    with pytest.raises(ProjectError, match="event_kinds and event_weights need event_column"):
        kinds_of_events(event_kinds=["cart"])


@pytest.mark.parametrize(
    "times", ["ts", "ts::bigint * 1000", "make_timestamp(ts::bigint * 1000000)"]
)
def test_sessions_in_place_of_users(times: str) -> None:
    house = kinds_of_events(session_gap=30)
    house.connection.execute(f"create or replace table log__interactions as select user_id, item_id, {times} as ts from log__interactions")  # fmt: skip
    assert house.build("log_events").rows("select user_id, item_id from log_events order by 1, order_value") == [
        ("u#1", "a"), ("u#1", "b"), ("u#2", "a"), ("v#1", "b"),
    ]  # fmt: skip


def test_sessions_need_times() -> None:
    house = Warehouse([("u", "a", 0), ("u", "b", 1)], session_gap=30, max_rejected_share=1)
    assert house.build("log_events").rows("select distinct problem from log_events") == [("no time, which session_gap needs",)]  # fmt: skip
    with pytest.raises(ProjectError, match="session_gap does not go with log_partitions"):
        Warehouse([("u", "a", 0)], session_gap=30, log_partitions=True)


def test_ids_are_compared_as_joins_compare_them() -> None:
    """Ids of a model of one's own may be 12.0 in the log and 12 in the items file: one item."""
    house = Warehouse([("u", "12", 0), ("u", "13", 1)], "select * from (values (12, 'Red'), (13, 'Green')) as t(item_id, title)")  # fmt: skip
    house.connection.execute("create or replace table log__interactions as select user_id, item_id::double as item_id, ts from log__interactions")  # fmt: skip
    assert finding(house, "items_not_in_the_items_file") is None
    assert house.failures("log_items") == {}
    assert house.build("items").rows("select title from items order by 1") == [("Green",), ("Red",)]
