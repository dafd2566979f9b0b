"""The port to whatever runs a language model: items to recommend, and the confidence in a label.

What implements it imports this module; `lm.open` chooses among the implementations.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from llm_i2i.errors import LlmI2iError
from llm_i2i.udf.context import RowError

Logits = npt.NDArray[np.float32]


class TextBackend(Protocol):
    """A language model ready to answer prompts. Answers do not depend on how prompts are batched."""

    def top_items(
        self, prompts: Sequence[str], n: int, *, exclude_prompt_items: bool = True
    ) -> list[list[tuple[str, float]]]:
        """The `n` most probable next items of each prompt, best first, as (item token, log-probability in nats).

        Only valid items come out. The log-probabilities are normalised over all items, in float32, before the items of the
        prompt are left out; fewer than `n` pairs come back where the catalogue is smaller. Items of several tokens (text or
        semantic ids under a tokenizer) carry the raw log-probability of the whole id instead, not normalised over the items.

        Raises:
            RowsFailed: Some prompts have no answer; those of the others are in it.
        """
        ...

    def label_logits(self, prompts: Sequence[str], labels: Sequence[str]) -> Logits:
        """Logit of each label as the next word, float32, shape (prompts, labels); a constant per row is left open.

        Raises:
            RowsFailed: Some prompts have no answer; those of the others are in it.
        """
        ...

    def label_probabilities(self, prompts: Sequence[str], labels: Sequence[str]) -> Logits:
        """Probability of each label among the labels given, float32, shape (prompts, labels), rows sum to 1."""
        ...

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
        """`n` texts the model writes behind each prompt, each until its end token or `max_tokens`.

        Samples, independent of each other: a token is drawn from the `top_k` most probable at the temperature (0: the most probable
        token always). Equal arguments give equal texts on one backend and machine; backends differ, they draw in ways of their own.
        Prompt and text fit into `max_length` together, of which the text gets half at most (`text_room`).

        Raises:
            LlmI2iError: The model has item tokens and no tokenizer of its own.
            RowsFailed: Some prompts have no answer; those of the others are in it.
        """
        ...


class NextTokenBackend(Protocol):
    """A language model asked token by token, for items of several tokens."""

    def next_log_probabilities(
        self, sequences: Sequence[Sequence[int]], allowed: Sequence[Sequence[int]]
    ) -> list[Logits]:
        """Log-probability in nats of each allowed token as the next of its sequence, float32.

        Args:
            sequences: Token ids, the start token included, at least one each.
            allowed: Token ids asked for, one list a sequence, without repetition.

        Returns:
            For each sequence an array as long as its `allowed`; normalised over the whole vocabulary.
        """
        ...


class RowsFailed(LlmI2iError):
    """Some rows of a request have no answer, the others do.

    Attributes:
        answers: What the method would have returned; the value of a failed row means nothing.
        errors: Row number -> why it failed.
    """

    def __init__(self, answers: Any, errors: Mapping[int, str]) -> None:
        super().__init__(
            f"{len(errors):,} of {len(answers):,} prompts have no answer",
            found=f"the first: {next(iter(errors.values()))}",
            fix="ask again for these; the answers to the others are good",
        )
        self.answers = answers
        self.errors = dict(errors)

    def row_errors(self) -> dict[int, RowError]:
        """The failed rows as a batch UDF returns them."""
        return {row: RowError(message) for row, message in self.errors.items()}


def text_room(max_length: int, max_tokens: int) -> tuple[int, int]:
    """Most tokens of a prompt, and of the text behind it."""
    text = max(1, min(max_tokens, max_length // 2))
    return max(1, max_length - text), text


def no_text(language_model: str) -> LlmI2iError:
    """The error for a model that is asked for text and knows only items."""
    return LlmI2iError(
        "this language model writes items, not text: it has one token an item and no tokenizer",
        where=language_model,
        fix="take a language model with `pretrained` (tiny-llama, llama2-7b-chat), or set llm_cf_reasoning to false",
    )


def wait_without_spinning() -> None:
    """Let idle OpenMP threads sleep, unless the user chose otherwise; it counts where torch is not loaded yet.

    By default they spin between operations. Where other processes compete for the cores that makes a small model some ten
    times slower (two cores, load 5: a training of one minute took more than ten), on idle cores it gains nothing.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def keep_few_kernels() -> None:
    """Let oneDNN keep 32 of the kernels it makes, unless the user chose otherwise; it counts where torch is not loaded yet.

    It makes one for each shape and keeps 1,024: a training whose batches differ in shape grows by half a gigabyte, for no time.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "32")


def missing_extra(error: ModuleNotFoundError) -> LlmI2iError:
    """The error for a machine without torch and its kin."""
    return LlmI2iError(
        "language models need packages that are not installed",
        where="llm_i2i.lm",
        found=str(error),
        fix="pip install 'llm_i2i[local]'",
    )


def probabilities(logits: Logits) -> Logits:
    """Softmax of each row, in float32."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: Logits = shifted / shifted.sum(axis=1, keepdims=True)
    return result
