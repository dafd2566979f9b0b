# ruff: noqa: TID253  -- tests of the folder that owns torch.
from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytest
import torch

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.items import FIRST_ITEM, Vocabulary, build_vocabulary
from llm_i2i.lm.settings import FromSizesSettings
from llm_i2i.lm.training.features import SummedEmbedding, item_features

Tiny = Callable[..., FromSizesSettings]


def features_of(*lists: list[tuple[str, float]] | None) -> pa.Table:
    return pa.table(
        {
            "item_token": [f"<i_{n}>" for n in range(len(lists))],
            "features": [
                f if f is None else [{"name": n, "weight": w} for n, w in f] for f in lists
            ],
        }
    )


def vocabulary_of(items: pa.Table) -> Vocabulary:
    return build_vocabulary(items["item_token"].to_pylist(), ["Recent"])


def test_an_embedding_is_its_base_plus_weighted_features(tiny: Tiny):
    items = features_of(
        [("toy", 3.0), ("red", 4.0)], [("red", 2.0), ("toy", 0.0)], None, [("toy", 1.0)]
    )
    vocabulary = vocabulary_of(items)
    features = item_features(items, vocabulary, tiny())
    assert features is not None
    assert features.names == ("red", "toy")
    base = torch.randn(len(vocabulary.words), 5)
    embedding = SummedEmbedding(base, features)
    torch.testing.assert_close(embedding.folded(), base)  # features start at zero
    with torch.no_grad():
        embedding.table[len(vocabulary.words) :] = torch.tensor([[1.0] * 5, [10.0] * 5])  # red, toy
    added = (embedding.folded() - base)[FIRST_ITEM : FIRST_ITEM + 4, 0]
    torch.testing.assert_close(
        added, torch.tensor([0.8 + 6.0, 1.0, 0.0, 10.0])
    )  # weights are L2-normalised


def test_gradient_reaches_base_and_features(tiny: Tiny):
    items = features_of([("toy", 3.0), ("red", 4.0)], [("red", 2.0)], [("toy", 1.0)])
    vocabulary = vocabulary_of(items)
    embedding = SummedEmbedding(
        torch.zeros(len(vocabulary.words), 2), item_features(items, vocabulary, tiny())
    )
    embedding(torch.tensor([FIRST_ITEM, FIRST_ITEM + 1])).sum().backward()
    gradient = embedding.table.grad
    assert gradient is not None
    torch.testing.assert_close(
        gradient[FIRST_ITEM : FIRST_ITEM + 3, 0], torch.tensor([1.0, 1.0, 0.0])
    )
    torch.testing.assert_close(gradient[-2:, 0], torch.tensor([1.8, 0.6]))  # red, toy


def test_only_the_heaviest_shared_features_stay(tiny: Tiny):
    items = features_of(
        [("a", 1.0), ("b", 2.0), ("c", 3.0), ("alone", 9.0)], [("a", 1.0), ("b", 1.0), ("c", 1.0)]
    )
    features = item_features(items, vocabulary_of(items), tiny(max_features_per_item=2))
    assert features is not None
    kept = [sorted(features.names[c] for c in columns) for columns in features.columns]
    assert kept == [["b", "c"], ["a", "b"]]  # the name breaks ties


@pytest.mark.parametrize(
    "items", [pa.table({"item_token": ["<i_0>"]}), features_of([], None), features_of([("a", 1.0)])]
)
def test_no_features(items: pa.Table, tiny: Tiny):
    assert item_features(items, vocabulary_of(items), tiny()) is None


def test_features_switched_off(tiny: Tiny):
    items = features_of([("a", 1.0)], [("a", 1.0)])
    assert item_features(items, vocabulary_of(items), tiny(max_features_per_item=0)) is None


def test_features_of_another_type(tiny: Tiny):
    items = pa.table({"item_token": ["<i_0>"], "features": [["toy"]]})
    with pytest.raises(LlmI2iError, match="not a list of structs") as caught:
        item_features(items, vocabulary_of(items), tiny())
    assert caught.value.found == "list<item: string>" or "list" in caught.value.found


def test_a_weight_that_is_no_number(tiny: Tiny):
    items = features_of([("a", float("inf"))], [("a", 1.0)])
    with pytest.raises(LlmI2iError, match="no finite weight"):
        item_features(items, vocabulary_of(items), tiny())
