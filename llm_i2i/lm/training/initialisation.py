"""Start of the item embeddings: PPMI-SVD of the co-occurrence in the training sequences."""
# ruff: noqa: TID253  -- this folder owns these packages; it is imported only when a model runs.

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.linalg import eigsh

STD = 0.02  # scale of a Llama's embeddings at random start; method.md 2.9


def ppmi_embeddings(
    rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], n_items: int, size: int, seed: int
) -> npt.NDArray[np.float32]:
    """Item embeddings U sqrt(S) of the positive PMI matrix, scaled to a standard deviation of .02.

    An item without co-occurrence starts at zero. Where the matrix has fewer than `size` dimensions the others are small noise.

    Args:
        rows: Sequence of each event, int64, shape (events,).
        columns: Item of each event, 0-based, shape (events,).
        n_items: Number of items.
        size: Width d of the embeddings.
        seed: Of the noise and of the eigensolver's first vector.

    Returns:
        Embeddings, float32, shape (n_items, size).
    """
    random = np.random.default_rng(seed)
    result = random.normal(0.0, STD / 10, (n_items, size)).astype(np.float32)
    matrix = _ppmi(rows, columns, n_items)
    present = matrix.getnnz(axis=1) > 0
    result[~present] = 0.0
    wanted = min(size, int(present.sum()) - 1)
    if wanted < 1:
        return result
    # The matrix is symmetric: its singular vectors are its eigenvectors, at half the price.
    values, vectors = eigsh(matrix, k=wanted, which="LM", v0=random.normal(size=n_items), tol=1e-3)
    vectors = vectors * np.sqrt(np.abs(values))
    result[:, :wanted] = vectors * (STD / max(float(vectors[present].std()), 1e-12))
    result[~present] = 0.0
    return result


def _ppmi(
    rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], n_items: int
) -> sparse.csr_matrix:
    """max(0, ln(n_ij n / (n_i n_j))) of the number n_ij of sequences that hold both items; its diagonal is empty."""
    n_rows = int(rows.max(initial=-1)) + 1
    events = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(n_rows, n_items))
    events.data[:] = 1.0
    pairs = sparse.csr_matrix(events.T @ events)
    pairs.setdiag(0.0)
    pairs.eliminate_zeros()
    totals = np.asarray(pairs.sum(axis=1)).ravel()
    coordinates = pairs.tocoo()
    expected = totals[coordinates.row] * totals[coordinates.col] / max(totals.sum(), 1.0)
    coordinates.data = np.maximum(np.log(coordinates.data / expected), 0.0)
    result = coordinates.tocsr()
    result.eliminate_zeros()
    return result
