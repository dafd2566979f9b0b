"""The trained Llama against transformers' own attention and forward pass."""
# ruff: noqa: TID253  -- tests of the folder that owns torch.

from __future__ import annotations

import pytest
import torch

from llm_i2i.lm.settings import settings_from
from llm_i2i.lm.training.model import VECTOR, add_dropout, build_model, states_at

SETTINGS = {"architecture": "llama", "hidden_size": 32, "num_layers": 3, "num_heads": 4}


@pytest.fixture
def model():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build_model(settings_from({**SETTINGS, "max_length": 40}), 30)
        for parameter in model.parameters():  # far from the start, where all states look alike
            parameter.data += 0.3 * torch.randn(parameter.shape)
    return model


def gradients(states, embedded):
    (gradient,) = torch.autograd.grad((states * torch.arange(32.0).sin()).sum(), embedded)
    return gradient


@pytest.mark.parametrize("length", [1, 7, VECTOR, VECTOR + 1])
def test_states_and_gradients_are_those_of_transformers(model, length):
    generator = torch.Generator().manual_seed(length)
    embedded = torch.randn(9, length, 32, generator=generator, requires_grad=True)
    places = torch.randint(0, length, (9,), generator=generator)
    found = states_at(model, embedded, places)
    ours = model.model(inputs_embeds=embedded, use_cache=False).last_hidden_state
    model.set_attn_implementation("eager")
    theirs = model.model(inputs_embeds=embedded, use_cache=False).last_hidden_state
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    at = theirs[torch.arange(9), places]
    torch.testing.assert_close(found, at, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(
        gradients(found, embedded), gradients(at, embedded), atol=1e-4, rtol=1e-4
    )


def test_both_ways_drop_out_as_often(model, monkeypatch):
    sizes = []
    monkeypatch.setattr(
        "llm_i2i.lm.training.model.dropout", lambda v, p: sizes.append((v.shape[0], p)) or v
    )
    add_dropout(model, 0.25)
    embedded = torch.randn(5, 7, 32)
    states_at(model.train(), embedded, torch.zeros(5, dtype=torch.int64))
    assert sizes == [(5, 0.25)] * 6  # attention and MLP of three layers
    states_at(model.eval(), embedded, torch.zeros(5, dtype=torch.int64))
    assert len(sizes) == 6
