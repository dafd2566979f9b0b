"""Carry out a plan: write, audit, publish."""

from __future__ import annotations

import time
from contextlib import closing

from llm_i2i.errors import LlmI2iError, NodeError, disk_error
from llm_i2i.graph.node import DataCheck
from llm_i2i.runner.build.conclusions import read_conclusions
from llm_i2i.runner.build.context import BuildContext, Built, Busy, Work
from llm_i2i.runner.build.data_tests import run_checks
from llm_i2i.runner.build.events import BuildResult, NodeOutcome, Status
from llm_i2i.runner.build.schedule import Schedule, Turn
from llm_i2i.runner.build.steps import build_node
from llm_i2i.runner.build.views import pointers_of
from llm_i2i.store.environment import Environment
from llm_i2i.udf.processes import RunningCall, cpu_seconds


def run_build(
    context: BuildContext, environment: Environment, *, fail_fast: bool = False
) -> BuildResult:
    """Run unit tests, build what is stale, run the data tests, and publish all of it in one step if everything is well."""
    return _Build(context, fail_fast).run(environment)


class _Build:
    """One build on its way. The work of each step, in order: its unit tests, the model, the data tests that are ready then.

    Attributes:
        pending: Data tests that are not run yet, with what they read.
        broken: Nodes that failed, and those whose tests did: nothing is built on them.
        absent: Data tests that cannot run, with what they read and nobody built.
    """

    def __init__(self, context: BuildContext, fail_fast: bool) -> None:
        self.context = context
        self.fail_fast = fail_fast
        self.result = BuildResult()
        self.pending = _data_tests(context)
        self.broken: set[str] = set()
        self.absent: dict[DataCheck, list[str]] = {}

    def run(self, environment: Environment) -> BuildResult:
        started = time.monotonic()
        steps = self.context.plan.steps
        # tests of sources and of what is not built here can be run before the first step.
        self.broken |= self._test_data({step.node.name for step in steps})
        with closing(Schedule(self.context)) as schedule:
            for turn in schedule.turns():
                has_ended = self._take(turn, schedule)
                if has_ended and self.fail_fast and self.broken:
                    break
        if self.result.success and len(self.result.nodes) == len(steps):
            self._publish(environment)
        if self.result.success:
            self.result.conclusions = list(read_conclusions(self.context))
        if self.absent:
            names = sorted({name for missing in self.absent.values() for name in missing})
            self.context.reporter.note(
                f"data tests not run: {len(self.absent)}; they also read what is not built: {', '.join(names)}"
            )
        self.result.seconds = time.monotonic() - started
        self.context.reporter.finished(self.result, environment.name)
        return self.result

    def _take(self, turn: Turn, schedule: Schedule) -> bool:
        """Do the work of one step as far as it goes now; whether the step has ended."""
        outcome = self._test_units(turn) or self._build_node(turn, schedule)
        if outcome is None:
            return False
        schedule.finished(turn)
        self.result.nodes.append(outcome)
        total = len(self.context.plan.steps)
        self.context.reporter.node_finished(turn.number, total, outcome)
        name = turn.step.node.name
        if outcome.status in ("ERROR", "SKIP"):
            self.broken.add(name)
        elif failed := self._test_data(schedule.unfinished | self.broken):
            self.broken |= failed | {name}
        return True

    def _test_units(self, turn: Turn) -> NodeOutcome | None:
        """Run a model's unit tests before it is built; its outcome if one fails, None if it may be built."""
        step, given = turn.step, self.context.unit_tests
        if turn.begun or given is None or self.broken & set(step.node.reads):
            return None
        checks = self.context.manifest.unit_checks_of(step.node.name)
        checks = [check for check in checks if check.name not in self.context.left_out]
        if not checks:
            return None
        from llm_i2i.runner.build.unit_tests import run_unit_checks

        failed = []
        for outcome in run_unit_checks(checks, given):
            self.result.units.append(outcome)
            self.context.reporter.unit_finished(outcome)
            if outcome.status != "PASS":
                failed.append(outcome.check.name)
        if not failed:
            return None
        return NodeOutcome(step, "SKIP", error=NodeError(f"unit test failed: {', '.join(failed)}"))

    def _build_node(self, turn: Turn, schedule: Schedule) -> NodeOutcome | None:
        """Begin a step, or go on with one whose call is done; None if it is to be resumed later."""
        step, context = turn.step, self.context
        if turn.work is None:
            failed_parents = sorted(parent for parent in step.node.reads if parent in self.broken)
            if failed_parents:
                return NodeOutcome(
                    step, "SKIP", error=NodeError(f"upstream failed: {', '.join(failed_parents)}")
                )
            if step.action == "view":
                return NodeOutcome(step, "VIEW")
            if step.action == "reuse":
                meta = context.store.meta(step.node.name, step.fingerprint)
                return NodeOutcome(step, "REUSED", rows=meta.rows if meta else 0)
            if not turn.begun:
                context.reporter.node_started(turn.number, len(context.plan.steps), step)
            turn.work = build_node(step, context, patient=schedule.patient)
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

    def _test_data(self, unavailable: set[str]) -> set[str]:
        """Run the data tests whose last missing input is there now; the nodes whose tests failed."""
        ready = []
        for check in [c for c, reads in self.pending.items() if not reads & unavailable]:
            del self.pending[check]
            missing = [name for name in check.depends_on if not self.context.has_result(name)]
            if missing:
                self.absent[check] = missing
            else:
                ready.append(check)
        failed: set[str] = set()
        for outcome in run_checks(ready, self.context):
            self.result.checks.append(outcome)
            self.context.reporter.check_finished(outcome)
            if outcome.status in ("FAIL", "ERROR"):
                failed.add(outcome.check.model)
        return failed

    def _publish(self, environment: Environment) -> None:
        """Point the environment to every result of the plan, in one step."""
        steps = self.context.plan.steps
        known = set(environment.pointers()) | {step.node.name for step in steps}
        pointers = [pointers_of(step, self.context, known) for step in steps]
        self.result.published = environment.publish(
            {name: pointer for one in pointers for name, pointer in one.items()}
        )


def _data_tests(context: BuildContext) -> dict[DataCheck, set[str]]:
    """The data tests of what the plan builds and of the sources it reads, with the nodes each reads."""
    steps, nodes = context.plan.steps, context.manifest.nodes
    sources = dict.fromkeys(p for step in steps for p in step.node.reads if nodes[p].is_source)
    # a frozen result was tested on what it was made from; the log has moved on since.
    kept = {s.node.name for s in steps if s.action == "reuse" and s.node.config.get("frozen")}
    return {
        check: set(check.depends_on)
        for name in (*sources, *(step.node.name for step in steps))
        for check in context.manifest.checks_of(name)
        if check.name not in context.left_out and check.model not in kept
    }


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
