"""`from gradient_boosting_scores((select is_hit, ...), candidates := (select ...))`: what a strong classifier makes of the signals."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from llm_i2i.errors import LlmI2iError
from llm_i2i.udf import UdfContext, table_udf


@table_udf(returns={"user_number": "BIGINT", "item_number": "BIGINT", "confidence": "DOUBLE"})
def gradient_boosting_scores(
    examples: pa.Table,
    *,
    candidates: pa.Table,
    random_seed: int = 42,
    context: UdfContext,
) -> pa.Table:
    """P(hit) of each candidate, in [0, 1], by histogram gradient boosting (scikit-learn).

    Early stopping on a tenth of the examples; slow learning rate, small trees, so that it is a bar and not a tuned contender.

    Args:
        examples: `is_hit` and one numeric column a signal, in an order that a rerun repeats.
        candidates: `user_number`, `item_number` and the same signals.
    """
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
    except ImportError as error:
        raise LlmI2iError(
            "gradient_boosting_scores needs scikit-learn, which is not installed.",
            where="udfs/boosting.py",
            fix="pip install 'llm_i2i[reference]', or set gradient_boosting_reference to false",
        ) from error
    signals = [name for name in examples.column_names if name != "is_hit"]
    hits = examples["is_hit"].to_numpy(zero_copy_only=False).astype(np.int8)
    if len(np.unique(hits)) < 2:
        raise LlmI2iError(
            "Gradient boosting needs both hits and misses to learn from.",
            where="the first argument of gradient_boosting_scores",
            found=f"{int(hits.sum())} hits in {len(hits)} rows",
            fix="generate more candidates per user, or set gradient_boosting_reference to false",
        )
    model = HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_iter=300,
        max_leaf_nodes=31,
        min_samples_leaf=50,
        l2_regularization=1.0,
        early_stopping=True,
        random_state=random_seed,
    )
    model.fit(_matrix(examples, signals), hits)
    context.progress(1, 1, f"{model.n_iter_} trees")
    return pa.table(
        {
            "user_number": candidates["user_number"].cast(pa.int64()),
            "item_number": candidates["item_number"].cast(pa.int64()),
            "confidence": model.predict_proba(_matrix(candidates, signals))[:, 1],
        }
    )


def _matrix(rows: pa.Table, columns: list[str]) -> np.ndarray:
    """The columns as float32, shape (rows, columns); what is missing is NaN, which boosting handles."""
    return np.column_stack(
        [rows[name].to_numpy(zero_copy_only=False).astype(np.float32) for name in columns]
    )
