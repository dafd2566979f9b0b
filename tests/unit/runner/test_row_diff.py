from __future__ import annotations

import pytest

from llm_i2i.runner.build.row_diff import compare_rows, render_diff, same_value

ROWS = [("u1", "i1", 0.9), ("u1", "i2", 0.5), ("u2", "i1", None)]


def text(expected, actual, columns=("user_id", "item_id", "score"), **options):
    key = options.get("key", ())
    return render_diff(compare_rows(expected, actual, **options), columns, key)


def test_the_order_does_not_count_unless_it_should() -> None:
    assert not compare_rows(ROWS, ROWS[::-1]).differences
    moved = compare_rows(ROWS, ROWS[::-1], ordered=True)
    assert moved.is_order
    assert len(moved.differences) == 2  # the middle row stays
    assert "another order" in text(ROWS, ROWS[::-1], ordered=True)


def test_rows_that_occur_twice_are_counted() -> None:
    assert text([ROWS[0]], [ROWS[0], ROWS[0]]).startswith("expected 1 row, got 2: 1 unexpected")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (0.1 + 0.2, 0.3, True),
        (0.3, 0.3001, False),
        (float("nan"), float("nan"), True),
        ([1, {"a": 0.30000000000000004}], [1, {"a": 0.3}], True),
        ({"a": 1}, {"b": 1}, False),
        (None, 0, False),
        ("1", 1, False),
    ],
)
def test_values(one: object, other: object, same: bool) -> None:
    assert same_value(one, other) is same


def test_a_changed_cell_stands_below_what_it_should_be() -> None:
    actual = [("u1", "i1", 0.9), ("u1", "i2", 0.25), ("u3", "i1", None)]
    assert text(ROWS, actual, key=(0, 1)).splitlines() == [
        "expected 3 rows, got 3: 1 differs, 1 missing, 1 unexpected",
        "            user_id  item_id  score",
        "expected    u1       i2       0.5",
        "actual                        0.25",
        "missing     u2       i1       NULL",
        "unexpected  u3       i1       NULL",
    ]


def test_rows_without_a_key_are_paired_if_half_of_them_agrees() -> None:
    assert "1 differs" in text([(1, 2, 3)], [(1, 2, 4)])
    assert "1 missing, 1 unexpected" in text([(1, 2, 3)], [(1, 5, 4)])
    assert "1 missing, 1 unexpected" in text([(1,)], [(2,)], columns=("n",))


def test_long_texts_are_shown_where_they_part() -> None:
    start = "user bought a kite, then a drum, then a ball, then "
    found = text([(1, start + "a car")], [(1, start + "a cat")], columns=("id", "prompt"), key=(0,))
    assert "a car" in found
    assert "a cat" in found
    assert "kite" not in found


def test_what_does_not_fit_is_left_out_and_what_differs_is_not() -> None:
    columns = [f"a_long_column_name_{i}" for i in range(12)]
    expected = [tuple(f"a rather long value {i}" for i in range(12))]
    actual = [(*expected[0][:11], "another one entirely")]
    lines = text(expected, actual, columns=columns).splitlines()
    assert max(map(len, lines)) <= 71
    assert "another" in "\n".join(lines)
    assert "more columns" in lines[-1]


def test_many_differences_are_counted_not_shown() -> None:
    lines = text([], [(i, i, i) for i in range(30)]).splitlines()
    assert lines[0] == "expected 0 rows, got 30: 30 unexpected"
    assert lines[-1] == "... and 20 more"


def test_empty_text_is_seen() -> None:
    assert "''" in text([("", 1)], [], columns=("name", "n"))
