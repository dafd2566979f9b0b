"""Supervised fine-tuning of a small Llama on weighted examples (LLM-I2I, eq. 1-3)."""
# ruff: noqa: TID253  -- this folder owns these packages; it is imported only when a model runs.

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn
from transformers import LlamaForCausalLM

from llm_i2i.lm.checkpoint import Metadata, check_complete, load_vocabulary, save_metadata
from llm_i2i.lm.items import FIRST_ITEM, Vocabulary
from llm_i2i.lm.precision import exact_float32
from llm_i2i.lm.settings import EarlyStop, FromSizesSettings
from llm_i2i.lm.trainer import LogRow, Progress
from llm_i2i.lm.training.examples import (
    Batch,
    Examples,
    Ints,
    RawExamples,
    encode_examples,
    make_batch,
    plan_batches,
    read_examples,
    vocabulary_for,
)
from llm_i2i.lm.training.features import SummedEmbedding, item_features
from llm_i2i.lm.training.initialisation import ppmi_embeddings
from llm_i2i.lm.training.loop import TrainingLoop
from llm_i2i.lm.training.loss import sampled_softmax_nll, softmax_nll, weighted_mean_loss
from llm_i2i.lm.training.model import (
    add_dropout,
    build_model,
    dropout,
    save_model,
    start_from,
    states_at,
)
from llm_i2i.lm.training.strategies import PlainStrategy
from llm_i2i.lm.training.validation import ValidationRows, validation_rows


def train(
    examples: pa.Table,
    folder: Path,
    settings: FromSizesSettings,
    items: pa.Table | None,
    initial: Path | None,
    random_seed: int,
    progress: Progress,
    validation: pa.Table | None = None,
) -> list[LogRow]:
    """Train and save; see `lm.open.train_checkpoint`. Equal inputs, seed and threads give equal bytes."""
    raw = read_examples(examples)
    known = None if initial is None else load_vocabulary(initial, check_complete(initial))
    vocabulary = vocabulary_for(raw, items, known)
    encoded = encode_examples(raw, vocabulary, settings.max_length)
    judged = validation_rows(validation, raw, vocabulary, settings.max_length)

    def attempt(number: int) -> Attempt:
        seed = random_seed + number - 1
        model = build_model(settings, len(vocabulary.words))
        if initial is not None and known is not None:
            base = start_from(model, initial, known, vocabulary)
        else:
            base = _initial_embeddings(model, encoded, vocabulary, settings, seed)
        embedding = SummedEmbedding(base, item_features(items, vocabulary, settings))
        module = ItemLoss(
            model, embedding, settings, answers_of(raw, vocabulary), vocabulary.n_items
        )
        steps = PlannedSteps(encoded, settings, np.random.default_rng(seed), module.n_competing)
        # On the CPU also where there is a GPU: the matrices are too small for one.
        strategy = PlainStrategy(module, settings, device="cpu")
        loop = _loop(strategy, module, steps, settings, judged, progress)
        log = [replace(row, attempt=number) for row in loop.run()]
        return Attempt(model, embedding, log, loop.best_auc)

    best, log = None, list[LogRow]()
    for number in range(1, (settings.retries if judged is not None else 0) + 2):
        with private_torch_state(random_seed + number - 1, settings.threads):
            found = attempt(number)
            log += found.log
            if best is None or found.auc > best.auc:
                best = found
                save_model(best.model, best.embedding.folded(), vocabulary, folder)
        # Another seed only for one that has learned nothing: to take the best of several would be to choose by luck.
        if judged is None or judged.is_learned(found.auc):
            break
    save_metadata(folder, Metadata(settings, raw.kind, vocabulary.n_items, raw.labels, random_seed))
    return log


@dataclass(frozen=True)
class Attempt:
    """A training from one seed, with the best of its weights and their AUC on the validation rows (0 without such rows)."""

    model: LlamaForCausalLM
    embedding: SummedEmbedding
    log: list[LogRow]
    auc: float


