"""Hold a model's rows on Spark against those that DuckDB stored."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from llm_i2i.engine.spark import SparkEngine
from llm_i2i.plan.step import PlanStep
from llm_i2i.runner.events import Reporter
from llm_i2i.runner.project import Project
from llm_i2i.runner.steps import Workshop, _run_batch, call_constants, batch_call
from llm_i2i.sql.portable.translate import translate

TOLERANCE = 1e-9  # of floats, absolute and relative


def spark_rows(step: PlanStep, shop: Workshop, engine: SparkEngine, folder: Path) -> pa.Table:
    """Run a model's SQL on Spark, on its inputs as DuckDB stored them; its batch calls are all in the cache."""
    shop.declare(engine, step.node.reads)
    shop._declare_scalars(engine, step)
    for call in step.compiled.steps:
        assert call.kind == "batch"
        ready = batch_call(call, step, call_constants(call, step.node, engine), shop)
        counts = _run_batch(ready, step, engine, shop, folder)
        assert counts.made == 0, "the call keys of the engines differ"
    engine.write_parquet(step.compiled.sql, folder / step.node.name)
    return pq.read_table(folder / step.node.name)


def difference(expected: pa.Table, found: pa.Table) -> str:
    """What differs, in words; empty if nothing does. The order of rows does not count."""
    if expected.schema.names != found.schema.names:
        return f"columns {expected.schema.names} and {found.schema.names}"
    kinds = [
        (f.name, str(f.type), str(g.type))
        for f, g in zip(expected.schema, found.schema)
        if not _same(f.type, g.type)
    ]
    if kinds:
        return f"types {kinds}"
    if expected.num_rows != found.num_rows:
        return f"{expected.num_rows} and {found.num_rows} rows"
    here, there = (_sorted(table) for table in (expected, found))
    for name in expected.schema.names:
        apart = [(a, b) for a, b in zip(here[name], there[name], strict=True) if not _equal(a, b)]
        if apart:
            return f"{name}: {len(apart)} rows, first {apart[0]!r}"
    return ""


def _same(one: pa.DataType, other: pa.DataType) -> bool:
    return str(one).replace("large_", "").replace("element", "item").replace(
        "child", "item"
    ) == str(other).replace("large_", "").replace("element", "item").replace("child", "item")


def _sorted(table: pa.Table) -> dict[str, list[Any]]:
    """Columns in an order that the last digits of floats do not change."""
    columns = {name: table[name].to_pylist() for name in table.schema.names}
    exact = sorted(columns, key=lambda name: any(isinstance(v, float) for v in columns[name]))
    keys = [repr(tuple(_coarse(columns[name][i]) for name in exact)) for i in range(table.num_rows)]
    order = sorted(range(table.num_rows), key=keys.__getitem__)
    return {name: [values[i] for i in order] for name, values in columns.items()}


def _coarse(value: Any) -> Any:
    return float(f"{value:.5g}") if isinstance(value, (float, Decimal)) else value


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[k], other[k]) for k in one)
    if isinstance(one, float) and isinstance(other, float):
        return bool(np.isclose(one, other, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True))
    return bool(one == other)


def workshop(project: Project) -> Workshop:
    """What is needed to run single steps of a built project."""
    return project._workshop(project.plan(), Reporter())


def spark_engine(project: Project, url: str, folder: Path) -> SparkEngine:
    return SparkEngine(
        url, translate=translate, local=project.local_engine(), scratch=folder / "scratch"
    )
