"""Text embeddings without a language model: TF-IDF of words and word pairs, projected on the corpus's principal directions."""
# ruff: noqa: TID253  -- this folder owns these packages; it is imported only when a model runs.

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.linalg import svds

Floats = npt.NDArray[np.float64]
_BREAK = re.compile(r"[|>.;:!?\n]+")  # no word pair across these
_WORD = re.compile(r"[^\W_]+")
MIN_TEXTS = 2  # a term of one text alone brings no two texts together


class TfidfEmbedder:
    """Binary term frequency x ln(texts / texts with the term), unit length, then the first `size` right singular vectors.

    Any text can be embedded, of the corpus or not: it is read by the corpus's words.
    """

    def __init__(self, corpus: Sequence[str], size: int, random_seed: int) -> None:
        terms = [_terms(text) for text in corpus]
        counts = Counter(term for row in terms for term in row)
        kept = sorted(t for t, n in counts.items() if MIN_TEXTS <= n < len(corpus))
        self._columns = {term: column for column, term in enumerate(kept)}
        self._idf = np.log(len(corpus) / np.array([counts[t] for t in kept], dtype=np.float64))
        matrix = self._matrix(terms)
        wanted = min(size, min(matrix.shape) - 1)
        if wanted < 1:
            self._directions = np.zeros((len(kept), size))
            return
        start = np.random.default_rng(random_seed).normal(size=min(matrix.shape))
        _, values, right = svds(matrix, k=wanted, v0=start, tol=1e-3)
        # Largest first. Signs are the solver's whim and do not matter: only dot products are taken.
        self._directions = right[np.argsort(-values)].T

    def embed(self, texts: Sequence[str]) -> Floats:
        """Unit embeddings, shape (texts, size); zero where no word is known."""
        vectors = self._matrix([_terms(text) for text in texts]) @ self._directions
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        result: Floats = np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 1e-9)
        return result

    def _matrix(self, terms: Sequence[set[str]]) -> sparse.csr_matrix:
        columns = [sorted(self._columns[t] for t in row if t in self._columns) for row in terms]
        indices = np.fromiter((c for row in columns for c in row), np.int64)
        lengths = np.array([len(row) for row in columns], dtype=np.int64)
        weights = self._idf[indices] if len(indices) else np.zeros(0)
        rows = np.repeat(np.arange(len(columns)), lengths)
        squares = np.bincount(rows, weights**2, minlength=len(columns))
        weights = weights / np.sqrt(squares)[rows]
        shape = (len(columns), len(self._columns))
        return sparse.csr_matrix((weights, (rows, indices)), shape=shape)


def _terms(text: str) -> set[str]:
    found: set[str] = set()
    for part in _BREAK.split(text.lower()):
        words = _WORD.findall(part)
        found.update(words)
        found.update(f"{first} {second}" for first, second in pairwise(words))
    return found
