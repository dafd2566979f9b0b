"""How one step is carried out: a model run and its result stored. The halves meet here."""

from __future__ import annotations

import re
import time
from collections.abc import Generator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_i2i.engine.base import Engine
from llm_i2i.errors import EngineError, NodeError
from llm_i2i.graph.node import Node
from llm_i2i.plan.step import PlanStep
from llm_i2i.runner.build.context import BuildContext, Built, Busy, Work
from llm_i2i.runner.build.hooks import check_hook, run_hooks
from llm_i2i.runner.build.meter import call_meter
from llm_i2i.sql.complaints import sql_fix
from llm_i2i.sql.steps import CallStep
from llm_i2i.store.calls import CallCache
from llm_i2i.store.files import file_lock
from llm_i2i.store.store import DATA, ResultMeta, data_of
from llm_i2i.udf.batch import BatchCall, CallCounts, count_calls, run_batch_call
from llm_i2i.udf.context import UdfContext
from llm_i2i.udf.processes import RunningCall
from llm_i2i.udf.table import TableCall

if TYPE_CHECKING:
    pass

FILE_TROUBLE = re.compile(
    r"CSV Error|globbed files|Malformed JSON"
)  # DuckDB's words: a line that no look ahead found
CALL = "call"  # folder of a call of a table UDF, beside the rows until it is done


def build_node(step: PlanStep, context: BuildContext, *, patient: bool = True) -> Work:
    """Run a model and store its result; yields each call that a process of the build's workers makes, to be resumed when it is done.

    Args:
        patient: Wait for another build that makes the same result. Only who holds no other result may: two builds that wait
            for each other wait for ever.

    Raises:
        LlmI2iError: It failed; nothing of it was published, finished calls are kept.
        Busy: Not patient, and another build is making it.
    """
    name = step.node.name

    def waiting() -> None:
        if not patient:
            raise Busy
        context.reporter.note(f"{name}: another build is making the same result, waiting for it")

    with file_lock(context.store.lock_path(name, step.fingerprint), waiting):
        if (meta := context.store.meta(name, step.fingerprint)) is not None:
            return Built(meta, reused=True)
        with context.store.new_folder() as folder:
            built = yield from _build_into(folder, step, context)
        context.store.forget_resume(name, step.fingerprint)
        return built


def _build_into(folder: Path, step: PlanStep, context: BuildContext) -> Work:
    started = time.monotonic()
    node = step.node
    has_hooks = bool(node.pre_hook or node.post_hook)
    in_parts = bool(node.config.get("partition_by"))
    # each partition has a session of its own: the whole log is declared for hooks alone
    engine = context.open_step(step, () if in_parts and not has_hooks else None)
    counts: list[CallCounts] = []
    groups: list[str] = []
    try:
        for hook in (*node.pre_hook, *node.post_hook):
            check_hook(hook, context.target_dir, node.path)
        run_hooks(node.pre_hook, engine, node.path)
        for call in () if in_parts else step.compiled.steps:
            if call.kind == "batch":
                ready = batch_call(call, step, call_constants(call, step.node, engine), context)
                groups.append(f"{ready.signature.name}/{ready.group}")
                counts.append(_run_batch(ready, step, engine, context, folder))
            else:
                yield from _run_table(call, step, engine, context, folder)
        if in_parts:
            rows = _write_partitions(step, context, folder)
        else:
            rows = engine.write_parquet(step.compiled.sql, folder / DATA)
        if node.post_hook:
            engine.declare_parquet(node.name, [data_of(folder)])
            run_hooks(node.post_hook, engine, node.path)
    except EngineError as error:
        if FILE_TROUBLE.search(error.what) and (broken := context.broken_source(step.node.reads)):
            raise broken from error
        line = 0 if step.compiled.steps else error.line
        lines = step.node.sql.splitlines()
        raise NodeError(
            f"{step.node.name}: {error.what}",
            where=step.node.place(line),
            found=error.found or (lines[line - 1].strip()[:120] if 0 < line <= len(lines) else ""),
            fix=sql_fix(error.what, error.found)
            or "correct the SQL of the model, or the rows it reads; what is finished is kept",
        ) from error
    finally:
        engine.close()
    total = CallCounts(
        sum(c.distinct for c in counts),
        sum(c.cached for c in counts),
        sum(c.failed for c in counts),
        sum(c.tokens or 0 for c in counts),
    )
    meta = ResultMeta(
        node=step.node.name,
        fingerprint=step.fingerprint,
        rows=rows,
        seconds=round(time.monotonic() - started, 3),
        columns=list(step.compiled.columns),
        parts=step.parts,
        calls={"distinct": total.distinct, "cached": total.cached, "failed": total.failed},
        call_groups=groups,
    )
    return Built(context.store.publish(folder, meta), total if counts else None)


