"""Runs a checkpoint in this process with transformers: one forward pass a prompt, or a beam search where items take several tokens."""
# ruff: noqa: TID253  -- this folder owns these packages; it is imported only when a model runs.

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM
from transformers.utils import logging as transformers_logging

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.backend import Logits, no_text, probabilities, text_room
from llm_i2i.lm.checkpoint import load_metadata, open_vocabulary
from llm_i2i.lm.device import choose_device, choose_precision
from llm_i2i.lm.inference.beam import beam_search
from llm_i2i.lm.inference.prefixes import last_states
from llm_i2i.lm.inference.ranking import Ints, label_ids, padded_batches, seen_items
from llm_i2i.lm.inference.tree import PromptTree
from llm_i2i.lm.inference.trie import Trie, build_trie
from llm_i2i.lm.inference.writing import write
from llm_i2i.lm.precision import exact_float32
from llm_i2i.lm.serving import ServingSettings
from llm_i2i.lm.settings import LanguageModelSettings, PretrainedSettings
from llm_i2i.lm.tokenizer import TokenizerVocabulary

# Bounds on one forward pass: its activations stay near the caches, its item logits under some 50 MB.
MAX_TOKENS = 8192
MAX_ROWS = 2048
MAX_LOGITS = 12_000_000
MAX_BEAMS = 4096  # open beams of one batch of prompts
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
MIN_PROMPT = 2  # tokens a prompt keeps, however long the answers are


