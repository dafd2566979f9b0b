"""Hold a model's rows on Spark against those that DuckDB stored."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from llm_i2i.engine.spark import SparkEngine
from llm_i2i.plan.step import PlanStep
from llm_i2i.runner.build.context import BuildContext
from llm_i2i.runner.build.events import Reporter
from llm_i2i.runner.build.steps import _run_batch, _run_table, batch_call, call_constants
from llm_i2i.runner.project import Project
from llm_i2i.sql.portable.rounds import rounds
from llm_i2i.sql.portable.translate import translate

TOLERANCE = 1e-9  # of floats, absolute and relative


def spark_rows(
    step: PlanStep, context: BuildContext, engine: SparkEngine, folder: Path
) -> pa.Table:
    """Run a model's SQL on Spark, on its inputs as DuckDB stored them; its batch calls are all in the cache."""
    context.declare(engine, step.node.reads)
    context._declare_scalars(engine, step)
    for call in step.compiled.steps:
        if call.kind == "table":  # the relation that it reads is made by Spark
            list(_run_table(call, step, engine, context, folder))
            continue
        ready = batch_call(call, step, call_constants(call, step.node, engine), context)
        counts = _run_batch(ready, step, engine, context, folder)
        assert counts.made == 0, "the call keys of the engines differ"
    engine.write_parquet(step.compiled.sql, folder / step.node.name)
    return pq.read_table(folder / step.node.name)


def difference(expected: pa.Table, found: pa.Table) -> str:
    """What differs, in words; empty if nothing does. The order of rows does not count."""
    if expected.schema.names != found.schema.names:
        return f"columns {expected.schema.names} and {found.schema.names}"
    for one, other in zip(expected.schema, found.schema, strict=True):
        if _kind(one.type) != _kind(other.type):
            return f"types of {one.name}: {one.type} and {other.type}"
    if expected.num_rows != found.num_rows:
        return f"{expected.num_rows} and {found.num_rows} rows"
    here, there = _sorted(expected), _sorted(found)
    for name in expected.schema.names:
        a, b = here[name].combine_chunks(), there[name].combine_chunks()
        if pa.types.is_floating(a.type):
            one, other = (column.to_numpy(zero_copy_only=False) for column in (a, b))
            equal = np.isclose(one, other, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
        elif pa.types.is_nested(a.type):
            pairs = zip(a.to_pylist(), b.to_pylist(), strict=True)
            equal = np.array([_equal(one, other) for one, other in pairs], dtype=bool)
        else:
            pairs = zip(a.to_pylist(), b.to_pylist(), strict=True)
            equal = np.array([one == other for one, other in pairs], dtype=bool)
        if not equal.all():
            first = int(np.argmin(equal))
            return f"{name}: {(~equal).sum()} rows, first {a[first].as_py()!r} and {b[first].as_py()!r}"
    return ""


def _kind(kind: pa.DataType) -> str:
    return str(kind).replace("large_", "").replace("element: ", "item: ").replace(" not null", "")


def _sorted(table: pa.Table) -> pa.Table:
    """Rows in an order that the last digits of floats do not change."""
    keys: dict[str, Any] = {}
    for late, name in sorted(
        (pa.types.is_floating(field.type), field.name) for field in table.schema
    ):
        column = table[name].combine_chunks()
        if late:
            values = column.to_numpy(zero_copy_only=False)
            with np.errstate(divide="ignore", invalid="ignore"):
                scale = 10.0 ** (4 - np.floor(np.log10(np.abs(values))))
                column = pa.array(
                    np.where(np.isfinite(scale), np.round(values * scale) / scale, values)
                )
        elif pa.types.is_nested(column.type):
            column = pa.array([repr(_coarse(value)) for value in column.to_pylist()])
        keys[f"k{len(keys)}"] = column
    if not table.num_rows:
        return table
    order = pa.table(keys)
    return table.take(pc.sort_indices(order, sort_keys=[(name, "ascending") for name in keys]))


def _coarse(value: Any) -> Any:
    if isinstance(value, list):
        return [_coarse(part) for part in value]
    if isinstance(value, dict):
        return {key: _coarse(part) for key, part in value.items()}
    return float(f"{value:.5g}") if isinstance(value, float) else value


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(one == other)


def build_context(project: Project) -> BuildContext:
    """What is needed to run single steps of a built project."""
    return project.planner.context(project.plan(), Reporter())


def spark_engine(project: Project, url: str, folder: Path) -> SparkEngine:
    return SparkEngine(
        url,
        translate=translate,
        local=project.local_engine(),
        scratch=folder / "scratch",
        rounds=rounds,
    )


def difference_on(
    url: str, project: Project, context: BuildContext, step: PlanStep, folder: Path
) -> str:
    """What differs between a model's stored rows and those of the Spark at `url`; empty if nothing does."""
    stored = pq.read_table(project.store.data_path(step.node.name, step.fingerprint))
    engine = spark_engine(project, url, folder)
    try:
        return difference(stored, spark_rows(step, context, engine, folder))
    finally:
        engine.close()
