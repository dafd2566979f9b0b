"""Small worlds for language model tests: a dozen items, sequences that walk through them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from llm_i2i.lm.settings import FromSizesSettings, settings_from

N_ITEMS = 12


def item(number: int) -> str:
    return f"<i_{number % N_ITEMS}>"


@pytest.fixture
def tiny() -> Callable[..., FromSizesSettings]:
    """Settings of a model that trains in a blink; keyword arguments override."""

    def settings(**values: object) -> FromSizesSettings:
        small = {"hidden_size": 16, "num_heads": 2, "epochs": 2, "batch_size": 8, "threads": 1}
        chosen = settings_from({**small, **values})
        assert isinstance(chosen, FromSizesSettings)
        return chosen

    return settings


@pytest.fixture
def sequences() -> pa.Table:
    """Sequence rows: 24 walks of 3 to 6 items; every fourth target weighs 4."""
    walks = [[item(start + step) for step in range(3 + start % 4)] for start in range(24)]
    return pa.table(
        {
            "prompt": ["Recent"] * len(walks),
            "completions": walks,
            "weights": [[0.0] + [4.0 if w == item(3) else 1.0 for w in walk[1:]] for walk in walks],
        }
    )


@pytest.fixture
def items() -> pa.Table:
    """The catalogue, with an item (the last) that no sequence holds."""
    features = [
        [{"name": f"parity {n % 2}", "weight": 1.0}, {"name": f"third {n % 3}", "weight": 2.0}]
        for n in range(N_ITEMS)
    ]
    return pa.table(
        {
            "item_token": [item(n) for n in range(N_ITEMS)] + ["<i_new>"],
            "features": [*features, features[0]],
        }
    )


@pytest.fixture
def questions() -> pa.Table:
    """Example rows: is the candidate the next item?"""
    rows = []
    for start in range(16):
        rows.append((f"{item(start)} {item(start + 1)} candidate {item(start + 2)} ?", "Yes", 1.0))
        rows.append((f"{item(start)} {item(start + 1)} candidate {item(start + 7)} ?", "No", 0.5))
    prompt, completion, weight = zip(*rows, strict=True)
    return pa.table(
        {"prompt": list(prompt), "completion": list(completion), "weight": list(weight)}
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "checkpoint"
