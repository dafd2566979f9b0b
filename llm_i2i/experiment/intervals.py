"""Metrics from ranks, and paired bootstrap intervals over users, as models/evaluation/paired_differences.sql computes them.

Users are dealt into 500 groups and groups are drawn with replacement: with up to 500 users that is the bootstrap over users itself, with
more it has the same expectation, and its cost does not grow with the log. The draws are those of project/macros/random.sql, so that an
interval here equals the one that an environment computes of its own arms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

GROUPS = 500
LEVEL = (0.025, 0.975)
_PRIME = 2**31 - 1
_MULTIPLIERS = (48271, 69621)

Floats = npt.NDArray[np.float64]


def gains(ranks: Floats, metric: str, k: int) -> Floats:
    """What each target adds to a metric.

    Args:
        ranks: Of the targets, 1 is the best; infinite for a target that is not ranked, a miss at every k.

    Returns:
        recall: 1 within the first k, else 0. ndcg: 1 / log2(rank + 1) there (one target a user, so the ideal gain is 1).
    """
    found = ranks <= k
    if metric == "recall":
        return found.astype(np.float64)
    result: Floats = np.where(found, 1.0 / np.log2(np.where(found, ranks, 1.0) + 1.0), 0.0)
    return result


@dataclass(frozen=True)
class Interval:
    """A mean over users with its 95% bootstrap interval; NaN where there is no user."""

    mean: float
    lower: float
    upper: float


@lru_cache(maxsize=4)
def draw_weights(resamples: int, seed: int) -> Floats:
    """How often each group is drawn in each resample, shape (resamples, GROUPS)."""
    resample = np.arange(resamples, dtype=np.int64)[:, None] * _MULTIPLIERS[0]
    place = np.arange(GROUPS, dtype=np.int64)[None, :] * _MULTIPLIERS[1]
    x = (resample + place + (seed * 630360016 + 1) % _PRIME) % _PRIME
    square = x * x % _PRIME
    drawn = square * square % _PRIME * x % _PRIME % GROUPS
    weights = np.zeros((resamples, GROUPS))
    np.add.at(weights, (np.arange(resamples)[:, None], drawn), 1.0)
    return weights


def bootstrap(
    values: Floats, targets: npt.NDArray[np.int64], *, resamples: int = 1000, seed: int = 1
) -> list[Interval]:
    """Means over users and their 95% intervals, of several quantities with the same draws.

    Args:
        values: One row a target, one column a quantity, shape (targets, quantities).
        targets: target_number of each row; a user's targets share target_number // 2.
    """
    if not len(values):
        return [Interval(np.nan, np.nan, np.nan)] * values.shape[1]
    group = targets // 2 % GROUPS
    counts = np.bincount(group, minlength=GROUPS).astype(np.float64)
    sums = np.stack([np.bincount(group, column, GROUPS) for column in values.T], axis=1)
    weights = draw_weights(resamples, seed)
    drawn = weights @ counts
    # with few users a resample may hold none of them: it says nothing.
    means = (weights @ sums)[drawn > 0] / drawn[drawn > 0][:, None]
    bounds = np.quantile(means, LEVEL, axis=0)
    # rounded: sums of doubles differ in the last bits between machines.
    return [
        Interval(*(round(float(v), 12) for v in (values[:, i].mean(), bounds[0, i], bounds[1, i])))
        for i in range(values.shape[1])
    ]


def segment_mask(segment: str, columns: dict[str, Any]) -> npt.NDArray[np.bool_]:
    """Which targets are in a segment of ranking_metrics (macro in_segment)."""
    is_long_tail = np.asarray(columns["is_long_tail"], dtype=bool)
    everyone = np.ones(len(is_long_tail), dtype=bool)
    parts: Sequence[npt.NDArray[np.bool_]] = {
        "all": (everyone,),
        "long_tail": (is_long_tail,),
        "other": (~is_long_tail,),
        "all_without_near": (~np.asarray(columns.get("is_near", ~everyone), dtype=bool),),
        "long_tail_without_near": (
            is_long_tail,
            ~np.asarray(columns.get("is_near", ~everyone), dtype=bool),
        ),
    }[segment]
    return parts[0] if len(parts) == 1 else parts[0] & parts[1]
