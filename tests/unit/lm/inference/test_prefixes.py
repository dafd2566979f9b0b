"""The tree of prompts against a plain forward pass for each prompt alone."""
# ruff: noqa: TID253

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_i2i.lm.inference import prefixes
from llm_i2i.lm.inference.prefixes import last_states, prefix_tree
from llm_i2i.lm.inference.ranking import pad
from llm_i2i.lm.settings import settings_from
from llm_i2i.lm.training.model import build_model


@pytest.fixture(scope="module")
def model():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        settings = {"architecture": "llama", "hidden_size": 32, "num_layers": 3, "num_heads": 4}
        model = build_model(settings_from({**settings, "max_length": 12}), 30).eval()
        for parameter in model.parameters():  # far from the start, where all states look alike
            parameter.data += 0.3 * torch.randn(parameter.shape)
    return model


@torch.inference_mode()
def alone(model, row):
    return model.model(input_ids=torch.tensor([row]), use_cache=False).last_hidden_state[0, -1]


@pytest.mark.parametrize("nodes", [1, 40, 10_000])
def test_states_are_those_of_each_prompt_alone(model, monkeypatch, nodes):
    monkeypatch.setattr(prefixes, "NODES", nodes)
    random = np.random.default_rng(1)
    # Few words, so that many beginnings are shared, some prompts begin others, and some come twice.
    rows = [[1, *random.integers(0, 3, random.integers(0, 11))] for _ in range(150)]
    expected = torch.stack([alone(model, row) for row in rows])
    threads = torch.get_num_threads()
    torch.testing.assert_close(last_states(model, rows), expected, atol=1e-5, rtol=1e-5)
    assert torch.get_num_threads() == threads


def test_no_prompts_have_no_states(model):
    assert last_states(model, []).shape == (0, 32)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=5), min_size=1, max_size=12))
def test_the_tree_spells_each_prompt_and_holds_no_beginning_twice(rows):
    rows = sorted(rows)
    lengths = np.array([len(row) for row in rows])
    tree = prefix_tree(pad(rows, lengths), lengths)
    paths = {int(path[-1]): tree.tokens[path].tolist() for some in tree.paths for path in some}
    assert [paths[end] for end in tree.ends] == rows
    beginnings = {tuple(row[:k]) for row in rows for k in range(1, len(row) + 1)}
    assert sorted(map(tuple, paths.values())) == sorted(beginnings)
