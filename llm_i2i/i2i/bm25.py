"""BM25, TF-IDF and cosine between items, as `implicit` has them (method.md 6.2)."""

from __future__ import annotations

import warnings

import numpy as np
import pyarrow as pa

from llm_i2i.errors import LlmI2iError
from llm_i2i.i2i.events import check_setting, missing_package, read_events

WHERE = "bm25"
WEIGHTINGS = ("bm25", "tfidf", "cosine")


def neighbours(
    events: pa.Table,
    *,
    weighting: str = "bm25",
    k: int = 20,
    k1: float = 1.2,
    b: float = 0.75,
    catalogue: int = 0,
) -> pa.Table:
    """The `k` items most similar to each item, the item itself among them as in `implicit`.

    An item is a document whose words are its users; similarity is the dot product of two items' weighted users. A user with
    every item of the log has a weight below 0, so a score may be.

    Args:
        events: `user_number`, `item_number` and optionally `weight`, the number of times the word occurs.
        weighting: bm25, tfidf or cosine.
        k: Neighbours of an item, itself included; as many as there are where there are fewer.
        k1: bm25: how soon a repeated word counts no more.
        b: bm25: how much a popular item's words count less, from 0 to 1.
        catalogue: Items there are, those without an event too: documents without words, which the document counts and the mean
            length of a document know. At least those of the events.

    Returns:
        `item_number`, `related_item_number`, `score` (not 0), ordered by the first two.

    Raises:
        LlmI2iError: A setting is out of range, the events do not fit, or implicit is not installed.
    """
    if weighting not in WEIGHTINGS:
        raise LlmI2iError(
            f"weighting must be one of {', '.join(WEIGHTINGS)}.", where=WHERE, found=repr(weighting)
        )
    check_setting("k", k, WHERE, low=1)
    check_setting("k1", k1, WHERE, low=0)
    check_setting("b", b, WHERE, low=0, high=1)
    log = read_events(events, WHERE)
    try:
        from implicit import nearest_neighbours as implicit
        from implicit.utils import ParameterWarning
        from scipy.sparse import csr_matrix
    except ModuleNotFoundError as error:
        raise missing_package(error, WHERE) from error

    # items without an event come last and are nobody's neighbours.
    shape = (len(log.user_numbers), max(catalogue, len(log.item_numbers)))
    counts = csr_matrix((log.weights, (log.users, log.items)), shape=shape)
    if weighting == "bm25":
        model = implicit.BM25Recommender(K=k, K1=k1, B=b)
    elif weighting == "tfidf":
        model = implicit.TFIDFRecommender(K=k)
    else:
        model = implicit.CosineRecommender(K=k)
    # a word that every item has weighs 0, and so may a whole item: 0 / 0 is no neighbour.
    with np.errstate(invalid="ignore", divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", ParameterWarning)  # implicit hands itself a COO matrix
        model.fit(counts, show_progress=False)
    found = model.similarity.tocoo()
    kept = np.isfinite(found.data) & (found.data != 0)
    rows, columns, scores = found.row[kept], found.col[kept], found.data[kept]
    order = np.lexsort((columns, rows))
    return pa.table(
        {
            "item_number": log.item_numbers[rows[order]],
            "related_item_number": log.item_numbers[columns[order]],
            "score": scores[order].astype(np.float64),
        }
    )
