"""Carry out a plan: write, audit, publish."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import closing

from llm_i2i.errors import LlmI2iError, NodeError, disk_error
from llm_i2i.graph.node import DataCheck
from llm_i2i.runner.build.events import BuildResult, CheckOutcome, NodeOutcome, Status, UnitOutcome
from llm_i2i.runner.build.schedule import Schedule, Turn
from llm_i2i.runner.build.steps import Built, Busy, Work, Workshop, build_node, run_checks
from llm_i2i.runner.build.views import pointers_of
from llm_i2i.store.environment import Environment
from llm_i2i.udf.processes import RunningCall, cpu_seconds

UnitRunner = Callable[[str], Iterable[UnitOutcome]]  # runs the unit tests of a model


def run_build(
    shop: Workshop,
    environment: Environment,
    *,
    run_units: UnitRunner = lambda model: (),
    checks: Container[DataCheck] | None = None,
    fail_fast: bool = False,
) -> BuildResult:
    """Run unit tests, build what is stale, run the data tests, and publish all of it in one step if everything is well.

    Args:
        checks: The data tests to run, all by default.
    """
    started = time.monotonic()
    result = BuildResult()
    steps = shop.plan.steps
    named = [step.node.name for step in steps]
    read = {p: None for step in steps for p in step.node.reads if shop.manifest.nodes[p].is_source}
    pending = {
        check: set(check.depends_on)
        for name in (*read, *named)
        for check in shop.manifest.checks_of(name)
        if checks is None or check in checks
    }
    # a frozen result was tested on what it was made from; the log has moved on since.
    kept = {s.node.name for s in steps if s.action == "reuse" and s.node.config.get("frozen")}
    pending = {check: reads for check, reads in pending.items() if check.model not in kept}
    broken: set[str] = set()
    absent: dict[DataCheck, list[str]] = {}
    broken |= _run_checks_now(shop, pending, set(named), result, absent)
    schedule = Schedule(shop)
    with closing(schedule):
        for turn in schedule.turns():
            outcome = _run_units(turn, shop, broken, run_units, result) or _go_on(
                turn, schedule, shop, broken
            )
            if outcome is None:
                continue
            schedule.finished(turn)
            result.nodes.append(outcome)
            shop.reporter.node_finished(turn.number, len(steps), outcome)
            name = turn.step.node.name
            if outcome.status in ("ERROR", "SKIP"):
                broken.add(name)
                if fail_fast:
                    break
                continue
            unavailable = schedule.unfinished | broken
            if failed := _run_checks_now(shop, pending, unavailable, result, absent):
                broken |= failed | {name}
            if fail_fast and broken:
                break
    if result.success and len(result.nodes) == len(steps):
        known = set(environment.pointers()) | {s.node.name for s in steps}
        pointers = [pointers_of(step, shop, known) for step in steps]
        result.published = environment.publish({n: p for one in pointers for n, p in one.items()})
    if absent:
        names = sorted({name for missing in absent.values() for name in missing})
        shop.reporter.note(
            f"data tests not run: {len(absent)}; they also read what is not built: {', '.join(names)}"
        )
    result.seconds = time.monotonic() - started
    shop.reporter.finished(result, environment.name)
    return result


def _go_on(turn: Turn, schedule: Schedule, shop: Workshop, broken: set[str]) -> NodeOutcome | None:
    """Begin a step, or go on with one whose call is done; None if it is to be resumed later."""
    step = turn.step
    if turn.work is None:
        failed_parents = sorted(parent for parent in step.node.reads if parent in broken)
        if failed_parents:
            return NodeOutcome(
                step, "SKIP", error=NodeError(f"upstream failed: {', '.join(failed_parents)}")
            )
        if step.action == "view":
            return NodeOutcome(step, "VIEW")
        if step.action == "reuse":
            meta = shop.store.meta(step.node.name, step.fingerprint)
            return NodeOutcome(step, "REUSED", rows=meta.rows if meta else 0)
        if not turn.begun:
            shop.reporter.node_started(turn.number, len(shop.plan.steps), step)
        turn.work = build_node(step, shop, patient=schedule.patient)
    try:
        turn.waits = _resume(turn, turn.work)
    except StopIteration as end:
        built: Built = end.value
        status: Status = "REUSED" if built.reused else "OK"
        seconds = time.monotonic() - turn.started
        return NodeOutcome(
            step, status, built.meta.rows, seconds, built.calls, cpu_seconds=turn.cpu_seconds
        )
    except Busy:
        turn.work = None
        schedule.later(turn)
        return None
    except LlmI2iError as error:
        if not error.where:
            error.where = step.node.path
        return NodeOutcome(step, "ERROR", seconds=time.monotonic() - turn.started, error=error)
    schedule.park(turn)
    return None


def _resume(turn: Turn, work: Work) -> RunningCall:
    if turn.waits is not None:
        turn.cpu_seconds += turn.waits.cpu_seconds
    before = cpu_seconds()
    try:
        return next(work)
    except OSError as error:
        problem = disk_error(error)
        if problem is None:
            raise
        raise problem from error
    finally:
        turn.cpu_seconds += cpu_seconds() - before


def _run_units(
    turn: Turn, shop: Workshop, broken: set[str], run_units: UnitRunner, result: BuildResult
) -> NodeOutcome | None:
    """Run a model's unit tests before it is built; its outcome if one fails, None if it may be built."""
    step = turn.step
    if turn.begun or broken & set(step.node.reads):
        return None
    failed = []
    for outcome in run_units(step.node.name):
        result.units.append(outcome)
        shop.reporter.unit_finished(outcome)
        if outcome.status != "PASS":
            failed.append(outcome.check.name)
    if not failed:
        return None
    return NodeOutcome(step, "SKIP", error=NodeError(f"unit test failed: {', '.join(failed)}"))


def _run_checks_now(
    shop: Workshop,
    pending: dict[DataCheck, set[str]],
    unavailable: set[str],
    result: BuildResult,
    absent: dict[DataCheck, list[str]],
) -> set[str]:
    """Run the data tests whose last missing input is there now; the nodes whose tests failed."""
    failed: set[str] = set()
    for outcome in _run_ready_checks(shop, pending, unavailable, absent):
        result.checks.append(outcome)
        shop.reporter.check_finished(outcome)
        if outcome.status in ("FAIL", "ERROR"):
            failed.add(outcome.check.model)
    return failed


def _run_ready_checks(
    shop: Workshop,
    pending: dict[DataCheck, set[str]],
    unavailable: set[str],
    absent: dict[DataCheck, list[str]],
) -> Iterator[CheckOutcome]:
    """Run the data tests that now have all their inputs; those that need what is not selected go to `absent`."""
    ready = []
    for check in [c for c, reads in pending.items() if not reads & unavailable]:
        del pending[check]
        missing = [name for name in check.depends_on if not shop.has_result(name)]
        if missing:
            absent[check] = missing
        else:
            ready.append(check)
    return run_checks(ready, shop)
