"""`from semantic_ids((select item_id, embedding ...), levels := 3, codes := 256)`: code words for items, by meaning."""

from __future__ import annotations

import pyarrow as pa

from llm_i2i.lm.semantic import check_levels, code_words, embedding_matrix, semantic_codes
from llm_i2i.udf import table_udf


@table_udf(returns={"item_id": "VARCHAR", "item_token": "VARCHAR"})
def semantic_ids(
    items: pa.Table, *, levels: int = 3, codes: int = 256, random_seed: int = 42
) -> pa.Table:
    """A token such as `<a_12> <b_7> <c_201> <d_0>` for each item; alike items share their first code words.

    The last code word numbers the items that share all others, so tokens are unique and equally long.

    Args:
        items: `item_id` as text, and `embedding`, a list of numbers, equally long for all. Order settles ties: sort it.
        levels: Code words before the last one.
        codes: Different code words of a level.
    """
    check_levels(levels, codes)
    found = semantic_codes(
        embedding_matrix(items), levels=levels, codes=codes, random_seed=random_seed
    )
    return pa.table({"item_id": items.column("item_id"), "item_token": code_words(found)})
