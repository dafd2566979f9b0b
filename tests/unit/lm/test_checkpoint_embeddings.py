"""Item embeddings are read from the weights, whatever the vocabulary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.checkpoint_embeddings import token_embeddings
from llm_i2i.lm.open import train_checkpoint
from llm_i2i.lm.settings import settings_from
from llm_i2i.lm.tokenizer import load_tokenizer_vocabulary
from tests.tiny_checkpoint import write_checkpoint


@pytest.mark.parametrize("architecture", ["llama", "fake"])
def test_one_token_an_item(tmp_path: Path, sequences: pa.Table, items: pa.Table, architecture: str):
    settings = settings_from(
        {"architecture": architecture, "hidden_size": 16, "epochs": 1, "threads": 1}
    )
    train_checkpoint(sequences, tmp_path, settings, items=items)
    tokens = items["item_token"].to_pylist()
    vectors = token_embeddings(tmp_path, tokens)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert (token_embeddings(tmp_path, tokens[::-1]) == vectors[::-1]).all()
    if architecture == "llama":
        from safetensors.numpy import load_file

        row = load_file(tmp_path / "model.safetensors")["model.embed_tokens.weight"][4]
        assert vectors[0] == pytest.approx(row / np.linalg.norm(row), abs=1e-5)
    with pytest.raises(LlmI2iError, match="no item '<i_nobody>'"):
        token_embeddings(tmp_path, ["<i_nobody>"])


def test_an_item_of_several_tokens_is_their_mean(tmp_path: Path):
    from safetensors.numpy import load_file

    folder = write_checkpoint(tmp_path / "c", ["red kite", "blue boat"], "text")
    table = load_file(folder / "model.safetensors")["model.embed_tokens.weight"]
    mean = table[load_tokenizer_vocabulary(folder).answer("blue boat")].mean(axis=0)
    (vector,) = token_embeddings(folder, ["blue boat"])
    assert vector == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)
