"""`--log-format json`: a build as one JSON object a line on stderr, for schedulers and log collectors."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from llm_i2i.errors import LlmI2iError, ProjectErrors
from llm_i2i.plan.step import Plan, PlanStep
from llm_i2i.runner.build.events import (
    BuildResult,
    CheckOutcome,
    NodeOutcome,
    Reporter,
    UnitOutcome,
)

PROGRESS_SECONDS = 10.0


class JsonLog(Reporter):
    """A reporter that writes events. Every line has `time` (UTC, ISO 8601), `level` (info, warn, error) and `event`."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._next_progress = 0.0

    def started(self, plan: Plan, found: Mapping[str, int]) -> None:
        counts: dict[str, Any] = {
            f"{name.replace(' ', '_').lower()}s": number for name, number in found.items()
        }
        self._write("build_started", steps=len(plan.steps), **counts)

    def node_started(self, index: int, total: int, step: PlanStep) -> None:
        self._write(
            "node_started", node=step.node.name, index=index, total=total, reason=step.reason
        )

    def progress(
        self, step: PlanStep, activity: str, done: float, total: float, message: str
    ) -> None:
        now = time.monotonic()
        if now >= self._next_progress:
            self._next_progress = now + PROGRESS_SECONDS
            self._write(
                "progress", node=step.node.name, activity=activity, done=done, total=total, message=message
            )  # fmt: skip

    def node_finished(self, index: int, total: int, outcome: NodeOutcome) -> None:
        calls = outcome.calls
        self._write(
            "node_finished", "error" if outcome.status in ("ERROR", "SKIP") else "info", outcome.error,
            node=outcome.step.node.name, index=index, total=total, status=outcome.status, reason=outcome.step.reason,
            fingerprint=outcome.step.fingerprint, rows=outcome.rows, seconds=round(outcome.seconds, 3),
            calls_made=calls.made if calls else 0, calls_cached=calls.cached if calls else 0,
        )  # fmt: skip

    def check_finished(self, outcome: CheckOutcome) -> None:
        level = {"PASS": "info", "WARN": "warn"}.get(outcome.status, "error")
        self._write(
            "data_test_finished", level, outcome.error,
            test=outcome.check.name, node=outcome.check.model, status=outcome.status, failures=outcome.failures,
            messages=list(outcome.messages), reused=outcome.reused, path=outcome.check.where,
        )  # fmt: skip

    def unit_finished(self, outcome: UnitOutcome) -> None:
        self._write(
            "unit_test_finished", "info" if outcome.status == "PASS" else "error", outcome.error,
            test=outcome.check.name, node=outcome.check.model, status=outcome.status, failures=outcome.failures,
            diff=outcome.diff, reused=outcome.reused, path=outcome.check.where,
        )  # fmt: skip

    def note(self, message: str) -> None:
        self._write("note", message=message)

    def show_warnings(self) -> None:
        """Nothing is held back for the end."""

    def finished(self, result: BuildResult, env: str) -> None:
        self._write(
            "build_finished", "info" if result.success else "error",
            env=env, success=result.success, published=result.published, seconds=round(result.seconds, 3),
            conclusions=result.conclusions,
        )  # fmt: skip

    def _write(
        self, event: str, level: str = "info", error: LlmI2iError | None = None, **fields: Any
    ) -> None:
        if not self._quiet or level == "error":
            _print_event(event, level, error, **fields)


def print_error(error: LlmI2iError) -> None:
    """The error, or each of several, that ended a command."""
    for one in error.errors if isinstance(error, ProjectErrors) else [error]:
        _print_event("error", "error", one)


def _print_event(event: str, level: str, error: LlmI2iError | None, **fields: Any) -> None:
    line: dict[str, Any] = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "level": level,
        "event": event,
        **fields,
    }
    if error is not None:
        line["error"] = {"what": error.what, "where": error.where, "found": error.found, "fix": error.fix}  # fmt: skip
    print(json.dumps(line, ensure_ascii=False), file=sys.stderr, flush=True)
