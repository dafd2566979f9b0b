"""Beam search over the trie of all items: only valid ids can come out, ranked by their whole log-probability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from llm_i2i.lm.inference.trie import ROOT, Trie

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
# (number of the prompt, tokens written behind it so far)
Written = tuple[int, tuple[int, ...]]


class NextTokens(Protocol):
    """A language model with some prompts in front of it."""

    def next_log_probabilities(
        self, sequences: Sequence[Written], allowed: Sequence[npt.NDArray[np.int32]]
    ) -> list[Floats]:
        """Log-probability in nats of each allowed next token behind each sequence, one array a sequence.

        Raw: the softmax runs over the whole vocabulary, not over the allowed tokens. Sequences of one call are equally long, and
        what is behind the last token of a sequence has been asked for in the call before.
        """
        ...


@dataclass
class _Beams:
    """What is left of one prompt's search: open beams, and the best items so far."""

    nodes: Ints
    scores: Floats
    written: list[tuple[int, ...]]
    items: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


def beam_search(
    model: NextTokens,
    n_prompts: int,
    trie: Trie,
    n: int,
    *,
    width: int,
    excluded: Sequence[Sequence[int]] | None = None,
    length_normalised: bool = False,
) -> list[list[tuple[int, float]]]:
    """The `n` best items of each prompt with their log-probabilities, best first; ties by item number.

    An item's score is the sum of the raw log-probabilities of its tokens, the end token included where it has one: the
    probability that the model writes exactly this id. Masking the softmax to the allowed tokens at each step would instead
    hand the mass of invalid ids to their valid siblings and distort the order (method.md 7.1), so the mask only says where
    the search may go. Sums favour short beginnings no more than the model does: the end token makes the probabilities of
    ids of unequal length add up to at most one. Hence they are not divided by the length unless asked for.

    Exact where `width` is the number of items or more.

    Args:
        width: Open beams a prompt; raised by the number of its excluded items.
        excluded: Item numbers that must not come out, of each prompt.
        length_normalised: Rank by the mean log-probability a token; what comes back is the mean, too.
    """
    barred = [set(items) for items in excluded] if excluded else [set()] * n_prompts
    states = [_Beams(np.array([ROOT]), np.zeros(1, np.float32), [()]) for _ in range(n_prompts)]
    for depth in range(1, trie.depth + 1):
        asked = [
            (prompt, tokens) for prompt, state in enumerate(states) for tokens in state.written
        ]
        if not asked:
            break
        nodes = np.concatenate([state.nodes for state in states])
        allowed = [trie.allowed(node) for node in nodes.tolist()]
        answers = model.next_log_probabilities(asked, allowed)
        start = 0
        for state, bar in zip(states, barred, strict=True):
            stop = start + len(state.nodes)
            if stop > start:
                room = width + len(bar)
                _step(state, trie, answers[start:stop], bar, room, length_normalised, depth)
                if not length_normalised:
                    _close_hopeless(state, n)
            start = stop
    return [_best(state, n) for state in states]


def _step(
    state: _Beams,
    trie: Trie,
    answers: list[Floats],
    barred: set[int],
    room: int,
    normalised: bool,
    depth: int,
) -> None:
    """Write one token more behind each open beam, put finished items aside and keep the best open beams."""
    counts = np.fromiter((len(a) for a in answers), np.int64, len(answers))
    parents = np.repeat(np.arange(len(answers)), counts)
    offsets = np.arange(len(parents)) - np.repeat(np.cumsum(counts) - counts, counts)
    nodes = trie.first_child[state.nodes].astype(np.int64)[parents] + offsets
    scores = state.scores[parents] + np.concatenate(answers)
    items = trie.items[nodes]
    finished = np.flatnonzero(items >= 0)
    for place in _top(scores[finished], nodes[finished], room):
        item = int(items[finished[place]])
        if item not in barred:
            state.items.append(item)
            state.values.append(float(scores[finished[place]]) / (depth if normalised else 1))
    open_ = np.flatnonzero(items < 0)
    kept = open_[_top(scores[open_], nodes[open_], room)]
    tokens = trie.tokens[nodes[kept]].tolist()
    state.written = [
        (*state.written[parent], token)
        for parent, token in zip(parents[kept].tolist(), tokens, strict=True)
    ]
    state.nodes, state.scores = nodes[kept], scores[kept]


def _close_hopeless(state: _Beams, n: int) -> None:
    """Drop open beams that are already behind the n-th best item: log-probabilities only fall."""
    if len(state.values) < n:
        return
    worst = np.partition(np.array(state.values), len(state.values) - n)[len(state.values) - n]
    kept = np.flatnonzero(state.scores >= worst)
    state.nodes, state.scores = state.nodes[kept], state.scores[kept]
    state.written = [state.written[place] for place in kept.tolist()]


def _top(scores: Floats, nodes: Ints, count: int) -> Ints:
    """Places of the `count` highest scores, best first; ties by node."""
    if len(scores) > count:
        # Everything that ties with the last place stays, so that the choice among ties is by node.
        limit = np.partition(scores, len(scores) - count)[len(scores) - count]
        candidates = np.flatnonzero(scores >= limit)
    else:
        candidates = np.arange(len(scores))
    order = np.lexsort((nodes[candidates], -scores[candidates]))[:count]
    return candidates[order]


def _best(state: _Beams, n: int) -> list[tuple[int, float]]:
    items, values = np.array(state.items, dtype=np.int64), np.array(state.values)
    order = np.lexsort((items, -values))[:n]
    return [(int(items[place]), float(values[place])) for place in order]
