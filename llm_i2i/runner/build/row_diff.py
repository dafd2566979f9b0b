"""What rows should be and what they are, cell by cell, in 80 columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Row = tuple[Any, ...]

WIDTH = 71  # 80 columns less the label of an error message
SHOWN = 10  # differences that are written out
WIDEST, NARROWEST = 40, 12  # characters of a column
CONTEXT = 8  # characters shown before the place where two long texts part


@dataclass(frozen=True)
class Difference:
    """A row that should be otherwise (both), is missing (expected alone) or unexpected (actual alone)."""

    expected: Row | None
    actual: Row | None


@dataclass(frozen=True)
class RowDiff:
    """All differences of two relations; `is_order` where only the order of the rows differs."""

    differences: tuple[Difference, ...]
    n_expected: int
    n_actual: int
    is_order: bool = False


def same_value(one: Any, other: Any) -> bool:
    """Whether two values of one SQL type are the same; floats may differ in the seventh digit."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-12) or (
            one != one and other != other
        )
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same_value, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_value(one[k], other[k]) for k in one)
    return bool(one == other)


def compare_rows(
    expected: Sequence[Row],
    actual: Sequence[Row],
    *,
    key: Sequence[int] = (),
    ordered: bool = False,
) -> RowDiff:
    """The differences of two lists of rows; none if they hold the same rows.

    Args:
        key: Indices of the columns that tell rows apart; rows of equal key are compared cell by cell. Without a key,
            rows that have at least half of their cells in common are.
        ordered: Whether the order of the rows counts.
    """
    left, right = list(expected), list(actual)
    for row in expected:
        twin = next((r for r in right if same_value(row, r)), None)
        if twin is not None:
            left.remove(row)
            right.remove(twin)
    sizes = len(expected), len(actual)
    if not left and not right:
        pairs = zip(expected, actual, strict=True) if ordered else ()
        moved = [Difference(e, a) for e, a in pairs if not same_value(e, a)]
        return RowDiff(tuple(moved), *sizes, is_order=bool(moved))
    found: list[Difference] = []
    for row in left:
        partner = max(right, key=lambda r: _likeness(row, r, key), default=None)
        if partner is not None and _likeness(row, partner, key) >= 0.5:
            right.remove(partner)
            found.append(Difference(row, partner))
        else:
            found.append(Difference(row, None))
    found += [Difference(None, row) for row in right]
    return RowDiff(tuple(found), *sizes)


def _likeness(one: Row, other: Row, key: Sequence[int]) -> float:
    """Share of equal cells, above 1 where the keys are equal; 0 where they are not."""
    share = sum(map(same_value, one, other)) / max(len(one), 1)
    if not key:
        return share if len(one) > 1 else 0
    return 1 + share if all(same_value(one[i], other[i]) for i in key) else 0


# -- as text ---------------------------------------------------------------------------------------


def render_diff(
    diff: RowDiff, columns: Sequence[str], key: Sequence[int] = (), width: int = WIDTH
) -> str:
    """The differences as a table at most `width` wide; of a changed row, the second line holds what differs."""
    lines = [_summary(diff)]
    shown = diff.differences[:SHOWN]
    chosen = _columns_to_show(shown, len(columns), key)
    table: list[list[str]] = [["", *(columns[i] for i in chosen)]]
    for difference in shown:
        table += _lines(difference, chosen, diff.is_order)
    lines += _aligned(table, chosen, width)
    if len(diff.differences) > SHOWN:
        lines.append(f"... and {len(diff.differences) - SHOWN} more")
    return "\n".join(lines)


def _summary(diff: RowDiff) -> str:
    counted = f"expected {_rows(diff.n_expected)}, got {diff.n_actual}"
    if diff.is_order:
        return f"the right rows in another order than the model's ORDER BY should give ({counted})"
    both = sum(d.expected is not None and d.actual is not None for d in diff.differences)
    missing = sum(d.actual is None for d in diff.differences)
    extra = len(diff.differences) - both - missing
    parts = [f"{both} differ{'s' * (both == 1)}"] if both else []
    parts += [f"{missing} missing"] if missing else []
    parts += [f"{extra} unexpected"] if extra else []
    return f"{counted}: {', '.join(parts)}"


def _rows(n: int) -> str:
    return f"{n} row{'s' * (n != 1)}"


def _columns_to_show(differences: Sequence[Difference], n: int, key: Sequence[int]) -> list[int]:
    """Key columns first, then those that differ, then the others: what does not fit is dropped from the end."""
    differing = [
        i for i in range(n)
        if any(
            d.expected is None or d.actual is None or not same_value(d.expected[i], d.actual[i])
            for d in differences
        )
    ]  # fmt: skip
    return list(dict.fromkeys([*key, *differing, *range(n)]))


def _lines(difference: Difference, chosen: Sequence[int], is_order: bool) -> list[list[str]]:
    expected, actual = difference.expected, difference.actual
    if actual is None:
        assert expected is not None
        return [["missing", *(cell_text(expected[i]) for i in chosen)]]
    if expected is None:
        return [["unexpected", *(cell_text(actual[i]) for i in chosen)]]
    first, second = ["expected"], ["actual"]
    for i in chosen:
        one, other = cell_text(expected[i]), cell_text(actual[i])
        if same_value(expected[i], actual[i]) and not is_order:
            other = ""
        elif max(len(one), len(other)) > WIDEST:
            one, other = _from_where_they_part(one, other)
        first.append(one)
        second.append(other)
    return [first, second]


def _from_where_they_part(one: str, other: str) -> tuple[str, str]:
    pairs = enumerate(zip(one, other, strict=False))
    parts = next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))
    start = parts - CONTEXT
    return ("…" + one[start:], "…" + other[start:]) if start > 1 else (one, other)


def cell_text(value: Any) -> str:
    """A value on one line: numbers in full, text without quotes unless it would not be seen."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return repr(value) if value != value.strip() or not value else value.replace("\n", "\\n")
    return repr(value) if isinstance(value, float) else str(value)


def _aligned(table: list[list[str]], order: Sequence[int], width: int) -> list[str]:
    """The table with columns padded, in the order of the model.

    The widest are cut, then the last of the table dropped, until it fits.
    """
    widths = [min(max(len(row[i]) for row in table), WIDEST) for i in range(len(table[0]))]
    while _total(widths) > width and max(widths[1:]) > NARROWEST:
        widest = max(range(1, len(widths)), key=lambda i: widths[i])
        widths[widest] -= 1
    dropped = 0
    while _total(widths) > width and len(widths) > 2:
        widths.pop()
        dropped += 1
    places = [0, *sorted(range(1, len(widths)), key=lambda i: order[i - 1])]
    lines = ["  ".join(_cut(row[i], widths[i]) for i in places).rstrip() for row in table]
    if dropped:
        lines.append(f"({dropped} more column{'s' * (dropped != 1)})")
    return lines


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + 2 * (len(widths) - 1)


def _cut(text: str, width: int) -> str:
    return text.ljust(width) if len(text) <= width else text[: width - 1] + "…"
