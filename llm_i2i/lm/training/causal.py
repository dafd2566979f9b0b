"""Supervised fine-tuning of a causal language model with its own tokenizer (LLM-I2I, eq. 1-3). The loop is `lm.training.loop`."""
# ruff: noqa: TID253  -- this folder owns these packages; it is imported only when a model runs.

from __future__ import annotations

import inspect

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from llm_i2i.lm.settings import PretrainedSettings
from llm_i2i.lm.tokenizer import TokenizerVocabulary
from llm_i2i.lm.training.examples import Batch, Ints, RawExamples
from llm_i2i.lm.training.strategies import TrainingStrategy
from llm_i2i.lm.training.targets import (
    TargetRows,
    batch_of,
    epoch_batches,
    parts_of,
    split_by_tokens,
    split_rows,
)


class AnswerLoss(nn.Module):
    """Sum over the targets of a batch of weight x mean negative log-likelihood of the answer's tokens, in nats, float32.

    Eq. 2 (and 1 and 3) before it is divided by the number of targets. Logits are computed only where some row has a target.

    Args:
        answers: Ascending ids of the tokens that compete, as they do when items of one token are generated; None for the whole
            vocabulary. With few answers a step needs a fraction of the memory and time.
    """

    def __init__(self, model: nn.Module, answers: Tensor | None = None) -> None:
        super().__init__()
        self.model = model
        # peft hides the signature of the model it wraps.
        self._inner = (model.get_base_model() if hasattr(model, "get_base_model") else model,)
        self.can_select = "logits_to_keep" in inspect.signature(self._inner[0].forward).parameters
        self.answers = answers

    def forward(self, batch: Batch) -> Tensor:
        if self.answers is not None:
            return self._among_answers(batch, self.answers)
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

    def _among_answers(self, batch: Batch, answers: Tensor) -> Tensor:
        """The loss with a softmax over `answers` alone."""
        (inner,) = self._inner
        device = next(self.model.parameters()).device
        inputs = torch.from_numpy(batch.inputs).to(device)
        mask = torch.from_numpy(batch.inside).to(device, torch.int64)
        states = inner.base_model(
            input_ids=inputs, attention_mask=mask, use_cache=False
        ).last_hidden_state
        at_targets = states.flatten(0, 1)[torch.from_numpy(batch.places).to(device)]
        answers = answers.to(device)
        logits = functional.linear(at_targets, inner.get_output_embeddings().weight[answers])
        targets = torch.searchsorted(answers, torch.from_numpy(batch.targets).to(device))
        weights = torch.from_numpy(batch.weights).to(device)
        # blanks that fill a batch up have weight 0 and no answer
        targets = targets.clamp_max(len(answers) - 1)
        return (functional.cross_entropy(logits.float(), targets, reduction="none") * weights).sum()


def competing_tokens(vocabulary: TokenizerVocabulary, raw: RawExamples) -> Tensor | None:
    """Ascending ids of the items' tokens, where all answers are items of one token each; None otherwise."""
    if vocabulary.item_ids != "token" or not set(raw.answers) <= set(vocabulary.item_tokens):
        return None
    return torch.tensor(sorted(ids[0] for ids in vocabulary.item_sequences))


class TargetSteps:
    """Steps of a pretrained model's training: which rows a step takes follows from (seed, epoch) alone, for any number of processes."""

    def __init__(
        self,
        targets: TargetRows,
        settings: PretrainedSettings,
        seed: int,
        strategy: TrainingStrategy,
    ) -> None:
        self.targets = targets
        self.settings = settings
        self.seed = seed
        self.strategy = strategy
        stop = settings.early_stop
        self.rows, self.others = split_rows(targets, stop.share if stop else 0.0, seed)
        self.lengths = [-(-len(self.rows) // settings.batch_size)] * settings.epochs
        self._epoch, self._batches = -1, list[Ints]()

    def parts(self, epoch: int, number: int) -> tuple[list[Batch], float]:
        if epoch != self._epoch:
            self._batches = epoch_batches(self.rows, self.settings.batch_size, self.seed, epoch)
            self._epoch = epoch
        rows = self._batches[number]
        return self._own(rows), self.targets.divisor(rows, self.settings.normalise)

    def held_out(self) -> tuple[list[Batch], float]:
        rows = self.others[np.argsort(self.targets.examples.lengths[self.others], kind="stable")]
        size = self.settings.batch_size
        steps = [rows[start : start + size] for start in range(0, len(rows), size)]
        divisor = self.targets.divisor(rows, self.settings.normalise)
        return [part for step in steps for part in self._own(step)], divisor

    def _own(self, rows: Ints) -> list[Batch]:
        parts = parts_of(
            rows,
            self.strategy.rank,
            self.strategy.processes,
            self.settings.gradient_accumulation,
        )
        if self.settings.deepspeed is None:  # its processes must take equally many parts
            most = self.settings.tokens_at_once
            parts = [
                few for part in parts for few in split_by_tokens(self.targets.examples, part, most)
            ]
        return [batch_of(self.targets.examples, part) for part in parts]
