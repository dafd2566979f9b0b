# ruff: noqa: TID253  -- tests of the folder that owns torch.
from __future__ import annotations

import pytest
from transformers import AutoModelForCausalLM, LlamaConfig

from llm_i2i.lm.training import memory
from llm_i2i.lm.training.memory import GIGABYTE, PROCESS, bytes_of_token, tokens_at_once
from tests.tiny_llama import llama_settings

CONFIG = LlamaConfig(
    vocab_size=100,
    hidden_size=16,
    intermediate_size=32,
    num_hidden_layers=3,
    num_attention_heads=2,
    num_key_value_heads=1,
)


def test_tokens_follow_the_declared_memory_beside_the_weights() -> None:
    model = AutoModelForCausalLM.from_config(CONFIG)
    weights = sum(parameter.numel() for parameter in model.parameters())
    assert memory.weight_bytes(model) == 16 * weights  # the weight, its gradient, two moments
    room = 1000 * bytes_of_token(CONFIG, False)
    gigabytes = (PROCESS + 16 * weights + room) / GIGABYTE
    assert tokens_at_once(model, llama_settings(memory_gb=gigabytes)) == pytest.approx(1000, abs=1)
    model.requires_grad_(False)
    assert memory.weight_bytes(model) == 4 * weights
    assert tokens_at_once(model, llama_settings(memory_gb=gigabytes)) > 1000


def test_too_little_memory_is_one_row_at_a_time() -> None:
    model = AutoModelForCausalLM.from_config(CONFIG)
    assert tokens_at_once(model, llama_settings(memory_gb=0.1)) == 1


def test_a_number_of_tokens_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "machine_memory", lambda: 8 * GIGABYTE)
    model = AutoModelForCausalLM.from_config(CONFIG)
    assert tokens_at_once(model, llama_settings(memory_gb=4, tokens_at_once=40)) == 40
    half = tokens_at_once(model, llama_settings())
    assert half == tokens_at_once(model, llama_settings(memory_gb=4.0)) > 40


def test_recomputing_layers_leaves_room_for_more_tokens() -> None:
    assert bytes_of_token(CONFIG, True) < bytes_of_token(CONFIG, False)
