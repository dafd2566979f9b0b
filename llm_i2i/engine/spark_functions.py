"""Functions that Spark itself computes too slowly, as Arrow UDFs: registered in a session when a query calls them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def dot_product(first: pa.Array, second: pa.Array) -> pa.Array:
    """Inner product of each two lists of numbers, in float64; NULL where a list is.

    In Spark's own SQL it is a fold, which is interpreted element by element: 128 numbers took some 50 microseconds (Spark 4.2.0).

    Raises:
        ValueError: Two lists are not of one length, as in DuckDB.
    """
    known = pc.and_(pc.is_valid(first), pc.is_valid(second))
    kept, other = first.filter(known), second.filter(known)
    lengths = pc.list_value_length(kept).to_numpy(zero_copy_only=False)
    if not np.array_equal(lengths, pc.list_value_length(other).to_numpy(zero_copy_only=False)):
        raise ValueError("list_dot_product of lists of different lengths")
    left, right = (
        side.flatten().to_numpy(zero_copy_only=False).astype(np.float64) for side in (kept, other)
    )
    sums = np.zeros(len(kept))
    filled = lengths > 0  # reduceat has no empty sum
    if filled.any():
        starts = (np.cumsum(lengths) - lengths)[filled]
        sums[filled] = np.add.reduceat(left * right, starts)
    mask = known.to_numpy(zero_copy_only=False)
    values = np.zeros(len(first))
    values[mask] = sums
    return pa.array(values, mask=~mask)
