"""What shoppers do with what they are shown: the chances, the truth they imply, and one draw of them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from llm_i2i.simulate.shop import Floats, Ints
from llm_i2i.simulate.visits import NO_ITEM, Answers, Visits

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Behaviour:
    """The chances, in logits of liking (cosine of taste and item).

    Attributes:
        position_bias: The item at position p is looked at with chance p ^ -position_bias.
        click, click_taste: Logit of a click on an item that is looked at = click + click_taste * liking + the user's eagerness.
        order, order_taste: The same for an order that follows a click.
        other_orders: Mean orders a user and day of items that he was not shown; nobody's merit.
        latency, latency_per_item, latency_noise: A request takes (latency + latency_per_item * items retrieved) * the user's slowness *
            a lognormal draw of mean 1 and this sigma, in milliseconds.
        is_measured: Log how long the recommender really took instead.
    """

    position_bias: float = 0.7
    click: float = -2.0
    click_taste: float = 2.5
    order: float = -3.0
    order_taste: float = 2.0
    other_orders: float = 0.02
    latency: float = 6.0
    latency_per_item: float = 0.02
    latency_noise: float = 0.5
    is_measured: bool = False


@dataclass(frozen=True)
class Chances:
    """Of one arm: chance of a click and of an order after it, shape (requests, page); mean latency of each request."""

    click: Floats
    order: Floats
    latency: Floats


@dataclass(frozen=True)
class Log:
    """One draw: who was in which arm, and what happened.

    Attributes:
        arm: Of each request, its number in `visits.arms`.
        shown, clicked, ordered: Shape (requests, page).
        latency: Of each request, milliseconds.
        other_user, other_day, other_item: Orders of items that the user was not shown.
    """

    visits: Visits
    arm: Ints
    n_retrieved: Ints
    shown: Ints
    clicked: Bools
    ordered: Bools
    latency: Floats
    other_user: Ints
    other_day: Ints
    other_item: Ints


def assign(users: Sequence[Any], shares: Sequence[float], salt: str) -> Ints:
    """The arm of each user, a number from 0: by hash, so that a user always meets the same arm. `shares` need not sum to 1."""
    cuts = np.cumsum(shares) / np.sum(shares)
    digests = b"".join(hashlib.sha256(f"{salt}:{user}".encode()).digest()[:8] for user in users)
    places = np.frombuffer(digests, dtype=">u8").astype(np.float64) / 2**64
    return np.minimum(np.searchsorted(cuts, places, side="right"), len(cuts) - 1)


def chances(visits: Visits, arm: str, behaviour: Behaviour) -> Chances:
    """What each request of an arm may lead to."""
    shop, answers = visits.shop, visits.answers[arm]
    user = visits.requests.user
    liking = np.einsum("rpd,rd->rp", shop.vectors[answers.shown], shop.tastes[user])
    eager = shop.eagerness[user][:, None]
    looked = np.arange(1, answers.shown.shape[1] + 1) ** -behaviour.position_bias
    click = looked * _logistic(behaviour.click + behaviour.click_taste * liking + eager)
    order = _logistic(behaviour.order + behaviour.order_taste * liking + eager)
    click[answers.shown == NO_ITEM] = 0.0
    return Chances(click, order, _mean_latency(visits, answers, behaviour))


def true_values(visits: Visits, arm: str, behaviour: Behaviour) -> dict[str, float]:
    """The metrics if everybody met this arm, in expectation over all chances: what an A/B test estimates.

    Exact, but for the percentiles of latency (to 1e-6). Names as in models/online/online_metrics.sql.
    """
    chance, shop = chances(visits, arm, behaviour), visits.shop
    test = visits.is_test
    user, answers = visits.requests.user[test], visits.answers[arm]
    shown = answers.shown[test]
    click, order = chance.click[test], chance.click[test] * chance.order[test]
    is_exposed = np.bincount(user, (shown != NO_ITEM).any(axis=1), len(shop.users)) > 0
    # whoever orders nothing at all does so each time.
    nothing = np.bincount(user, np.log1p(-order).sum(axis=1), len(shop.users))
    n_exposed = is_exposed.sum()
    latency = chance.latency[test]
    noise = 0.0 if behaviour.is_measured else behaviour.latency_noise
    return {
        "rn": float(answers.n_retrieved[test].mean()),
        "l2p": float((1 - np.exp(nothing))[is_exposed].sum() / n_exposed),
        "ctr": float(click.sum() / (shown != NO_ITEM).sum()),
        "cvr": float(order.sum() / click.sum()),
        "gmv": float((order * shop.prices[shown]).sum() / n_exposed),
        "latency": float(latency.mean()),
    } | {f"latency_p{p}": _percentile(latency, noise, p / 100) for p in (50, 95, 99)}


def draw_log(visits: Visits, arm_of_user: Ints, behaviour: Behaviour, *, seed: int) -> Log:
    """Let everybody come once.

    Args:
        arm_of_user: From `assign`; before the test everybody meets control, arm 0.
    """
    draw = np.random.default_rng([seed, 4])
    arm = np.where(visits.is_test, arm_of_user[visits.requests.user], 0)
    by_arm = [chances(visits, name, behaviour) for name in visits.arms]
    return _draw(visits, arm, by_arm, behaviour, draw)


def draw_logs(
    visits: Visits, arms_of_users: Sequence[Ints], behaviour: Behaviour, *, seed: int
) -> list[Log]:
    """`draw_log` many times, each with its own assignment and chance."""
    by_arm = [chances(visits, name, behaviour) for name in visits.arms]
    user = visits.requests.user
    return [
        _draw(visits, np.where(visits.is_test, arms[user], 0), by_arm, behaviour, np.random.default_rng([seed, 5, n]))
        for n, arms in enumerate(arms_of_users)
    ]  # fmt: skip


def _draw(
    visits: Visits, arm: Ints, by_arm: Sequence[Chances], behaviour: Behaviour, draw: np.random.Generator
) -> Log:  # fmt: skip
    answers = list(visits.answers.values())
    shown = _of_arm(arm, [a.shown for a in answers])
    clicked = draw.random(shown.shape) < _of_arm(arm, [c.click for c in by_arm])
    ordered = clicked & (draw.random(shown.shape) < _of_arm(arm, [c.order for c in by_arm]))
    latency = _of_arm(arm, [c.latency for c in by_arm])
    if not behaviour.is_measured:
        sigma = behaviour.latency_noise
        latency = latency * np.exp(draw.normal(-(sigma**2) / 2, sigma, len(latency)))
    others = _other_orders(visits, shown, behaviour, draw)
    return Log(
        visits, arm, _of_arm(arm, [a.n_retrieved for a in answers]), shown, clicked, ordered, latency, *others
    )  # fmt: skip


def _other_orders(
    visits: Visits, shown: Ints, behaviour: Behaviour, draw: np.random.Generator
) -> tuple[Ints, Ints, Ints]:
    """User, day and item of orders of what the user was never shown."""
    days = np.unique(visits.requests.day)
    n = draw.poisson(behaviour.other_orders * len(days) * len(visits.shop.users))
    user, day = draw.integers(len(visits.shop.users), size=n), draw.choice(days, n)
    item = draw.integers(len(visits.shop.items), size=n)
    n_items = len(visits.shop.items)
    pairs = visits.requests.user[:, None] * n_items + shown
    is_new = ~np.isin(user * n_items + item, pairs[shown != NO_ITEM])
    return user[is_new], day[is_new], item[is_new]


def _of_arm(arm: Ints, values: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Row n of the n-th request's arm."""
    result = values[0].copy()
    for number, other in enumerate(values[1:], start=1):
        result[arm == number] = other[arm == number]
    return result


