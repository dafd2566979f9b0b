"""Supervised fine-tuning of a causal language model with its own tokenizer (LLM-I2I, eq. 1-3). The loop is `lm.training.loop`."""
# ruff: noqa: TID253  -- this folder owns these packages; it is imported only when a model runs.

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

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

VALUES_AT_ONCE = 2**24  # logits in memory at one time: 64 MB in float32


class AnswerLoss(nn.Module):
    """Sum over the targets of a batch of weight x mean negative log-likelihood of the answer's tokens, in nats, float32.

    Eq. 2 (and 1 and 3) before it is divided by the number of targets. Logits are computed only where a target follows, and a few at a
    time: the backward pass computes them again, so that no array of all tokens and the whole vocabulary is ever in memory.

    Args:
        answers: Ascending ids of the tokens that compete, as they do when items of one token are generated; None for the whole
            vocabulary. With few answers a step needs a fraction of the memory and time.
    """

    def __init__(self, model: nn.Module, answers: Tensor | None = None) -> None:
        super().__init__()
        self.model = model
        # In a tuple, so that its weights are not listed twice: peft hides the model that it wraps.
        self._inner = (model.get_base_model() if hasattr(model, "get_base_model") else model,)
        self.answers = answers

    def forward(self, batch: Batch) -> Tensor:
        (inner,) = self._inner
        device = next(self.model.parameters()).device
        # Right padding; the mask tells attention kernels of it, the causal mask alone would do for the loss.
        states = inner.base_model(
            input_ids=torch.from_numpy(batch.inputs).to(device),
            attention_mask=torch.from_numpy(batch.inside).to(device, torch.int64),
            use_cache=False,
        ).last_hidden_state
        hidden = states.flatten(0, 1)[torch.from_numpy(batch.places).to(device)]  # (targets, d)
        targets = torch.from_numpy(batch.targets).to(device)
        weights = torch.from_numpy(batch.weights).to(device)
        head = inner.get_output_embeddings()
        table, bias = head.weight, getattr(head, "bias", None)
        if self.answers is not None:
            answers = self.answers.to(device)
            table, bias = table[answers], None if bias is None else bias[answers]
            # Blanks that fill a batch up have weight 0 and no answer.
            targets = torch.searchsorted(answers, targets).clamp_max(len(answers) - 1)
        scale = LogitScale.of(inner.config)
        few = max(1, VALUES_AT_ONCE // len(table))
        parts = zip(hidden.split(few), targets.split(few), weights.split(few), strict=True)
        if len(hidden) <= few:
            return weighted_nll(hidden, table, bias, targets, weights, scale)
        return torch.stack(
            [
                checkpoint(weighted_nll, states, table, bias, right, weight, scale, use_reentrant=False)
                for states, right, weight in parts
            ]
        ).sum()  # fmt: skip


def weighted_nll(
    hidden: Tensor,
    table: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    weights: Tensor,
    scale: LogitScale,
) -> Tensor:
    """Sum of weight x negative log-likelihood over some targets.

    Args:
        hidden: Final hidden states, shape (targets, d).
        table: Output embedding of each token that competes, shape (tokens, d).
        targets: Row of `table` that is right, shape (targets,).
    """
    logits = scale(functional.linear(hidden, table, bias).float())
    return (functional.cross_entropy(logits, targets, reduction="none") * weights).sum()


@dataclass(frozen=True)
class LogitScale:
    """What some models do to their logits behind the output layer: times a factor (Cohere, Granite), within a cap (Gemma 2)."""

    factor: float = 1.0
    cap: float | None = None

    @classmethod
    def of(cls, config: Any) -> LogitScale:
        """As a model's config says."""
        own = config.get_text_config()
        factor = getattr(own, "logit_scale", None) or 1.0 / (
            getattr(own, "logits_scaling", None) or 1.0
        )
        return cls(factor, getattr(own, "final_logit_softcapping", None))

    def __call__(self, logits: Tensor) -> Tensor:
        if self.factor != 1.0:
            logits = logits * self.factor
        return logits if self.cap is None else torch.tanh(logits / self.cap) * self.cap


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
        tokens_at_once: int,
    ) -> None:
        self.targets = targets
        self.settings = settings
        self.seed = seed
        self.strategy = strategy
        self.tokens_at_once = tokens_at_once
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
            parts = [
                few
                for part in parts
                for few in split_by_tokens(self.targets.examples, part, self.tokens_at_once)
            ]
        return [batch_of(self.targets.examples, part) for part in parts]
