# ruff: noqa: TID253  -- tests of the folder that owns torch.
from __future__ import annotations

import pyarrow as pa
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from llm_i2i.lm.training import behaviour_start
from llm_i2i.lm.training.behaviour_start import BehaviourStart
from llm_i2i.lm.training.examples import RawExamples, read_examples

WORDS = ["kite", "drum", "bell", "lamp", "tent", "sled", "rope"]  # nobody takes the rope


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many dimensions as there are groups: further ones tell the items of a group apart."""
    monkeypatch.setattr(behaviour_start, "WIDTH", 2)


def sequences() -> RawExamples:
    """Toys go together, and what one takes outdoors."""
    baskets = [WORDS[:3], WORDS[3:6]] * 4
    table = {
        "prompt": [""] * len(baskets),
        "completions": baskets,
        "weights": [[0.0, 1.0, 1.0]] * len(baskets),
    }
    return read_examples(pa.table(table))


def own_table() -> Tensor:
    torch.manual_seed(3)
    return torch.randn(200, 24) * 0.05 + 0.3


def test_items_that_go_together_start_close_and_with_the_spread_of_the_table() -> None:
    table = own_table()
    rows = BehaviourStart(None, sequences(), WORDS, seed=1)(table)
    *toys_and_outdoors, rope = rows - table.mean(dim=0)
    units = functional.normalize(torch.stack(toys_and_outdoors))
    alike = units @ units.T
    assert alike[:3, :3].min() > 0.9
    assert alike[3:, 3:].min() > 0.9
    assert alike[:3, 3:].max() < 0.0
    assert rope.abs().max() < 1e-6
    assert rows[:-1].std(dim=0).mean() == pytest.approx(table.std().item(), rel=0.3)


def test_the_text_still_tells() -> None:
    table = own_table()
    torch.manual_seed(4)
    text = table.mean(dim=0) + torch.randn(7, 24) * table.std()
    moved = BehaviourStart(lambda _: text.clone(), sequences(), WORDS, seed=1)(table)
    alike = functional.cosine_similarity(moved - table.mean(dim=0), text - table.mean(dim=0), dim=1)
    assert alike[:6].min() > 0.3
    torch.testing.assert_close(moved[6], text[6])


def test_equal_seeds_give_equal_rows() -> None:
    one, two = (BehaviourStart(None, sequences(), WORDS, seed=7)(own_table()) for _ in range(2))
    torch.testing.assert_close(one, two, rtol=0, atol=0)
