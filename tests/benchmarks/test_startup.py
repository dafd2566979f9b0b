"""Start-up and no-op build of the reference project: CPU seconds of whole processes (`make bench`)."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.report import write_report

ROOT = Path(__file__).parents[2]
COMMANDS = {"--version": 0.15, "ls": 0.5, "build": 1.0}
pytestmark = pytest.mark.bench


def cpu_seconds(arguments: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "llm_i2i", *arguments], cwd=ROOT, check=True, capture_output=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_start_up_and_no_op_build() -> None:
    subprocess.run(
        [sys.executable, "-m", "llm_i2i", "build"], cwd=ROOT, check=True, capture_output=True
    )
    interpreter = statistics.median(_python() for _ in range(5))
    rows = []
    for command, aim in COMMANDS.items():
        seconds = statistics.median(cpu_seconds([command]) for _ in range(5))
        rows.append((f"llmi2i {command}", seconds, aim, seconds / interpreter))
    write_report(
        "startup",
        "Start-up, CPU seconds, median of 5 (build: everything reused)",
        ("command", "CPU s", "aim", "times a bare `python -c pass`"),
        rows,
        "make bench",
    )


def _python() -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
