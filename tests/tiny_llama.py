"""A toy Llama with a tokenizer of its own, and rows to train it on; for every test of pretrained models."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow as pa

from llm_i2i.lm.settings import PretrainedSettings, settings_from

N_ITEMS = 12
# Of unequal length, digits being tokens: an end token closes each.
ITEMS = [f"sku {9 + 13 * n}" for n in range(N_ITEMS)]
TEXTS = [f"Recent products: {item}. Next:" for item in ITEMS] + ["Candidate? Yes", "Candidate? No"]

OPEN_LIST = "Recent products:\n-"


def write_llama(folder: Path, **sizes: int) -> Path:
    """Config and tokenizer, no weights."""
    from llm_i2i.lm.training.tiny import write_tiny_llama

    defaults = {"vocabulary_size": 320, "hidden_size": 16, "num_layers": 2, "num_heads": 2}
    return write_tiny_llama(folder, TEXTS, **{**defaults, **sizes})


def llama_settings(**values: object) -> PretrainedSettings:
    """Settings of a quick training; keyword arguments override."""
    quick = {"pretrained": "llama", "learning_rate": 1e-2, "batch_size": 8, "threads": 1}
    chosen = settings_from({**quick, **values})
    assert isinstance(chosen, PretrainedSettings)
    return chosen


def item(number: int) -> str:
    return ITEMS[number % N_ITEMS]


def as_tokens(table: pa.Table) -> pa.Table:
    """The same rows with each item as one word, `<sku_9>`, for `item_ids: token`."""
    rows = json.loads(re.sub(r"sku (\d+)", r"<sku_\1>", json.dumps(table.to_pylist())))
    return pa.Table.from_pylist(rows, table.schema)


def catalogue() -> pa.Table:
    return pa.table({"item_token": ITEMS})


def next_items(rows: int = 40) -> pa.Table:
    """Example rows: after items n and n + 1 comes n + 2; every fourth row weighs 4."""
    return pa.table(
        {
            "prompt": [f"Recent products: {item(n)}, {item(n + 1)}. Next:" for n in range(rows)],
            "completion": [item(n + 2) for n in range(rows)],
            "weight": [4.0 if n % 4 == 0 else 1.0 for n in range(rows)],
        }
    )


def walks(rows: int = 12) -> pa.Table:
    """Sequence rows: walks of 3 or 4 items, the first as context only."""
    lengths = [3 + n % 2 for n in range(rows)]
    return pa.table(
        {
            "prompt": ["Recent products:"] * rows,
            "completions": [[item(n + k) for k in range(size)] for n, size in enumerate(lengths)],
            "weights": [[0.0] + [1.0 + n % 3] * (size - 1) for n, size in enumerate(lengths)],
        }
    )


def as_list(products: list[str]) -> str:
    """The list that asks what comes after some products."""
    return "".join([OPEN_LIST, *(f" {product}\n-" for product in products)])


def open_walks(rows: int = 12) -> pa.Table:
    """The walks as lists that are continued line by line."""
    return walks(rows).set_column(0, "prompt", pa.array([OPEN_LIST] * rows))


def questions(rows: int = 16) -> pa.Table:
    """Example rows with labels: is the candidate the next item?"""
    table = [
        (
            f"Recent products: {item(n)}. Candidate {item(n + 1 + 5 * miss)}?",
            ("Yes", "No")[miss],
            1.0,
        )
        for n in range(rows)
        for miss in (0, 1)
    ]
    prompt, completion, weight = zip(*table, strict=True)
    return pa.table(
        {"prompt": list(prompt), "completion": list(completion), "weight": list(weight)}
    )
