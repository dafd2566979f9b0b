"""Item tokens of a pretrained model start at what the model already knows of the words in the items' texts."""
# ruff: noqa: TID253  -- this folder owns these packages; it is imported only when a model runs.

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor


class TextStart:
    """The start of each item's embedding row: the mean of its features' embeddings, each as heavy as the feature's TF-IDF weight.

    A feature such as `word:lantern` or `level:camping lights` is the mean of the input embeddings of its words' tokens. The rows are
    centred and scaled so that they have mean and spread of the model's own table: the mean of many words lies closer to the middle
    than one word does, and all items would look alike. An item without features starts at the mean of the table.

    Args:
        tokenizer: The model's tokenizer.
        items: Columns `item_token` and `features`, a list of structs (name, weight).
        words: The tokens whose rows are wanted, in this order: an item's token, or a code word, which stands for all items that have it.
    """

    def __init__(self, tokenizer: Any, items: pa.Table, words: Sequence[str]) -> None:
        features: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for token, found in zip(
            items["item_token"].to_pylist(), items["features"].to_pylist(), strict=True
        ):
            for word in token.split():
                features[word] += found or []
        self._items = [features[word] for word in words]
        names = dict.fromkeys(one["name"] for row in self._items for one in row)
        self._numbers = {name: number for number, name in enumerate(names)}
        texts = [" " + name.partition(":")[2].replace(">", " ") for name in names]
        self._tokens: list[list[int]] = (
            tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"] if texts else []
        )

    def __call__(self, table: Tensor) -> Tensor:
        """Rows of the items, float32, shape (items, d).

        Args:
            table: Input embeddings of the model, float32, shape (tokens, d).
        """
        mean, spread = table.mean(dim=0), table.std()
        rows = mean.repeat(len(self._items), 1)
        if not self._tokens:
            return rows
        of_feature = torch.stack(
            [table[ids].mean(dim=0) if ids else mean for ids in self._tokens]
        )  # (features, d)
        has_text = torch.tensor([bool(row) for row in self._items])
        for number, row in enumerate(self._items):
            if row:
                weights = torch.tensor([one["weight"] for one in row], dtype=torch.float32)
                of_row = of_feature[[self._numbers[one["name"]] for one in row]]
                rows[number] = weights @ of_row / weights.sum()
        texts = rows[has_text]
        centred = texts - texts.mean(dim=0)
        rows[has_text] = mean + centred * (spread / centred.std().clamp_min(1e-12))
        return rows


def text_start(tokenizer: Any, items: pa.Table | None, added: Sequence[int]) -> TextStart | None:
    """The starts of added tokens, where the items have features.

    Args:
        added: Ids of the added tokens.
    """
    if items is None or "features" not in items.column_names or not added:
        return None
    return TextStart(tokenizer, items, tokenizer.convert_ids_to_tokens(list(added)))
