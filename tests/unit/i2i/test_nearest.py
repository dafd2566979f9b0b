"""The nearest items against sorting all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.i2i import nearest
from llm_i2i.i2i.nearest import nearest_items


def relation(numbers: Any, vectors: Any, **columns: Any) -> pa.Table:
    return pa.table(
        {"number": numbers, "vector": [list(map(float, v)) for v in vectors], **columns}
    )


def plain(queries: pa.Table, items: pa.Table, n: int, cosine: bool) -> list[tuple[int, int, int]]:
    """All scores, sorted by score and number."""
    rows = []
    for query in queries.to_pylist():
        scored = []
        for item in items.to_pylist():
            q, v = np.array(query["vector"]), np.array(item["vector"])
            lengths = np.linalg.norm(q) * np.linalg.norm(v) if cosine else 1.0
            if item["number"] not in query.get("excluded", []):
                scored.append((-round(float(q @ v) / (lengths or 1.0), 5), item["number"]))
        for rank, (_, number) in enumerate(sorted(scored)[:n], start=1):
            rows.append((query["number"], number, rank))
    return rows


@pytest.mark.parametrize("measure", ["dot", "cosine"])
@pytest.mark.parametrize("n", [1, 5, 100])
def test_it_is_a_sort(monkeypatch: pytest.MonkeyPatch, measure: str, n: int) -> None:
    monkeypatch.setattr(nearest, "BLOCK", 4)  # several blocks, the last one short
    draw = np.random.default_rng(1)
    items = relation(draw.permutation(40)[:30], draw.integers(-2, 3, (30, 2)))  # many ties
    queries = relation(
        np.arange(10) * 7,
        draw.integers(-2, 3, (10, 2)),
        excluded=[[int(i) for i in draw.integers(0, 60, 3)] for _ in range(10)],
    )
    found = nearest_items(queries, items, n=n, measure=measure)
    rows = [(r["number"], r["item_number"], r["rank"]) for r in found.to_pylist()]
    if measure == "cosine":  # equal angles differ in the last bits: compare the scores at each rank
        wanted = plain(queries, items, n, cosine=True)
        assert [(q, k) for q, _, k in rows] == [(q, k) for q, _, k in wanted]
        angle = {
            (q, i): s
            for q, i, s in zip(
                *(
                    nearest_items(queries, items, measure="cosine")[c].to_pylist()
                    for c in ("number", "item_number", "score")
                ),
                strict=True,
            )
        }
        assert [angle[q, i] for q, i, _ in rows] == pytest.approx(
            [angle[q, i] for q, i, _ in wanted], abs=1e-5
        )
    else:
        assert rows == plain(queries, items, n, cosine=False)


def test_zero_vectors_and_nobody() -> None:
    items = relation([1, 2], [[0, 0], [1, 0]])
    found = nearest_items(relation([5], [[0, 0]]), items, measure="cosine")
    assert found["score"].to_pylist() == [0.0, 0.0]
    assert found["item_number"].to_pylist() == [1, 2]
    nobody = relation([5], [[1, 0]]).slice(0, 0)
    assert nearest_items(nobody, items).num_rows == 0
    assert nearest_items(relation([5], [[1, 0]]), items.slice(0, 0)).num_rows == 0


@pytest.mark.parametrize(
    ("query", "changes", "message"),
    [
        ([[1.0, 2.0]], {"measure": "manhattan"}, "measure must be one of dot, cosine"),
        ([[1.0, 2.0]], {"n": 0}, "n must be at least 1"),
        ([[1.0, 2.0, 3.0]], {}, "vectors of one length"),
        ([[1.0, float("nan")]], {}, "equally long lists of numbers"),
    ],
)
def test_bad_input(query: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(LlmI2iError, match=message):
        nearest_items(relation([1], query), relation([1], [[1, 1]]), **changes)
