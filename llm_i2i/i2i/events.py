"""The events a recommender learns from, as plain arrays; and the errors its settings can raise."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llm_i2i.errors import LlmI2iError

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Events:
    """A log whose users and items are renumbered from 0 without gaps, in the order of their numbers.

    Attributes:
        users: Row of `user_numbers` of each event.
        items: Row of `item_numbers` of each event.
        weights: What each event counts, above 0.
        user_numbers: Distinct, ascending; only users with an event.
        item_numbers: The same of items.
    """

    users: Ints
    items: Ints
    weights: Floats
    user_numbers: Ints
    item_numbers: Ints

    def __len__(self) -> int:
        return len(self.users)


def read_events(table: pa.Table, where: str) -> Events:
    """Events of a relation with `user_number`, `item_number` and optionally `weight`; those of weight 0 are left out.

    Raises:
        LlmI2iError: A column is missing or has nulls, a weight is negative or no number, or nothing is left.
    """
    weights = numbers(table, "weight", where) if "weight" in table.column_names else None
    users = numbers(table, "user_number", where).astype(np.int64)
    items = numbers(table, "item_number", where).astype(np.int64)
    if weights is None:
        weights = np.ones(len(users))
    weights = weights.astype(np.float64)
    if not np.all(np.isfinite(weights) & (weights >= 0)):
        raise LlmI2iError(
            "An event's weight must be a number from 0 up.",
            where=where,
            found=f"{float(weights[~(np.isfinite(weights) & (weights >= 0))][0])}",
            fix="mend the column `weight` of the relation",
        )
    kept = weights > 0
    if not kept.any():
        raise LlmI2iError(
            "There is no event to learn from.",
            where=where,
            found=f"{len(users)} rows, none of a weight above 0",
            fix="give it interactions_train or fused_interactions",
        )
    user_numbers, users = np.unique(users[kept], return_inverse=True)
    item_numbers, items = np.unique(items[kept], return_inverse=True)
    return Events(users, items, weights[kept], user_numbers, item_numbers)


def numbers(table: pa.Table, column: str, where: str) -> npt.NDArray[Any]:
    """A column without nulls as an array.

    Raises:
        LlmI2iError: There is no such column, or it has nulls.
    """
    require_columns(table, [column], where)
    values = table.column(column)
    if values.null_count:
        raise LlmI2iError(
            f"Column {column!r} has nulls.",
            where=where,
            found=f"{values.null_count} of {len(values)} rows",
            fix="leave those rows out in the subquery",
        )
    found: npt.NDArray[Any] = values.to_numpy(zero_copy_only=False)
    return found


def require_columns(table: pa.Table, wanted: Collection[str], where: str) -> None:
    """Raise unless the relation has the columns."""
    missing = [name for name in wanted if name not in table.column_names]
    if missing:
        raise LlmI2iError(
            f"The relation lacks column {missing[0]!r}.",
            where=where,
            found=f"columns {', '.join(table.column_names)}",
            fix=f"select {', '.join(wanted)} in the subquery",
        )


def vectors(table: pa.Table, column: str, where: str) -> Vectors:
    """A column of equally long lists of numbers, shape (rows, length).

    Raises:
        LlmI2iError: There is no such column, or the lists differ in length or hold nulls.
    """
    require_columns(table, [column], where)
    if not len(table):
        return np.empty((0, 0), np.float32)
    lists = table.column(column).combine_chunks()
    flat = lists.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
    lengths = set(lists.value_lengths().to_pylist())
    if len(lengths) != 1 or not np.all(np.isfinite(flat)):
        raise LlmI2iError(
            f"Column {column!r} must hold equally long lists of numbers.",
            where=where,
            found=f"lengths {sorted(map(str, lengths))}, {int((~np.isfinite(flat)).sum())} entries that are no number",
            fix="mend the column, or train with a smaller learning rate if numbers overflowed",
        )
    return np.ascontiguousarray(flat.reshape(len(table), -1))


def check_setting(
    name: str,
    value: float,
    where: str,
    *,
    low: float,
    high: float = math.inf,
    above: bool = False,
) -> None:
    """Raise unless low <= value <= high; with `above`, low itself is out."""
    if math.isfinite(value) and (value > low if above else value >= low) and value <= high:
        return
    bound = f"above {low:g}" if above else f"at least {low:g}"
    raise LlmI2iError(
        f"{name} must be {bound}" + (f" and at most {high:g}." if math.isfinite(high) else "."),
        where=where,
        found=f"{value}",
        fix=f"set the var behind {name} in project.yml or --vars",
    )


def missing_package(error: ModuleNotFoundError, where: str) -> LlmI2iError:
    """The error for a machine without implicit, scipy or torch."""
    return LlmI2iError(
        f"{where} needs a package that is not installed.",
        where=where,
        found=str(error),
        fix="pip install 'llm_i2i[local]'",
    )
