"""Data tests: count the rows that break an assertion, judge them as dbt does, keep what failed to look at."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from llm_i2i.engine.base import Engine
from llm_i2i.errors import LlmI2iError, NodeError
from llm_i2i.fingerprint import fingerprint
from llm_i2i.graph.node import DataCheck
from llm_i2i.plan.step import Plan
from llm_i2i.runner.build.context import BuildContext
from llm_i2i.runner.build.events import CheckOutcome, Verdict
from llm_i2i.sql.complaints import sql_fix
from llm_i2i.store.files import replace_file, replace_text

SHOWN = 20  # messages of a data test that are shown
WRITTEN = 1000  # failing rows of a data test in its CSV file


def run_checks(
    checks: Sequence[DataCheck], context: BuildContext, *, force: bool = False
) -> Iterator[CheckOutcome]:
    """Count the rows that break each data test; one that passed on the same results is not run again."""
    benches: dict[
        bool, tuple[Engine, set[str]]
    ] = {}  # is local -> session, and what is declared in it
    try:
        for check in checks:
            inputs = {name: context.plan.fingerprints[name] for name in check.depends_on}
            record = context.target_dir / "tests" / f"{_check_digest(check, inputs)}.json"
            if not force and record.exists():
                yield CheckOutcome(check, 0, reused=True)
                continue
            is_local = (
                bool(context.local_engine)
                and context.bytes_of(check.depends_on) < context.local_bytes
            )
            if is_local not in benches:
                new_engine = context.local_engine if is_local else context.new_engine
                assert new_engine is not None
                benches[is_local] = (new_engine(), set())
            started = time.monotonic()
            outcome = _run_check(check, *benches[is_local], context)
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
    check: DataCheck, engine: Engine, declared: set[str], context: BuildContext
) -> CheckOutcome:
    messages: list[tuple[object, ...]] = []
    failing = f"({check.sql}\n) as failing"
    try:
        context.declare(engine, tuple(name for name in check.depends_on if name not in declared))
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
    path = context.target_dir / "failures" / f"{check.name}.sql"
    written = _write_failures(check, failing, names, path, engine, context) if broken else None
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
    context: BuildContext,
) -> Path | None:
    """The query and, beside it, the rows: what failed is not published, so the query alone would find older tables or none.

    Returns:
        The file of the rows: all of them as Parquet with `store_failures`, else the first as CSV, none with `store_failures: false`.
    """
    replace_text(path, check.sql + "\n")
    keeps_all = context.store_failures if check.store_failures is None else check.store_failures
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
