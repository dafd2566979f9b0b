"""Answers of a model with its own tokenizer, from next-token probabilities alone: what backends outside this process share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from llm_i2i.lm.backend import Logits, NextTokenBackend, RowsFailed
from llm_i2i.lm.inference.beam import Written, beam_search
from llm_i2i.lm.inference.trie import Trie, build_trie
from llm_i2i.lm.tokenizer import TokenizerVocabulary

Answers = TypeVar("Answers")
NEVER = np.float32(-1e30)  # for rows that failed: the search goes on with the others


class SpelledAnswers:
    """Items and labels spelled in a tokenizer's pieces, asked for token by token.

    Args:
        model: What knows the next token.
        max_length: Tokens of prompt and answer together.
    """

    def __init__(
        self, model: NextTokenBackend, vocabulary: TokenizerVocabulary, max_length: int
    ) -> None:
        self.model = model
        self.vocabulary = vocabulary
        self.max_length = max_length

    def top_items(
        self, prompts: Sequence[str], n: int, exclude: bool
    ) -> list[list[tuple[str, float]]]:
        """See `TextBackend.top_items`."""
        items = self.vocabulary.item_tokens
        seen = [self.vocabulary.prompt_items(prompt) if exclude else [] for prompt in prompts]
        asked = _Asked(self.model, self._encode(prompts))
        if self._trie.depth == 1:
            found = self._rank(asked, len(prompts), n, seen)
        else:
            found = beam_search(asked, len(prompts), self._trie, n, width=n, excluded=seen)
        return asked.checked([[(items[item], value) for item, value in best] for best in found])

    def label_logits(self, prompts: Sequence[str], labels: Sequence[str]) -> Logits:
        """See `TextBackend.label_logits`; log-probabilities over the whole vocabulary."""
        spelled = [tuple(self.vocabulary.answer(label)) for label in labels]
        asked = _Asked(self.model, self._encode(prompts))
        if len({ids[0] for ids in spelled}) == len(spelled):
            firsts = np.array([ids[0] for ids in spelled], dtype=np.int32)
            rows = asked.next_log_probabilities(
                [(row, ()) for row in range(len(prompts))], [firsts] * len(prompts)
            )
            shape = (len(prompts), len(labels))
            return asked.checked(np.array(rows, dtype=np.float32).reshape(shape))
        if any(a != b and b[: len(a)] == a for a in spelled for b in spelled):
            spelled = [(*ids, self.vocabulary.end) for ids in spelled]
        count = len(spelled)
        found = beam_search(asked, len(prompts), build_trie(spelled), count, width=count)
        result = np.zeros((len(prompts), count), dtype=np.float32)
        for row, scores in enumerate(found):
            for label, value in scores:
                result[row, label] = value
        return asked.checked(result)

    @cached_property
    def _trie(self) -> Trie:
        return build_trie(self.vocabulary.item_sequences)

    def _encode(self, prompts: Sequence[str]) -> list[list[int]]:
        room = max(2, self.max_length - self._trie.depth + 1)
        return [self.vocabulary.encode(prompt, room) for prompt in prompts]

    def _rank(
        self, asked: _Asked, n_prompts: int, n: int, seen: Sequence[Sequence[int]]
    ) -> list[list[tuple[int, float]]]:
        """Items of one token each: normalised over the items."""
        tokens = np.array([ids[0] for ids in self.vocabulary.item_sequences], dtype=np.int32)
        rows = asked.next_log_probabilities(
            [(row, ()) for row in range(n_prompts)], [tokens] * n_prompts
        )
        found = []
        for values, out in zip(rows, seen, strict=True):
            scores = values - np.logaddexp.reduce(values)
            scores[list(out)] = -np.inf
            order = np.lexsort((np.arange(len(scores)), -scores))[:n]
            found.append([(int(i), float(scores[i])) for i in order if scores[i] > -np.inf])
        return found


class _Asked:
    """Some prompts in front of a model, and which of them it could not answer."""

    def __init__(self, model: NextTokenBackend, prompts: list[list[int]]) -> None:
        self.model = model
        self.prompts = prompts
        self.errors: dict[int, str] = {}

    def next_log_probabilities(
        self, sequences: Sequence[Written], allowed: Sequence[npt.NDArray[np.int32]]
    ) -> list[npt.NDArray[np.float32]]:
        """See `beam.NextTokens.next_log_probabilities`."""
        written = [[*self.prompts[row], *tokens] for row, tokens in sequences]
        try:
            return self.model.next_log_probabilities(written, [ids.tolist() for ids in allowed])
        except RowsFailed as failure:
            for place, why in failure.errors.items():
                self.errors.setdefault(sequences[place][0], why)
            return [np.where(np.isnan(row), NEVER, row) for row in failure.answers]

    def checked(self, answers: Answers) -> Answers:
        """The answers, or RowsFailed with them if some prompts have none."""
        if self.errors:
            raise RowsFailed(answers, dict(sorted(self.errors.items())))
        return answers
