"""Supervised fine-tuning of a causal language model with its own tokenizer (LLM-I2I, eq. 1-3). To learn it read `CausalTrainer`."""
# ruff: noqa: TID253  -- this folder owns these packages; it is imported only when a model runs.

from __future__ import annotations

import inspect
import time

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from llm_i2i.lm.settings import LanguageModelSettings
from llm_i2i.lm.trainer import LogRow, Progress, check_finite
from llm_i2i.lm.training.examples import Batch, Ints
from llm_i2i.lm.training.pretrained import untied_state
from llm_i2i.lm.training.resume import ResumeFolder, TrainingState
from llm_i2i.lm.training.schedule import learning_rate_schedule
from llm_i2i.lm.training.strategies import TrainingStrategy
from llm_i2i.lm.training.targets import (
    TargetRows,
    batch_of,
    epoch_batches,
    parts_of,
    split_rows,
)

LOG_ROWS_PER_EPOCH = 10


class AnswerLoss(nn.Module):
    """Sum over the targets of a batch of weight x mean negative log-likelihood of the answer's tokens, in nats, float32.

    Eq. 2 (and 1 and 3) before it is divided by the number of targets. The softmax runs over the whole vocabulary. Logits are
    computed only in the columns where some row has a target.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        # peft hides the signature of the model it wraps.
        inner = model.get_base_model() if hasattr(model, "get_base_model") else model
        self.can_select = "logits_to_keep" in inspect.signature(inner.forward).parameters

    def forward(self, batch: Batch) -> Tensor:
        device = next(self.model.parameters()).device
        inputs = torch.from_numpy(batch.inputs).to(device)
        # Right padding; the mask tells attention kernels of it, the causal mask alone would do for the loss.
        mask = torch.from_numpy(batch.inside).to(device, torch.int64)
        rows, columns = np.divmod(batch.places, batch.inputs.shape[1])
        kept, at = np.unique(columns, return_inverse=True)
        if self.can_select:
            selected = torch.from_numpy(kept).to(device)
            logits = self.model(
                input_ids=inputs, attention_mask=mask, use_cache=False, logits_to_keep=selected
            ).logits
        else:
            logits = self.model(input_ids=inputs, attention_mask=mask, use_cache=False).logits
            at = columns
        chosen = logits[torch.from_numpy(rows).to(device), torch.from_numpy(at).to(device)]
        nll = functional.cross_entropy(
            chosen.float(), torch.from_numpy(batch.targets).to(device), reduction="none"
        )
        return (nll * torch.from_numpy(batch.weights).to(device)).sum()


class CausalTrainer:
    """One training run: steps in an order that only (seed, epoch) decide, evaluations, log, states to resume from.

    Args:
        module: The `AnswerLoss` the strategy trains.
        resume: Where states and the best weights are kept.
        progress: Called by every process; only the first one's should be heard.
    """

    def __init__(
        self,
        strategy: TrainingStrategy,
        module: AnswerLoss,
        targets: TargetRows,
        settings: LanguageModelSettings,
        seed: int,
        resume: ResumeFolder,
        progress: Progress = lambda done, total, message: None,
    ) -> None:
        self.strategy = strategy
        self.module = module
        self.targets = targets
        self.settings = settings
        self.seed = seed
        self.resume = resume
        self.progress = progress
        stop = settings.early_stop
        self.rows, self.held_out = split_rows(targets, stop.share if stop else 0.0, seed)
        self.per_epoch = -(-len(self.rows) // settings.batch_size)
        self.total = self.per_epoch * settings.epochs
        self.state = TrainingState()

    def run(self) -> list[LogRow]:
        """Train from the newest state on, to the end or the early stop; the best weights are then in the model."""
        if (found := self.resume.latest()) is not None:
            self.state, folder = found
            self.strategy.load(folder)
        start = self.state.step
        self._started = time.monotonic() - self.state.seconds
        rate = learning_rate_schedule(self.settings, self.total)
        self.module.train()
        while self.state.step < self.total and not self._is_over():
            epoch, number = divmod(self.state.step, self.per_epoch)
            if number == 0 or self.state.step == start:
                batches = epoch_batches(self.rows, self.settings.batch_size, self.seed, epoch)
            self._step(batches[number], rate(self.state.step))
        self._take_best()
        self.module.eval()
        return self.state.log

    def _step(self, rows: Ints, rate: float) -> None:
        state, settings = self.state, self.settings
        divisor = self.targets.divisor(rows, settings.normalise)
        state.losses.append(self.strategy.step(self._parts(rows), divisor, rate))
        state.step += 1
        validation = self._validate() if self._evaluates_at(state.step) else None
        every = max(1, self.per_epoch // LOG_ROWS_PER_EPOCH)
        if validation is not None or state.step % every == 0 or state.step == self.total:
            self._log(rate, validation)
        every = settings.checkpoint_every
        if every and state.step % every == 0 and state.step < self.total:
            state.seconds = time.monotonic() - self._started
            self.resume.save(state, self.strategy.save)

    def _parts(self, rows: Ints) -> list[Batch]:
        parts = parts_of(
            rows, self.strategy.rank, self.strategy.processes, self.settings.gradient_accumulation
        )
        return [batch_of(self.targets.examples, part) for part in parts]

    def _log(self, rate: float, validation: float | None) -> None:
        state = self.state
        mean = check_finite(float(np.mean(state.losses)), state.step, rate)
        seconds = time.monotonic() - self._started
        state.losses.clear()
        epoch = state.step / self.per_epoch
        state.log.append(LogRow(state.step, epoch, mean, rate, seconds, validation))
        told = "" if validation is None else f", validation {validation:.2f}"
        self.progress(state.step, self.total, f"loss {mean:.2f}{told}")

    # -- early stop ---------------------------------------------------------------------------------------------------

    def _evaluates_at(self, step: int) -> bool:
        stop = self.settings.early_stop
        if stop is None:
            return False
        number = (step - 1) % self.per_epoch + 1
        n = min(stop.evaluations, self.per_epoch)
        return number * n // self.per_epoch > (number - 1) * n // self.per_epoch

    def _validate(self) -> float:
        """Mean loss on the rows held out; a new best is written down."""
        self.module.eval()
        rows = self.held_out[
            np.argsort(self.targets.examples.lengths[self.held_out], kind="stable")
        ]
        size = self.settings.batch_size
        steps = [rows[start : start + size] for start in range(0, len(rows), size)]
        divisor = self.targets.divisor(rows, self.settings.normalise)
        parts = [part for step in steps for part in self._parts(step)]
        loss = self.strategy.loss(parts, divisor)
        self.module.train()
        state = self.state
        if loss < state.best_loss:
            state.best_loss, state.best_step, state.worse = loss, state.step, 0
            if self.strategy.rank == 0:
                save_file(self._weights(), self.resume.best_path(state))
        else:
            state.worse += 1
        return loss

    def _is_over(self) -> bool:
        stop = self.settings.early_stop
        return stop is not None and self.state.worse >= stop.patience

    @torch.no_grad()
    def _take_best(self) -> None:
        self.strategy.barrier()
        if self.state.best_step < 0:
            return
        best, own = load_file(self.resume.best_path(self.state)), self._weights()
        for name, tensor in own.items():
            tensor.copy_(best[name])

    def _weights(self) -> dict[str, Tensor]:
        return untied_state(self.module)
