"""Item tokens of a pretrained model whose start is moved by behaviour: items that the same users took come closer to each other."""
# ruff: noqa: TID253  -- this folder owns these packages; it is imported only when a model runs.

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from llm_i2i.lm.training.examples import RawExamples
from llm_i2i.lm.training.initialisation import ppmi_embeddings

WIDTH = 128  # dimensions of the PPMI-SVD: more of them cost time and are mostly noise

Starts = Callable[[Tensor], Tensor]


class BehaviourStart:
    """The rows of another start, centred, plus the PPMI-SVD of the training sequences, each with the spread of the model's own table.

    Both weigh alike, and their sum is scaled to that spread again. The SVD is narrower than the table: an orthonormal map, drawn at
    random, takes it there and keeps its angles. An item that stands beside no other keeps its start.

    Args:
        first: The start that is moved; None for the mean of the table.
        raw: Sequence rows; the items of one row belong together.
        words: The item tokens whose rows are wanted, in this order.
    """

    def __init__(
        self, first: Starts | None, raw: RawExamples, words: Sequence[str], seed: int
    ) -> None:
        self._first = first
        self._seed = seed
        number = {word: n for n, word in enumerate(words)}
        rows = np.repeat(np.arange(len(raw.answer_lengths)), raw.answer_lengths)
        columns = np.array([number.get(answer, -1) for answer in raw.answers], dtype=np.int64)
        is_new = columns >= 0
        width = min(WIDTH, max(2, len(words) - 1))
        found = ppmi_embeddings(rows[is_new], columns[is_new], len(words), width, seed)
        self._embeddings = torch.from_numpy(found)  # (items, width)

    def __call__(self, table: Tensor) -> Tensor:
        """Rows of the items, float32, shape (items, d).

        Args:
            table: Input or output embeddings of the model, float32, shape (tokens, d).
        """
        mean, spread = table.mean(dim=0), table.std()
        count, width = self._embeddings.shape
        rows = mean.repeat(count, 1) if self._first is None else self._first(table)
        random = torch.Generator().manual_seed(self._seed)
        drawn = torch.randn(table.shape[1], min(width, table.shape[1]), generator=random)
        basis = torch.linalg.qr(drawn).Q  # (d, width)
        stands_beside = self._embeddings.abs().sum(dim=1) > 0
        behaviour = _with_spread(self._embeddings[stands_beside, : basis.shape[1]], 1.0) @ basis.T
        both = rows[stands_beside] - mean + _with_spread(behaviour, spread)
        rows[stands_beside] = mean + _with_spread(both, spread)
        return rows


def _with_spread(rows: Tensor, spread: float | Tensor) -> Tensor:
    if not len(rows):
        return rows
    centred = rows - rows.mean(dim=0)
    return centred * (spread / centred.std().clamp_min(1e-12))
