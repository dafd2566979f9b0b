"""`from svd_embeddings((select item_id ...), terms := (...), events := (...))`: a vector for each item, from text and behaviour."""

from __future__ import annotations

import pyarrow as pa

from llm_i2i.lm import embeddings
from llm_i2i.udf import table_udf


@table_udf(returns={"item_id": "VARCHAR", "embedding": "FLOAT[]"})
def svd_embeddings(
    items: pa.Table,
    *,
    terms: pa.Table | None = None,
    events: pa.Table | None = None,
    size: int = 64,
    random_seed: int = 42,
) -> pa.Table:
    """SVD of the items' TF-IDF terms beside the SVD of their positive PMI, each half of length 1 (zero where nothing is known).

    Args:
        items: `item_id`, as text.
        terms: `item_id`, `name`, `weight`: one row a term of an item.
        events: `user_id`, `item_id`: one row an event of the log. Train part only, or held-out events leak.
        size: Numbers in a vector.
    """
    vectors = embeddings.svd_embeddings(items, terms, events, size, random_seed)
    return pa.table({"item_id": items.column("item_id"), "embedding": list(vectors)})
