"""How one step is carried out: a node built and stored, a data test run. The halves meet here."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_i2i.engine.base import Engine
from llm_i2i.errors import EngineError, LlmI2iError, NodeError
from llm_i2i.fingerprint import fingerprint
from llm_i2i.graph.manifest import Manifest
from llm_i2i.graph.node import DataCheck, Node
from llm_i2i.plan.step import Plan, PlanStep
from llm_i2i.runner.events import CheckOutcome, Reporter, Verdict
from llm_i2i.runner.hooks import check_hook, run_hooks
from llm_i2i.runner.meter import call_meter
from llm_i2i.runner.sources import SourceFiles
from llm_i2i.sql.complaints import sql_fix
from llm_i2i.sql.steps import CallStep
from llm_i2i.store.calls import CallCache
from llm_i2i.store.files import file_lock, replace_file, replace_text
from llm_i2i.store.store import DATA, ResultMeta, Store, data_of
from llm_i2i.udf.batch import BatchCall, CallCounts, count_calls, run_batch_call
from llm_i2i.udf.context import UdfContext
from llm_i2i.udf.processes import RunningCall, Workers
from llm_i2i.udf.registry import UdfRegistry
from llm_i2i.udf.table import TableCall

if TYPE_CHECKING:
    from collections.abc import Callable

SHOWN = 20  # messages of a data test that are shown
WRITTEN = 1000  # failing rows of a data test in its CSV file
FILE_TROUBLE = re.compile(
    r"CSV Error|globbed files|Malformed JSON"
)  # DuckDB's words: a line that no look ahead found
CALL = "call"  # folder of a call of a table UDF, beside the rows until it is done

# A build that steps aside while a process of `Workers` makes a call of it.
Work = Generator[RunningCall, None, "Built"]


@dataclass(frozen=True)
class Workshop:
    """What the steps of one build share."""

    project_dir: Path
    target_dir: Path
    manifest: Manifest
    plan: Plan
    store: Store
    calls: CallCache
    sources: SourceFiles
    udfs: UdfRegistry
    new_engine: Callable[[], Engine]
    reporter: Reporter
    max_calls: int | None = None
    serving: Mapping[str, Any] = field(default_factory=dict)
    store_failures: bool = False  # for data tests that do not say
    local_engine: Callable[[], Engine] | None = None  # where small data tests are quicker
    local_bytes: int = 0  # what counts as small: bytes on disk of all tables a test reads
    workers: Workers | None = None  # run table UDFs that are not quick; this process without
    found: set[str] = field(default_factory=set)  # nodes whose results were seen to be there

    def has_result(self, name: str) -> bool:
        """Whether a node can be read now; what was there once is not looked for again."""
        if name not in self.found and self._finds_result(name):
            self.found.add(name)
        return name in self.found

    def _finds_result(self, name: str) -> bool:
        node = self.manifest.nodes[name]
        if node.is_source:
            return True
        if name in self.plan.ephemeral:
            return all(self.has_result(parent) for parent in node.reads)
        known = self.plan.fingerprints.get(name)
        return known is not None and self.store.meta(name, known) is not None

    def declare(self, engine: Engine, names: tuple[str, ...]) -> None:
        """Make nodes readable in an engine's session under their own names."""
        for name in names:
            node = self.manifest.nodes[name]
            if node.is_source:
                self.declare_source(engine, node)
            elif name in self.plan.ephemeral:
                view = self.plan.ephemeral[name]
                self.declare(engine, node.reads)
                self._declare_scalars(engine, view)
                engine.declare_query(name, view.compiled.sql)
            else:
                engine.declare_parquet(
                    name, [self.store.data_path(name, self.plan.fingerprints[name])]
                )

    def bytes_of(self, names: Sequence[str]) -> int:
        """Size on disk of the tables behind nodes, those behind views included."""
        total = 0
        for name in names:
            node = self.manifest.nodes[name]
            if node.is_source:
                total += sum(path.stat().st_size for path in self.sources.files(node))
            elif name in self.plan.ephemeral:
                total += self.bytes_of(node.reads)
            else:
                meta = self.store.meta(name, self.plan.fingerprints[name])
                total += sum(meta.files.values()) if meta else 0
        return total

    def broken_source(self, names: Sequence[str]) -> LlmI2iError | None:
        """The error that names a broken line of a file behind nodes, those behind views included; None if there is none."""
        for name in names:
            node = self.manifest.nodes[name]
            found: LlmI2iError | None = None
            if node.is_source:
                found = self.sources.broken_line(node)
            elif name in self.plan.ephemeral:
                found = self.broken_source(node.reads)
            if found is not None:
                return found
        return None

    def declare_source(
        self, engine: Engine, node: Node, file: Path | None = None, digest: str = ""
    ) -> None:
        """Make a source readable, all of it or one of its files, whose content has this digest."""
        if files := self.sources.parquet_files(node):
            engine.declare_parquet(node.name, [file] if file else files)
            return
        copy = f"{node.name}-{digest or self.sources.fingerprint(node)}.parquet"
        scan = self.sources.scan(node, [file] if file else None)
        engine.declare_files(node.name, scan, self.target_dir / "cache" / "sources" / copy)

    def _declare_scalars(self, engine: Engine, step: PlanStep) -> None:
        for name in step.compiled.udfs:
            if self.udfs.signatures[name].kind == "scalar":
                engine.declare_scalar(self.udfs.signatures[name], self.udfs.function(name))

    def open_step(self, step: PlanStep, reads: tuple[str, ...] | None = None) -> Engine:
        """A fresh session that holds what the step reads, or only these nodes."""
        engine = self.new_engine()
        self.declare(engine, step.node.reads if reads is None else reads)
        self._declare_scalars(engine, step)
        return engine