def _loop(
    strategy: PlainStrategy,
    module: ItemLoss,
    steps: PlannedSteps,
    settings: FromSizesSettings,
    judged: ValidationRows | None,
    progress: Progress,
) -> TrainingLoop:
    """The loop of a training, which with validation rows keeps the weights of the lowest loss on them."""
    if judged is None:
        return TrainingLoop(strategy, module, steps, settings, progress=progress)
    return TrainingLoop(
        strategy,
        module,
        steps,
        settings,
        early_stop=EarlyStop(patience=settings.patience, evaluations=settings.evaluations),
        progress=progress,
        measure=lambda: judged.measure(module.target_nll),
        may_stop=judged.is_learned,
    )


@contextmanager
def private_torch_state(seed: int, threads: int) -> Iterator[None]:
    """Seed torch, set its threads, add gradients in one order, and multiply in float32 inside the block; outside, nothing has
    changed. Without the one order two threads race in the gradient of rows[numbers], and equal runs differ in their last bits.
    """
    before = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory
    with torch.random.fork_rng(devices=[]), exact_float32():
        torch.manual_seed(seed)
        try:
            torch.set_num_threads(threads or before)
            torch.use_deterministic_algorithms(True, warn_only=True)
            torch.utils.deterministic.fill_uninitialized_memory = (
                False  # none is read; a tenth of the time
            )
            yield
        finally:
            torch.set_num_threads(before)
            torch.use_deterministic_algorithms(deterministic)
            torch.utils.deterministic.fill_uninitialized_memory = filled


def answers_of(raw: RawExamples, vocabulary: Vocabulary) -> Tensor | None:
    """Ascending token ids the softmax runs over: the labels, or all words; None for the items."""
    if raw.labels:
        return torch.tensor(sorted(vocabulary.ids[label] for label in raw.labels))
    items = vocabulary.item_ids
    if raw.kind == "sequence" or all(vocabulary.ids[word] in items for word in set(raw.answers)):
        return None
    return torch.arange(len(vocabulary.words))


class PlannedSteps:
    """Steps of about equally many tokens; all epochs are planned before the first.

    Args:
        n_items: Items that compete as targets; 0 where the targets are labels.
    """

    def __init__(
        self,
        examples: Examples,
        settings: FromSizesSettings,
        random: np.random.Generator,
        n_items: int = 0,
    ) -> None:
        self.examples = examples
        self.epochs = planned_epochs(examples, settings, random, n_items)
        self.lengths = [len(batches) for batches in self.epochs]

    def parts(self, epoch: int, number: int) -> tuple[list[Batch], float]:
        batch = make_batch(self.examples, self.epochs[epoch][number])
        return [batch], batch.n_targets

    def held_out(self) -> tuple[list[Batch], float]:
        return [], 1.0  # this training never asks: it stops by the AUC, if at all


def planned_epochs(
    examples: Examples, settings: FromSizesSettings, random: np.random.Generator, n_items: int
) -> list[list[Ints]]:
    """Row numbers of each batch of each epoch: `epochs` of them, or as many as `min_steps` needs, up to `targets_per_item`.

    The last epoch may be a part of one: its batches are in random order, so what is left out is a random sample of the rows.
    """
    epochs: list[list[Ints]] = []
    targets = np.add.reduceat(examples.shares, examples.starts)
    left = float(n_items * settings.targets_per_item) or np.inf
    steps = 0
    while left > 0 and (len(epochs) < settings.epochs or steps < settings.min_steps):
        batches = plan_batches(examples, settings.batch_size, random)
        seen = np.cumsum([targets[rows].sum() for rows in batches])
        batches = batches[: int(np.searchsorted(seen, left)) + 1]
        epochs.append(batches)
        steps += len(batches)
        left -= seen[-1]
    return epochs


