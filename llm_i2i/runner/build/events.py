"""What a build tells the outside while it runs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from llm_i2i.errors import LlmI2iError
from llm_i2i.graph.node import DataCheck, UnitCheck
from llm_i2i.plan.step import Plan, PlanStep
from llm_i2i.tabular import Tabular
from llm_i2i.udf.batch import CallCounts

Status = Literal["OK", "REUSED", "VIEW", "ERROR", "SKIP"]
Verdict = Literal["PASS", "WARN", "FAIL"]


@dataclass(frozen=True)
class NodeOutcome:
    """What became of one step; CPU seconds are of all threads and processes that worked on it, 0.0 where nothing did."""

    step: PlanStep
    status: Status
    rows: int = 0
    seconds: float = 0.0
    calls: CallCounts | None = None
    error: LlmI2iError | None = None
    completed_at: float = field(default_factory=time.time)
    cpu_seconds: float = 0.0


@dataclass(frozen=True)
class CheckOutcome:
    """What a data test found; `failures` counts failing rows, `reused` that the same rows passed before.

    `failures_sql` is the file of its query, `failures_rows` that of the rows that break it. A data test whose rows have a column `message` says in it what is wrong: `messages` are the first of them.
    """

    check: DataCheck
    failures: int
    reused: bool = False
    verdict: Verdict = "PASS"
    failures_sql: str = ""
    failures_rows: str = ""
    messages: tuple[str, ...] = ()
    error: LlmI2iError | None = None
    seconds: float = 0.0
    completed_at: float = field(default_factory=time.time)

    @property
    def status(self) -> Literal["PASS", "WARN", "FAIL", "ERROR"]:
        return "ERROR" if self.error is not None else self.verdict


@dataclass(frozen=True)
class UnitOutcome:
    """What a unit test found; `failures` counts rows that are not as expected, `diff` shows them."""

    check: UnitCheck
    failures: int = 0
    diff: str = ""
    reused: bool = False
    seconds: float = 0.0
    error: LlmI2iError | None = None

    @property
    def status(self) -> Literal["PASS", "FAIL", "ERROR"]:
        if self.error is not None:
            return "ERROR"
        return "FAIL" if self.failures else "PASS"

    def taking(self, seconds: float) -> UnitOutcome:
        """The same with the time it took."""
        return replace(self, seconds=seconds)


@dataclass(repr=False)
class BuildResult(Tabular):
    """All outcomes of a build, in order.

    `conclusions` are the messages of the built models with the tag `conclusion`: what the build has to say of its own results.
    """

    nodes: list[NodeOutcome] = field(default_factory=list)
    checks: list[CheckOutcome] = field(default_factory=list)
    units: list[UnitOutcome] = field(default_factory=list)
    published: bool = False
    seconds: float = 0.0
    conclusions: list[str] = field(default_factory=list)

    @property
    def success(self) -> bool:
        failed_node = any(n.status in ("ERROR", "SKIP") for n in self.nodes)
        tests: list[UnitOutcome | CheckOutcome] = [*self.units, *self.checks]
        return not failed_node and not any(t.status in ("FAIL", "ERROR") for t in tests)

    @property
    def exit_code(self) -> int:
        return 0 if self.success else 1

    def records(self) -> list[dict[str, Any]]:
        return [
            {
                "node": n.step.node.name,
                "status": n.status,
                "rows": n.rows,
                "seconds": round(n.seconds, 3),
                "calls": n.calls.made if n.calls else None,
                "cached": n.calls.cached if n.calls else None,
                "error": n.error.what if n.error else None,
            }
            for n in self.nodes
        ]

    def __repr__(self) -> str:
        failed = sum(c.status in ("FAIL", "ERROR") for c in self.checks)
        built = sum(n.status == "OK" for n in self.nodes)
        return (
            f"<build {'succeeded' if self.success else 'failed'}: {built} of {len(self.nodes)} nodes built,"
            f" {len(self.checks)} data tests, {failed} failed>"
        )


class Reporter:
    """Receives events as they happen and does nothing; a console or a notebook overrides what it wants to show."""

    def started(self, plan: Plan, found: Mapping[str, int]) -> None:
        """The plan is made; `found` counts what the project has, `model`, `data test`, `UDF` ..."""

    def expects(self, seconds: Mapping[str, float]) -> None:
        """What nodes that are to be built took when they were built last; called before `started`."""

    def node_started(self, index: int, total: int, step: PlanStep) -> None:
        """A node is about to be built; `index` counts from 1."""

    def progress(
        self, step: PlanStep, activity: str, done: float, total: float, message: str
    ) -> None:
        """A UDF of a node got on; see `UdfContext.progress`."""

    def node_finished(self, index: int, total: int, outcome: NodeOutcome) -> None:
        """A node was built, reused, skipped, or failed."""

    def check_finished(self, outcome: CheckOutcome) -> None:
        """A data test was run, or its earlier result taken."""

    def unit_finished(self, outcome: UnitOutcome) -> None:
        """A unit test was run, or its earlier result taken."""

    def note(self, message: str) -> None:
        """Something worth a line."""

    def finished(self, result: BuildResult, env: str) -> None:
        """All is done, published or not."""
