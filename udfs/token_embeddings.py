"""`token_embeddings(item_token, model := (select max(checkpoint) from ...))`: where a language model places an item."""

from __future__ import annotations

from llm_i2i.lm import checkpoint_embeddings
from llm_i2i.udf import UdfContext, batch_udf


@batch_udf(returns="FLOAT[]", batch_size=65536)
def token_embeddings(
    item_token: list[str],
    *,
    model: str,
    context: UdfContext,
) -> list[list[float]]:
    """Unit embedding of each item token, read from the checkpoint: `list_dot_product` of two is their cosine.

    Args:
        model: The `checkpoint` value of a fine-tuned model.
    """
    folder = context.resolve(model)
    return checkpoint_embeddings.token_embeddings(folder, item_token).tolist()  # type: ignore[no-any-return]
