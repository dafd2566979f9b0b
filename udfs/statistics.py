"""`from paired_bootstrap((select ..., rank, other_rank, n_users from ...), cutoffs := [5, 10, 20])`: is an arm better than another, or lucky?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
import pyarrow as pa

from llm_i2i.statistics import bootstrap, gains
from llm_i2i.udf import table_udf

# What names a comparison: these columns come back as they went in. Change the list to compare something else.
KEYS = [
    "recommender",
    "augmentation",
    "against",
    "other_recommender",
    "other_augmentation",
    "split",
    "segment",
]
COLUMNS = dict.fromkeys(KEYS, "VARCHAR") | {
    "metric": "VARCHAR",
    "k": "INTEGER",
    "difference": "DOUBLE",
    "standard_error": "DOUBLE",
    "lower": "DOUBLE",
    "upper": "DOUBLE",
    "p_value": "DOUBLE",
    "n_users": "INTEGER",
}


@table_udf(returns=COLUMNS, is_quick=True)
def paired_bootstrap(
    ranks: pa.Table, *, cutoffs: list[int], resamples: int = 1000, random_seed: int = 1
) -> pa.Table:
    """By how much an arm's recall and NDCG exceed those of another arm: a row per comparison, metric and cutoff, in the order of `KEYS`.

    Both arms rank the same targets, one per user, so a user is drawn with both ranks: what makes a target easy for both arms cancels
    out. `llm_i2i.statistics` says how the draws are made, and what the columns from `standard_error` to `n_users` mean.

    Args:
        ranks: The columns of `KEYS`; `rank` and `other_rank`, 1 is the best and null is a miss; `n_users`, how many users have both.
            Their order does not matter.
        cutoffs: Lengths of the list, column `k`.
        resamples: Draws behind an interval.
        random_seed: All comparisons start from it, so that adding one does not change the others.
    """
    rows = []
    for comparison, here, there, n_users in _comparisons(ranks):
        for metric in ("recall", "ndcg"):
            for k in cutoffs:
                differences = gains(here, metric, k) - gains(there, metric, k)
                found = bootstrap(
                    differences, n_users, resamples=resamples, random_seed=random_seed
                )
                measure = {"metric": metric, "k": k, "difference": found.mean}
                rows.append({**comparison, **measure, **asdict(found)})
    # from_pandas: NaN, the standard error of a single user, becomes null.
    return pa.table(
        {name: pa.array([row[name] for row in rows], from_pandas=True) for name in COLUMNS}
    )


def _comparisons(
    ranks: pa.Table,
) -> Iterator[tuple[dict[str, str], np.ndarray, np.ndarray, np.ndarray]]:
    """Each comparison's keys, ranks, other ranks (infinite for a miss) and users, as arrays of equal length."""
    lists = [(name, "list") for name in ("rank", "other_rank", "n_users")]
    grouped = ranks.group_by(KEYS, use_threads=False).aggregate(lists)
    for row in grouped.sort_by([(name, "ascending") for name in KEYS]).to_batches(max_chunksize=1):
        here, there, n_users = (
            row[f"{name}_list"].flatten().cast(pa.float64()).fill_null(np.inf).to_numpy()
            for name, _ in lists
        )
        yield row.select(KEYS).to_pylist()[0], here, there, n_users.astype(np.int64)
