from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from llm_i2i.serve.index import ServingIndex, open_index
from llm_i2i.serve.merge import recommend
from llm_i2i.serve.pack import pack
from tests.unit.serve.conftest import Publish


def by_hand(
    index: ServingIndex, items: list[str], k: int, decay: float, triggers: int, exclude_seen: bool
) -> list[tuple[str, float, list[int]]]:
    """Ten lines of Python that say what a merge is."""
    totals: dict[int, float] = defaultdict(float)
    brought: dict[int, list[int]] = defaultdict(list)
    for age, item in enumerate(items[:triggers]):
        number = int(index.find([item])[0])
        if number < 0:
            continue
        for place in range(index.related.offsets[number], index.related.offsets[number + 1]):
            related = int(index.related.items[place])
            totals[related] += decay**age * float(index.related.scores[place])
            brought[related].append(age)
    seen = set(index.find(items).tolist()) if exclude_seen else set()
    scores = {n: float(np.float32(total)) for n, total in totals.items() if n not in seen}
    best = sorted(scores, key=lambda n: (-scores[n], n))[:k]
    return [(index.ids[n], scores[n], brought[n]) for n in best]


@pytest.mark.parametrize("seed", range(40))
def test_a_merge_is_the_sum_over_triggers(packed: ServingIndex, seed: int) -> None:
    index = packed
    chance = random.Random(seed)
    items = [f"it {chance.randrange(44)} é" for _ in range(chance.choice([1, 2, 5, 30, 100]))]
    k, triggers = chance.choice([1, 3, 10, 500]), chance.choice([1, 2, 10, 100])
    decay, exclude_seen = chance.choice([0.0, 0.5, 0.9, 1.0]), chance.choice([True, False])
    expected = by_hand(index, items, k, decay, triggers, exclude_seen)
    for _ in range(2):  # the second time on the same totals: they must be zero again
        found = recommend(
            index, items, k, exclude_seen=exclude_seen, decay=decay, triggers=triggers
        )
        if not expected:
            assert found.fallback
            continue
        ranking = found.ranking
        ids = index.ids.many(ranking.items)
        assert found.fallback is None
        assert list(zip(ids, ranking.scores.tolist(), ranking.triggers, strict=True)) == expected


def test_what_a_query_leaves_out_is_as_the_index_was_evaluated(
    publish: Publish, tmp_path: Path
) -> None:
    settings = "select 2 as triggers, 0.25::double as decay, false as exclude_seen"
    index = open_index(pack(tmp_path, publish(serving_settings=settings)))
    items = ["it 1 é", "it 2 é", "it 3 é"]
    plain = recommend(index, items, 30)
    told = recommend(index, items, 30, exclude_seen=False, decay=0.25, triggers=2)
    other = recommend(index, items, 30, exclude_seen=True, decay=0.5, triggers=3)
    assert plain.ranking.items.tolist() == told.ranking.items.tolist()
    assert plain.ranking.scores.tolist() == told.ranking.scores.tolist()
    assert plain.ranking.scores.tolist() != other.ranking.scores.tolist()


@pytest.mark.parametrize(
    ("items", "fallback", "unknown"),
    [
        ([], "empty_history", []),
        (["nobody", "nothing"], "unknown_items", [0, 1]),
        (["it 0 é", "nobody"], "no_related_items", [1]),
        (["it 1 é"], None, []),
    ],
)
def test_popular_items_answer_what_the_index_cannot(
    packed: ServingIndex, items: list[str], fallback: str | None, unknown: list[int]
) -> None:
    index, found = packed, recommend(packed, items, 3)
    assert (found.fallback, found.unknown) == (fallback, unknown)
    if fallback:
        best = [f"it {n} é" for n in range(4) if f"it {n} é" not in items][:3]
        assert index.ids.many(found.ranking.items) == best
        assert found.ranking.triggers == [[], [], []]


def test_without_popular_items_the_answer_is_empty(publish: Publish, tmp_path: Path) -> None:
    index = open_index(pack(tmp_path, publish(popular_items=None)))
    assert not len(recommend(index, [], 5).ranking.items)
