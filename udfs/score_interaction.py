"""`score_interaction(prompt, model := (select max(checkpoint) from ...))`: how sure the discriminator is of a pair."""

from __future__ import annotations

import numpy as np

from llm_i2i.lm.backend import RowsFailed
from llm_i2i.lm.open import open_backend
from llm_i2i.udf import RowError, UdfContext, batch_udf


@batch_udf(returns="STRUCT(confidence DOUBLE, margin DOUBLE)", batch_size=16384)
def score_interaction(
    prompt: list[str],
    *,
    model: str,
    yes: str = "Yes",
    no: str = "No",
    backend: str | None = None,
    context: UdfContext,
) -> list[dict[str, float] | RowError]:
    """Confidence P(yes) against P(no), in [0, 1], and its logit margin z_yes - z_no, for each prompt (LLM-I2I, eq. 3).

    The confidence is a float32 sigmoid of the margin: it is 1.0 from a margin of some 17 on. Compare margins, or confidence
    with `>=` and a declared threshold.

    Args:
        model: The `checkpoint` value of a fine-tuned model.
        backend: What runs it: `transformers`, `vllm`, `openai`, or `fake` for tests; null: as its language model says.
    """
    failed: dict[int, RowError] = {}
    try:
        logits = open_backend(context, model, backend).label_logits(prompt, [yes, no])
    except RowsFailed as some:
        logits, failed = some.answers, some.row_errors()
    margin = logits[:, 0] - logits[:, 1]
    confidence = 0.5 * (1.0 + np.tanh(0.5 * margin))  # a sigmoid that cannot overflow
    return [
        failed.get(row) or {"confidence": c, "margin": m}
        for row, (c, m) in enumerate(zip(confidence.tolist(), margin.tolist(), strict=True))
    ]
