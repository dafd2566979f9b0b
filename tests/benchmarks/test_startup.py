"""Start-up and no-op build of the reference project: CPU seconds of whole processes (`make bench`)."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.ratios import Ratio, Side
from tests.benchmarks.report import write_report

ROOT = Path(__file__).parents[2]
COMMANDS = {"--version": 0.15, "ls": 0.5, "build": 1.0}
REPEATS = 5
pytestmark = pytest.mark.bench


def cpu_seconds(*arguments: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_start_up_and_no_op_build() -> None:
    subprocess.run(
        [sys.executable, "-m", "llm_i2i", "build"], cwd=ROOT, check=True, capture_output=True
    )
    python = Side.of("python -c pass", [cpu_seconds("-c", "pass") for _ in range(REPEATS)])
    rows, ratios = [], []
    for command, aim in COMMANDS.items():
        name = f"llmi2i {command}"
        ours = Side.of(name, [cpu_seconds("-m", "llm_i2i", command) for _ in range(REPEATS)])
        ratios += [Ratio.of(name, ours, aim=aim), Ratio.of(f"{name} / bare Python", ours, python)]
        rows.append((name, ours.value, aim, ours.value / python.value))
    write_report(
        "startup",
        "Start-up, CPU seconds, median of 5 (build: everything reused)",
        ("command", "CPU s", "aim", "times a bare `python -c pass`"),
        rows,
        "make bench",
        ratios,
        ("llm_i2i", "models", "project/project.yml"),
    )
