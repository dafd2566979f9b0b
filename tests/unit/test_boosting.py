"""The gradient boosting reference: a table UDF around scikit-learn, which only the extra `reference` brings."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.udf import UdfContext
from llm_i2i.udf.decorators import signature_mark

FILE = Path(__file__).parents[2] / "udfs" / "boosting.py"


@pytest.fixture
def boosting() -> Callable[..., Any]:
    spec = importlib.util.spec_from_file_location("udfs_boosting", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.gradient_boosting_scores  # type: ignore[no-any-return]


@pytest.fixture
def context(tmp_path: Path) -> UdfContext:
    return UdfContext(tmp_path, tmp_path, tmp_path, "gradient_boosting")


def signals(seed: int, rows: int = 2000) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(seed)
    return {"swing_recent": draw.random(rows), "popularity": draw.integers(0, 50, rows)}


def hits(columns: dict[str, np.ndarray]) -> np.ndarray:
    """An exclusive or of two signals: no linear model finds it."""
    return (columns["swing_recent"] > 0.5) ^ (columns["popularity"] > 25)


def test_it_learns_what_no_single_signal_says(
    boosting: Callable[..., Any], context: UdfContext
) -> None:
    pytest.importorskip("sklearn")
    seen, new = signals(1), signals(2)
    examples = pa.table({"is_hit": hits(seen), **seen})
    numbers = {"user_number": np.arange(2000), "item_number": np.arange(2000)[::-1]}
    candidates = pa.table({**numbers, **new})
    found = boosting(examples, candidates=candidates, random_seed=1, context=context)
    mark = signature_mark(boosting)
    assert mark is not None
    assert found.column_names == [name for name, _ in mark.returns]
    assert found["item_number"].to_pylist() == numbers["item_number"].tolist()
    assert np.mean((found["confidence"].to_numpy() > 0.5) == hits(new)) > 0.97
    again = boosting(examples, candidates=candidates, random_seed=1, context=context)
    assert found.equals(again)


def test_hits_alone_teach_nothing(boosting: Callable[..., Any], context: UdfContext) -> None:
    pytest.importorskip("sklearn")
    examples = pa.table({"is_hit": np.zeros(5, bool), "popularity": np.arange(5)})
    candidates = pa.table({"user_number": [1], "item_number": [1], "popularity": [3]})
    with pytest.raises(LlmI2iError, match="both hits and misses") as error:
        boosting(examples, candidates=candidates, context=context)
    assert "0 hits in 5 rows" in str(error.value)


def test_without_scikit_learn_the_extra_is_named(
    boosting: Callable[..., Any], context: UdfContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(LlmI2iError, match=r"pip install 'llm_i2i\[reference\]'"):
        boosting(pa.table({"is_hit": [True]}), candidates=pa.table({}), context=context)
