"""What every training reports: its progress and the rows of its log.

The trainings import this module; `lm.open.train_checkpoint` chooses among them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from llm_i2i.errors import LlmI2iError

Progress = Callable[[float, float, str], None]


@dataclass(frozen=True)
class LogRow:
    """Training at one step: mean loss in nats since the row before, seconds since the start.

    Attributes:
        validation_loss: Loss on the rows held out for `early_stop`; None where this step did not evaluate it.
        validation_auc: How often a Yes among the validation rows scores above a No; None where this step did not evaluate it.
        attempt: 1, or more where a judge started again from another seed because it had learned nothing.
    """

    step: int
    epoch: float
    loss: float
    learning_rate: float
    seconds: float
    validation_loss: float | None = None
    validation_auc: float | None = None
    attempt: int = 1


def check_finite(loss: float, step: int, learning_rate: float) -> float:
    """The loss as it is.

    Raises:
        LlmI2iError: It is NaN or infinite: so are the weights, and a checkpoint of them would answer nothing.
    """
    if math.isfinite(loss):
        return loss
    raise LlmI2iError(
        "the training diverged: its loss is not a number",
        where="language_models: learning_rate",
        found=f"loss {loss} at step {step:,}, learning rate {learning_rate:g}",
        fix="lower learning_rate, or raise warmup",
    )
