"""Every model and data test of the reference project on a second engine: the same rows on DuckDB and in Spark SQL (Sail)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from llm_i2i.engine.spark import SparkEngine
from llm_i2i.runner.project import Project
from llm_i2i.runner.steps import run_checks
from tests.project.spark_equality import difference, spark_engine, spark_rows, workshop
from tests.project.test_reference_project import ROOT

MODELS = sorted(path.stem for path in (ROOT / "models").rglob("*.sql"))
# Model -> what Sail gets wrong. On Spark itself they are equal too: tests/spark.
DROPPED = "Sail 0.7.2 drops the condition of a join that follows a CROSS JOIN with an unnested list"
GAPS = {"pair_signals": DROPPED, "crossfit_pair_signals": DROPPED}


# Run by `make test-spark` alone: what another model already shows (one macro behind both), and what takes seconds.
LATER = ("target_ranks_", "index_", "control_", "crossfit_", "second_", "paired_", "pair_cuts", "scored_", "judged_")  # fmt: skip
CASES = [pytest.param(m, marks=pytest.mark.spark) if m.startswith(LATER) else m for m in MODELS]


@pytest.fixture(scope="module")
def project(reference_shop: tuple[Path, dict[str, Any]], sail_url: str) -> Project:
    folder, vars = reference_shop
    return Project.load(ROOT, vars=vars, target_path=folder / "target")


@pytest.fixture
def engine(project: Project, sail_url: str, tmp_path: Path) -> Iterator[SparkEngine]:
    engine = spark_engine(project, sail_url, tmp_path)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def shop(project: Project):
    return workshop(project)


@pytest.mark.parametrize("model", CASES)
def test_a_model_gives_the_same_rows(model: str, project, shop, engine, tmp_path, request) -> None:
    steps = {step.node.name: step for step in shop.plan.steps}
    if model not in steps:
        pytest.skip("switched off by the vars of this log")
    if any(call.kind == "table" for call in steps[model].compiled.steps):
        pytest.skip("a table UDF: it runs in this process on either engine")
    if model in GAPS:
        request.applymarker(pytest.mark.xfail(reason=GAPS[model], strict=True))
    step = steps[model]
    stored = pq.read_table(project.store.data_path(model, step.fingerprint))
    assert not difference(stored, spark_rows(step, shop, engine, tmp_path))


@pytest.mark.spark
def test_data_tests_pass_on_both_engines(project: Project, shop, sail_url, tmp_path) -> None:
    on_spark = dataclasses.replace(
        shop, new_engine=lambda: spark_engine(project, sail_url, tmp_path)
    )
    outcomes = list(run_checks(project.manifest.checks, on_spark, force=True))
    here = {o.check.name: o.failures for o in run_checks(project.manifest.checks, shop, force=True)}
    broken = {o.check.name: str(o.error) for o in outcomes if o.error}
    assert not broken
    assert {o.check.name: o.failures for o in outcomes} == here
