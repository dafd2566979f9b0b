"""The port to training: examples in, a checkpoint folder and a training log out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.backend import keep_few_kernels, missing_extra, wait_without_spinning
from llm_i2i.lm.settings import LanguageModelSettings

if TYPE_CHECKING:
    import pyarrow as pa

Progress = Callable[[float, float, str], None]


@dataclass(frozen=True)
class LogRow:
    """Training at one step: mean loss in nats since the row before, seconds since the start.

    Attributes:
        validation_loss: Loss on the rows held out for `early_stop`; None where this step did not evaluate it.
    """

    step: int
    epoch: float
    loss: float
    learning_rate: float
    seconds: float
    validation_loss: float | None = None


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


def train_checkpoint(
    examples: pa.Table,
    folder: Path,
    settings: LanguageModelSettings,
    *,
    items: pa.Table | None = None,
    initial: Path | None = None,
    random_seed: int = 42,
    progress: Progress = lambda done, total, message: None,
    resume_dir: Path | None = None,
    base_dir: Path | None = None,
) -> list[LogRow]:
    """Fine-tune a language model on weighted examples and write its checkpoint into `folder` (LLM-I2I, eq. 1-3).

    Args:
        examples: Sequence rows (prompt, completions, weights) or example rows (prompt, completion, weight), see
            `lm.training.examples`.
        items: Column `item_token`, and optionally `features`, a list of structs (name, weight). Without it the items are
            those of `initial`, or the distinct completions of sequence rows.
        initial: Checkpoint folder to start from; words it does not know get new rows.
        progress: Called with (steps done, steps in all, message).
        resume_dir: Folder that outlives a kill; a training with `checkpoint_every` goes on from what it finds there.
        base_dir: What relative paths in the settings are relative to.

    Raises:
        LlmI2iError: The examples, the items or `initial` do not fit, or torch is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if settings.architecture == "fake":
        from llm_i2i.lm.training.fake import train_fake

        return train_fake(examples, folder, settings, items, initial, random_seed)
    wait_without_spinning()
    keep_few_kernels()
    if settings.is_pretrained:
        try:
            from llm_i2i.lm.training.launch import train_in_processes
        except ModuleNotFoundError as error:
            raise missing_extra(error) from error
        return train_in_processes(
            examples, folder, settings, items, initial, random_seed, progress, resume_dir, base_dir
        )
    try:
        from llm_i2i.lm.training.sft import train
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error
    return train(examples, folder, settings, items, initial, random_seed, progress)
