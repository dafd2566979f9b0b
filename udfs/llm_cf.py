"""LLM-CF (project/docs/llm_cf.md): text embeddings, reasoning written by a language model, its worth, and in-context retrieval."""

from __future__ import annotations

from functools import partial

import numpy as np
import pyarrow as pa

from llm_i2i.errors import LlmI2iError
from llm_i2i.i2i.llm_cf import (
    SCORES,
    Examples,
    example_keys,
    mean_embeddings,
    reasoning_scores,
    retrieve_items,
)
from llm_i2i.i2i.llm_cf_model import train_llm_cf
from llm_i2i.i2i.youtube_dnn import Settings
from llm_i2i.lm.backend import RowsFailed, wait_without_spinning
from llm_i2i.lm.open import open_backend
from llm_i2i.lm.texts import TextEmbedder
from llm_i2i.udf import RowError, UdfContext, batch_udf, table_udf


@table_udf(returns={"item_number": "BIGINT", "embedding": "FLOAT[]"})
def embed_texts(
    items: pa.Table,
    *,
    encoder: str | None = None,
    size: int = 256,
    random_seed: int = 42,
    context: UdfContext,
) -> pa.Table:
    """A unit vector for the text of each item; zero where no word of it is in another item's text.

    Args:
        items: `item_number`, `text`.
        encoder: Folder or name of a sentence encoder of transformers; null: TF-IDF and SVD over the texts themselves.
        size: Numbers in a vector under TF-IDF.
    """
    texts = items["text"].to_pylist()
    embed = TextEmbedder(
        texts, encoder=encoder, size=size, random_seed=random_seed, base_dir=context.project_dir
    )
    return pa.table(
        {
            "item_number": items["item_number"].cast(pa.int64()),
            "embedding": list(embed(texts).astype(np.float32)),
        }
    )


@batch_udf(returns="VARCHAR[]", batch_size=256)
def write_reasoning(
    prompt: list[str],
    *,
    n: int = 3,
    temperature: float = 0.6,
    top_k: int = 50,
    max_tokens: int = 256,
    random_seed: int = 42,
    model: str,
    backend: str | None = None,
    context: UdfContext,
) -> list[list[str] | RowError]:
    """`n` texts that the language model writes behind each prompt, sampled; equal arguments, equal texts.

    Args:
        model: The `checkpoint` value of a fine-tuned model that has a tokenizer; one with item tokens alone cannot write.
        backend: What runs it: `transformers`, `vllm`, `openai`, or `fake` for tests; null: as its language model says.
    """
    failed: dict[int, RowError] = {}
    try:
        texts = open_backend(context, model, backend).generate_text(
            prompt, n, temperature=temperature, top_k=top_k, max_tokens=max_tokens, seed=random_seed
        )
    except RowsFailed as some:
        texts, failed = some.answers, some.row_errors()
    return [failed.get(row) or list(found) for row, found in enumerate(texts)]


@table_udf(
    returns={
        "example_number": "BIGINT",
        "sample": "BIGINT",
        **dict.fromkeys(SCORES, "DOUBLE"),
        "score": "DOUBLE",
        "embedding": "FLOAT[]",
    }
)
def score_reasoning(
    reasonings: pa.Table,
    *,
    corpus: pa.Table,
    encoder: str | None = None,
    size: int = 256,
    random_seed: int = 42,
    context: UdfContext,
) -> pa.Table:
    """What each reasoning is worth: the mean of its four scores, each a cosine or a mean of cosines, at most 1.

    Args:
        reasonings: `example_number`, `sample`, `reasoning`, `history` (text of the history), `answer` (Yes or No).
        corpus: `text` of the items, as `embed_texts` had it: embeddings of both are then comparable.
    """
    texts = corpus["text"].to_pylist()
    embed = TextEmbedder(
        texts, encoder=encoder, size=size, random_seed=random_seed, base_dir=context.project_dir
    )
    columns = (reasonings[name].to_pylist() for name in ("reasoning", "history", "answer"))
    scores, embeddings = reasoning_scores(*columns, embed)
    return pa.table(
        {
            "example_number": reasonings["example_number"].cast(pa.int64()),
            "sample": reasonings["sample"].cast(pa.int64()),
            **{name: scores[:, column] for column, name in enumerate(SCORES)},
            "score": scores.mean(axis=1),
            "embedding": list(embeddings.astype(np.float32)),
        }
    )


