"""Side features of items, summed into their embeddings while training and folded away when the checkpoint is saved."""
# ruff: noqa: TID253  -- this folder owns these packages; it is imported only when a model runs.

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from scipy import sparse
from torch import Tensor, nn
from torch.nn import functional

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.items import FIRST_ITEM, Vocabulary
from llm_i2i.lm.settings import FromSizesSettings

WHERE = "fine_tune.items"


@dataclass(frozen=True)
class ItemFeatures:
    """The kept features of each item, padded: `columns` and `weights` have shape (n_items, width); weight 0 is padding."""

    names: tuple[str, ...]
    columns: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32]


def item_features(
    items: pa.Table | None, vocabulary: Vocabulary, settings: FromSizesSettings
) -> ItemFeatures | None:
    """Features of the items: the heaviest `max_features_per_item` each, L2-normalised; None where there are none.

    Args:
        items: Columns `item_token` and `features`, a list of structs (name VARCHAR, weight DOUBLE); null lists are empty.

    Raises:
        LlmI2iError: `features` is not such a list, or a weight is not finite.
    """
    if items is None or "features" not in items.column_names or settings.max_features_per_item == 0:
        return None
    lists = _feature_lists(items)
    kept = _keep(lists, settings)
    names = tuple(sorted({name for features in kept for name, _ in features}))
    if not names:
        return None
    index = {name: column for column, name in enumerate(names)}
    width = max(len(features) for features in kept)
    columns = np.zeros((vocabulary.n_items, width), dtype=np.int64)
    weights = np.zeros((vocabulary.n_items, width), dtype=np.float32)
    # `items` lists its items first and in order, see `vocabulary_for`.
    for row, features in enumerate(kept):
        columns[row, : len(features)] = [index[name] for name, _ in features]
        weights[row, : len(features)] = [weight for _, weight in features]
    norms = np.sqrt((weights**2).sum(axis=1, keepdims=True))
    return ItemFeatures(names, columns, weights / np.maximum(norms, 1e-12))


class SummedEmbedding(nn.Module):
    """Embedding of a token: its own row plus the weighted sum of its features' rows, E_i = base_i + sum_f w_if B_f.

    All rows live in one table, shape (vocabulary + features, d), base rows first. Feature rows start at zero. Input and output
    embeddings are tied: both are read here.
    """

    bag_rows: Tensor
    bag_weights: Tensor

    def __init__(self, base: Tensor, features: ItemFeatures | None) -> None:
        super().__init__()
        n_words, size = base.shape
        n_features = 0 if features is None else len(features.names)
        self.n_words = n_words
        self.table = nn.Parameter(torch.cat([base, torch.zeros(n_features, size)]))
        rows, weights = _bags(n_words, features)
        self.register_buffer("bag_rows", rows, persistent=False)
        self.register_buffer("bag_weights", weights, persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Embeddings of some token ids, shape (n,) -> (n, d); cheapest when the ids are distinct."""
        if self.bag_rows.shape[1] == 1:
            return functional.embedding(tokens, self.table)
        summed: Tensor = _WeightedSum.apply(
            self.table, self.bag_rows[tokens], self.bag_weights[tokens]
        )
        return summed

    @torch.no_grad()
    def folded(self) -> Tensor:
        """The embedding of every token as a plain table, shape (vocabulary, d)."""
        chunks = torch.arange(self.n_words).split(8192)
        return torch.cat([self.forward(chunk) for chunk in chunks])


class _WeightedSum(torch.autograd.Function):
    """Weighted sums of table rows; the gradient is one sparse product, ten times faster than an `index_add` of all summands."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor, weights: Tensor) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(rows, weights)
        ctx.shape = table.shape
        return functional.embedding_bag(rows, table, per_sample_weights=weights, mode="sum")

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        rows, weights = ctx.saved_tensors
        (gradient,) = gradients
        n, width = rows.shape
        starts = np.arange(0, n * width + 1, width)
        bags = sparse.csr_matrix(
            (weights.flatten().numpy(), rows.flatten().numpy(), starts), shape=(n, ctx.shape[0])
        )
        return torch.from_numpy(bags.T @ gradient.numpy()), None, None


def _bags(n_words: int, features: ItemFeatures | None) -> tuple[Tensor, Tensor]:
    width = 0 if features is None else features.columns.shape[1]
    rows = torch.arange(n_words)[:, None].repeat(
        1, 1 + width
    )  # padding points to the own row, with weight 0
    weights = torch.zeros(n_words, 1 + width)
    weights[:, 0] = 1.0
    if features is not None:
        items = slice(FIRST_ITEM, FIRST_ITEM + len(features.columns))
        used = torch.from_numpy(features.weights) != 0
        columns = torch.from_numpy(features.columns) + n_words
        rows[items, 1:] = torch.where(used, columns, rows[items, 1:])
        weights[items, 1:] = torch.from_numpy(features.weights)
    return rows, weights


def _feature_lists(items: pa.Table) -> list[list[tuple[str, float]]]:
    column = items.column("features")
    is_list = pa.types.is_list(column.type) or pa.types.is_large_list(column.type)
    element = column.type.value_type if is_list else None
    is_empty = pa.types.is_null(column.type) or (element is not None and pa.types.is_null(element))
    is_pair = (
        element is not None
        and pa.types.is_struct(element)
        and {"name", "weight"} <= {f.name for f in element}
    )
    if not is_pair and not is_empty:
        raise LlmI2iError(
            "features is not a list of structs (name, weight)",
            where=WHERE,
            found=str(column.type),
            fix="write list({'name': word, 'weight': tf_idf}) as features",
        )
    return [[_pair(feature) for feature in features or ()] for features in column.to_pylist()]


def _pair(feature: dict[str, Any]) -> tuple[str, float]:
    name, weight = feature["name"], feature["weight"]
    if name is None or weight is None or not math.isfinite(weight):
        raise LlmI2iError(
            "a feature has no name or no finite weight", where=WHERE, found=str(feature)
        )
    return name, float(weight)  # DuckDB writes 1.5 as a decimal


def _keep(
    lists: list[list[tuple[str, float]]], settings: FromSizesSettings
) -> list[list[tuple[str, float]]]:
    """Features carried by enough items; of these the heaviest of each item, the name breaks ties so that a rerun agrees."""
    counts = Counter(name for features in lists for name, _ in features)
    kept = []
    for features in lists:
        frequent = [f for f in features if counts[f[0]] >= settings.min_feature_items and f[1] != 0]
        kept.append(
            sorted(frequent, key=lambda f: (-abs(f[1]), f[0]))[: settings.max_features_per_item]
        )
    return kept
