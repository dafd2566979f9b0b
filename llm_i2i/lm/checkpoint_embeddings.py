"""What a checkpoint holds of its items: the input embeddings, read from the weights without running the model."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from llm_i2i.errors import LlmI2iError, closest
from llm_i2i.lm.backend import missing_extra
from llm_i2i.lm.checkpoint import METADATA, WEIGHTS, check_complete, load_vocabulary
from llm_i2i.lm.tokenizer import load_tokenizer_vocabulary

Embeddings = npt.NDArray[np.float32]
TABLE = "embed_tokens.weight"
FAKE_SIZE = 8


def token_embeddings(folder: Path, item_tokens: Sequence[str]) -> Embeddings:
    """Input embedding of each item token, divided by its norm, float32, shape (tokens, d).

    In a checkpoint trained here the side features are folded in, so items of like text lie close even where nobody has
    bought both. An item of several tokens (text or semantic ids) is their mean.

    Raises:
        LlmI2iError: A token is not an item of the checkpoint, or the checkpoint is incomplete.
    """
    metadata_file = folder / METADATA
    stamp = metadata_file.stat().st_mtime_ns if metadata_file.exists() else 0
    table, rows = _open(folder, stamp)
    try:
        return table[[rows[token] for token in item_tokens]]
    except KeyError as error:
        token = str(error.args[0])
        raise LlmI2iError(
            f"the language model has no item {token!r}",
            where=str(folder),
            found=f"{len(rows):,} items, closest {closest(token, list(rows)) or 'none'}",
            fix="embed items of the relation it was trained on",
        ) from None


@lru_cache(maxsize=2)
def _open(folder: Path, _stamp: int) -> tuple[Embeddings, dict[str, int]]:
    metadata = check_complete(folder)
    if metadata.vocabulary == "tokenizer":
        spelled = load_tokenizer_vocabulary(folder)
        tokens, weights = spelled.item_tokens, _read(folder / WEIGHTS)
        table = np.stack([weights[spelled.answer(token)].mean(axis=0) for token in tokens])
    else:
        vocabulary = load_vocabulary(folder, metadata)
        tokens, ids = vocabulary.item_tokens, vocabulary.item_ids
        if metadata.is_fake:
            table = np.stack([_fake(token) for token in tokens])
        else:
            table = _read(folder / WEIGHTS)[ids.start : ids.stop]
    norms = np.linalg.norm(table, axis=1, keepdims=True)
    unit: Embeddings = (table / np.maximum(norms, 1e-12)).astype(np.float32)
    return unit, {token: row for row, token in enumerate(tokens)}


def _read(path: Path) -> Embeddings:
    try:
        from safetensors import safe_open
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error
    # torch, as numpy knows no bfloat16.
    with safe_open(path, framework="pt") as weights:
        (name,) = (key for key in weights.keys() if key.endswith(TABLE))  # noqa: SIM118
        table: Embeddings = weights.get_tensor(name).float().numpy()
    return table


def _fake(token: str) -> Embeddings:
    seed = int.from_bytes(hashlib.sha256(token.encode()).digest()[:8], "little")
    return np.random.default_rng(seed).normal(size=FAKE_SIZE).astype(np.float32)
