"""A shop that learns from its own lists: rounds of shoppers, each with an index of the log so far (project/docs/online.md).

What shoppers click in a round is in the log of the next one, so an index can drift towards what it showed before. Tastes do not change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from llm_i2i.simulate.behaviour import Behaviour, Log, draw_log
from llm_i2i.simulate.recommend import Recommend, index_recommender
from llm_i2i.simulate.shop import Ints, Shop
from llm_i2i.simulate.visits import NO_ITEM, Requests, Visits, ask, plan_requests

Bools = npt.NDArray[np.bool_]

DEGREE_EXPONENT = 0.25  # as the arm cooccurrence has it: popular items are held down a little
USER_BLOCK = 1000  # users whose liking of all items is held at a time


@dataclass(frozen=True)
class LoopSettings:
    """How the rounds go.

    Attributes:
        days, requests_a_day: Of a round; mean requests of a user a day.
        page: Items shown in a request.
        neighbours: Related items of each item in the index.
        learns: Whether each round has an index of its own; otherwise the first one stays, the comparison without a loop.
    """

    rounds: int = 5
    days: int = 7
    requests_a_day: float = 0.6
    page: int = 10
    neighbours: int = 50
    learns: bool = True
    seed: int = 42


@dataclass(frozen=True)
class Round:
    """What the lists of one round were like.

    Attributes:
        events: In the log that its index may learn from.
        clicks: That the round added to the log, pairs of user and item that were new.
        ctr: Clicks an item shown.
        coverage: Share of all items that were shown to anybody.
        gini: Of the items' exposures, all items: 0 all alike, 1 all on one item.
        top_share: Share of the exposures that went to the 1% of items shown most (one item at least).
        long_tail_share: Share of the exposures that went to long-tail items.
        recall: Of a user's best-liked items that the log does not have of him, as many as a page holds: the share that a page shows, mean
            over requests.
    """

    round: int
    events: int
    clicks: int
    ctr: float
    coverage: float
    gini: float
    top_share: float
    long_tail_share: float
    recall: float


def run_loop(shop: Shop, is_long_tail: Bools, settings: LoopSettings) -> list[Round]:
    """The rounds, one after the other; all of a seed repeats.

    Args:
        shop: Its histories are the log before the first round.
        is_long_tail: Of the items, as they were then; it stays so, or the share would change by its own definition.
    """
    shop = replace(shop, histories=[_first_meetings(h.tolist(), []) for h in shop.histories])
    rounds: list[Round] = []
    recommend: Recommend | None = None
    for number in range(1, settings.rounds + 1):
        if recommend is None or settings.learns:
            recommend = cooccurrence_recommender(shop, neighbours=settings.neighbours)
        requests = plan_requests(
            shop, days=settings.days, a_day=settings.requests_a_day, seed=settings.seed + number
        )
        answers = ask(shop, requests, recommend, k=settings.page, page=settings.page)
        visits = Visits(shop, requests, {"index": answers})
        everybody = np.zeros(len(shop.users), dtype=np.int64)
        log = draw_log(visits, everybody, Behaviour(), seed=settings.seed + number)
        grown = _with_events_of(shop, requests, log)
        rounds.append(_describe(number, shop, log, is_long_tail, settings.page))
        shop = replace(shop, histories=grown)
    return rounds


def cooccurrence_recommender(shop: Shop, *, neighbours: int = 50) -> Recommend:
    """A recommender over the users in common of two items / (d_i d_j) ^ DEGREE_EXPONENT, d_i the users of item i; no item without events."""
    n_items = len(shop.items)
    degree = np.zeros(n_items)
    pairs = []
    for history in shop.histories:
        degree[history] += 1
        first, second = np.repeat(history, len(history)), np.tile(history, len(history))
        pairs.append((first * n_items + second)[first != second])
    found, n_common = np.unique(np.concatenate(pairs), return_counts=True)
    trigger, related = found // n_items, found % n_items
    score = n_common / (degree[trigger] * degree[related]) ** DEGREE_EXPONENT
    order = np.lexsort((related, -score, trigger))  # ties go to the smaller number
    trigger, related, score = trigger[order], related[order], score[order]
    place = np.arange(len(trigger)) - np.searchsorted(trigger, trigger)
    best = place < neighbours
    ids = np.array(shop.items, dtype=object)
    return index_recommender(
        ids[trigger[best]].tolist(), ids[related[best]].tolist(), score[best].tolist()
    )


def gini(counts: npt.NDArray[np.int64]) -> float:
    """Gini coefficient of counts: 0 if all are equal or none is above 0, (n - 1) / n if one has all."""
    n, total = len(counts), counts.sum()
    if not total:
        return 0.0
    ranks = np.arange(1, n + 1)
    return float((2 * ranks - n - 1) @ np.sort(counts) / (n * total))


def best_liked(shop: Shop, n: int) -> Bools:
    """Shape (users, items): whether an item is one of the `n` that a user likes best among those that the log does not have of him."""
    best = np.zeros((len(shop.users), len(shop.items)), dtype=np.bool_)
    for start in range(0, len(shop.users), USER_BLOCK):
        liking = shop.tastes[start : start + USER_BLOCK] @ shop.vectors.T
        for row, history in enumerate(shop.histories[start : start + USER_BLOCK]):
            liking[row, history] = -np.inf
        chosen = np.argsort(-liking, axis=1, kind="stable")[:, :n]
        np.put_along_axis(best[start : start + USER_BLOCK], chosen, True, axis=1)
    return best


def _describe(number: int, shop: Shop, log: Log, is_long_tail: Bools, page: int) -> Round:
    is_shown = log.shown != NO_ITEM
    exposures = np.bincount(log.shown[is_shown], minlength=len(shop.items))
    total = max(int(exposures.sum()), 1)  # nothing shown: all shares are 0
    top = np.sort(exposures)[-max(1, len(shop.items) // 100) :]
    user = log.visits.requests.user
    is_best = best_liked(shop, page)[user[:, None], log.shown] & is_shown
    return Round(
        round=number,
        events=sum(map(len, shop.histories)),
        clicks=_new_clicks(shop, log),
        ctr=float(log.clicked.sum() / total),
        coverage=float(np.mean(exposures > 0)),
        gini=gini(exposures),
        top_share=float(top.sum() / total),
        long_tail_share=float(exposures[is_long_tail].sum() / total),
        recall=float(is_best.sum() / max(page * len(user), 1)),
    )


def _new_clicks(shop: Shop, log: Log) -> int:
    """How many pairs of user and item were clicked that the log did not have."""
    request, place = np.nonzero(log.clicked)
    user, item = log.visits.requests.user[request], log.shown[request, place]
    clicked = np.unique(user * len(shop.items) + item)
    known = np.concatenate([u * len(shop.items) + h for u, h in enumerate(shop.histories)])
    return int((~np.isin(clicked, known)).sum())


def _with_events_of(shop: Shop, requests: Requests, log: Log) -> list[Ints]:
    """Each user's history and what followed in a round, in order: the item he came with, then his clicks. An order is always of a clicked item."""
    added: list[list[int]] = [[] for _ in shop.users]
    for number, user in enumerate(requests.user):
        added[user].append(int(requests.triggers[number][0]))
        added[user].extend(log.shown[number][log.clicked[number]].tolist())
    for user, item in zip(log.other_user, log.other_item, strict=True):
        added[user].append(int(item))
    return [
        _first_meetings(history.tolist(), more)
        for history, more in zip(shop.histories, added, strict=True)
    ]


def _first_meetings(history: Sequence[int], more: Sequence[int]) -> Ints:
    """Both, each item once, at its first place, as in the project's log."""
    return np.array(list(dict.fromkeys([*history, *more])), dtype=np.int64)
