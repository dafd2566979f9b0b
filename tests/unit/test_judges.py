"""The judges without a language model: a table UDF around scikit-learn, which only the extra `reference` brings."""

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

FILE = Path(__file__).parents[2] / "udfs" / "judges.py"


@pytest.fixture
def judge_scores() -> Callable[..., Any]:
    spec = importlib.util.spec_from_file_location("udfs_judges", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module.judge_scores  # type: ignore[no-any-return]


@pytest.fixture
def context(tmp_path: Path) -> UdfContext:
    return UdfContext(tmp_path, tmp_path, tmp_path, "scored_item_pairs")


def signals(seed: int, rows: int = 3000) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(seed)
    return {"swing_recent": draw.random(rows), "popularity": draw.integers(0, 50, rows)}


def labelled(seed: int, hits: Callable[[dict[str, np.ndarray]], np.ndarray]) -> pa.Table:
    columns = signals(seed)
    weight = np.ones(len(columns["popularity"]))
    return pa.table({"is_hit": hits(columns), "weight": weight, **columns})


def either(columns: dict[str, np.ndarray]) -> np.ndarray:
    """An exclusive or of two signals: no linear model finds it."""
    return (columns["swing_recent"] > 0.5) ^ (columns["popularity"] > 25)


def one(columns: dict[str, np.ndarray]) -> np.ndarray:
    draw = np.random.default_rng(9)
    return columns["swing_recent"] > draw.random(len(columns["swing_recent"]))


def candidates(seed: int) -> pa.Table:
    numbers = {"item_number": np.arange(3000), "related_item_number": np.arange(3000)[::-1]}
    return pa.table({**numbers, **signals(seed)})


def test_boosting_learns_what_no_single_signal_says(
    judge_scores: Callable[..., Any], context: UdfContext
) -> None:
    pytest.importorskip("sklearn")
    given = {"validation": labelled(3, either), "candidates": candidates(2), "context": context}
    found = judge_scores(labelled(1, either), judge="boosting", **given)
    mark = signature_mark(judge_scores)
    assert mark is not None
    assert found.column_names == [name for name, _ in mark.returns]
    assert found["item_number"].to_pylist() == list(range(3000))
    assert found["user_number"].null_count == 3000
    assert np.mean((found["margin"].to_numpy() > 0) == either(signals(2))) > 0.95
    assert found.equals(judge_scores(labelled(1, either), judge="boosting", **given))


@pytest.mark.parametrize("judge", ["logistic", "boosting"])
def test_margins_are_logits_of_the_share_of_hits(
    judge: str, judge_scores: Callable[..., Any], context: UdfContext
) -> None:
    pytest.importorskip("sklearn")
    given = {"validation": labelled(3, one), "candidates": candidates(2), "context": context}
    margin = judge_scores(labelled(1, one), judge=judge, **given)["margin"].to_numpy()
    confidence, swing = 1 / (1 + np.exp(-margin)), signals(2)["swing_recent"]
    for low in (0.0, 0.25, 0.5, 0.75):
        inside = (swing >= low) & (swing < low + 0.25)
        assert confidence[inside].mean() == pytest.approx(low + 0.125, abs=0.06)


def test_without_validation_rows_it_still_judges(
    judge_scores: Callable[..., Any], context: UdfContext
) -> None:
    pytest.importorskip("sklearn")
    none = labelled(3, one).slice(0, 0)
    given = {"validation": none, "candidates": candidates(2), "context": context}
    for judge in ("logistic", "boosting"):
        margin = judge_scores(labelled(1, one), judge=judge, **given)["margin"].to_numpy()
        assert np.corrcoef(margin, signals(2)["swing_recent"])[0, 1] > 0.7


def test_hits_alone_teach_nothing(judge_scores: Callable[..., Any], context: UdfContext) -> None:
    pytest.importorskip("sklearn")
    examples = pa.table(
        {"is_hit": np.zeros(5, bool), "weight": np.ones(5), "popularity": np.arange(5)}
    )
    rows = pa.table({"user_number": [1], "item_number": [1], "popularity": [3]})
    with pytest.raises(LlmI2iError, match="both hits and misses") as error:
        judge_scores(examples, candidates=rows, context=context)
    assert "0 hits in 5 rows" in str(error.value)


def test_without_scikit_learn_the_extra_is_named(
    judge_scores: Callable[..., Any], context: UdfContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(LlmI2iError, match=r"pip install 'llm_i2i\[local\]'"):
        judge_scores(pa.table({"is_hit": [True]}), candidates=pa.table({}), context=context)


def test_an_unknown_judge_is_refused(judge_scores: Callable[..., Any], context: UdfContext) -> None:
    with pytest.raises(LlmI2iError, match="no judge 'oracle'"):
        judge_scores(pa.table({}), candidates=pa.table({}), judge="oracle", context=context)
