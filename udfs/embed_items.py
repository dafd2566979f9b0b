"""`embed_items(item_token, model := (select max(checkpoint) from ...))`: where a language model places an item."""

from __future__ import annotations

from llm_i2i.lm.checkpoint_embeddings import item_embeddings
from llm_i2i.udf import UdfContext, batch_udf


@batch_udf(returns="FLOAT[]", batch_size=65536)
def embed_items(
    item_token: list[str],
    *,
    model: str,
    context: UdfContext,
) -> list[list[float]]:
    """Unit embedding of each item token, read from the checkpoint: `list_dot_product` of two is their cosine.

    Args:
        model: The `checkpoint` value of a fine-tuned model.
    """
    return item_embeddings(context.resolve(model), item_token).tolist()  # type: ignore[no-any-return]
