"""`generate_items(prompt, n := 20, model := (select max(checkpoint) from ...))`: the items a shopper may want next."""

from __future__ import annotations

from llm_i2i.lm.backend import RowsFailed
from llm_i2i.lm.open import open_backend
from llm_i2i.udf import RowError, UdfContext, batch_udf


@batch_udf(returns="STRUCT(item_token VARCHAR, log_probability DOUBLE)[]", batch_size=2048)
def generate_items(
    prompt: list[str],
    *,
    n: int = 20,
    model: str,
    backend: str | None = None,
    context: UdfContext,
) -> list[list[dict[str, str | float]] | RowError]:
    """The `n` most probable next items of each prompt, best first; items of the prompt are left out, only valid ids come.

    Args:
        model: The `checkpoint` value of a fine-tuned model.
        backend: What runs it: `transformers`, `vllm`, `openai`, or `fake` for tests; null: as its language model says.
    """
    failed: dict[int, RowError] = {}
    try:
        ranked = open_backend(context, model, backend).top_items(prompt, n)
    except RowsFailed as some:
        ranked, failed = some.answers, some.row_errors()
    return [
        failed.get(row)
        or [{"item_token": token, "log_probability": value} for token, value in items]
        for row, items in enumerate(ranked)
    ]
