from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.inference.trie import ROOT, build_trie

END = 99


def walk(trie, node=ROOT, path=()):
    """Every (tokens, item) the trie holds."""
    if trie.items[node] >= 0:
        yield path, int(trie.items[node])
    for child in trie.children(node):
        yield from walk(trie, child, (*path, int(trie.tokens[child])))


@settings(max_examples=200, deadline=None)
@given(
    st.sets(
        st.lists(st.integers(0, 5), min_size=1, max_size=5).map(tuple), min_size=1, max_size=30
    ).map(list)
)
def test_holds_exactly_the_items(sequences):
    closed = [(*tokens, END) for tokens in sequences]
    trie = build_trie(closed)
    assert dict(walk(trie)) == {tokens: number for number, tokens in enumerate(closed)}
    for tokens in closed:
        for length in range(len(tokens)):
            expected = sorted({t[length] for t in closed if t[:length] == tokens[:length]})
            assert trie.allowed(trie.find(tokens[:length])).tolist() == expected
    assert trie.find((7,)) is None
    assert trie.n_bytes == 12 * len(trie.tokens) + 4


def test_the_end_token_tells_a_beginning_from_a_whole():
    trie = build_trie([(1, 2, END), (1, END)])
    assert trie.allowed(trie.find((1,))).tolist() == [2, END]
    assert trie.items[trie.find((1, END))] == 1
    assert trie.depth == 3


@pytest.mark.parametrize("sequences", [[(1, 2), (1,)], [(3,), (1, 2), (1, 2)], [(1,), (1, 2, 3)]])
def test_beginnings_and_twins_are_refused(sequences):
    with pytest.raises(LlmI2iError, match="beginning of another") as caught:
        build_trie(sequences)
    assert "end token" in caught.value.fix


def test_no_items_and_empty_items():
    with pytest.raises(LlmI2iError, match="no items"):
        build_trie([])
    with pytest.raises(LlmI2iError, match="no tokens"):
        build_trie([(1,), ()])


def test_a_large_trie_is_right_at_random_places():
    random = np.random.default_rng(0)
    rows = np.unique(random.integers(0, 64, (20_000, 4)), axis=0)
    rows = random.permutation(rows)
    sequences = [tuple(row) for row in rows.tolist()]
    trie = build_trie(sequences)
    for number in random.integers(0, len(sequences), 200):
        assert trie.items[trie.find(sequences[number])] == number
