"""What a judge knows of rows that it does not learn from: the area under the ROC curve (AUC), and whether it is more than chance."""
# ruff: noqa: TID253  -- this folder owns these packages; it is imported only when a model runs.

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from torch import Tensor

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.items import Vocabulary
from llm_i2i.lm.training.examples import (
    Batch,
    RawExamples,
    encode_examples,
    make_batch,
    read_examples,
)

WHERE = "fine_tune.validation"
ROWS = 1024  # of a batch; nothing is trained, so memory is the only limit
STANDARD_ERRORS = 2.0


@dataclass(frozen=True)
class ValidationRows:
    """Rows with one of two answers.

    Attributes:
        batches: All rows, in their order.
        is_yes: Whether the answer of a row is the second of the two, bool, shape (rows,).
    """

    batches: tuple[Batch, ...]
    is_yes: npt.NDArray[np.bool_]

    def measure(self, nll: Callable[[Batch], Tensor]) -> tuple[float, float]:
        """Loss (both answers weigh alike) and AUC of a model.

        The loss decides which weights are the best: it is steadier than the AUC of a few hits, and weights that rank well but are
        too sure of themselves would not stay calibrated.

        Args:
            nll: Gives the negative log-likelihood of each target of a batch, in nats.
        """
        with torch.no_grad():
            surprise = [nll(batch).numpy()[: len(batch.inputs)] for batch in self.batches]
        right = np.concatenate(surprise).astype(np.float64)
        loss = (right[self.is_yes].mean() + right[~self.is_yes].mean()) / 2
        # P(yes) is the probability of the answer, or what it leaves: the answers are two.
        yes = np.where(self.is_yes, np.exp(-right), -np.expm1(-right))
        return float(loss), auc_of(yes, self.is_yes)

    def is_learned(self, auc: float) -> bool:
        """Whether an AUC is above one half by two standard errors, those of scores that know nothing."""
        return auc > 0.5 + STANDARD_ERRORS * chance_error(self.is_yes)


def validation_rows(
    table: pa.Table | None, raw: RawExamples, vocabulary: Vocabulary, max_length: int
) -> ValidationRows | None:
    """Encode validation rows; None where they cannot say anything: there are none, or they do not have both answers.

    Args:
        table: Columns `prompt`, `completion`, `weight`, as in the examples.
        raw: The examples of the training.

    Raises:
        LlmI2iError: The examples do not have exactly two answers, or a row has an answer that the training does not know.
    """
    if table is None or table.num_rows == 0:
        return None
    if len(raw.labels) != 2:
        raise LlmI2iError(
            "validation rows need examples with two answers",
            where=WHERE,
            found=", ".join(raw.labels) or f"examples of kind {raw.kind}",
            fix="leave validation out",
        )
    rows = read_examples(table)
    if strange := sorted(set(rows.answers) - set(raw.labels)):
        raise LlmI2iError(
            f"the validation rows have an answer {strange[0]!r} that the examples do not have",
            where=WHERE,
            found=f"answers of the examples: {', '.join(raw.labels)}",
        )
    is_yes = np.array([answer == raw.labels[1] for answer in rows.answers])
    if is_yes.all() or not is_yes.any():
        return None
    # each row counts alike, however much it weighs.
    encoded = encode_examples(
        replace(rows, weights=np.ones(len(rows.answers))), vocabulary, max_length
    )
    parts = np.array_split(np.arange(len(encoded)), -(-len(encoded) // ROWS))
    return ValidationRows(tuple(make_batch(encoded, part) for part in parts), is_yes)


def auc_of(scores: npt.NDArray[np.float64], is_yes: npt.NDArray[np.bool_]) -> float:
    """How often a yes scores above a no, ties count half (Mann-Whitney)."""
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]  # from 1, the mean rank of ties
    yes = int(is_yes.sum())
    above = float(ranks[is_yes].sum()) - yes * (yes + 1) / 2
    return above / (yes * (len(is_yes) - yes))


def chance_error(is_yes: npt.NDArray[np.bool_]) -> float:
    """Standard error of the AUC of scores that know nothing (Mann-Whitney under the null hypothesis)."""
    yes = int(is_yes.sum())
    return math.sqrt((len(is_yes) + 1) / (12 * yes * (len(is_yes) - yes)))