class ItemLoss(nn.Module):
    """Summed loss of a batch, weight x negative log-likelihood in nats: the recipe of method.md 2.9.

    Args:
        answers: Token ids that compete in the softmax; None for the items, sampled where they are many.
    """

    def __init__(
        self,
        model: LlamaForCausalLM,
        embedding: SummedEmbedding,
        settings: FromSizesSettings,
        answers: Tensor | None,
        n_items: int,
    ) -> None:
        super().__init__()
        # Tokens are embedded by `embedding`, in and out; the model's own tables are not trained.
        model.get_input_embeddings().requires_grad_(False)
        model.get_output_embeddings().requires_grad_(False)
        self.model = model
        self.embedding = embedding
        self.settings = settings
        self.n_items = n_items
        self.n_competing = n_items if answers is None else 0
        is_small = n_items <= max(settings.full_softmax_items, settings.sampled_negatives)
        if answers is None and is_small:
            answers = torch.arange(FIRST_ITEM, FIRST_ITEM + n_items)
        self.answers = answers
        add_dropout(model, settings.dropout)

    def forward(self, batch: Batch) -> Tensor:
        return weighted_mean_loss(self.target_nll(batch), torch.from_numpy(batch.weights), 1.0)

    def target_nll(self, batch: Batch) -> Tensor:
        """Negative log-likelihood of each target, in nats, blanks included.

        Embeds each distinct token once, reads hidden states only where a target follows.
        """
        inputs, targets = torch.from_numpy(batch.inputs), torch.from_numpy(batch.targets)
        drawn = self.answers
        if drawn is None:
            drawn = torch.randint(
                FIRST_ITEM, FIRST_ITEM + self.n_items, (self.settings.sampled_negatives,)
            )
        distinct, where = torch.cat([inputs.flatten(), targets, drawn]).unique(return_inverse=True)
        input_rows, target_rows, drawn_rows = where.split(
            [inputs.numel(), len(targets), len(drawn)]
        )
        rows = self.embedding(distinct)  # (distinct tokens, d)
        embedded = rows[input_rows].view(*inputs.shape, -1)
        if self.model.training:
            embedded = dropout(embedded, self.settings.dropout)
        # Right padding comes after every real token, so the causal mask alone keeps it out of sight.
        rows_of, places = np.divmod(batch.places, inputs.shape[1])
        ends = np.full(len(inputs), -1)
        real = batch.weights > 0  # not the blanks
        ends[rows_of[real]] = places[real]
        if (ends >= 0).all() and (ends[rows_of] == places)[real].all():  # one target a row
            states = states_at(self.model, embedded, torch.from_numpy(ends))
            hidden = states[torch.from_numpy(rows_of)]  # (targets, d)
        else:
            states = self.model.model(inputs_embeds=embedded, use_cache=False).last_hidden_state
            hidden = states.flatten(0, 1)[torch.from_numpy(batch.places)]
        if self.answers is None:
            hits = (target_rows[:, None] == drawn_rows[None, :]).nonzero(as_tuple=True)
            return sampled_softmax_nll(
                hidden, rows[target_rows], rows[drawn_rows], hits, self.n_items
            )
        return softmax_nll(hidden, rows[drawn_rows], torch.searchsorted(drawn, targets))


def _initial_embeddings(
    model: LlamaForCausalLM,
    examples: Examples,
    vocabulary: Vocabulary,
    settings: FromSizesSettings,
    seed: int,
) -> Tensor:
    """Random rows for words; for items the PPMI-SVD of the sequences (prompt items included), if so set."""
    base = model.model.embed_tokens.weight.detach().clone()
    if settings.init == "svd" and vocabulary.n_items > 1:
        rows = np.repeat(np.arange(len(examples)), examples.lengths)
        columns = examples.tokens - FIRST_ITEM
        is_item = (columns >= 0) & (columns < vocabulary.n_items)
        start = ppmi_embeddings(
            rows[is_item], columns[is_item], vocabulary.n_items, settings.hidden_size, seed
        )
        base[FIRST_ITEM : FIRST_ITEM + vocabulary.n_items] = torch.from_numpy(start)
    return base
