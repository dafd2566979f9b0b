from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from safetensors.numpy import load_file

from llm_i2i.lm.inference.heads import head_size, write_padded
from llm_i2i.lm.open import train_checkpoint
from llm_i2i.lm.settings import FromSizesSettings


def attention(folder: Path, x: np.ndarray) -> np.ndarray:
    """First attention layer of a Llama checkpoint that rotates part of each head, in NumPy; x has shape (positions, d)."""
    config = json.loads((folder / "config.json").read_text())
    weights = load_file(folder / "model.safetensors")
    heads, width = config["num_attention_heads"], head_size(folder)
    rotary = round(width * config["rope_parameters"].get("partial_rotary_factor", 1.0))
    angles = np.outer(np.arange(len(x)), 10000.0 ** (-np.arange(0, rotary, 2) / rotary))

    def project(name: str) -> np.ndarray:
        projected: Any = x @ weights[f"model.layers.0.self_attn.{name}_proj.weight"].T
        return projected.reshape(len(x), heads, width).transpose(1, 0, 2)

    def rotate(values: np.ndarray) -> np.ndarray:
        one, two, rest = np.split(values, [rotary // 2, rotary], axis=2)
        cos, sin = np.cos(angles), np.sin(angles)
        return np.concatenate([one * cos - two * sin, two * cos + one * sin, rest], axis=2)

    scores = rotate(project("q")) @ rotate(project("k")).transpose(0, 2, 1) / np.sqrt(width)
    scores[:, *np.triu_indices(len(x), 1)] = -np.inf
    shares = np.exp(scores - scores.max(axis=2, keepdims=True))
    mixed = (shares / shares.sum(axis=2, keepdims=True)) @ project("v")
    joined = mixed.transpose(1, 0, 2).reshape(len(x), heads * width)
    result: np.ndarray = joined @ weights["model.layers.0.self_attn.o_proj.weight"].T
    return result


def test_wider_heads_give_the_same_answers(
    folder: Path, sequences: pa.Table, tiny: Callable[..., FromSizesSettings], tmp_path: Path
) -> None:
    train_checkpoint(sequences, folder, tiny(hidden_size=24, num_heads=2))
    copy = tmp_path / "wide"
    write_padded(folder, copy, 32)
    assert (head_size(folder), head_size(copy)) == (12, 32)
    x = 10 * np.random.default_rng(0).normal(size=(7, 24))
    narrow = attention(folder, x)
    np.testing.assert_allclose(attention(copy, x), narrow, atol=1e-5)
    backwards = attention(folder, x[::-1])[::-1]
    assert np.abs(narrow[-1] - backwards[-1]).max() > 0.1  # positions do matter here
    assert {p.name for p in folder.iterdir()} == {p.name for p in copy.iterdir()}
