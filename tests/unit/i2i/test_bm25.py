"""BM25, TF-IDF and cosine against implicit itself and against ten lines of numpy."""

from __future__ import annotations

import math
import sys
import warnings
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.i2i.bm25 import neighbours

pytest.importorskip("implicit")


def log(seed: int = 1, users: int = 40, items: int = 25) -> pa.Table:
    """Events with gaps in the numbers of users and items and with unequal weights, in no order."""
    draw = np.random.default_rng(seed)
    taken = np.argwhere(draw.random((users, items)) < 0.15)
    draw.shuffle(taken)
    weights = draw.choice([0.3, 1.0, 2.0], len(taken))
    return pa.table(
        {
            "user_number": taken[:, 0] * 3 + 5,
            "item_number": taken[:, 1] * 2 + 7,
            "weight": weights,
        }
    )


def scores(table: pa.Table) -> dict[tuple[int, int], float]:
    return {(r["item_number"], r["related_item_number"]): r["score"] for r in table.to_pylist()}


def dense(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Counts, shape (items, users), and the items' numbers."""
    users, items = np.unique(table["user_number"]), np.unique(table["item_number"])
    counts = np.zeros((len(items), len(users)))
    for row in table.to_pylist():
        place = np.searchsorted(items, row["item_number"])
        counts[place, np.searchsorted(users, row["user_number"])] = row["weight"]
    return counts, items


def plain_bm25(counts: np.ndarray, k1: float, b: float) -> np.ndarray:
    """Items are documents, users are words: the Gram matrix of the BM25 weights."""
    idf = math.log(len(counts)) - np.log1p((counts > 0).sum(axis=0))
    length = counts.sum(axis=1, keepdims=True)
    norm = 1 - b + b * length / length.mean()
    weighted = counts * (k1 + 1) / (k1 * norm + counts) * idf
    return weighted @ weighted.T


@pytest.mark.parametrize(("k1", "b"), [(1.2, 0.75), (100.0, 0.0), (0.01, 1.0)])
def test_bm25_is_its_formula(k1: float, b: float) -> None:
    counts, items = dense(log())
    wanted = plain_bm25(counts, k1, b)
    found = scores(neighbours(log(), k=1000, k1=k1, b=b))
    assert len(found) == np.count_nonzero(np.abs(wanted) > 1e-12)
    for (item, related), score in found.items():
        i, j = np.searchsorted(items, [item, related])
        assert score == pytest.approx(wanted[i, j], rel=1e-9)


@pytest.mark.parametrize("weighting", ["bm25", "tfidf", "cosine"])
@pytest.mark.parametrize("catalogue", [0, 60])
def test_it_gives_what_implicit_gives(weighting: str, catalogue: int) -> None:
    from implicit import nearest_neighbours
    from scipy.sparse import csr_matrix

    counts, items = dense(log())
    empty = np.zeros((max(0, catalogue - len(counts)), counts.shape[1]))
    matrix = csr_matrix(np.vstack((counts, empty)).T)
    model: Any = {
        "bm25": nearest_neighbours.BM25Recommender(K=5, K1=1.2, B=0.75),
        "tfidf": nearest_neighbours.TFIDFRecommender(K=5),
        "cosine": nearest_neighbours.CosineRecommender(K=5),
    }[weighting]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(matrix, show_progress=False)
    found = scores(neighbours(log(), weighting=weighting, k=5, catalogue=catalogue))
    wanted = model.similarity.tocoo()
    assert found == {
        (items[i], items[j]): pytest.approx(score, rel=1e-12)
        for i, j, score in zip(wanted.row, wanted.col, wanted.data, strict=True)
        if score != 0 and np.isfinite(score)
    }


def test_the_item_itself_is_among_its_k_neighbours() -> None:
    found = scores(neighbours(log(), k=3))
    counts = np.bincount([item for item, _ in found])
    assert counts.max() == 3
    assert all((item, item) in found for item, _ in found)


def test_empty_documents_count_and_weights_count() -> None:
    base = neighbours(log())
    assert not base.equals(neighbours(log(), catalogue=500))
    unweighted = log().drop_columns(["weight"])
    assert not base.equals(neighbours(unweighted))
    assert base.equals(neighbours(log()))
    assert scores(base) == scores(neighbours(log().take(np.arange(len(log()))[::-1])))


def test_a_log_where_every_item_has_every_user_has_no_nan() -> None:
    rows = [(u, i) for u in range(3) for i in range(4)]
    events = pa.table({"user_number": [u for u, _ in rows], "item_number": [i for _, i in rows]})
    for weighting in ("bm25", "tfidf", "cosine"):
        found = neighbours(events, weighting=weighting)["score"].to_numpy()
        assert np.isfinite(found).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"k": 0}, "k must be at least 1"),
        ({"k1": -1.0}, "k1 must be at least 0"),
        ({"b": 1.5}, "b must be at least 0 and at most 1"),
        ({"b": math.nan}, "b must be"),
        ({"weighting": "jaccard"}, "weighting must be one of bm25, tfidf, cosine"),
    ],
)
def test_bad_settings(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(LlmI2iError, match=message):
        neighbours(log(), **changes)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pa.table({"user_number": [1]}), "lacks column 'item_number'"),
        (pa.table({"user_number": [1, None], "item_number": [1, 2]}), "has nulls"),
        (pa.table({"user_number": [1], "item_number": [1], "weight": [-1.0]}), "from 0 up"),
        (pa.table({"user_number": [1], "item_number": [1], "weight": [0.0]}), "no event"),
    ],
)
def test_bad_events(table: pa.Table, message: str) -> None:
    with pytest.raises(LlmI2iError, match=message):
        neighbours(table)


def test_without_implicit_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "implicit", None)
    with pytest.raises(LlmI2iError, match=r"pip install 'llm_i2i\[local\]'"):
        neighbours(log())
