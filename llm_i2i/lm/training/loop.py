"""The one training loop: steps, schedule, log, evaluations, states to resume from. What differs between models comes in as arguments.

`small` and pretrained models share it, in one process or under DeepSpeed: a `Steps` says what each step trains on, a module gives the
loss of a batch, a `TrainingStrategy` carries the step out.
"""
# ruff: noqa: TID253  -- this folder owns these packages; it is imported only when a model runs.

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from llm_i2i.lm.settings import EarlyStop, TrainingSettings
from llm_i2i.lm.trainer import LogRow, Progress, check_finite
from llm_i2i.lm.training.examples import Batch
from llm_i2i.lm.training.pretrained import untied_state
from llm_i2i.lm.training.resume import ResumeFolder, TrainingState
from llm_i2i.lm.training.schedule import learning_rate_schedule
from llm_i2i.lm.training.strategies import TrainingStrategy

LOG_ROWS_PER_EPOCH = 10


class Steps(Protocol):
    """What a training trains on, in an order that does not depend on where it was interrupted.

    Attributes:
        lengths: Number of steps of each epoch.
    """

    lengths: Sequence[int]

    def parts(self, epoch: int, number: int) -> tuple[list[Batch], float]:
        """This process' batches of a step (both numbers from 0), and what their summed loss is divided by."""
        ...

    def held_out(self) -> tuple[list[Batch], float]:
        """The same for the rows that are only evaluated; asked for under `early_stop`."""
        ...


class TrainingLoop:
    """One training run.

    Args:
        module: What the strategy trains: it gives the summed loss of a batch.
        resume: Where states and the best weights are kept; None for a training that keeps neither.
        early_stop: When to end before the last epoch; None for never.
        measure: Gives loss and AUC on rows that are not learned from, in place of the loss on the held-out rows of `steps`. It is
            asked `early_stop.evaluations` times in the whole training, and the weights of the lowest loss are kept in memory.
        may_stop: Whether a training of so high an AUC may end early; it always may where nothing is measured.
        checkpoint_every: Steps between the states that are kept; 0 keeps none.
        progress: Called by every process; only the first one's should be heard.
    """

    def __init__(
        self,
        strategy: TrainingStrategy,
        module: nn.Module,
        steps: Steps,
        settings: TrainingSettings,
        resume: ResumeFolder | None = None,
        early_stop: EarlyStop | None = None,
        checkpoint_every: int = 0,
        progress: Progress = lambda done, total, message: None,
        *,
        measure: Callable[[], tuple[float, float]] | None = None,
        may_stop: Callable[[float], bool] = lambda auc: True,
    ) -> None:
        self.strategy = strategy
        self.module = module
        self.steps = steps
        self.settings = settings
        self.resume = resume
        self.early_stop = early_stop
        self.checkpoint_every = checkpoint_every
        self.progress = progress
        self.measure = measure
        self.may_stop = may_stop
        self.best: dict[str, Tensor] | None = None  # weights of the lowest measured loss so far
        self.best_auc = 0.0
        self._auc: float | None = None
        self.ends = np.cumsum(steps.lengths)  # steps done after each epoch
        self.total = int(self.ends[-1])
        self.state = TrainingState()

    def run(self) -> list[LogRow]:
        """Train from the newest state on, to the end or the early stop; the best weights are then in the model."""
        if self.resume is not None and (found := self.resume.latest()) is not None:
            self.state, folder = found
            self.strategy.load(folder)
        self._started = time.monotonic() - self.state.seconds
        rate = learning_rate_schedule(self.settings, self.total)
        self.module.train()
        while self.state.step < self.total and not self._is_over():
            self._step(rate(self.state.step))
        self._take_best()
        self.module.eval()
        return self.state.log

    def _step(self, rate: float) -> None:
        state = self.state
        epoch = int(np.searchsorted(self.ends, state.step, side="right"))
        length = self.steps.lengths[epoch]
        number = state.step - int(self.ends[epoch]) + length
        parts, divisor = self.steps.parts(epoch, number)
        state.losses.append(self.strategy.step(parts, divisor, rate))
        state.step += 1
        validation = self._validate() if self._evaluates_after(number, length) else None
        every = max(1, length // LOG_ROWS_PER_EPOCH)
        if validation is not None or state.step % every == 0 or state.step == self.total:
            self._log(epoch + (number + 1) / length, rate, validation)
        every = self.checkpoint_every
        if self.resume and every and state.step % every == 0 and state.step < self.total:
            state.seconds = time.monotonic() - self._started
            self.resume.save(state, self.strategy.save)

    def _log(self, epoch: float, rate: float, validation: float | None) -> None:
        state = self.state
        mean = check_finite(float(np.mean(state.losses)), state.step, rate)
        seconds = time.monotonic() - self._started
        state.losses.clear()
        auc = None if validation is None else self._auc
        state.log.append(LogRow(state.step, epoch, mean, rate, seconds, validation, auc))
        told = "" if validation is None else f", validation {validation:.2f}"
        told += "" if auc is None else f", validation AUC {auc:.3f}"
        self.progress(state.step, self.total, f"loss {mean:.2f}{told}")

    # -- early stop ---------------------------------------------------------------------------------------------------

    def _evaluates_after(self, number: int, length: int) -> bool:
        stop = self.early_stop
        if stop is None:
            return False
        if self.measure is not None:
            every = max(1, self.total // stop.evaluations)
            return self.state.step % every == 0 or self.state.step == self.total
        n = min(stop.evaluations, length)
        return (number + 1) * n // length > number * n // length

    def _validate(self) -> float:
        """Mean loss on the rows held out; a new best is written down."""
        self.module.eval()
        if self.measure is not None:
            loss, self._auc = self.measure()
        else:
            parts, divisor = self.steps.held_out()
            loss = self.strategy.loss(parts, divisor)
        self.module.train()
        state = self.state
        if loss < state.best_loss:
            state.best_loss, state.best_step, state.worse = loss, state.step, 0
            if self.resume is not None and self.strategy.rank == 0:
                save_file(self._weights(), self.resume.best_path(state))
            if self._auc is not None:
                self.best_auc = self._auc
                self.best = {name: tensor.clone() for name, tensor in self._weights().items()}
        else:
            state.worse += 1
        return loss

    def _is_over(self) -> bool:
        stop = self.early_stop
        if stop is None or self.state.worse < stop.patience:
            return False
        return self.measure is None or self.may_stop(self.best_auc)

    @torch.no_grad()
    def _take_best(self) -> None:
        self.strategy.barrier()
        best, own = self.best, self._weights()
        if self.resume is not None and self.state.best_step >= 0:
            best = load_file(self.resume.best_path(self.state))
        if best is None:
            return
        for name, tensor in own.items():
            tensor.copy_(best[name])

    def _weights(self) -> dict[str, Tensor]:
        return untied_state(self.module)
