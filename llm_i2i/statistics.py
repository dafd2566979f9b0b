"""Recall and NDCG from ranks, and bootstrap estimates of their means and differences: the one place that computes intervals over users.

A bootstrap draws as many users as there are, with replacement, and looks at how far the mean moves from draw to draw (Efron & Tibshirani, An
Introduction to the Bootstrap, 1993; for paired comparisons of rankings: Sakai, SIGIR 2006). Users of equal value cannot be told apart in a
mean. So we draw how many of them have each distinct value, which is a multinomial distribution, rather than user by user. The result has the
same distribution as a bootstrap over users, it does not approximate it. Its cost grows with the number of distinct values (3 for a
difference in recall, at most 441 for one in NDCG@20), not with the log.

Pure functions over arrays. `udfs/statistics.py` offers them to SQL; experiments and `llmi2i diff` call them directly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from llm_i2i.errors import LlmI2iError

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

LEVEL = (0.025, 0.975)  # of a 95% interval
DIGITS = 12  # sums of doubles differ in the last bits between machines
# Both are for speed. Another number gives other draws, of the same distribution.
COMMON = 16  # a value of so many users is drawn as a count, a rarer one user by user
DRAWN_AT_ONCE = 50_000  # numbers per chunk: few enough for the processor's cache


@dataclass(frozen=True)
class Estimate:
    """A mean over users and how sure it is.

    Attributes:
        mean: Of the values themselves, not of the resamples; NaN where there is no user, as is all else.
        standard_error: Of the mean: sample standard deviation / sqrt(n_users), by formula; NaN for a single user.
        lower, upper: The 95% percentile interval: 2.5% and 97.5% quantile of the mean over the resamples.
        p_value: Two-sided, that the true mean is 0: twice the share of resamples on the rarer side of 0, the data themselves counted as
            one more resample, so that it is never 0 and at most 1.
        n_users: Users behind it.
    """

    mean: float
    standard_error: float
    lower: float
    upper: float
    p_value: float
    n_users: int


def gains(ranks: Floats, metric: str, k: int) -> Floats:
    """What each target adds to a metric, shape (targets,).

    Args:
        ranks: Of the targets, 1 is the best; infinite for a target that is not ranked, a miss at every k. Shape (targets,).
        metric: recall or ndcg.

    Returns:
        recall: 1 within the first k, else 0. ndcg: 1 / log2(rank + 1) there (one target a user, so the ideal gain is 1).

    Raises:
        LlmI2iError: There is no such metric.
    """
    found = ranks <= k
    if metric == "recall":
        return found.astype(np.float64)
    if metric == "ndcg":
        result: Floats = np.where(found, 1.0 / np.log2(np.where(found, ranks, 1.0) + 1.0), 0.0)
        return result
    raise LlmI2iError("unknown metric", found=metric, fix="write recall or ndcg")


def bootstrap(
    values: Floats, n_users: Counts | None = None, *, resamples: int = 1000, random_seed: int = 1
) -> Estimate:
    """The mean of `values` over users, with a bootstrap interval. Of a difference: give each user's difference, which pairs the two arms.

    The result depends on the values and the seed alone: not on their order, and not on what else is estimated.

    Args:
        values: One per user, shape (users,); or one per group of users of the same value. NaN is not allowed.
        n_users: How many users each value stands for, shape as `values`; one each if None.
        resamples: Draws that the interval and the p-value are read from.

    Raises:
        LlmI2iError: No resamples, shapes that differ, a NaN, or a negative number of users.
    """
    counts = np.ones(len(values), np.int64) if n_users is None else np.asarray(n_users, np.int64)
    _check(values, counts, resamples)
    distinct, counts = _distinct(values, counts)
    n = int(counts.sum())
    if n == 0:
        return Estimate(np.nan, np.nan, np.nan, np.nan, np.nan, 0)
    mean = float(distinct @ counts) / n
    error = np.sqrt(counts @ (distinct - mean) ** 2 / (n - 1) / n) if n > 1 else np.nan
    sums = np.concatenate(list(_resampled_sums(distinct, counts, resamples, random_seed)))
    # rounded before it is compared with 0: a resample without a difference must not fall to one side by its last bit.
    means = np.round(sums / n, DIGITS)
    lower, upper = np.quantile(means, LEVEL)
    rarer = min(int((means <= 0).sum()), int((means >= 0).sum()))
    p_value = min(1.0, 2 * (rarer + 1) / (resamples + 1))
    mean, error, lower, upper, p_value = (
        round(float(v), DIGITS) for v in (mean, error, lower, upper, p_value)
    )
    return Estimate(mean, error, lower, upper, p_value, n)


def _check(values: Floats, counts: Counts, resamples: int) -> None:
    found = ""
    if resamples < 1:
        found = f"{resamples} resamples"
    elif values.shape != counts.shape or values.ndim != 1:
        found = f"values of shape {values.shape}, n_users of shape {counts.shape}"
    elif np.isnan(values).any():
        found = f"{int(np.isnan(values).sum())} values that are NaN"
    elif (counts < 0).any():
        found = "a negative number of users"
    if found:
        raise LlmI2iError(
            "the bootstrap cannot be drawn",
            found=found,
            fix="give one finite value per user, or a value and its number of users, and 1 resample or more",
        )


def _distinct(values: Floats, counts: Counts) -> tuple[Floats, Counts]:
    """The distinct values in ascending order, and how many users have each; values of no user are left out."""
    distinct, place = np.unique(values[counts > 0], return_inverse=True)
    # exact up to 2^53 users, although bincount sums in doubles.
    total = np.bincount(place, counts[counts > 0], len(distinct))
    return distinct, total.astype(np.int64)


def _resampled_sums(
    distinct: Floats, counts: Counts, resamples: int, random_seed: int
) -> Iterator[Floats]:
    """Sums of the values in each resample, in chunks so that memory is bounded, shape (resamples of the chunk,).

    Drawing how many users have a value takes about as long as drawing `COMMON` users. So the values of fewer users are one group in the
    multinomial draw, and from that group users are drawn one by one.
    """
    draw = np.random.default_rng(random_seed)
    n, is_common = int(counts.sum()), counts >= COMMON
    rare = np.repeat(distinct[~is_common], counts[~is_common])  # one per user
    groups = np.append(counts[is_common], len(rare))
    step = max(1, DRAWN_AT_ONCE // (len(groups) + len(rare)))
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        drawn = draw.multinomial(n, groups / n, size=size)
        picked = rare[draw.integers(len(rare), size=drawn[:, -1].sum())] if len(rare) else rare
        # the picked of one resample lie side by side; a 0 behind them all, for a last resample without any.
        starts = np.cumsum(drawn[:, -1]) - drawn[:, -1]
        of_rare = np.add.reduceat(np.append(picked, 0.0), starts)
        yield drawn[:, :-1] @ distinct[is_common] + np.where(drawn[:, -1] > 0, of_rare, 0.0)