def _write_partitions(step: PlanStep, context: BuildContext, folder: Path) -> int:
    from llm_i2i.runner.build.partitions import write_partitions

    rows, computed, total = write_partitions(step, context, folder)
    context.reporter.note(f"{step.node.name}: {computed} of {total} partitions computed")
    return rows


def _udf_context(step: PlanStep, context: BuildContext, folder: Path, activity: str) -> UdfContext:
    def progress(done: float, total: float, message: str) -> None:
        context.reporter.progress(step, activity, done, total, message)

    return UdfContext(
        project_dir=context.project_dir.resolve(),  # workers of a cluster start in other folders
        store_dir=context.store.root.resolve(),
        artifact_dir=folder / "artifact",
        artifact_name=context.store.artifact_name(step.node.name, step.fingerprint),
        resume_dir=context.store.resume_path(step.node.name, step.fingerprint),
        progress=progress,
        serving=context.serving,
    )


def batch_call(
    call: CallStep, step: PlanStep, constants: Mapping[str, Any], context: BuildContext
) -> BatchCall:
    """A compiled call with its function looked up."""
    return BatchCall(
        relation=call.relation,
        signature=context.udfs.signatures[call.udf.lower()],
        function=context.udfs.function(call.udf),
        arguments=call.inputs["arguments"],
        constants=constants,
        file=context.udfs.file(call.udf),
        max_error_ratio=float(step.node.config.get("max_error_ratio") or 0.0),
        meter=call_meter(call.udf.lower(), constants, context.store.root),
        node=step.node.name,
    )


def _run_batch(
    call: BatchCall, step: PlanStep, engine: Engine, context: BuildContext, folder: Path
) -> CallCounts:
    calls = CallCache(context.target_dir.resolve())
    told = _udf_context(step, context, folder, call.signature.name)
    return run_batch_call(call, engine, calls, told, context.max_calls)


def plan_calls(step: PlanStep, context: BuildContext) -> CallCounts | None:
    """Calls of a step's first batch call, if the relations of its arguments are built; later calls depend on it.

    Where the checkpoint is not built yet none of its calls can be cached: they are counted without it.
    """
    call = next((c for c in step.compiled.steps if c.kind == "batch"), None)
    if call is None or call is not step.compiled.steps[0]:
        return None
    built = tuple(filter(context.has_result, step.node.reads))
    whole = len(built) == len(step.node.reads)
    engine = context.open_step(step, built)
    try:
        constants = call_constants(call, step.node, engine) if whole else {}
        return count_calls(batch_call(call, step, constants, context), engine, context.calls)
    except EngineError:
        if whole:
            raise
        return None  # the arguments themselves read what is not built
    finally:
        engine.close()


def _run_table(
    call: CallStep, step: PlanStep, engine: Engine, context: BuildContext, folder: Path
) -> Generator[RunningCall]:
    signature = context.udfs.signatures[call.udf.lower()]
    told = _udf_context(step, context, folder, call.udf)
    told.artifact_dir.mkdir(exist_ok=True)
    ready = TableCall(
        udf=call.udf,
        file=context.udfs.file(call.udf),
        model=step.node.name,
        columns=[name for name, _ in call.columns],
        tables={name: engine.table(sql) for name, sql in call.inputs.items()},
        constants=call_constants(call, step.node, engine),
        context=told,
        wants_context=signature.wants_context,
    )
    if context.workers is None or signature.is_quick:
        result = ready.run(context.udfs.function(call.udf))
    else:
        running = context.workers.start(ready, folder / CALL)
        del ready
        yield running
        result = running.result()
    try:
        rows = result.cast(engine.arrow_schema(call.columns))
    except (ValueError, NotImplementedError) as error:  # Arrow's are both
        raise NodeError(
            f"UDF {call.udf!r} returned other types than it declares",
            where=str(context.udfs.file(call.udf)),
            found=str(error),
        ) from error
    engine.load(call.relation, rows)
    if not any(told.artifact_dir.iterdir()):
        told.artifact_dir.rmdir()


def call_constants(call: CallStep, node: Node, engine: Engine) -> dict[str, Any]:
    """Values of the named arguments of a call."""
    values: dict[str, Any] = {}
    for name, sql in call.constants.items():
        rows = engine.local_rows(sql)
        if len(rows) != 1:
            raise NodeError(
                f"argument {name!r} of {call.udf}(...) has {len(rows)} values",
                where=node.path,
                found=f"{len(rows)} rows",
                fix="write a subquery that returns one row, for example (select any_value(checkpoint) from ...)",
            )
        values[name] = _without_decimals(rows[0][0])
    return values


def _without_decimals(value: Any) -> Any:
    """A bare 0.5 is a DECIMAL in DuckDB; no parameter of a UDF is one."""
    if isinstance(value, list):
        return [_without_decimals(element) for element in value]
    return float(value) if isinstance(value, Decimal) else value
