"""`generate_items(prompt, n := 20, model := (select max(checkpoint) from ...))`: the items a shopper may want next."""

from __future__ import annotations

from llm_i2i.lm.backend import backend_for
from llm_i2i.udf import UdfContext, batch_udf


@batch_udf(returns="STRUCT(item_token VARCHAR, log_probability DOUBLE)[]", batch_size=2048)
def generate_items(
    prompt: list[str],
    *,
    n: int = 20,
    model: str,
    backend: str = "transformers",
    context: UdfContext,
) -> list[list[dict[str, str | float]]]:
    """The `n` most probable next items of each prompt, best first; items of the prompt are left out, only valid ids come.

    Args:
        model: The `checkpoint` value of a fine-tuned model.
        backend: What runs it: `transformers`, or `fake` for tests.
    """
    language_model = backend_for(context.resolve(model), backend)
    return [
        [{"item_token": token, "log_probability": value} for token, value in items]
        for items in language_model.top_items(prompt, n)
    ]