def _mean_latency(visits: Visits, answers: Answers, behaviour: Behaviour) -> Floats:
    if behaviour.is_measured:
        return answers.milliseconds
    work = behaviour.latency + behaviour.latency_per_item * answers.n_retrieved
    result: Floats = work * visits.shop.slowness[visits.requests.user]
    return result


def _percentile(means: Floats, sigma: float, share: float) -> float:
    """Of a mixture of lognormals of these means and this sigma, by bisection."""
    if sigma == 0:
        return float(np.quantile(means, share))
    centres = np.log(means) - sigma**2 / 2
    low, high = centres.min() - 6 * sigma, centres.max() + 6 * sigma
    erf = np.frompyfunc(math.erf, 1, 1)
    while high - low > 1e-6:
        middle = (low + high) / 2
        below = np.mean(erf((middle - centres) / (sigma * math.sqrt(2))).astype(np.float64))
        low, high = (middle, high) if 0.5 * (1 + below) < share else (low, middle)
    return math.exp((low + high) / 2)


def _logistic(logit: Floats) -> Floats:
    result: Floats = 1.0 / (1.0 + np.exp(-logit))
    return result


def changes(control: Mapping[str, float], treatment: Mapping[str, float]) -> dict[str, float]:
    """(T - C) / C of every metric."""
    return {name: treatment[name] / value - 1 for name, value in control.items() if value}
