"""Recommenders as the simulation sees them: `recommend(items, k) -> items`, the most recent item first, the best answer first."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from llm_i2i.errors import LlmI2iError

Recommend = Callable[[Sequence[Any], int], Sequence[Any]]


def index_recommender(
    triggers: Sequence[Any],
    related: Sequence[Any],
    scores: Sequence[float],
    *,
    decay: float = 0.5,
    exclude_seen: bool = True,
) -> Recommend:
    """A recommender over the rows of an i2i_index: the lists of the items are summed up, each weighted decay ^ age.

    Args:
        triggers, related, scores: The columns trigger_item_id, related_item_id and score, row by row.
        exclude_seen: Leave out the items asked with. Ties go to the smaller item id.
    """
    items = sorted({*triggers, *related})
    numbers = {item: n for n, item in enumerate(items)}
    trigger_numbers = np.array([numbers[i] for i in triggers], dtype=np.int64)
    order = np.argsort(trigger_numbers, kind="stable")
    related_numbers = np.array([numbers[i] for i in related], dtype=np.int64)[order]
    ordered_scores = np.asarray(scores, dtype=np.float64)[order]
    starts = np.searchsorted(trigger_numbers[order], np.arange(len(items) + 1))

    def recommend(history: Sequence[Any], k: int) -> list[Any]:
        found, weighted = [], []
        for age, item in enumerate(history):
            if item in numbers:
                row = slice(starts[numbers[item]], starts[numbers[item] + 1])
                found.append(related_numbers[row])
                weighted.append(ordered_scores[row] * decay**age)
        if not found:
            return []
        every = np.concatenate(found)
        totals = np.bincount(every, np.concatenate(weighted), len(items))
        is_candidate = np.bincount(every, minlength=len(items)) > 0
        if exclude_seen:
            is_candidate[[numbers[i] for i in history if i in numbers]] = False
        candidates = np.flatnonzero(is_candidate)
        best = np.argsort(-totals[candidates], kind="stable")[:k]  # ties in the order of ids
        return [items[n] for n in candidates[best]]

    return recommend


@contextmanager
def http_recommender(url: str, *, timeout: float = 10.0) -> Iterator[Recommend]:
    """A recommender that asks a service: POST {"items": [...], "k": n} to `url`, over one connection that stays open in the block.

    The answer is that of `llmi2i serve`: {"items": [{"item": ...}, ...]}, best first. Plain ids in the list will do.

    Raises:
        LlmI2iError: On a call, when the service does not answer as it should.
    """
    place = urlsplit(url)
    if place.scheme not in ("http", "https") or not place.hostname:
        raise LlmI2iError(
            "not the address of a recommender",
            found=url,
            fix="write http://HOST:PORT/recommend",
        )
    kind = http.client.HTTPSConnection if place.scheme == "https" else http.client.HTTPConnection
    connection = kind(place.hostname, place.port, timeout=timeout)
    path = (place.path or "/recommend") + (f"?{place.query}" if place.query else "")

    def recommend(history: Sequence[Any], k: int) -> list[Any]:
        body = json.dumps({"items": list(history), "k": k})
        try:
            connection.request("POST", path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise LlmI2iError(
                "the recommender does not answer",
                where=url,
                found=str(error) or type(error).__name__,
                fix="is the service up, and at this address?",
            ) from error
        if response.status != 200:
            raise LlmI2iError(
                f"the recommender answers {response.status}", where=url, found=text[:300]
            )
        try:
            items = json.loads(text)["items"]
            return [item["item"] if isinstance(item, dict) else item for item in items]
        except (ValueError, KeyError, TypeError) as error:
            raise LlmI2iError(
                "the recommender's answer has no list of items",
                where=url,
                found=text[:300],
                fix='it should be {"items": [{"item": ...}, ...]}',
            ) from error

    try:
        yield recommend
    finally:
        connection.close()
