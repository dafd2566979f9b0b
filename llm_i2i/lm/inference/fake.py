"""A language model for tests: answers follow from a hash of the prompt, without torch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from llm_i2i.lm.backend import Logits, probabilities
from llm_i2i.lm.checkpoint import load_metadata, load_vocabulary
from llm_i2i.lm.inference.ranking import label_ids, seen_items


class FakeBackend:
    """Random but repeatable: the same prompt and vocabulary always give the same answer."""

    def __init__(self, folder: Path) -> None:
        self.metadata = load_metadata(folder)
        self.vocabulary = load_vocabulary(folder, self.metadata)

    def top_items(
        self, prompts: Sequence[str], n: int, *, exclude_prompt_items: bool = True
    ) -> list[list[tuple[str, float]]]:
        """See `TextBackend.top_items`."""
        return [self._top_items(prompt, n, exclude_prompt_items) for prompt in prompts]

    def label_logits(self, prompts: Sequence[str], labels: Sequence[str]) -> Logits:
        """See `TextBackend.label_logits`."""
        ids = label_ids(self.vocabulary, labels)
        result = np.zeros((len(prompts), len(labels)), dtype=np.float32)
        for row, prompt in enumerate(prompts):
            result[row] = 3.0 * _normals(prompt, len(self.vocabulary.words))[ids]
        return result

    def label_probabilities(self, prompts: Sequence[str], labels: Sequence[str]) -> Logits:
        """See `TextBackend.label_probabilities`."""
        return probabilities(self.label_logits(prompts, labels))

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
        """See `TextBackend.generate_text`: a few of the prompt's own words."""
        return [
            [
                self._text(prompt, seed if temperature == 0 else seed + k, max_tokens)
                for k in range(n)
            ]
            for prompt in prompts
        ]

    def _text(self, prompt: str, seed: int, max_tokens: int) -> str:
        words = prompt.split()
        drawn = _normals(f"{seed} {prompt}", len(words))
        return " ".join(words[i] for i in np.argsort(-drawn, kind="stable")[: min(12, max_tokens)])

    def _top_items(self, prompt: str, n: int, exclude: bool) -> list[tuple[str, float]]:
        items = self.vocabulary.item_tokens
        logits = 2.0 * _normals(prompt, len(items))
        logits -= np.logaddexp.reduce(logits)
        if exclude:
            logits[seen_items(self.vocabulary, [prompt])[1]] = -np.inf
        best = np.argsort(-logits, kind="stable")[:n]
        return [(items[i], float(logits[i])) for i in best if logits[i] > -np.inf]


def _normals(prompt: str, count: int) -> np.ndarray:
    words = " ".join(prompt.split())  # as any backend reads it
    seed = int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "little")
    return np.random.default_rng(seed).normal(size=count)
