"""LLM-CF's retrieval against plain Python, its ties, and what a reasoning is worth."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.i2i import llm_cf
from llm_i2i.i2i.llm_cf import (
    ANSWERS,
    ASPECTS,
    Examples,
    example_keys,
    mean_embeddings,
    reasoning_scores,
    retrieve_items,
)

UP, RIGHT = [1.0, 0.0], [0.0, 1.0]


def examples(*rows: tuple[int, int, Sequence[float]]) -> Examples:
    users, items, keys = zip(*rows, strict=True)
    return Examples(np.array(users), np.array(items), np.array(keys, dtype=float))


def ask(
    queries: Sequence[Sequence[float]],
    rows: Examples,
    wanted: int = 9,
    known: Sequence[Sequence[int]] = (),
) -> list[tuple[int, int, int]]:
    """(user, item, example) of each found item; users are 0, 1, ..."""
    count = len(queries)
    found = retrieve_items(
        np.array(queries, dtype=float),
        np.arange(count),
        np.full(count, wanted),
        rows,
        [np.array(items, dtype=np.int64) for items in (known or [()] * count)],
    )
    return list(
        zip(found.queries.tolist(), found.items.tolist(), found.examples.tolist(), strict=True)
    )


def test_the_users_own_examples_are_skipped():
    rows = examples((0, 5, UP), (1, 6, [0.9, 0.1]))
    assert ask([UP], rows) == [(0, 6, 1)]
    assert ask([UP, UP], rows) == [(0, 6, 1), (1, 5, 0)]


def test_an_item_of_both_own_and_others_examples_comes_from_the_others():
    rows = examples((0, 5, UP), (1, 5, [0.5, 0.5]))
    assert ask([UP], rows) == [(0, 5, 1)]


def test_known_items_are_skipped_and_others_take_their_place():
    rows = examples((7, 1, UP), (7, 2, [0.8, 0.0]), (7, 3, [0.7, 0.0]))
    assert ask([UP], rows, wanted=2) == [(0, 1, 0), (0, 2, 1)]
    assert ask([UP], rows, wanted=2, known=[[1, 99]]) == [(0, 2, 1), (0, 3, 2)]
    assert ask([UP], rows, wanted=2, known=[[1, 2]]) == [(0, 3, 2)]


def test_ties_go_to_the_smaller_item_then_to_the_earlier_example():
    rows = examples((7, 9, UP), (7, 4, UP), (8, 4, UP), (7, 6, UP))
    assert ask([UP], rows, wanted=2) == [(0, 4, 1), (0, 6, 3)]


def test_an_item_comes_once_with_its_most_similar_example():
    rows = examples((7, 4, [0.2, 0.0]), (8, 4, UP), (7, 6, [0.5, 0.0]))
    assert ask([UP], rows) == [(0, 4, 1), (0, 6, 2)]


def test_who_has_no_text_finds_nothing():
    assert ask([[0.0, 0.0], UP], examples((7, 4, UP))) == [(1, 4, 0)]


def test_no_examples_and_no_queries():
    empty = Examples(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 2)))
    assert ask([UP], empty) == []
    none = retrieve_items(np.zeros((0, 2)), np.zeros(0, np.int64), np.zeros(0, np.int64), empty, [])
    assert len(none.items) == 0


@pytest.mark.parametrize("at_once", [1, 50, 10**6])
def test_retrieval_equals_plain_python(monkeypatch: pytest.MonkeyPatch, at_once: int):
    monkeypatch.setattr(llm_cf, "SCORED_AT_ONCE", at_once)
    draw = random.Random(3)
    # Few values, so that there are many ties.
    vectors = [[draw.choice([0.0, 0.5, 1.0]) for _ in range(3)] for _ in range(90)]
    rows = examples(*((draw.randrange(25), draw.randrange(20), v) for v in vectors[:50]))
    queries, known = vectors[50:75], [draw.sample(range(20), 4) for _ in range(25)]
    expected = []
    for user, query in enumerate(queries):
        if not any(query):
            continue
        best: dict[int, tuple[float, int]] = {}
        for number, (owner, item) in enumerate(zip(rows.users, rows.items, strict=True)):
            if owner != user and item not in known[user]:
                value = sum(a * b for a, b in zip(query, rows.keys[number], strict=True))
                if item not in best or value > best[item][0]:
                    best[item] = (value, number)
        order = sorted(best, key=lambda item, best=best: (-best[item][0], item))  # type: ignore[misc]
        expected += [(user, int(item), best[item][1]) for item in order[:5]]
    assert ask(queries, rows, wanted=5, known=known) == expected


def test_keys_mix_history_and_reasoning_where_there_is_one():
    histories = np.array([[2.0, 0.0], [2.0, 0.0]])
    reasonings = np.array([RIGHT, [0.0, 0.0]])
    dot = example_keys(histories, reasonings, 0.25, "dot")
    np.testing.assert_allclose(dot, [[1.5, 0.25], [2.0, 0.0]])
    cosine = example_keys(histories, reasonings, 0.25)
    np.testing.assert_allclose(cosine, [np.array([3.0, 1.0]) / 10**0.5, [1.0, 0.0]])
    with pytest.raises(LlmI2iError, match="neither cosine nor dot"):
        example_keys(histories, reasonings, 0.25, "euclid")


def test_mean_of_a_history():
    embeddings = np.array([UP, RIGHT])
    np.testing.assert_allclose(
        mean_embeddings([[0, 1, 1], [], [0]], embeddings), [[1 / 3, 2 / 3], [0, 0], [1, 0]]
    )


# -- reasoning ---------------------------------------------------------------------------------------------------------


def bags(texts: Sequence[str]) -> np.ndarray:
    """Unit bags of words, each word a direction of its own."""
    words = sorted({w for t in [*TEXTS, *ASPECTS, *ANSWERS.values()] for w in split(t)})
    counts = [float(split(text).count(word)) for text in texts for word in words]
    rows = np.array(counts).reshape(len(texts), len(words))
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def split(text: str) -> list[str]:
    return text.lower().replace(".", " ").replace(",", " ").split()


TEXTS = [
    "The shopper takes the candidate.",
    "The shopper does not take the candidate.",
    "red kite. red kite",
    "kite. drum",
    "kite",
    "red kite and drum",
]


def test_each_score_means_what_it_says():
    scores, embeddings = reasoning_scores(TEXTS, ["kite"] * 6, ["Yes"] * 6, bags)
    coherence, completeness, relevance, consistency = scores.T
    assert consistency[0] == pytest.approx(1.0)
    assert consistency[0] > consistency[1] > consistency[5]
    assert relevance[5] == pytest.approx(0.5)  # one of four words
    assert completeness[0] == pytest.approx(
        np.mean([bags([a])[0] @ bags(TEXTS[:1])[0] for a in ASPECTS])
    )
    assert coherence[5] == pytest.approx(1.0)  # one sentence, no word twice
    assert coherence[2] == pytest.approx((1.0 + 0.5) / 2)  # alike, but `red` comes twice
    assert coherence[3] == pytest.approx((0.0 + 1.0) / 2)  # neighbours have no word in common
    # Nothing that short is a reasoning.
    assert not scores[4].any()
    assert not embeddings[4].any()


def test_the_answer_decides_consistency():
    yes, _ = reasoning_scores(TEXTS[:1], ["kite"], ["Yes"], bags)
    no, _ = reasoning_scores(TEXTS[:1], ["kite"], ["No"], bags)
    assert yes[0, 3] > no[0, 3]
    with pytest.raises(LlmI2iError, match="neither Yes nor No"):
        reasoning_scores(TEXTS[:1], ["kite"], ["Maybe"], bags)


def test_no_reasonings():
    scores, _ = reasoning_scores([], [], [], bags)
    assert scores.shape == (0, 4)
