"""The items whose vectors lie nearest to a query's: exact, block by block."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from llm_i2i.errors import LlmI2iError
from llm_i2i.i2i.events import Ints, Vectors, check_setting, numbers, vectors

WHERE = "nearest_items"
MEASURES = ("dot", "cosine")
BLOCK = 1024  # queries at a time: 1024 x 12,000 items x 4 bytes = 50 MB of scores


def nearest_items(
    queries: pa.Table, items: pa.Table, *, n: int = 200, measure: str = "dot"
) -> pa.Table:
    """The `n` best items of each query, best first; equal scores go by the smaller item number.

    Args:
        queries: `number`, `vector`, and optionally `excluded`, a list of item numbers that are not wanted.
        items: `number`, `vector`; distinct numbers.
        n: Items a query; fewer where there are fewer.
        measure: dot, or cosine (a vector of zeros has cosine 0 with everything).

    Returns:
        `number`, `item_number`, `score`, `rank` (from 1), in that order of query and rank.

    Raises:
        LlmI2iError: A setting is out of range or the relations do not fit.
    """
    if measure not in MEASURES:
        raise LlmI2iError(
            f"measure must be one of {', '.join(MEASURES)}.", where=WHERE, found=repr(measure)
        )
    check_setting("n", n, WHERE, low=1)
    query_numbers = numbers(queries, "number", WHERE).astype(np.int64)
    item_numbers = numbers(items, "number", WHERE).astype(np.int64)
    order = np.argsort(item_numbers)  # ties go by number, so columns are in that order
    item_numbers = item_numbers[order]
    query_vectors, item_vectors = vectors(queries, "vector", WHERE), vectors(items, "vector", WHERE)
    item_vectors = item_vectors[order]
    if len(queries) and len(items) and query_vectors.shape[1] != item_vectors.shape[1]:
        raise LlmI2iError(
            "Queries and items must have vectors of one length.",
            where=WHERE,
            found=f"{query_vectors.shape[1]} and {item_vectors.shape[1]}",
        )
    if measure == "cosine":
        query_vectors, item_vectors = _unit(query_vectors), _unit(item_vectors)
    excluded = _excluded(queries, item_numbers)
    parts = []
    if len(items):
        for start in range(0, len(queries), BLOCK):
            scores = query_vectors[start : start + BLOCK] @ item_vectors.T
            if excluded is not None:
                rows, columns = excluded
                here = (rows >= start) & (rows < start + BLOCK)
                scores[rows[here] - start, columns[here]] = -np.inf
            rows, columns, ranks = _best(scores, n)
            parts.append((query_numbers[rows + start], columns, scores[rows, columns], ranks))
    empty = np.empty(0, np.int64)
    found = [np.concatenate(p) for p in zip(*parts, strict=True)] or [empty, empty, empty, empty]
    return pa.table(
        {
            "number": found[0],
            "item_number": item_numbers[found[1]],
            "score": found[2].astype(np.float64),
            "rank": found[3].astype(np.int32),
        }
    )


def _best(scores: Vectors, n: int) -> tuple[Ints, Ints, Ints]:
    """Row, column and rank of the `n` largest finite scores of each row, ties by the smaller column."""
    kept = np.isfinite(scores)
    if n < scores.shape[1]:
        least = -np.partition(-scores, n - 1, axis=1)[:, n - 1]
        kept &= scores >= least[:, None]  # with all that tie with the last: cut below
    rows, columns = np.nonzero(kept)
    order = np.lexsort((columns, -scores[rows, columns], rows))
    rows, columns = rows[order], columns[order]
    starts = np.searchsorted(rows, np.arange(len(scores)))
    ranks = np.arange(len(rows)) - starts[rows] + 1
    first = ranks <= n
    return rows[first], columns[first], ranks[first]


def _unit(rows: Vectors) -> Vectors:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Vectors = rows / np.where(lengths > 0, lengths, 1)
    return unit


def _excluded(queries: pa.Table, item_numbers: Ints) -> tuple[Ints, Ints] | None:
    """Row of the query and column of the item of what is not wanted; items without a vector are no matter."""
    if "excluded" not in queries.column_names or not len(queries):
        return None
    lists = queries.column("excluded").combine_chunks()
    if lists.null_count:
        raise LlmI2iError(
            "Column 'excluded' has nulls.",
            where=WHERE,
            found=f"{lists.null_count} of {len(queries)} rows",
            fix="coalesce(..., []) in the subquery",
        )
    rows = np.repeat(np.arange(len(queries)), lists.value_lengths().to_numpy(zero_copy_only=False))
    unwanted = lists.flatten().to_numpy(zero_copy_only=False).astype(np.int64)
    columns = np.searchsorted(item_numbers, unwanted)
    columns[columns == len(item_numbers)] = 0
    known = item_numbers[columns] == unwanted if len(item_numbers) else np.zeros(len(rows), bool)
    return rows[known], columns[known]
