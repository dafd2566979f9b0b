"""Runs a checkpoint in this process with transformers: one forward pass a prompt, only the last position kept."""
# ruff: noqa: TID253  -- this folder owns these packages; it is imported only when a model runs.

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM
from transformers.utils import logging as transformers_logging

from llm_i2i.lm.backend import Logits, probabilities
from llm_i2i.lm.checkpoint import load_metadata, load_vocabulary
from llm_i2i.lm.inference.ranking import Ints, label_ids, padded_batches, seen_items
from llm_i2i.lm.items import FIRST_ITEM

# Bounds on one forward pass: its activations stay near the caches, its item logits under some 50 MB.
MAX_TOKENS = 8192
MAX_ROWS = 2048
MAX_LOGITS = 12_000_000


class TransformersBackend:
    """A checkpoint in memory, on the CPU, in float32."""

    def __init__(self, folder: Path) -> None:
        self.metadata = load_metadata(folder)
        self.vocabulary = load_vocabulary(folder, self.metadata)
        self.model = _load_quietly(folder)
        self.table: Tensor = self.model.get_output_embeddings().weight.detach()

    def top_items(
        self, prompts: Sequence[str], n: int, *, exclude_prompt_items: bool = True
    ) -> list[list[tuple[str, float]]]:
        """See `TextBackend.top_items`."""
        items, n_items = self.vocabulary.item_tokens, self.vocabulary.n_items
        table = self.table[FIRST_ITEM : FIRST_ITEM + n_items]
        results: list[list[tuple[str, float]]] = [[]] * len(prompts)
        for index, hidden in self._last_states(prompts, MAX_LOGITS // max(1, n_items)):
            logits = (hidden @ table.T).float()
            logits -= logits.logsumexp(dim=1, keepdim=True)
            if exclude_prompt_items:
                logits[seen_items(self.vocabulary, [prompts[row] for row in index])] = -np.inf
            best = logits.topk(min(n, n_items), dim=1)
            for row, chosen, values in zip(
                index.tolist(), best.indices.tolist(), best.values.tolist(), strict=True
            ):
                pairs = zip(chosen, values, strict=True)
                results[row] = [(items[item], value) for item, value in pairs if value > -np.inf]
        return results

    def label_logits(self, prompts: Sequence[str], labels: Sequence[str]) -> Logits:
        """See `TextBackend.label_logits`."""
        table = self.table[label_ids(self.vocabulary, labels)]
        result = np.zeros((len(prompts), len(labels)), dtype=np.float32)
        for index, hidden in self._last_states(prompts, MAX_ROWS):
            result[index] = (hidden @ table.T).float().numpy()
        return result

    def label_probabilities(self, prompts: Sequence[str], labels: Sequence[str]) -> Logits:
        """See `TextBackend.label_probabilities`."""
        return probabilities(self.label_logits(prompts, labels))

    def _last_states(self, prompts: Sequence[str], max_rows: int) -> Iterator[tuple[Ints, Tensor]]:
        """Batches of (row numbers, final hidden state of the last token, shape (rows, d))."""
        longest = self.metadata.settings.max_length
        rows = [self.vocabulary.encode(prompt, longest) for prompt in prompts]
        for index, padded, lengths in padded_batches(
            rows, MAX_TOKENS, max(1, min(max_rows, MAX_ROWS))
        ):
            tokens = torch.from_numpy(padded)
            yield index, self._forward(tokens, torch.from_numpy(lengths))

    @torch.inference_mode()
    def _forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        # Right padding comes after every real token: the causal mask alone hides it. The output layer is left out: it would
        # cost more than all the rest, at every position.
        states = self.model.base_model(input_ids=tokens, use_cache=False).last_hidden_state
        return states[torch.arange(len(tokens)), lengths - 1]


def _load_quietly(folder: Path) -> torch.nn.Module:
    # Loading must neither draw a progress bar nor touch the caller's random numbers.
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        with torch.random.fork_rng(devices=[]):
            model = AutoModelForCausalLM.from_pretrained(
                folder, dtype=torch.float32, local_files_only=True
            )
    finally:
        if shown:
            transformers_logging.enable_progress_bar()
    return model.eval()  # type: ignore[no-any-return]
