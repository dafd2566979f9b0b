"""`embed_text(text, model := 'folder/of/an/encoder')`: where a pretrained model places a text; `nearest_items` of such vectors."""

from __future__ import annotations

import pyarrow as pa

from llm_i2i.errors import LlmI2iError
from llm_i2i.i2i import nearest
from llm_i2i.lm.backend import RowsFailed
from llm_i2i.lm.serving import ServingSettings
from llm_i2i.lm.texts import open_encoder
from llm_i2i.udf import RowError, UdfContext, batch_udf, table_udf


@batch_udf(returns="FLOAT[]", batch_size=512)
def embed_text(
    text: list[str],
    *,
    model: str,
    pooling: str = "mean",
    server: str | None = None,
    context: UdfContext,
) -> list[list[float] | RowError]:
    """A vector of length 1 for each text: `list_dot_product` of two is their cosine. Zero for a text without words.

    Args:
        model: A folder (relative to the project) or hub name of a sentence encoder or a causal model of transformers, a .gguf file,
            `package:NAME/FILE`, or `fake` for tests; with `server` the model's name there.
        pooling: `mean` of the states of a text's tokens, or `last`, the state of the last one (causal models that embed texts).
        server: Entry of `language_models` whose `serving` says how an OpenAI-compatible server of embeddings is reached.
    """
    failed: dict[int, RowError] = {}
    encoder = open_encoder(
        model, pooling=pooling, server=_serving(server, context), base_dir=context.project_dir
    )
    try:
        vectors = encoder.embed(text)
    except RowsFailed as some:
        vectors, failed = some.answers, some.row_errors()
    return [failed.get(row) or vector for row, vector in enumerate(vectors.tolist())]


@table_udf(
    returns={"number": "BIGINT", "item_number": "INTEGER", "score": "DOUBLE", "rank": "INTEGER"}
)
def nearest_items(
    queries: pa.Table, *, items: pa.Table, n: int = 200, measure: str = "dot"
) -> pa.Table:
    """The `n` items of the largest inner product or cosine with each query; ties by the smaller number.

    Args:
        queries: `number`, `vector` and optionally `excluded`, a list of item numbers.
        items: `number`, `vector`.
        measure: dot or cosine.
    """
    return nearest.nearest_items(queries, items, n=n, measure=measure)


def _serving(entry: str | None, context: UdfContext) -> ServingSettings | None:
    if entry is None:
        return None
    if entry not in context.serving:
        raise LlmI2iError(
            f"no entry {entry!r} of language_models has a section serving:",
            where="text_encoder_server",
            found=", ".join(context.serving) or "none has one",
            fix="add an entry with serving: {base_url: ..., api_key_env: ...}",
        )
    return ServingSettings.model_validate(context.serving[entry])