@table_udf(
    returns={
        "user_number": "BIGINT",
        "item_number": "BIGINT",
        "choice": "BIGINT",
        "similarity": "DOUBLE",
        "example_number": "BIGINT",
    }
)
def retrieve_examples(
    queries: pa.Table,
    *,
    examples: pa.Table,
    known: pa.Table,
    embeddings: pa.Table,
    reasoning_weight: float = 0.0,
    similarity: str = "cosine",
) -> pa.Table:
    """For each user the items of the most similar examples of other users, as many as wanted, best first.

    Args:
        queries: `user_number`, `history` (item numbers), `n_wanted`.
        examples: `example_number`, `user_number`, `item_number`, `history`, and `embedding` of the reasoning, null for none.
            Order settles ties: sort it.
        known: `user_number`, `item_number` pairs that are not to be found again.
        embeddings: `item_number` (0, 1, ... in order), `embedding`.
        reasoning_weight: Share of the reasoning in what a history is compared with; the rest is the example's history.
        similarity: `cosine`, or `dot` for the product of the means as they are.
    """
    vectors = np.array(embeddings["embedding"].to_pylist(), dtype=np.float64)
    if not np.any(vectors):
        raise LlmI2iError(
            "LLM-CF compares histories by their items' text, and no item has text",
            where="retrieve_examples.embeddings",
            found=f"{len(vectors):,} items without a word that two of them share",
            fix="name a file of item text in var items, or set llm_cf to false",
        )
    mean = partial(mean_embeddings, embeddings=vectors)
    histories = mean(examples["history"].to_pylist())
    nothing = [0.0] * vectors.shape[1]
    reasonings = np.array([row or nothing for row in examples["embedding"].to_pylist()]).reshape(
        len(histories), -1
    )
    users = queries["user_number"].to_numpy(zero_copy_only=False).astype(np.int64)
    found = retrieve_items(
        mean(queries["history"].to_pylist()),
        users,
        queries["n_wanted"].to_numpy(zero_copy_only=False).astype(np.int64),
        Examples(
            examples["user_number"].to_numpy(zero_copy_only=False).astype(np.int64),
            examples["item_number"].to_numpy(zero_copy_only=False).astype(np.int64),
            example_keys(histories, reasonings, reasoning_weight, similarity),
        ),
        _known_items(users, known),
    )
    numbers = examples["example_number"].to_numpy(zero_copy_only=False).astype(np.int64)
    return pa.table(
        {
            "user_number": users[found.queries],
            "item_number": found.items,
            "choice": found.choices,
            "similarity": found.similarities.astype(np.float64),
            "example_number": numbers[found.examples],
        }
    )


@table_udf(returns={"kind": "VARCHAR", "number": "BIGINT", "vector": "FLOAT[]"})
def llm_cf_tower(
    events: pa.Table,
    *,
    examples: pa.Table,
    embeddings: pa.Table,
    queries: pa.Table,
    similarity: str = "cosine",
    reconstruction_weight: float = 1.0,
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
    random_seed: int = 2023,
    context: UdfContext,
) -> pa.Table:
    """YoutubeDNN with LLM-CF's in-context module: a vector for each item and each query (kind item, query); score = inner product.

    Args:
        events: As the UDF `youtube_dnn` takes them. Train part only.
        examples: `user_number`, `item_number`, `answer`, `history`, `embedding` (of the reasoning, null for none). Order settles ties.
        embeddings: `item_number` (0, 1, ... in order), `embedding`.
        queries: `number`, `user_number`, `history` (item numbers, oldest first).
    """
    wait_without_spinning()
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
        random_seed=random_seed,
    )
    found = train_llm_cf(
        events,
        examples,
        embeddings,
        settings,
        queries=queries,
        similarity=similarity,
        reconstruction_weight=reconstruction_weight,
        progress=context.progress,
    )
    kinds = ["item"] * len(found.items) + ["query"] * len(found.queries)
    return pa.table(
        {
            "kind": pa.array(kinds, pa.string()),
            "number": np.concatenate([found.item_numbers, found.query_numbers]),
            "vector": list(np.concatenate([found.items, found.queries])),
        }
    )


def _known_items(users: np.ndarray, known: pa.Table) -> list[np.ndarray]:
    """The items that each of `users` knows."""
    owners = known["user_number"].to_numpy(zero_copy_only=False).astype(np.int64)
    order = np.argsort(owners, kind="stable")
    items = known["item_number"].to_numpy(zero_copy_only=False).astype(np.int64)[order]
    begins = np.searchsorted(owners[order], users, side="left")
    ends = np.searchsorted(owners[order], users, side="right")
    return [items[begin:end] for begin, end in zip(begins, ends, strict=True)]
