"""The lines of a running build, in dbt's shape, on stderr."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Mapping

from llm_i2i.errors import LlmI2iError, counted
from llm_i2i.plan.step import Plan, PlanStep
from llm_i2i.runner.build.events import (
    BuildResult,
    CheckOutcome,
    NodeOutcome,
    Reporter,
    UnitOutcome,
)

WIDTH = 80
COLOURS = {"ERROR": 31, "FAIL": 31, "WARN": 33, "SKIP": 33, "REUSED": 36, "OK": 32}  # ANSI
WORTH_SAYING = 10.0  # seconds of work from which on a build says how long it will take
TTY_SECONDS, PLAIN_SECONDS = 0.2, 10.0  # how often progress is shown with and without a terminal


class Console(Reporter):
    """A reporter that prints. On a terminal progress rewrites one line; elsewhere it is a plain line now and then."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._tty = sys.stderr.isatty()
        self._open = False
        self._next_progress = 0.0
        self._meters: dict[tuple[str, str], tuple[float, float]] = {}
        self._expected: dict[str, float] = {}
        self._finished_of = (0.0, 0.0)  # seconds that finished nodes took last time, and now
        self._began = time.monotonic()
        self._passed: Counter[str] = Counter()
        self._units: Counter[str] = Counter()
        self._warnings: list[LlmI2iError] = []

    def expects(self, seconds: Mapping[str, float]) -> None:
        self._expected = dict(seconds)
        self._finished_of = (0.0, 0.0)
        self._began = time.monotonic()

    def started(self, plan: Plan, found: Mapping[str, int]) -> None:
        from llm_i2i.version import __version__

        self._line(f"Running llmi2i {__version__}")
        self._line(f"Found {counted(found)}")
        total = sum(self._expected.values())
        if total >= WORTH_SAYING:
            new = len(plan.to_build) - len(self._expected)
            also = f", {new} new" if new else ""
            self._line(
                f"To build: {len(self._expected)} nodes that took {_duration(total)} last time{also}"
            )

    def node_started(self, index: int, total: int, step: PlanStep) -> None:
        self._progress_line(
            f"{index} of {total} {self._left()}START {_what(step)} ({step.reason})",
            force=not self._tty and bool(step.compiled.steps),
        )

    def progress(
        self, step: PlanStep, activity: str, done: float, total: float, message: str
    ) -> None:
        now = time.monotonic()
        # What was done when it began, as after a resumed training, says nothing of the speed.
        began, before = self._meters.setdefault((step.node.name, activity), (now, done))
        if now < self._next_progress:
            return
        self._next_progress = now + (TTY_SECONDS if self._tty else PLAIN_SECONDS)
        rate = (done - before) / (now - began) if now > began else 0.0
        left = (total - done) / rate if rate and total else 0.0
        parts = [f"{step.node.name}: {activity} {done:,.0f}" + (f"/{total:,.0f}" if total else "")]
        parts += [f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"] if rate else []
        parts += [f"ETA {_duration(left)}"] if left else []
        parts += [message] if message else []
        self._progress_line(self._left() + "  ".join(parts), force=not self._tty)

    def node_finished(self, index: int, total: int, outcome: NodeOutcome) -> None:
        step = outcome.step
        before, _ = self._finished_of
        self._finished_of = (
            before + self._expected.pop(step.node.name, 0.0),
            time.monotonic() - self._began,
        )
        # The same node may come again, with another seed.
        self._meters = {
            key: value for key, value in self._meters.items() if key[0] != step.node.name
        }
        if outcome.status == "OK":
            self._status(f"{index} of {total} OK created {_what(step)}", *_details(outcome))
        elif outcome.status == "REUSED":
            self._status(f"{index} of {total} REUSED {_what(step)}", f"[{step.reason}]")
        elif outcome.status == "VIEW":
            self._status(f"{index} of {total} OK {_what(step)}", "[view]")
        elif outcome.status == "SKIP":
            self._status(
                f"{index} of {total} SKIP {_what(step)}",
                f"[{outcome.error.what if outcome.error else ''}]",
            )
        else:
            self._status(
                f"{index} of {total} ERROR creating {_what(step)}",
                f"[ERROR in {outcome.seconds:.2f}s]",
            )
            self._error(outcome.error)

    def check_finished(self, outcome: CheckOutcome) -> None:
        self._passed[outcome.status] += 1
        if outcome.status == "PASS":
            return
        if outcome.error:
            self._status(f"ERROR data test {outcome.check.name}", "[ERROR]")
            self._error(outcome.error)
            return
        self._status(
            f"{outcome.status} data test {outcome.check.name}",
            f"[{outcome.status} {outcome.failures:,} rows]",
        )
        problem = LlmI2iError(
            f"data test {outcome.check.name} found {outcome.failures:,} {'rows that break' if outcome.failures != 1 else 'row that breaks'} it",
            where=outcome.check.where,
            found="\n".join(outcome.messages)
            or f"{outcome.failures:,} row{'s' * (outcome.failures != 1)} of {outcome.check.model}",
            fix=_where_to_look(outcome),
        )
        if outcome.status == "WARN":
            self._warnings.append(problem)
        else:
            self._error(problem)

    def unit_finished(self, outcome: UnitOutcome) -> None:
        self._units[outcome.status] += 1
        if outcome.status == "PASS":
            return
        name = outcome.check.name
        detail = "ERROR" if outcome.error else f"FAIL {outcome.failures:,} rows"
        self._status(f"{outcome.status} unit test {name}", f"[{detail}]")
        self._error(
            outcome.error
            or LlmI2iError(
                f"unit test {name} failed",
                where=outcome.check.where,
                found=f"{outcome.check.model}: {outcome.diff}",
                fix="correct the model, or what the test expects",
            )
        )

    def show_warnings(self) -> None:
        """What data tests warned of, together at the end, where it is seen."""
        for problem in self._warnings:
            self._error(problem, word="warning")
        self._warnings.clear()

    def note(self, message: str) -> None:
        self._line(message)

    def finished(self, result: BuildResult, env: str) -> None:
        self.show_warnings()
        nodes = Counter(n.status for n in result.nodes)
        made = sum(n.calls.made for n in result.nodes if n.calls)
        cached = sum(n.calls.cached for n in result.nodes if n.calls)
        if self._units:
            counts = " ".join(f"{word}={self._units[word]}" for word in ("PASS", "FAIL", "ERROR"))
            self._line(f"Unit tests: {counts}")
        self._line(
            f"Data tests: PASS={self._passed['PASS']} WARN={self._passed['WARN']}"
            f" FAIL={self._passed['FAIL']} ERROR={self._passed['ERROR']}"
        )
        self._line(f"UDF calls: {made:,} made, {cached:,} cached")
        self._line(
            f"Done in {result.seconds:.2f}s. OK={nodes['OK'] + nodes['VIEW']}"
            f" REUSED={nodes['REUSED']} ERROR={nodes['ERROR']} SKIP={nodes['SKIP']}"
            f" TOTAL={len(result.nodes)}"
        )
        if result.published:
            self._line(f"Published environment {env!r}.")
        elif not result.success:
            self._line(f"Environment {env!r} stays as it was.")
        for message in result.conclusions:
            self._line(message)

    def _left(self) -> str:
        """On a terminal, how long the build will still take if nodes take what they took last time; at the pace of those that are finished."""
        before, now = self._finished_of
        pace = now / before if before >= WORTH_SAYING else 1.0
        left = pace * sum(self._expected.values()) - (time.monotonic() - self._began - now)
        return f"[{_duration(left)} left] " if self._tty and left >= 1 else ""

    # -- writing -------------------------------------------------------------------------------------------------------

    def _status(self, left: str, *rights: str) -> None:
        """A line with dots in the middle, its end the first of `rights` that leaves room for the rest."""
        short = left.replace(" created ", " ")
        for text, right in ((text, right) for right in rights for text in (left, short)):
            room = WIDTH - len("00:00:00  ") - len(text) - len(right) - 2
            if room > 0:
                break
        self._line(f"{self._coloured(text)} {'.' * room}{' ' * (room > 0)}{right}")

    def _coloured(self, text: str) -> str:
        """The status word in its colour, on a terminal whose owner has not set NO_COLOR."""
        if not self._tty or "NO_COLOR" in os.environ:
            return text
        for word, colour in COLOURS.items():
            if f"{word} " in f"{text} ":
                return text.replace(word, f"\x1b[{colour}m{word}\x1b[0m", 1)
        return text

    def _error(self, error: LlmI2iError | None, word: str = "error") -> None:
        if error is not None:
            self._close_progress()
            print(word + error.render().removeprefix("error"), file=sys.stderr, flush=True)

    def _line(self, text: str) -> None:
        if self._quiet:
            return
        self._close_progress()
        print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)

    def _progress_line(self, text: str, *, force: bool = False) -> None:
        if self._quiet:
            return
        if self._tty:
            import shutil

            width = shutil.get_terminal_size((WIDTH, 24)).columns - 1
            print(
                f"\r\x1b[K{time.strftime('%H:%M:%S')}  {text}"[: width + 4],
                end="",
                file=sys.stderr,
                flush=True,
            )
            self._open = True
        elif force:
            print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)

    def _close_progress(self) -> None:
        if self._open:
            print("\r\x1b[K", end="", file=sys.stderr)
            self._open = False


def _details(outcome: NodeOutcome) -> list[str]:
    """What a node that was built took, the longest text first."""
    rows, seconds, calls = f"{outcome.rows:,} rows", f"{outcome.seconds:.2f}s", outcome.calls
    if calls is None:
        return [f"[{rows} in {seconds}]"]
    made = f"{calls.made:,} calls"
    return [
        f"[{rows}, {made}, {calls.cached:,} cached, {seconds}]",
        f"[{rows}, {made}, {seconds}]",
        f"[{made}, {seconds}]",
    ]


def _where_to_look(outcome: CheckOutcome) -> str:
    if outcome.failures_rows.endswith(".parquet"):
        return f"look at all of them: duckdb -c \"from '{outcome.failures_rows}'\""
    if outcome.failures_rows:
        return f"look at them in {outcome.failures_rows}; the query is beside it"
    return f"their query is {outcome.failures_sql}"


def _what(step: PlanStep) -> str:
    return (
        step.node.name
        if step.node.materialized == "table"
        else f"{step.node.materialized} {step.node.name}"
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds + 0.5), 60)
    return f"{minutes}:{rest:02d}"