class TransformersBackend:
    """A checkpoint in memory: one made from sizes on the CPU in float32, a pretrained one where and as `serving` says.

    Items of one token each are ranked by one forward pass, normalised over the items. Items of several tokens (ids as text,
    semantic ids) are found by beam search in the trie of all items; their log-probabilities are those of the whole id as
    the model would write it, over all texts: over all items they add up to at most one.

    Args:
        serving: Its `device` and `dtype`.
        sum_spellings: With a tokenizer, a label's logit is the log of the sum over its spellings with and without a space.
    """

    def __init__(
        self,
        folder: Path,
        serving: ServingSettings = ServingSettings(),  # noqa: B008  -- frozen
        *,
        sum_spellings: bool = False,
    ) -> None:
        self.metadata = load_metadata(folder)
        device, precision = _place(self.metadata.settings, serving)
        self.device = torch.device(device)
        self.model = _load_quietly(folder, DTYPES[precision]).to(self.device)
        # Logits are computed in float32, whatever the layers compute in.
        self.table: Tensor = self.model.get_output_embeddings().weight.detach().float()
        self.sum_spellings = sum_spellings
        self.vocabulary = open_vocabulary(folder, self.metadata)

    @exact_float32()
    def top_items(
        self, prompts: Sequence[str], n: int, *, exclude_prompt_items: bool = True
    ) -> list[list[tuple[str, float]]]:
        """See `TextBackend.top_items`."""
        if self._item_length == 1:
            return self._rank_tokens(prompts, n, exclude_prompt_items)
        return self._search(prompts, n, exclude_prompt_items)

    @exact_float32()
    def label_logits(self, prompts: Sequence[str], labels: Sequence[str]) -> Logits:
        """See `TextBackend.label_logits`."""
        if not isinstance(self.vocabulary, TokenizerVocabulary):
            return self._token_logits(prompts, label_ids(self.vocabulary, labels))
        spelled = [self._spellings(label) for label in labels]
        flat = [tuple(ids) for spellings in spelled for ids in spellings]
        firsts = {ids[0] for ids in flat}
        # Two labels (or spellings) that begin alike are told apart by what follows.
        values = (
            self._token_logits(prompts, [ids[0] for ids in flat])
            if len(firsts) == len(flat)
            else self._sequence_scores(prompts, flat)
        )
        ends = np.cumsum([len(spellings) for spellings in spelled])[:-1]
        groups = np.split(values, ends, axis=1)
        return np.stack([np.logaddexp.reduce(group, axis=1) for group in groups], axis=1)

    def label_probabilities(self, prompts: Sequence[str], labels: Sequence[str]) -> Logits:
        """See `TextBackend.label_probabilities`."""
        return probabilities(self.label_logits(prompts, labels))

    @exact_float32()
    def generate_text(
        self,
        prompts: Sequence[str],
        n: int,
        *,
        temperature: float = 0.6,
        top_k: int = 50,
        max_tokens: int = 256,
        seed: int = 0,
    ) -> list[list[str]]:
        """See `TextBackend.generate_text`."""
        vocabulary = self.vocabulary
        if not isinstance(vocabulary, TokenizerVocabulary):
            raise no_text(str(self.model.name_or_path))
        room, length = text_room(self.metadata.settings.max_length, max_tokens)
        rows = [vocabulary.encode(prompt, room) for prompt in prompts]
        results: list[list[str]] = [[]] * len(prompts)
        most = max(1, MAX_TOKENS // (n * (room + length)))
        for index, padded, lengths in padded_batches(rows, MAX_TOKENS, most):
            texts = write(
                self.model, padded, lengths, n, length, vocabulary.tokenizer,
                ends=vocabulary.ends, temperature=temperature, top_k=top_k, seed=seed,
            )  # fmt: skip
            for row, found in zip(index.tolist(), texts, strict=True):
                results[row] = found
        return results

    # -- items of one token ------------------------------------------------------------------------

    @cached_property
    def _item_length(self) -> int:
        """Tokens of the longest item."""
        if isinstance(self.vocabulary, TokenizerVocabulary):
            return max((len(ids) for ids in self.vocabulary.item_sequences), default=1)
        return 1

    @cached_property
    def _item_table(self) -> Tensor:
        """Output embedding of each item, shape (items, d)."""
        if not isinstance(self.vocabulary, TokenizerVocabulary):
            items = self.vocabulary.item_ids
            return self.table[items.start : items.stop]
        ids = [sequence[0] for sequence in self.vocabulary.item_sequences]
        if ids == list(range(ids[0], ids[0] + len(ids))):
            return self.table[ids[0] : ids[0] + len(ids)]  # no copy
        return self.table[torch.tensor(ids)]

    def _rank_tokens(
        self, prompts: Sequence[str], n: int, exclude: bool
    ) -> list[list[tuple[str, float]]]:
        items, table = self.vocabulary.item_tokens, self._item_table
        results: list[list[tuple[str, float]]] = []
        rows = max(1, min(MAX_LOGITS // max(1, len(items)), MAX_ROWS))
        states = self._last_states(prompts)
        for start in range(0, len(prompts), rows):
            logits = states[start : start + rows] @ table.T
            logits -= logits.logsumexp(dim=1, keepdim=True)
            if exclude:
                logits[self._seen(prompts[start : start + rows])] = -np.inf
            best = logits.topk(min(n, len(items)), dim=1)
            for chosen, values in zip(best.indices.tolist(), best.values.tolist(), strict=True):
                pairs = zip(chosen, values, strict=True)
                results.append([(items[item], value) for item, value in pairs if value > -np.inf])
        return results

    def _seen(self, prompts: Sequence[str]) -> tuple[list[int], list[int]]:
        """(prompt, 0-based item) indices of all items in the prompts."""
        if not isinstance(self.vocabulary, TokenizerVocabulary):
            return seen_items(self.vocabulary, prompts)
        found = [self.vocabulary.prompt_items(prompt) for prompt in prompts]
        rows = [row for row, items in enumerate(found) for _ in items]
        return rows, [item for items in found for item in items]

    # -- items of several tokens -------------------------------------------------------------------

    @cached_property
    def _trie(self) -> Trie:
        return build_trie(self.vocabulary.item_sequences)

    def _search(
        self, prompts: Sequence[str], n: int, exclude: bool
    ) -> list[list[tuple[str, float]]]:
        items = self.vocabulary.item_tokens
        seen = [self.vocabulary.prompt_items(p) if exclude else [] for p in prompts]
        width = n + max(map(len, seen), default=0)
        results: list[list[tuple[str, float]]] = [[]] * len(prompts)
        for index, tokens, lengths in self._batches(prompts, MAX_BEAMS // width):
            found = beam_search(
                PromptTree(self.model, tokens, lengths),
                len(index),
                self._trie,
                n,
                width=n,
                excluded=[seen[row] for row in index],
            )
            for row, best in zip(index.tolist(), found, strict=True):
                results[row] = [(items[item], value) for item, value in best]
        return results

    # -- labels ------------------------------------------------------------------------------------

    def _spellings(self, label: str) -> list[list[int]]:
        if not label.strip():
            raise LlmI2iError("a label is empty", where="labels", found=repr(label))
        spellings = self.vocabulary.spellings(label)
        return spellings if self.sum_spellings else spellings[:1]

    def _token_logits(self, prompts: Sequence[str], tokens: Sequence[int]) -> Logits:
        return (self._last_states(prompts) @ self.table[list(tokens)].T).cpu().numpy()

    def _sequence_scores(
        self, prompts: Sequence[str], answers: Sequence[tuple[int, ...]]
    ) -> Logits:
        """Log-probability of each answer behind each prompt; closed by the end token where one begins another."""
        distinct = list(dict.fromkeys(answers))
        if any(a != b and b[: len(a)] == a for a in distinct for b in distinct):
            distinct = [(*ids, self.vocabulary.end) for ids in distinct]
        result = np.zeros((len(prompts), len(distinct)), dtype=np.float32)
        trie = build_trie(distinct)
        for index, tokens, lengths in self._batches(prompts, MAX_BEAMS // len(distinct)):
            tree = PromptTree(self.model, tokens, lengths)
            found = beam_search(tree, len(index), trie, len(distinct), width=len(distinct))
            for row, scores in zip(index.tolist(), found, strict=True):
                for answer, value in scores:
                    result[row, answer] = value
        place = {ids: number for number, ids in enumerate(dict.fromkeys(answers))}
        return result[:, [place[ids] for ids in answers]]

    # -- forward passes ----------------------------------------------------------------------------

    @cached_property
    def _room(self) -> int:
        """Most tokens of a prompt: answers of several tokens need their place in max_length."""
        longest = self.metadata.settings.max_length
        return max(MIN_PROMPT, longest - self._item_length + 1)

    def _batches(self, prompts: Sequence[str], max_rows: int) -> Iterator[tuple[Ints, Ints, Ints]]:
        """Prompts of similar length: (row numbers, right-padded token ids, lengths)."""
        rows = [self.vocabulary.encode(prompt, self._room) for prompt in prompts]
        return padded_batches(rows, MAX_TOKENS, max(1, min(max_rows, MAX_ROWS)))

    def _last_states(self, prompts: Sequence[str]) -> Tensor:
        """Final hidden state of the last token of each prompt, shape (prompts, d)."""
        if not isinstance(self.vocabulary, TokenizerVocabulary):
            rows = [self.vocabulary.encode(prompt, self._room) for prompt in prompts]
            return last_states(self.model, rows)
        states = torch.empty(len(prompts), self.table.shape[1], device=self.device)
        for index, tokens, lengths in self._batches(prompts, MAX_ROWS):
            found = self._forward(torch.from_numpy(tokens), torch.from_numpy(lengths))
            states[torch.from_numpy(index).to(self.device)] = found.float()
        return states

    @torch.inference_mode()
    def _forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        # Right padding comes after every real token: the causal mask alone hides it. The output layer is left out: it would
        # cost more than all the rest, at every position.
        tokens, lengths = tokens.to(self.device), lengths.to(self.device)
        states = self.model.base_model(input_ids=tokens, use_cache=False).last_hidden_state
        return states[torch.arange(len(tokens), device=self.device), lengths - 1]


def _place(settings: LanguageModelSettings, serving: ServingSettings) -> tuple[str, str]:
    """Device and precision."""
    if not isinstance(settings, PretrainedSettings):
        return "cpu", "float32"
    device = choose_device(serving.device)
    return device, choose_precision(serving.dtype, device)


def _load_quietly(folder: Path, dtype: torch.dtype) -> torch.nn.Module:
    # Loading must neither draw a progress bar nor touch the caller's random numbers.
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        with torch.random.fork_rng(devices=[]):
            model = AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=dtype,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
            )
    finally:
        if shown:
            transformers_logging.enable_progress_bar()
    return model.eval()  # type: ignore[no-any-return]
