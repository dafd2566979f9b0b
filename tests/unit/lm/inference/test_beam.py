from __future__ import annotations

import itertools

import numpy as np
import pytest

from llm_i2i.lm.inference.beam import beam_search
from llm_i2i.lm.inference.trie import build_trie

V = 7
END = 6


class TableModel:
    """Log-probabilities that depend on the prompt and all tokens behind it, from a hash: no two alike."""

    def __init__(self, sharpness: float = 2.0) -> None:
        self.sharpness = sharpness
        self.calls = 0

    def row(self, prompt, written):
        seed = hash((prompt, *written)) % 2**32
        logits = self.sharpness * np.random.default_rng(seed).normal(size=V)
        return (logits - np.logaddexp.reduce(logits)).astype(np.float32)

    def next_log_probabilities(self, sequences, allowed):
        self.calls += 1
        assert len({len(written) for _, written in sequences}) == 1
        return [
            self.row(*sequence)[tokens] for sequence, tokens in zip(sequences, allowed, strict=True)
        ]

    def score(self, prompt, tokens):
        return sum(float(self.row(prompt, tokens[:i])[token]) for i, token in enumerate(tokens))


def catalogue(seed, n_items):
    """Sequences of one to three tokens, each closed by the end token; some are beginnings of others."""
    every = [t for length in (1, 2, 3) for t in itertools.product(range(END), repeat=length)]
    chosen = np.random.default_rng(seed).choice(len(every), n_items, replace=False)
    return [(*every[i], END) for i in chosen]


def brute_force(model, prompt, sequences, n, barred=(), normalised=False):
    scored = [
        (item, model.score(prompt, tokens) / (len(tokens) if normalised else 1))
        for item, tokens in enumerate(sequences)
        if item not in barred
    ]
    return sorted(scored, key=lambda pair: (-pair[1], pair[0]))[:n]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("normalised", [False, True])
def test_a_full_beam_equals_brute_force(seed, normalised):
    model, sequences = TableModel(), catalogue(seed, 40)
    barred = [[], [0, 5], list(range(30))]
    for n in (1, 10, 40):
        found = beam_search(
            model,
            3,
            build_trie(sequences),
            n,
            width=40,
            excluded=barred,
            length_normalised=normalised,
        )
        for prompt in range(3):
            expected = brute_force(model, prompt, sequences, n, barred[prompt], normalised)
            assert [item for item, _ in found[prompt]] == [item for item, _ in expected]
            np.testing.assert_allclose(
                [v for _, v in found[prompt]], [v for _, v in expected], rtol=1e-5
            )


def test_a_narrow_beam_gives_distinct_valid_items_with_their_true_scores():
    model, sequences = TableModel(), catalogue(9, 100)
    (found,) = beam_search(model, 1, build_trie(sequences), 5, width=5)
    assert len({item for item, _ in found}) == 5
    for item, value in found:
        assert value == pytest.approx(model.score(0, sequences[item]), rel=1e-5)
    assert [v for _, v in found] == sorted((v for _, v in found), reverse=True)


def test_a_local_mask_would_rank_otherwise():
    """0 then 1 is nearly all invalid; masking the softmax to the one valid child would hand it the mass of the others."""

    class Model:
        def next_log_probabilities(self, sequences, allowed):
            rows = {(): [0.6, 0.4, 1e-9], (0,): [0.999, 0.001, 1e-9], (1,): [0.1, 0.1, 0.8]}
            return [
                np.log(np.array(rows[written], dtype=np.float32))[tokens]
                for (_, written), tokens in zip(sequences, allowed, strict=True)
            ]

    trie = build_trie([(0, 1), (1, 2)])
    (found,) = beam_search(Model(), 1, trie, 2, width=2)
    assert [item for item, _ in found] == [1, 0]
    assert found[0][1] == pytest.approx(np.log(0.4 * 0.8), rel=1e-5)


def test_the_search_ends_when_nothing_better_can_come():
    class Model:
        def next_log_probabilities(self, sequences, allowed):
            return [np.where(t == END, -0.01, -5.0).astype(np.float32) for t in allowed]

    long = [(0, 1, 2, END), (0, 1, 3, END)]
    model, calls = Model(), []
    ask = model.next_log_probabilities
    model.next_log_probabilities = lambda s, a: calls.append(len(s)) or ask(s, a)
    (found,) = beam_search(model, 1, build_trie([*long, (0, END)]), 1, width=3)
    assert [item for item, _ in found] == [2]
    assert len(calls) == 2


def test_fewer_items_than_asked_for():
    (found,) = beam_search(TableModel(), 1, build_trie([(0,), (1,)]), 9, width=9, excluded=[[1]])
    assert [item for item, _ in found] == [0]
