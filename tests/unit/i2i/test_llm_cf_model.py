"""LLM-CF's native model: which examples a row reads, and that they reach the user vector and the loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from llm_i2i.i2i.youtube_dnn import Settings

pytest.importorskip("torch")

from llm_i2i.i2i import llm_cf_model
from llm_i2i.i2i.llm_cf_model import (
    NO,
    NO_EXAMPLE,
    NOTHING,
    YES,
    ReasoningSet,
    nearest_examples,
    train_llm_cf,
)

TEXTS = np.array([[0, 0], [1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32)  # row 0: padding


def reasoning_set(*rows: tuple[int, list[float], int]) -> ReasoningSet:
    """Rows (user, text of the history, label) behind the empty one."""
    count = len(rows) + 1
    return ReasoningSet(
        users=np.array([99, *(r[0] for r in rows)]),
        histories=np.zeros((count, 2), np.int32),
        items=np.zeros(count, np.int64),
        labels=np.array([NOTHING, *(r[2] for r in rows)]),
        history_texts=np.array([[0, 0], *(r[1] for r in rows)], dtype=np.float32),
        item_texts=np.zeros((count, 2), np.float32),
        reasonings=np.zeros((count, 2), np.float32),
    )


def context(rows: ReasoningSet, user: int, history: list[int]) -> list[int]:
    found = nearest_examples(np.array([user]), np.array([history], np.int32), rows, TEXTS, "cosine")
    return found[0].tolist()


def test_two_of_each_answer_best_first_and_none_of_the_own():
    rows = reasoning_set(
        (7, [1, 0], YES), (0, [1, 0], YES), (7, [0, 1], YES), (8, [0.9, 0.1], YES), (8, [1, 0], NO)
    )
    assert context(rows, 0, [1, 0]) == [1, 4, 5, NO_EXAMPLE]
    assert context(rows, 8, [1, 0]) == [1, 2, NO_EXAMPLE, NO_EXAMPLE]
    # The mean of both items' texts; ties go to the earlier row.
    assert context(rows, 5, [1, 2])[:2] == [4, 1]


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch):
    draw = np.random.default_rng(0)
    rows = reasoning_set(
        *(
            (int(draw.integers(6)), draw.random(2).tolist(), int(draw.integers(2)))
            for _ in range(40)
        )
    )
    users, histories = draw.integers(6, size=30), draw.integers(4, size=(30, 2)).astype(np.int32)
    whole = nearest_examples(users, histories, rows, TEXTS, "cosine")
    monkeypatch.setattr(llm_cf_model, "SCORED_AT_ONCE", 1)
    np.testing.assert_array_equal(nearest_examples(users, histories, rows, TEXTS, "cosine"), whole)


def log(users: int = 24) -> dict[str, Any]:
    """Users walk through items of one of two groups."""
    events = [
        {"user_number": u, "item_number": (u // 2 + k) % 6 + 6 * (u % 2), "position": k}
        for u in range(users)
        for k in range(4)
    ]
    examples = [
        {
            "user_number": u,
            "item_number": (u // 2 + 3) % 6 + 6 * (yes == (u % 2)),
            "answer": "Yes" if yes else "No",
            "history": [(u // 2 + k) % 6 + 6 * (u % 2) for k in range(3)],
            "embedding": [1.0, 0.0, 0.0] if yes else [0.0, 1.0, 0.0],
        }
        for u in range(0, users, 2)
        for yes in (1, 0)
    ]
    texts = [[1.0, 0.1 * (i % 6), 0.0] if i < 6 else [0.0, 0.1 * (i % 6), 1.0] for i in range(12)]
    queries = [
        {"number": u, "user_number": u, "history": [(u // 2) % 6 + 6 * (u % 2)]} for u in range(4)
    ]
    return {
        "events": pa.Table.from_pylist(events),
        "examples": pa.Table.from_pylist(examples),
        "embeddings": pa.table({"item_number": range(12), "embedding": texts}),
        "queries": pa.Table.from_pylist(queries),
    }


QUICK = Settings(dimensions=8, history=4, negatives=6, epochs=4, batch_size=8, validation_share=0)


def vectors(tables: dict[str, Any], **changes: Any) -> np.ndarray:
    tables = {**tables, **{k: v for k, v in changes.items() if k in tables}}
    options = {k: v for k, v in changes.items() if k not in tables}
    found = train_llm_cf(
        tables["events"], tables["examples"], tables["embeddings"], QUICK, queries=tables["queries"], **options
    )  # fmt: skip
    assert found.items.shape == (12, 8)
    assert all(np.isfinite(epoch.loss) for epoch in found.epochs)
    assert found.epochs[-1].loss < found.epochs[0].loss
    return found.queries


def test_equal_input_gives_equal_vectors_and_examples_reach_them():
    tables = log()
    first = vectors(tables)
    assert first.shape == (4, 8)
    np.testing.assert_array_equal(first, vectors(tables))
    answers = ["No" if a == "Yes" else "Yes" for a in tables["examples"]["answer"].to_pylist()]
    flipped = tables["examples"].set_column(2, "answer", pa.array(answers))
    assert np.abs(vectors(tables, examples=flipped) - first).max() > 1e-4


def test_the_reasoning_is_reconstructed():
    tables = log()
    with_loss = train_llm_cf(
        tables["events"], tables["examples"], tables["embeddings"], QUICK,
        queries=tables["queries"], reconstruction_weight=1.0,
    )  # fmt: skip
    without = train_llm_cf(
        tables["events"], tables["examples"], tables["embeddings"], QUICK,
        queries=tables["queries"], reconstruction_weight=0.0,
    )  # fmt: skip
    # A cosine's loss: between 0 and 2 of it, and it falls.
    extra = [a.loss - b.loss for a, b in zip(with_loss.epochs, without.epochs, strict=True)]
    assert 0 < extra[-1] < extra[0] < 2
    # Without a reasoning there is nothing to reconstruct.
    nothing = pa.array([None] * len(tables["examples"]), pa.list_(pa.float64()))
    mute = tables["examples"].set_column(4, "embedding", nothing)
    np.testing.assert_array_equal(
        vectors(tables, examples=mute, reconstruction_weight=1.0),
        vectors(tables, examples=mute, reconstruction_weight=0.0),
    )


def test_no_examples_at_all():
    tables = log()
    assert vectors(tables, examples=tables["examples"].slice(0, 0)).shape == (4, 8)
