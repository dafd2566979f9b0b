"""Table UDFs around the recommenders of `llm_i2i.i2i`: `bm25`, `bpr`, `youtube_dnn`."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from llm_i2i.i2i import bm25 as bm25_module
from llm_i2i.i2i import bpr as bpr_module
from llm_i2i.i2i.youtube_dnn import Settings, train_towers
from llm_i2i.udf import UdfContext, table_udf

VECTORS = {"kind": "VARCHAR", "number": "BIGINT", "vector": "FLOAT[]"}


@table_udf(returns={"item_number": "INTEGER", "related_item_number": "INTEGER", "score": "DOUBLE"})
def bm25(
    events: pa.Table,
    *,
    weighting: str = "bm25",
    neighbours: int = 20,
    k1: float = 1.2,
    b: float = 0.75,
    catalogue: int = 0,
) -> pa.Table:
    """The items most similar to each item by its users, itself included (implicit's nearest neighbours).

    Args:
        events: `user_number`, `item_number` and optionally `weight`; any order.
        weighting: bm25, tfidf or cosine.
        neighbours: Of an item, itself included.
        catalogue: Items there are, those without an event too.
    """
    return bm25_module.neighbours(
        events, weighting=weighting, k=neighbours, k1=k1, b=b, catalogue=catalogue
    )


@table_udf(returns=VECTORS)
def bpr(
    events: pa.Table,
    *,
    factors: int = 100,
    learning_rate: float = 0.01,
    regularization: float = 0.01,
    iterations: int = 100,
    random_seed: int = 42,
    context: UdfContext,
) -> pa.Table:
    """A vector for each user and item (kind user, item), the last number the item's bias (users: 1); score = inner product.

    Args:
        events: `user_number`, `item_number` and optionally `weight`; any order.
    """
    found = bpr_module.factorise(
        events,
        factors=factors,
        learning_rate=learning_rate,
        regularization=regularization,
        iterations=iterations,
        random_seed=random_seed,
        progress=context.progress,
    )
    return pa.concat_tables(
        [
            _vectors("user", found.user_numbers, found.users),
            _vectors("item", found.item_numbers, found.items),
        ]
    )


@table_udf(returns=VECTORS)
def youtube_dnn(
    events: pa.Table,
    *,
    queries: pa.Table | None = None,
    dimensions: int = 64,
    history: int = 20,
    negatives: int = 128,
    log_q: bool = False,
    learning_rate: float = 0.001,
    weight_decay: float = 0.00001,
    batch_size: int = 256,
    epochs: int = 50,
    min_epochs: int = 10,
    patience: int = 2,
    validation_share: float = 0.1,
    inject_history: bool = False,
    random_seed: int = 2023,
    context: UdfContext,
) -> pa.Table:
    """A vector for each item and each query (kind item, query); score = inner product. See `llm_i2i.i2i.youtube_dnn`.

    Args:
        events: `user_number`, `item_number`, `position` and optionally `weight` and `origin`; any order. Train part only.
        queries: `number`, `user_number`, `history` (list of item numbers, oldest first): whom to make a vector for.
    """
    settings = Settings(
        dimensions=dimensions,
        history=history,
        negatives=negatives,
        log_q=log_q,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        batch_size=batch_size,
        epochs=epochs,
        min_epochs=min_epochs,
        patience=patience,
        validation_share=validation_share,
        inject_history=inject_history,
        random_seed=random_seed,
    )
    found = train_towers(events, settings, queries=queries, progress=context.progress)
    return pa.concat_tables(
        [
            _vectors("item", found.item_numbers, found.items),
            _vectors("query", found.query_numbers, found.queries),
        ]
    )


def _vectors(kind: str, numbers: np.ndarray, vectors: np.ndarray) -> pa.Table:
    flat = pa.array(np.ascontiguousarray(vectors, np.float32).ravel())
    lists = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]).cast(pa.list_(pa.float32()))
    kinds = pa.array([kind] * len(numbers), pa.string())  # typed: there may be none
    return pa.table({"kind": kinds, "number": numbers, "vector": lists})