@dataclass(frozen=True)
class Built:
    """A stored result and the calls it took; `reused` if another build finished it meanwhile."""

    meta: ResultMeta
    calls: CallCounts | None = None
    reused: bool = False


class Busy(Exception):
    """Another build is making the result of a step, and this one must not stand still for it."""


def build_node(step: PlanStep, shop: Workshop, *, patient: bool = True) -> Work:
    """Run a model and store its result; yields each call that a process of the workshop's makes, to be resumed when it is done.

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
        shop.reporter.note(f"{name}: another build is making the same result, waiting for it")

    with file_lock(shop.store.lock_path(name, step.fingerprint), waiting):
        if (meta := shop.store.meta(name, step.fingerprint)) is not None:
            return Built(meta, reused=True)
        with shop.store.new_folder() as folder:
            built = yield from _build_into(folder, step, shop)
        shop.store.forget_resume(name, step.fingerprint)
        return built


def _build_into(folder: Path, step: PlanStep, shop: Workshop) -> Work:
    started = time.monotonic()
    node = step.node
    has_hooks = bool(node.pre_hook or node.post_hook)
    in_parts = bool(node.config.get("partition_by"))
    # each partition has a session of its own: the whole log is declared for hooks alone
    engine = shop.open_step(step, () if in_parts and not has_hooks else None)
    counts: list[CallCounts] = []
    groups: list[str] = []
    try:
        for hook in (*node.pre_hook, *node.post_hook):
            check_hook(hook, shop.target_dir, node.path)
        run_hooks(node.pre_hook, engine, node.path)
        for call in () if in_parts else step.compiled.steps:
            if call.kind == "batch":
                ready = batch_call(call, step, call_constants(call, step.node, engine), shop)
                groups.append(f"{ready.signature.name}/{ready.group}")
                counts.append(_run_batch(ready, step, engine, shop, folder))
            else:
                yield from _run_table(call, step, engine, shop, folder)
        if in_parts:
            rows = _write_partitions(step, shop, folder)
        else:
            rows = engine.write_parquet(step.compiled.sql, folder / DATA)
        if node.post_hook:
            engine.declare_parquet(node.name, [data_of(folder)])
            run_hooks(node.post_hook, engine, node.path)
    except EngineError as error:
        if FILE_TROUBLE.search(error.what) and (broken := shop.broken_source(step.node.reads)):
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
    return Built(shop.store.publish(folder, meta), total if counts else None)


def _write_partitions(step: PlanStep, shop: Workshop, folder: Path) -> int:
    from llm_i2i.runner.partitions import write_partitions

    rows, computed, total = write_partitions(step, shop, folder)
    shop.reporter.note(f"{step.node.name}: {computed} of {total} partitions computed")
    return rows


def _context(step: PlanStep, shop: Workshop, folder: Path, activity: str) -> UdfContext:
    def progress(done: float, total: float, message: str) -> None:
        shop.reporter.progress(step, activity, done, total, message)

    return UdfContext(
        project_dir=shop.project_dir.resolve(),  # workers of a cluster start in other folders
        store_dir=shop.store.root.resolve(),
        artifact_dir=folder / "artifact",
        artifact_name=shop.store.artifact_name(step.node.name, step.fingerprint),
        resume_dir=shop.store.resume_path(step.node.name, step.fingerprint),
        progress=progress,
        serving=shop.serving,
    )


def batch_call(
    call: CallStep, step: PlanStep, constants: Mapping[str, Any], shop: Workshop
) -> BatchCall:
    """A compiled call with its function looked up."""
    return BatchCall(
        relation=call.relation,
        signature=shop.udfs.signatures[call.udf.lower()],
        function=shop.udfs.function(call.udf),
        arguments=call.inputs["arguments"],
        constants=constants,
        file=shop.udfs.file(call.udf),
        max_error_ratio=float(step.node.config.get("max_error_ratio") or 0.0),
        meter=call_meter(call.udf.lower(), constants, shop.store.root),
        node=step.node.name,
    )


def _run_batch(
    call: BatchCall, step: PlanStep, engine: Engine, shop: Workshop, folder: Path
) -> CallCounts:
    context = _context(step, shop, folder, call.signature.name)
    calls = CallCache(shop.target_dir.resolve())
    return run_batch_call(call, engine, calls, context, shop.max_calls)


def plan_calls(step: PlanStep, shop: Workshop) -> CallCounts | None:
    """Calls of a step's first batch call, if the relations of its arguments are built; later calls depend on it.

    Where the checkpoint is not built yet none of its calls can be cached: they are counted without it.
    """
    call = next((c for c in step.compiled.steps if c.kind == "batch"), None)
    if call is None or call is not step.compiled.steps[0]:
        return None
    built = tuple(filter(shop.has_result, step.node.reads))
    whole = len(built) == len(step.node.reads)
    engine = shop.open_step(step, built)
    try:
        constants = call_constants(call, step.node, engine) if whole else {}
        return count_calls(batch_call(call, step, constants, shop), engine, shop.calls)
    except EngineError:
        if whole:
            raise
        return None  # the arguments themselves read what is not built
    finally:
        engine.close()


def _run_table(
    call: CallStep, step: PlanStep, engine: Engine, shop: Workshop, folder: Path
) -> Generator[RunningCall]:
    signature = shop.udfs.signatures[call.udf.lower()]
    context = _context(step, shop, folder, call.udf)
    context.artifact_dir.mkdir(exist_ok=True)
    ready = TableCall(
        udf=call.udf,
        file=shop.udfs.file(call.udf),
        model=step.node.name,
        columns=[name for name, _ in call.columns],
        tables={name: engine.table(sql) for name, sql in call.inputs.items()},
        constants=call_constants(call, step.node, engine),
        context=context,
        wants_context=signature.wants_context,
    )
    if shop.workers is None or signature.is_quick:
        result = ready.run(shop.udfs.function(call.udf))
    else:
        running = shop.workers.start(ready, folder / CALL)
        del ready
        yield running
        result = running.result()
    try:
        rows = result.cast(engine.arrow_schema(call.columns))
    except (ValueError, NotImplementedError) as error:  # Arrow's are both
        raise NodeError(
            f"UDF {call.udf!r} returned other types than it declares",
            where=str(shop.udfs.file(call.udf)),
            found=str(error),
        ) from error
    engine.load(call.relation, rows)
    if not any(context.artifact_dir.iterdir()):
        context.artifact_dir.rmdir()


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


# -- data tests --------------------------------------------------------------------------------------------------------


def run_checks(
    checks: Sequence[DataCheck], shop: Workshop, *, force: bool = False
) -> Iterator[CheckOutcome]:
    """Count the rows that break each data test; one that passed on the same results is not run again."""
    benches: dict[
        bool, tuple[Engine, set[str]]
    ] = {}  # is local -> session, and what is declared in it
    try:
        for check in checks:
            inputs = {name: shop.plan.fingerprints[name] for name in check.depends_on}
            record = shop.target_dir / "tests" / f"{_check_digest(check, inputs)}.json"
            if not force and record.exists():
                yield CheckOutcome(check, 0, reused=True)
                continue
            is_local = (
                bool(shop.local_engine) and shop.bytes_of(check.depends_on) < shop.local_bytes
            )
            if is_local not in benches:
                new_engine = shop.local_engine if is_local else shop.new_engine
                assert new_engine is not None
                benches[is_local] = (new_engine(), set())
            started = time.monotonic()
            outcome = _run_check(check, *benches[is_local], shop)
            outcome = replace(outcome, seconds=time.monotonic() - started)
            if outcome.status == "PASS":
                replace_text(record, json.dumps({"test": check.name, "inputs": inputs}))
            yield outcome
    finally:
        for engine, _ in benches.values():
            engine.close()


def _check_digest(check: DataCheck, inputs: dict[str, str]) -> str:
    judged = [check.severity, check.fail_calc, check.error_if, check.warn_if]
    plain = ["error", "count(*)", "!= 0", "!= 0"]
    return fingerprint([check.sql.split(), inputs, *([judged] if judged != plain else [])])


def passed_record(check: DataCheck, plan: Plan, target_dir: Path) -> Path:
    """The file that is there if a data test passed on the results of a plan."""
    inputs = {name: plan.fingerprints[name] for name in check.depends_on}
    return target_dir / "tests" / f"{_check_digest(check, inputs)}.json"


def _run_check(
    check: DataCheck, engine: Engine, declared: set[str], shop: Workshop
) -> CheckOutcome:
    messages: list[tuple[object, ...]] = []
    failing = f"({check.sql}\n) as failing"
    try:
        shop.declare(engine, tuple(name for name in check.depends_on if name not in declared))
        declared |= set(check.depends_on)
        failures, is_error, is_warning = _judge(check, failing, engine)
        names = [name for name, _ in engine.columns(check.sql)]
        if failures and "message" in names:
            messages = engine.rows(f"select message from {failing} limit {SHOWN}")
    except LlmI2iError as error:
        problem = NodeError(
            f"data test {check.name} cannot run: {error.what}",
            where=check.where,
            found=error.found,
            fix=error.fix
            or sql_fix(error.what, error.found)
            or "correct the test, or its arguments",
        )
        return CheckOutcome(check, 0, error=problem)
    verdict: Verdict = "FAIL" if is_error else "WARN" if is_warning else "PASS"
    broken = failures or verdict != "PASS"
    path = shop.target_dir / "failures" / f"{check.name}.sql"
    written = _write_failures(check, failing, names, path, engine, shop) if broken else None
    return CheckOutcome(
        check,
        failures,
        verdict=verdict,
        failures_sql=str(path) if broken else "",
        failures_rows=str(written or ""),
        messages=tuple(str(message) for (message,) in messages),
    )


def _judge(check: DataCheck, failing: str, engine: Engine) -> tuple[int, bool, bool]:
    """Number of failures, and whether it is one to fail or to warn of: dbt's rules."""
    counted = f"select coalesce({check.fail_calc}, 0) as failures from {failing}"
    row = engine.rows(
        f"select failures, coalesce(failures {check.error_if}, false), coalesce(failures {check.warn_if}, false) from ({counted})"
    )[0]
    return int(row[0]), bool(row[1]) and check.severity == "error", bool(row[2])


def _write_failures(
    check: DataCheck,
    failing: str,
    names: list[str],
    path: Path,
    engine: Engine,
    shop: Workshop,
) -> Path | None:
    """The query and, beside it, the rows: what failed is not published, so the query alone would find older tables or none.

    Returns:
        The file of the rows: all of them as Parquet with `store_failures`, else the first as CSV, none with `store_failures: false`.
    """
    replace_text(path, check.sql + "\n")
    keeps_all = shop.store_failures if check.store_failures is None else check.store_failures
    if check.store_failures is False:
        return None
    if keeps_all:
        stored = path.with_suffix(".parquet")
        replace_file(stored, lambda beside: _write_rows(check.sql, beside, engine))
        return stored
    rows = io.StringIO()
    csv.writer(rows).writerows([names, *engine.rows(f"select * from {failing} limit {WRITTEN}")])
    replace_text(path.with_suffix(".csv"), rows.getvalue())
    return path.with_suffix(".csv")


def _write_rows(sql: str, path: Path, engine: Engine) -> None:
    engine.write_parquet(sql, path)
