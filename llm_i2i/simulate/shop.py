"""Items and shoppers: vectors of what is sold, of what is liked, and what each shopper has met before the test."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

DIMENSIONS = 16
MEDIAN_PRICE = 20.0


@dataclass(frozen=True)
class Shop:
    """What the simulation knows and no recommender does.

    Attributes:
        items: Their ids, in the order of the rows of `vectors`.
        vectors: Unit vectors of the items, shape (items, DIMENSIONS).
        prices: Of the items.
        users: Their ids.
        tastes: Unit vectors of the users; a user likes what is near (cosine).
        eagerness: What a user adds to the logit of every click and order: most of the difference between users.
        slowness: Factor on the latency of a user's requests (far away, slow device), mean 1.
        histories: Numbers of the items each user met before the test, oldest first.
    """

    items: Sequence[Any]
    vectors: Floats
    prices: Floats
    users: Sequence[Any]
    tastes: Floats
    eagerness: Floats
    slowness: Floats
    histories: Sequence[Ints]


def make_shop(
    *, users: int = 1000, items: int = 400, groups: int = 20, history: int = 6, seed: int = 42
) -> Shop:
    """A shop out of nothing: items lie around the centres of groups, a user likes two groups.

    Args:
        history: Items each user has met before the test, drawn by taste.
    """
    draw = np.random.default_rng([seed, 1])
    centres = draw.normal(size=(groups, DIMENSIONS))
    vectors = _unit(centres[draw.integers(groups, size=items)] + 0.5 * draw.normal(size=(items, DIMENSIONS)))  # fmt: skip
    liked = draw.integers(groups, size=(users, 2))
    tastes = _unit(centres[liked].mean(axis=1) + 0.3 * draw.normal(size=(users, DIMENSIONS)))
    histories = [draw_by_taste(draw, vectors @ taste, history) for taste in tastes]
    return Shop(
        [f"i{n:05d}" for n in range(items)], vectors, _prices(draw, items),
        [f"u{n:06d}" for n in range(users)], tastes, *_temper(draw, users), histories,
    )  # fmt: skip


def shop_of_log(
    items: Mapping[Any, str], histories: Mapping[Any, Sequence[Any]], *, seed: int = 42
) -> Shop:
    """A shop of a real catalogue and real users, with made-up tastes.

    An item's vector is the sum of seeded vectors of the words of its text; a user likes what resembles all he bought, the last
    event included. The shop knows all but that last event. Users with a single event are left out.

    Args:
        items: Item id -> its text (title, brand, category).
        histories: User id -> the ids of his items, oldest first; items that are not in `items` are skipped.
    """
    draw = np.random.default_rng([seed, 2])
    numbers = {item: n for n, item in enumerate(items)}
    vectors = _unit(np.stack([_text_vector(text, str(item)) for item, text in items.items()]))
    met = {u: np.array([numbers[i] for i in h if i in numbers], dtype=np.int64) for u, h in histories.items()}  # fmt: skip
    users = [user for user, history in met.items() if len(history) > 1]
    tastes = _unit(
        np.stack([vectors[met[user]].mean(axis=0) for user in users])
        + 0.1 * draw.normal(size=(len(users), DIMENSIONS))
    )
    return Shop(
        list(items), vectors, _prices(draw, len(vectors)), users, tastes, *_temper(draw, len(users)),
        [met[user][:-1] for user in users],
    )  # fmt: skip


def draw_by_taste(draw: np.random.Generator, liking: Floats, n: int) -> Ints:
    """Numbers of `n` items that somebody with this liking (cosines) comes upon by himself."""
    weights = np.exp(4.0 * liking)
    return draw.choice(len(liking), size=n, p=weights / weights.sum())


def _prices(draw: np.random.Generator, items: int) -> Floats:
    return np.round(MEDIAN_PRICE * np.exp(draw.normal(0, 0.6, items)), 2)


def _temper(draw: np.random.Generator, users: int) -> tuple[Floats, Floats]:
    """Eagerness and slowness."""
    return draw.normal(0, 0.6, users), np.exp(draw.normal(0, 0.4, users) - 0.08)


def _text_vector(text: str, otherwise: str) -> Floats:
    words = re.findall(r"\w+", text.lower()) or [otherwise]
    vector: Floats = np.sum([_word_vector(word) for word in words], axis=0)
    return vector


def _word_vector(word: str) -> Floats:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).normal(size=DIMENSIONS)


def _unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    result: Floats = vectors / np.where(lengths > 0, lengths, 1.0)
    return result
