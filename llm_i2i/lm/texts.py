"""The port to text embeddings: a pretrained encoder, here or on a server, or TF-IDF and SVD over a corpus."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import numpy as np
import numpy.typing as npt

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.backend import keep_few_kernels, missing_extra, wait_without_spinning
from llm_i2i.lm.serving import ServingSettings

Floats = npt.NDArray[np.float64]
FAKE = "fake"
FAKE_SIZE = 16
POOLINGS = ("mean", "last")


class Encoder(Protocol):
    """Turns texts into vectors. A text's vector does not depend on the others."""

    def embed(self, texts: Sequence[str]) -> Floats:
        """Embeddings of length 1, or zero for a text without words; float64, shape (texts, d).

        Raises:
            RowsFailed: Some texts have no answer; the vectors of the others are in it.
        """
        ...


class FakeEncoder:
    """For tests: every word has a vector drawn from its hash, and a text has the mean of its words."""

    def embed(self, texts: Sequence[str]) -> Floats:
        return np.array([_unit(self._sum(text)) for text in texts]).reshape(-1, FAKE_SIZE)

    def _sum(self, text: str) -> Floats:
        words = re.findall(r"\w+", text.lower())
        return sum((_drawn(word) for word in words), np.zeros(FAKE_SIZE))


def open_encoder(
    name: str,
    *,
    pooling: str = "mean",
    server: ServingSettings | None = None,
    base_dir: Path | None = None,
) -> Encoder:
    """The encoder of that name; the second call gives the same object.

    Args:
        name: A folder (relative to `base_dir`), a .gguf file, `package:NAME/FILE`, a name of the hub, or `fake` for tests; with `server`
            the name of the model there.
        pooling: `mean` or `last`, see `lm.inference.encoder`; a server pools as it likes.
        server: How to reach an OpenAI-compatible server of embeddings; None: transformers runs the model in this process.

    Raises:
        LlmI2iError: The packages are not installed, the encoder cannot be loaded, or there is no such pooling.
    """
    if pooling not in POOLINGS:
        raise LlmI2iError(f"unknown pooling {pooling!r}", where="pooling", fix="take mean or last")
    return _open(name, pooling, server, base_dir or Path())


@lru_cache(maxsize=2)
def _open(name: str, pooling: str, server: ServingSettings | None, base_dir: Path) -> Encoder:
    if server is not None:
        from llm_i2i.lm.inference.server_embeddings import ServerEncoder

        return ServerEncoder(name, server)
    if name == FAKE:
        return FakeEncoder()
    wait_without_spinning()
    keep_few_kernels()
    try:
        from llm_i2i.lm.inference.encoder import PooledEncoder
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error
    encoder: Encoder = PooledEncoder(name, base_dir, cast(Literal["mean", "last"], pooling))
    return encoder


class TextEmbedder:
    """Unit embeddings of texts, zero for a text of which nothing is known.

    Args:
        corpus: Texts whose words are known; only the TF-IDF reads it.
        encoder: What `open_encoder` takes; None: TF-IDF and SVD.
        size: Width under TF-IDF; an encoder has its own.

    Raises:
        LlmI2iError: The packages are not installed, or the encoder cannot be loaded.
    """

    def __init__(
        self,
        corpus: Sequence[str],
        *,
        encoder: str | None = None,
        size: int = 256,
        random_seed: int = 42,
        base_dir: Path | None = None,
        **options: Any,
    ) -> None:
        if encoder is not None:
            self._embed = open_encoder(encoder, base_dir=base_dir, **options).embed
            return
        try:
            from llm_i2i.lm.training.texts import TfidfEmbedder
        except ModuleNotFoundError as error:
            raise missing_extra(error) from error
        self._embed = TfidfEmbedder(corpus, size, random_seed).embed

    def __call__(self, texts: Sequence[str]) -> Floats:
        """float64, shape (texts, d); a text's embedding does not depend on the others."""
        distinct = list(dict.fromkeys(texts))
        place = {text: row for row, text in enumerate(distinct)}
        found: Floats = self._embed(distinct)
        return found[[place[text] for text in texts]]


def _drawn(word: str) -> Floats:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "little")
    return np.random.default_rng(seed).normal(size=FAKE_SIZE)


def _unit(vector: Floats) -> Floats:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 0 else vector
