"""Item embeddings from text and behaviour: SVD of the TF-IDF matrix beside the SVD of the positive PMI matrix."""
# ruff: noqa: TID253  -- this folder owns these packages; it is imported only when a model runs.

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse
from scipy.sparse.linalg import svds

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.training.initialisation import ppmi_embeddings

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
WHERE = "svd_embeddings"


def svd_embeddings(
    items: pa.Table, terms: pa.Table | None, events: pa.Table | None, size: int, random_seed: int
) -> Floats:
    """One vector an item, in the order of `items`: the text half and the behaviour half, each of Euclidean length 1.

    A half is zero for an item without text or without company in the log. With one of the two relations only, it has the
    whole width.

    Args:
        items: Column `item_id`, distinct.
        terms: Columns `item_id`, `name`, `weight` (TF-IDF), any number of rows an item.
        events: Columns `user_id`, `item_id`; order does not matter.
        size: Width of the embeddings.

    Returns:
        float32, shape (items, size).

    Raises:
        LlmI2iError: Neither terms nor events, a column is missing, or an id is not among the items.
    """
    ids = _column(items, "item_id", f"{WHERE}.items")
    if terms is None and events is None:
        raise LlmI2iError(
            "item embeddings need terms, events or both",
            where=WHERE,
            fix="pass terms := (select item_id, name, weight ...)",
        )
    halves = 1 if terms is None or events is None else 2
    parts = []
    if terms is not None:
        parts.append(_text_half(ids, terms, size // halves, random_seed))
    if events is not None:
        parts.append(
            _behaviour_half(ids, events, size - size // halves * (halves - 1), random_seed)
        )
    return np.concatenate([_unit_length(part) for part in parts], axis=1)


def _text_half(ids: pa.Array, terms: pa.Table, size: int, seed: int) -> Floats:
    where = f"{WHERE}.terms"
    rows = _places(_column(terms, "item_id", where), ids, where)
    names = _column(terms, "name", where).dictionary_encode()
    weights = _column(terms, "weight", where).cast(pa.float64()).to_numpy(zero_copy_only=False)
    columns = names.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    shape = (len(ids), len(names.dictionary))
    matrix = sparse.csr_matrix((weights, (rows, columns)), shape=shape)
    result = np.zeros((len(ids), size), dtype=np.float32)
    wanted = min(size, min(shape) - 1)
    if wanted < 1:
        return result
    start = np.random.default_rng(seed).normal(size=min(shape))
    left, values, _ = svds(matrix, k=wanted, v0=start, tol=1e-3)
    # Largest first; the sign is the solver's whim, so the largest entry of each vector is made positive.
    left, values = left[:, ::-1], values[::-1]
    signs = np.sign(left[np.abs(left).argmax(axis=0), np.arange(wanted)])
    result[:, :wanted] = left * signs * values
    result[matrix.getnnz(axis=1) == 0] = 0.0
    return result


def _behaviour_half(ids: pa.Array, events: pa.Table, size: int, seed: int) -> Floats:
    where = f"{WHERE}.events"
    columns = _places(_column(events, "item_id", where), ids, where)
    users = _column(events, "user_id", where).dictionary_encode().indices
    rows = users.to_numpy(zero_copy_only=False).astype(np.int64)
    return ppmi_embeddings(rows, columns, len(ids), size, seed)


def _unit_length(part: Floats) -> Floats:
    norms = np.linalg.norm(part, axis=1, keepdims=True)
    return np.divide(part, norms, out=np.zeros_like(part), where=norms > 0)


def _places(values: pa.Array, ids: pa.Array, where: str) -> Ints:
    places = pc.index_in(values, value_set=ids)
    if places.null_count:
        stranger = values.filter(pc.is_null(places))[0]
        raise LlmI2iError(
            f"item {stranger.as_py()!r} is not among the items",
            where=f"{where}.item_id",
            found=f"{len(ids)} items",
            fix="select the same item ids in both relations, cast to VARCHAR",
        )
    return places.to_numpy(zero_copy_only=False).astype(np.int64)  # type: ignore[no-any-return]


def _column(table: pa.Table, name: str, where: str) -> pa.Array:
    if name not in table.column_names:
        raise LlmI2iError(
            f"column {name!r} is missing",
            where=where,
            found=f"columns {', '.join(table.column_names)}",
        )
    column = table.column(name).combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    if column.null_count:
        raise LlmI2iError(f"column {name!r} has nulls", where=where)
    return column
