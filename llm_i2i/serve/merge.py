"""Many lists of related items into one ranking, as `ranking_metrics` evaluates it (macros/evaluation.sql).

The score of an item is the sum over the triggers that relate to it of decay ^ age x score, in double precision, then rounded to
float32; equal scores go by item. Age counts places in the query, so an item that comes twice counts twice.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from llm_i2i.serve.index import Numbers, Related, ServingIndex

Fallback = Literal["empty_history", "unknown_items", "no_related_items"]
GENEROUS = 4  # an item found by several triggers takes several of the places looked at first
LOWEST = np.finfo(np.float32).min


@dataclass(frozen=True)
class Ranking:
    """Items, best first.

    Attributes:
        scores: float32.
        triggers: For each item, the places in the query of the triggers that brought it.
    """

    items: Numbers
    scores: NDArray[np.float32]
    triggers: list[list[int]]


@dataclass(frozen=True)
class Recommendation:
    """An answer, and what it was made of.

    Attributes:
        fallback: Why these are the popular items; None: they come from the index.
        unknown: Places in the query of items that the index does not know.
    """

    ranking: Ranking
    fallback: Fallback | None
    unknown: list[int]


def recommend(
    index: ServingIndex,
    items: Sequence[str],
    k: int,
    *,
    exclude_seen: bool | None = None,
    decay: float | None = None,
    triggers: int | None = None,
    exclude: Sequence[str] = (),
) -> Recommendation:
    """The best `k` items for a history, most recent first; what is None is as the index was evaluated.

    Args:
        exclude: More items to leave out, whether or not those of the history are.
    """
    settings = index.settings
    decay = settings.decay if decay is None else decay
    triggers = settings.triggers if triggers is None else triggers
    exclude_seen = settings.exclude_seen if exclude_seen is None else exclude_seen
    numbers = index.find(items)
    is_known = numbers >= 0
    ages = np.flatnonzero(is_known[:triggers])
    seen = numbers[is_known] if exclude_seen else numbers[:0]
    if exclude:
        others = index.find(exclude)
        seen = np.concatenate([seen, others[others >= 0]])
    ranking = merge(index, numbers[ages], ages, np.power(float(decay), ages), seen, k)
    fallback: Fallback | None = None
    if not len(ranking.items):
        fallback = (
            "empty_history"
            if not len(items)
            else "unknown_items"
            if not is_known.any()
            else "no_related_items"
        )
        ranking = popular(index, seen, k)
    return Recommendation(ranking, fallback, np.flatnonzero(~is_known).tolist())


def merge(
    index: ServingIndex,
    triggers: Numbers,
    places: Numbers,
    weights: NDArray[np.float64],
    seen: Numbers,
    k: int,
) -> Ranking:
    """The best `k` items of the triggers' lists.

    Cost follows the length of the lists, not the number of items: totals are added up in an array that is kept between calls, read
    back once per list entry, and only entries at least as good as the k-th distinct item are looked at closer.

    Args:
        triggers: Item numbers.
        places: What each trigger is called in the answer.
        seen: Item numbers to leave out.
    """
    lists = index.related
    begins, ends = lists.offsets[triggers], lists.offsets[triggers + 1]
    lengths = ends - begins
    n_entries = int(lengths.sum())
    if not n_entries:
        return Ranking(triggers[:0], np.zeros(0, np.float32), [])
    work = _workspace(index)
    work.read(lists, zip(begins.tolist(), ends.tolist(), strict=True), n_entries)
    items, scores, totals = work.items[:n_entries], work.scores[:n_entries], work.totals
    scores *= np.repeat(weights, lengths)
    np.add.at(totals, items, scores)
    totals[seen] = -np.inf
    per_entry = totals.take(items, out=scores, mode="clip").astype(np.float32)
    totals[items] = 0.0
    totals[seen] = 0.0

    n_best = k
    while True:
        n_best = min(n_best * GENEROUS, n_entries)
        threshold = max(np.partition(per_entry, n_entries - n_best)[n_entries - n_best], LOWEST)
        entries = np.flatnonzero(per_entry >= threshold)
        # entries of one item have one score, so they come to stand together, in the order of the query.
        entries = entries[np.lexsort((items[entries], -per_entry[entries]))]
        names = items[entries]
        is_first = np.ones(len(names), bool)
        np.not_equal(names[1:], names[:-1], out=is_first[1:])
        starts = np.flatnonzero(is_first)
        if len(starts) >= k or n_best == n_entries:
            break
    best = entries[starts[:k]]
    brought = places[np.searchsorted(np.cumsum(lengths), entries, side="right")].tolist()
    cuts = [*starts.tolist(), len(entries)][: k + 1]
    return Ranking(
        items[best],
        per_entry[best],
        [brought[start:end] for start, end in itertools.pairwise(cuts)],
    )


class _Workspace:
    """What a merge fills, kept between merges: fresh memory of this size costs more page faults than the sums cost time.

    Attributes:
        items, scores: Of each list entry, float64; longer than the longest query so far.
        totals: A zero for each item, to add up scores in; to be left all zero.
    """

    def __init__(self, n_items: int) -> None:
        self.items = np.zeros(0, np.int64)
        self.scores = np.zeros(0)
        self.totals = np.zeros(n_items)

    def read(self, lists: Related, spans: Iterable[tuple[int, int]], n_entries: int) -> None:
        """Put the entries of lists one after another."""
        if n_entries > len(self.items):
            size = 1 << n_entries.bit_length()
            self.items, self.scores = np.zeros(size, np.int64), np.zeros(size)
            self._pairs = np.zeros(size, lists.pairs.dtype)
        raw = np.dtype((np.void, lists.pairs.dtype.itemsize))  # bytes are copied faster than fields
        source, pairs = lists.pairs.view(raw), self._pairs[:n_entries]
        np.concatenate([source[begin:end] for begin, end in spans], out=pairs.view(raw))
        self.items[:n_entries] = pairs["item"]
        self.scores[:n_entries] = pairs["score"]


def _workspace(index: ServingIndex) -> _Workspace:
    """This thread's own."""
    work: _Workspace | None = getattr(index.local, "workspace", None)
    if work is None:
        work = index.local.workspace = _Workspace(index.n_items)
    return work


def popular(index: ServingIndex, seen: Numbers, k: int) -> Ranking:
    """The items to fall back to."""
    kept = np.flatnonzero(~np.isin(index.popular, seen))[:k]
    return Ranking(
        index.popular[kept],
        index.popular_scores[kept].astype(np.float32),
        [[] for _ in range(len(kept))],
    )
