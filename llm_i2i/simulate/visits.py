"""When shoppers come, with which items in mind, and what each arm's recommender answers them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from llm_i2i.simulate.recommend import Recommend
from llm_i2i.simulate.shop import Floats, Ints, Shop, draw_by_taste

OPENS, CLOSES = 8 * 3600, 22 * 3600  # so that whatever follows a request happens on its day
NO_ITEM = -1


@dataclass(frozen=True)
class Requests:
    """Requests in the order of user and time. They do not depend on the arm: nobody comes more often for better lists.

    Attributes:
        user: Number of the user.
        day: 0 is the first day of the test, negative before it.
        second: Of the day.
        triggers: Numbers of the items asked with, the most recent first.
    """

    user: Ints
    day: Ints
    second: Floats
    triggers: Sequence[Ints]


@dataclass(frozen=True)
class Answers:
    """One arm's answers to all requests.

    Attributes:
        n_retrieved: Items in each answer.
        shown: The first of them, shape (requests, page), NO_ITEM where the answer is shorter.
        milliseconds: How long each call took.
    """

    n_retrieved: Ints
    shown: Ints
    milliseconds: Floats


@dataclass(frozen=True)
class Visits:
    """All that is settled before chance: the shop, its requests and what every arm would answer to each. The first arm is control."""

    shop: Shop
    requests: Requests
    answers: Mapping[str, Answers]

    @property
    def arms(self) -> tuple[str, ...]:
        return tuple(self.answers)

    @property
    def is_test(self) -> npt.NDArray[np.bool_]:
        """Which requests belong to the test, not to the days before it."""
        return self.requests.day >= 0


def plan_requests(
    shop: Shop, *, days: int = 7, days_before: int = 0, a_day: float = 0.6, triggers: int = 10, seed: int = 42
) -> Requests:  # fmt: skip
    """Requests of every user on every day. Users differ in how often they come.

    Before each request the shopper has come upon one more item by himself, so that his lists change.

    Args:
        days_before: Days before the test; everybody gets control's lists there.
        a_day: Mean number of a user's requests a day.
        triggers: Most recent items asked with.
    """
    draw = np.random.default_rng([seed, 3])
    often = draw.gamma(2.0, 0.5, len(shop.users))
    counts = draw.poisson(a_day * often[:, None], (len(shop.users), days_before + days))
    user, day = (
        np.repeat(index, counts.ravel()) for index in np.indices(counts.shape).reshape(2, -1)
    )
    second = draw.uniform(OPENS, CLOSES, len(user))
    order = np.lexsort((second, day, user))
    user, day, second = user[order], day[order] - days_before, second[order]
    histories = []
    for number in np.unique(user):
        met = shop.histories[number][::-1]
        found = draw_by_taste(draw, shop.vectors @ shop.tastes[number], int(np.sum(user == number)))
        for n in range(1, len(found) + 1):
            recent = dict.fromkeys([*found[:n][::-1].tolist(), *met.tolist()])
            histories.append(np.array(list(recent)[:triggers], dtype=np.int64))
    return Requests(user, day, second, histories)


def ask(
    shop: Shop, requests: Requests, recommend: Recommend, *, k: int = 200, page: int = 10
) -> Answers:
    """What a recommender answers to every request.

    Args:
        k: Items asked for.
        page: Items shown, the first of the answer.
    """
    numbers = {str(item): n for n, item in enumerate(shop.items)}  # a service writes ids as text
    shown = np.full((len(requests.user), page), NO_ITEM, dtype=np.int64)
    n_retrieved = np.zeros(len(requests.user), dtype=np.int64)
    milliseconds = np.zeros(len(requests.user))
    for n, triggers in enumerate(requests.triggers):
        start = time.perf_counter()
        answer = recommend([shop.items[t] for t in triggers], k)
        milliseconds[n] = 1000 * (time.perf_counter() - start)
        known = [numbers[i] for i in map(str, answer) if i in numbers]
        n_retrieved[n] = len(known)
        shown[n, : len(known[:page])] = known[:page]
    return Answers(n_retrieved, shown, milliseconds)
