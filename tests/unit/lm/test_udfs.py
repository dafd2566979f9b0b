"""The three user-side UDFs, loaded by path as the registry does."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.lm.backend import RowsFailed
from llm_i2i.lm.checkpoint import checkpoint_digest
from llm_i2i.udf import RowError, UdfContext
from llm_i2i.udf.decorators import signature_mark

UDFS = Path(__file__).parents[3] / "udfs"


def load(name: str) -> Callable[..., Any]:
    spec = importlib.util.spec_from_file_location(f"udfs_{name}", UDFS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)  # type: ignore[no-any-return]


@pytest.fixture
def context(tmp_path: Path) -> Callable[[str], UdfContext]:
    return lambda name: UdfContext(tmp_path, tmp_path, tmp_path / name, name)


@pytest.mark.parametrize("architecture", ["fake", "llama"])
def test_from_log_to_confidence(
    architecture: str,
    context: Callable[[str], UdfContext],
    sequences: pa.Table,
    items: pa.Table,
    questions: pa.Table,
):
    settings = json.dumps(
        {"architecture": architecture, "hidden_size": 16, "epochs": 1, "threads": 1}
    )
    log = load("fine_tune")(
        sequences, language_model=settings, items=items, context=context("generator/abc")
    )
    declared = signature_mark(load("fine_tune"))
    assert declared is not None
    assert log.column_names == [name for name, _ in declared.returns]
    (generator,) = set(log["checkpoint"].to_pylist())
    folder = context("generator/abc").artifact_dir
    assert generator == f"generator/abc@{checkpoint_digest(folder)}"

    rows = load("generate_items")(["Recent <i_1>", ""], n=3, model=generator, context=context("x"))
    assert [len(row) for row in rows] == [3, 3]
    assert all(
        r["item_token"] in items["item_token"].to_pylist() and r["log_probability"] < 0
        for r in rows[0]
    )

    log = load("fine_tune")(
        questions, language_model=settings, initial=generator, context=context("judge/def")
    )
    judge = log["checkpoint"][0].as_py()
    scores = load("score_interaction")(
        questions["prompt"].to_pylist(), model=judge, context=context("x")
    )
    margins = np.array([s["margin"] for s in scores])
    np.testing.assert_allclose(
        [s["confidence"] for s in scores], 1 / (1 + np.exp(-margins)), atol=1e-6
    )
    # What the runner does with them: the declared types must hold.
    pa.array(scores, pa.struct({"confidence": pa.float64(), "margin": pa.float64()}))
    pa.array(
        rows, pa.list_(pa.struct({"item_token": pa.string(), "log_probability": pa.float64()}))
    )


def test_a_row_without_an_answer_is_an_error_of_that_row(
    context: Callable[[str], UdfContext], monkeypatch: pytest.MonkeyPatch
):
    class Failing:
        def top_items(self, prompts: list[str], n: int) -> Any:
            raise RowsFailed([[("<i_1>", -1.0)], []], {1: "HTTP 400 too long"})

        def label_logits(self, prompts: list[str], labels: list[str]) -> Any:
            raise RowsFailed(np.array([[2.0, 1.0], [np.nan, np.nan]]), {1: "HTTP 400 too long"})

    monkeypatch.setattr("llm_i2i.lm.open.backend_for", lambda *_: Failing())
    items = load("generate_items")(["a", "b"], model="m@1", context=context("x"))
    scores = load("score_interaction")(["a", "b"], model="m@1", context=context("x"))
    assert items[0] == [{"item_token": "<i_1>", "log_probability": -1.0}]
    assert scores[0] == {"confidence": pytest.approx(0.7310586), "margin": 1.0}
    assert items[1] == scores[1] == RowError("HTTP 400 too long")


def test_signatures():
    generate, score, tune = (
        signature_mark(load(n)) for n in ("generate_items", "score_interaction", "fine_tune")
    )
    assert generate is not None
    assert [p.name for p in generate.columns] == ["prompt"]
    assert {p.name: p.required for p in generate.constants} == {
        "n": False,
        "model": True,
        "backend": False,
    }
    assert score is not None
    assert score.batch_size == 16384
    assert tune is not None
    assert [p.name for p in tune.relations] == ["examples", "items", "validation"]


def test_texts_become_vectors(
    context: Callable[[str], UdfContext], monkeypatch: pytest.MonkeyPatch
):
    embed_text = load("embed_text")
    red, again = embed_text(["red kite", "red kite"], model="fake", context=context("x"))
    assert red == again
    assert np.linalg.norm(red) == pytest.approx(1)

    class Failing:
        def embed(self, texts: list[str]) -> Any:
            raise RowsFailed(np.eye(2), {1: "HTTP 400 too long"})

    monkeypatch.setitem(embed_text.__globals__, "open_encoder", lambda *_, **__: Failing())
    rows = embed_text(["red", "kite"], model="fake", context=context("x"))
    assert rows == [[1.0, 0.0], RowError("HTTP 400 too long")]


def test_a_server_of_embeddings_is_an_entry_with_serving(context: Callable[[str], UdfContext]):
    with pytest.raises(LlmI2iError, match="hosted"):
        load("embed_text")(["red"], model="embedder", server="hosted", context=context("x"))
