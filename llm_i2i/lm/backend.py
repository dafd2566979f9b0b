"""The port to whatever runs a language model: items to recommend, and the confidence in a label."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from llm_i2i.errors import LlmI2iError, closest
from llm_i2i.lm.checkpoint import METADATA, check_complete

Logits = npt.NDArray[np.float32]
KEPT_OPEN = 4  # generator and discriminator of two variants; a small model takes some 20 MB
BACKENDS = ("transformers", "fake")


class TextBackend(Protocol):
    """A language model ready to answer prompts. Answers do not depend on how prompts are batched."""

    def top_items(
        self, prompts: Sequence[str], n: int, *, exclude_prompt_items: bool = True
    ) -> list[list[tuple[str, float]]]:
        """The `n` most probable next items of each prompt, best first, as (item token, log-probability in nats).

        Only valid items come out. The log-probabilities are normalised over all items, in float32, before the items of the
        prompt are left out; fewer than `n` pairs come back where the catalogue is smaller. Items of several tokens (text or
        semantic ids under a tokenizer) carry the raw log-probability of the whole id instead, not normalised over the items.
        """
        ...

    def label_logits(self, prompts: Sequence[str], labels: Sequence[str]) -> Logits:
        """Logit of each label as the next word, float32, shape (prompts, labels)."""
        ...

    def label_probabilities(self, prompts: Sequence[str], labels: Sequence[str]) -> Logits:
        """Probability of each label among the labels given, float32, shape (prompts, labels), rows sum to 1."""
        ...


def backend_for(checkpoint_dir: Path | str, backend_name: str = "transformers") -> TextBackend:
    """A long-lived backend for a checkpoint: the second call for the same files gives the same object.

    A fake checkpoint always runs on the fake backend.

    Raises:
        LlmI2iError: The backend is unknown or not installed, or the checkpoint is incomplete.
    """
    if backend_name not in BACKENDS:
        near = closest(backend_name, BACKENDS)
        raise LlmI2iError(
            f"unknown language model backend {backend_name!r}",
            where="backend",
            found=f"closest {near}" if near else "",
            fix=f"take one of {', '.join(BACKENDS)}",
        )
    folder = Path(checkpoint_dir)
    # A rebuilt checkpoint has the same path: the time of its last file tells it from the one in memory.
    metadata_file = folder / METADATA
    stamp = metadata_file.stat().st_mtime_ns if metadata_file.exists() else 0
    return _open_backend(folder, backend_name, stamp)


@lru_cache(maxsize=KEPT_OPEN)
def _open_backend(folder: Path, backend_name: str, _stamp: int) -> TextBackend:
    metadata = check_complete(folder)
    if metadata.is_fake or backend_name == "fake":
        from llm_i2i.lm.inference.fake import FakeBackend

        return FakeBackend(folder)
    wait_without_spinning()
    try:
        from llm_i2i.lm.inference.transformers import TransformersBackend
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error
    return TransformersBackend(folder)


def wait_without_spinning() -> None:
    """Let idle OpenMP threads sleep, unless the user chose otherwise; it counts where torch is not loaded yet.

    By default they spin between operations. Where other processes compete for the cores that makes a small model some ten
    times slower (two cores, load 5: a training of one minute took more than ten), on idle cores it gains nothing.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


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
