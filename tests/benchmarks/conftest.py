"""After benchmarks: their ratios go into ratios.json, and a table sets them beside the committed ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.benchmarks.drift import compare, table
from tests.benchmarks.ratios import Benchmark, from_json, keep
from tests.benchmarks.report import REPORTED
from tests.benchmarks.watch import Watch, commits_since, committed

_measured: dict[str, Benchmark] = {}
_ended: dict[str, str] = {}
_lines: list[str] = []


@pytest.fixture(autouse=True)
def watched(request: pytest.FixtureRequest) -> Iterator[None]:
    """Keeps what the test reports at once: a later benchmark that is killed takes nothing with it."""
    REPORTED.clear()
    committed()  # before it is replaced
    watch = Watch()
    yield
    run = watch.stop()
    for name, (ratios, paths) in REPORTED.items():
        _measured[name] = Benchmark(name, request.node.nodeid, run, ratios, paths)
        keep(_measured[name])


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """How each benchmark ended, with the reason of a skip."""
    if report.outcome != "passed" or report.when == "call":
        reason = f": {report.longrepr[2]}" if isinstance(report.longrepr, tuple) else ""
        _ended[report.nodeid] = f"{report.outcome}{reason.replace('Skipped: ', '')}"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Exit code 1 for an aim that was missed and a ratio that got worse."""
    if not _ended.keys() & {item.nodeid for item in session.items if "bench" in item.keywords}:
        return
    drifts = compare(from_json(committed()), _measured, _ended, commits_since)
    _lines.extend(table(drifts, {n: b.run for n, b in _measured.items()}).splitlines())
    if any(drift.fails for drift in drifts) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _lines:
        terminalreporter.section("benchmarks beside the committed ratios")
        terminalreporter.write("\n".join(_lines) + "\n")
