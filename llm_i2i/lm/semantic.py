"""Semantic ids: residual k-means turns an item's embedding into a few code words, so that alike items share their first ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from llm_i2i.errors import LlmI2iError

if TYPE_CHECKING:
    import pyarrow as pa

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SAMPLE_PER_CODE = 256  # embeddings a code is learnt from: more do not move the centres
ITERATIONS = 25
BLOCK = 16_384  # rows whose distances are held at once: 16 MB at 256 codes


def semantic_codes(embeddings: Floats, *, levels: int, codes: int, random_seed: int) -> Ints:
    """Codes of each item by residual k-means, and a last one that tells apart items that share the others.

    Level l clusters what the centres of the levels before leave: r_0 = x, c_l = argmin_k |r_l - m_lk|, r_{l+1} = r_l - m_{l,c_l}.
    The last code counts the items with equal codes, in their order, from 0.

    Args:
        embeddings: float32, shape (items, d).
        levels: Code levels before the last one.
        codes: Codes of a level; fewer where there are not as many different residuals.

    Returns:
        int64, shape (items, levels + 1); rows are distinct. Equal inputs give equal codes.
    """
    random = np.random.default_rng(random_seed)
    residual = np.array(embeddings, dtype=np.float32)
    columns = []
    for _ in range(levels):
        centres = _centres(residual, codes, random)
        nearest = _nearest(residual, centres)
        residual -= centres[nearest]
        columns.append(nearest)
    columns.append(_numbers_within_groups(np.stack(columns, axis=1)))
    return np.stack(columns, axis=1)


def code_words(codes: Ints) -> list[str]:
    """`<a_12> <b_7> <c_0>` of each row: the letter is the level."""
    names = LETTERS[: codes.shape[1]]
    return [
        " ".join(f"<{letter}_{code}>" for letter, code in zip(names, row, strict=True))
        for row in codes.tolist()
    ]


def check_levels(levels: int, codes: int) -> None:
    """Raise where the numbers of levels and codes make no sense.

    Raises:
        LlmI2iError: No level or more than 25, or fewer than two codes.
    """
    if not 1 <= levels < len(LETTERS):
        raise LlmI2iError(
            "semantic ids have 1 to 25 levels", where="semantic_ids.levels", found=str(levels)
        )
    if codes < 2:
        raise LlmI2iError(
            "a level of semantic ids needs at least 2 codes",
            where="semantic_ids.codes",
            found=str(codes),
        )


def embedding_matrix(items: pa.Table) -> Floats:
    """Column `embedding`, a list of numbers a row, as float32, shape (items, d).

    Raises:
        LlmI2iError: It is missing, or a list is null, of another length, or holds something that is not finite.
    """
    where = "semantic_ids.items"
    if "embedding" not in items.column_names:
        raise LlmI2iError(
            "column 'embedding' is missing",
            where=where,
            found=f"columns {', '.join(items.column_names)}",
        )
    rows = items.column("embedding").to_numpy()
    lengths = {-1 if row is None else len(row) for row in rows}
    if len(lengths) != 1 or lengths & {-1, 0}:
        raise LlmI2iError(
            "the embeddings are not equally long lists of numbers" if len(rows) else "no items",
            where=f"{where}.embedding",
            found=", ".join("null" if n < 0 else str(n) for n in sorted(lengths)),
        )
    matrix = np.stack(rows).astype(np.float32)
    if not np.isfinite(matrix).all():
        raise LlmI2iError("an embedding is not finite", where=f"{where}.embedding")
    return matrix


def _centres(points: Floats, count: int, random: np.random.Generator) -> Floats:
    """Lloyd's k-means on a sample, started from k-means++; shape (at most count, d)."""
    size = min(len(points), SAMPLE_PER_CODE * count)
    sample = points[np.sort(random.choice(len(points), size, replace=False))]
    centres = _spread_out(sample, count, random)
    for _ in range(ITERATIONS):
        nearest = _nearest(sample, centres)
        sums = np.zeros_like(centres, dtype=np.float64)
        np.add.at(sums, nearest, sample)
        counts = np.bincount(nearest, minlength=len(centres))
        # A centre that lost all its points stays where it is.
        moved = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], centres)
        moved = moved.astype(np.float32)
        if np.array_equal(moved, centres):
            break
        centres = moved
    return centres


def _spread_out(points: Floats, count: int, random: np.random.Generator) -> Floats:
    """k-means++: each centre is drawn with a probability that grows as the squared distance to those before."""
    chosen = [int(random.integers(len(points)))]
    distances = ((points - points[chosen[0]]) ** 2).sum(axis=1, dtype=np.float64)
    while len(chosen) < count and distances.sum() > 1e-12 * max(1, len(points)):
        total = np.cumsum(distances)
        place = int(np.searchsorted(total, random.random() * total[-1], side="right"))
        chosen.append(min(place, len(points) - 1))
        new = ((points - points[chosen[-1]]) ** 2).sum(axis=1, dtype=np.float64)
        distances = np.minimum(distances, new)
    return points[chosen].copy()


def _nearest(points: Floats, centres: Floats) -> Ints:
    """Number of the nearest centre of each point; ties go to the lowest."""
    lengths = (centres**2).sum(axis=1)
    blocks = (lengths - 2.0 * (block @ centres.T) for block in _blocks(points))
    return np.concatenate([block.argmin(axis=1) for block in blocks])


def _blocks(points: Floats) -> Iterator[Floats]:
    for start in range(0, len(points), BLOCK):
        yield points[start : start + BLOCK]


def _numbers_within_groups(rows: Ints) -> Ints:
    """0, 1, 2 ... among equal rows, in their order."""
    _, group = np.unique(rows, axis=0, return_inverse=True)
    group = group.ravel()
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    counts = np.diff(np.append(starts, len(ordered)))
    result = np.empty(len(rows), dtype=np.int64)
    result[order] = np.arange(len(ordered)) - np.repeat(starts, counts)
    return result
