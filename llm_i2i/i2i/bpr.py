"""Bayesian personalised ranking, as `implicit` has it (method.md 6.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from llm_i2i.i2i.events import (
    Events,
    Ints,
    Vectors,
    check_setting,
    missing_package,
    read_events,
)

WHERE = "bpr"
COPIES = 10  # of an event of weight 1, where weights differ: weights are honoured to a twentieth

Progress = Callable[[float, float, str], None]


@dataclass(frozen=True)
class Factors:
    """A vector for each user and item, the last number of it the item's bias (1 for users): score = user . item."""

    user_numbers: Ints
    users: Vectors
    item_numbers: Ints
    items: Vectors


def factorise(
    events: pa.Table,
    *,
    factors: int = 100,
    learning_rate: float = 0.01,
    regularization: float = 0.01,
    iterations: int = 100,
    random_seed: int = 42,
    progress: Progress | None = None,
) -> Factors:
    """Factors by BPR: stochastic steps on (user, item taken, item drawn from the log's events).

    One thread: several write the same factors at once and no two runs agree.

    Args:
        events: `user_number`, `item_number` and optionally `weight`. implicit knows no weights: an event is copied, and drawn,
            in proportion to its weight, and the number of steps stays that of the log.

    Raises:
        LlmI2iError: A setting is out of range, the events do not fit, or implicit is not installed.
    """
    check_setting("factors", factors, WHERE, low=1)
    check_setting("learning_rate", learning_rate, WHERE, low=0, above=True)
    check_setting("regularization", regularization, WHERE, low=0)
    check_setting("iterations", iterations, WHERE, low=1)
    log = read_events(events, WHERE)
    try:
        from implicit.cpu.bpr import BayesianPersonalizedRanking
        from scipy.sparse import csr_matrix
    except ModuleNotFoundError as error:
        raise missing_package(error, WHERE) from error

    users, items, epochs = _copies(log, iterations)
    order = np.lexsort((items, users))  # sorted here: scipy would merge the copies
    starts = np.zeros(len(log.user_numbers) + 1, np.int32)
    np.cumsum(np.bincount(users, minlength=len(log.user_numbers)), out=starts[1:])
    matrix = csr_matrix(
        (np.ones(len(users), np.float32), items[order].astype(np.int32), starts),
        shape=(len(log.user_numbers), len(log.item_numbers)),
    )
    model = BayesianPersonalizedRanking(
        factors=factors,
        learning_rate=learning_rate,
        regularization=regularization,
        iterations=epochs,
        num_threads=1,
        random_state=random_seed,
    )

    def report(epoch: int, elapsed: float, correct: int, skipped: int) -> None:
        if progress is not None:
            share = correct / max(1, len(users) - skipped)
            progress(epoch + 1, epochs, f"{share:.1%} of drawn pairs in order")

    model.fit(matrix, show_progress=False, callback=report)
    return Factors(log.user_numbers, model.user_factors, log.item_numbers, model.item_factors)


def _copies(log: Events, iterations: int) -> tuple[Ints, Ints, int]:
    """Users and items with each event as often as it weighs, and the passes over them that make as many steps as before."""
    if np.all(log.weights == log.weights[0]):
        return log.users, log.items, iterations
    times = np.rint(COPIES * log.weights).astype(np.int64)
    passes = max(1, round(iterations * len(log) / times.sum()))
    return np.repeat(log.users, times), np.repeat(log.items, times), passes
