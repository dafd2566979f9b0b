"""The main job, log to index and metrics, stage by stage: the bundled log, and Toys where it lies (`make bench`).

Toys alone: `pytest -m bench tests/benchmarks/test_main_job.py -k toys`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.ratios import Ratio, Side
from tests.benchmarks.report import FOLDER, write_report
from tests.research_data import DATA, HAS_DATA

ROOT = Path(__file__).parents[2]
TOYS = {
    "interactions": str(DATA / "toys_and_games.interactions.parquet"),
    "items": str(DATA / "toys_and_games.items.parquet"),
    "order_column": "position",
    "near_column": "asin",
}
TOP = 15
pytestmark = pytest.mark.bench


@pytest.mark.parametrize(
    ("name", "log", "vars", "aims"),
    [
        pytest.param("main_job", "the bundled log", {}, {}, id="bundled"),
        pytest.param(
            "main_job_toys", "Toys", TOYS, {"wall_s": 300.0, "peak_mb": 3000.0}, id="toys",
            marks=[pytest.mark.data, pytest.mark.skipif(not HAS_DATA, reason=f"needs the research data in {DATA}")],
        ),
    ],
)  # fmt: skip
def test_main_job(
    name: str, log: str, vars: dict[str, str], aims: dict[str, float], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "tests.benchmarks.main_job_run", str(tmp_path / "target"), json.dumps(vars)]  # fmt: skip
    environment = {k: v for k, v in os.environ.items() if k != "LLMI2I_JOBS"}  # as the target says
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    assert not result["errors"]
    (FOLDER / f"{name}.json").write_text(json.dumps({"cores": os.cpu_count(), **result}, indent=1) + "\n")  # fmt: skip
    write_report(
        name,
        f"The main job on {log}, from nothing: the {TOP} stages with most CPU seconds (threads and child processes), memory of all processes at most",
        ("stage", "rows", "CPU s", "wall s", "peak MB"),
        table(result),
        f"pytest -m bench tests/benchmarks/test_main_job.py -k {'toys' if aims else 'bundled'}",
        ratios(result, aims),
        ("llm_i2i", "models", "udfs", "project/macros", "project/project.yml"),
    )


def table(result: dict[str, Any]) -> list[tuple[object, ...]]:
    """Stages by CPU seconds, the rest summed, and what is no stage: the CPU seconds add up to those of the job. Wall times overlap."""
    stages, whole = result["stages"], result["whole"]
    by_cost = sorted(stages, key=lambda name: -stages[name]["cpu_s"])
    rest = [stages[name] for name in by_cost[TOP:]]
    tests = whole["cpu_s"] - whole["planned_s"] - sum(s["cpu_s"] for s in stages.values())
    return [
        *((n, *(stages[n][k] for k in ("rows", "cpu_s", "wall_s", "peak_mb"))) for n in by_cost[:TOP]),
        (f"{len(rest)} more", "", sum(s["cpu_s"] for s in rest), "", max((s["peak_mb"] for s in rest), default=0)),
        ("imports, planning", "", whole["planned_s"], "", ""),
        (f"{result['tests']} data tests, unit tests, publication", "", tests, "", ""),
        ("all", "", whole["cpu_s"], whole["wall_s"], round(whole["peak_mb"])),
    ]  # fmt: skip


def ratios(result: dict[str, Any], aims: dict[str, float]) -> list[Ratio]:
    """Wall and CPU seconds and memory of the job, and Swing beside the best compiled reference."""
    whole, references = result["whole"], result["references"]
    compiled = min((Side.of(n, times) for n, times in references.items()), key=lambda s: s.value)
    stages = result["stages"]
    # the references thin no log: what the caps cost is Swing's as well.
    seconds = sum(stages[n]["cpu_s"] for n in ("swing_events", "swing_sums") if n in stages)
    swing = Side("swing_sums", seconds)
    return [
        Ratio.of("wall time", Side("the job", whole["wall_s"], "s"), aim=aims.get("wall_s")),
        Ratio.of("CPU time", Side("the job", whole["cpu_s"])),
        Ratio.of("memory", Side("the job", whole["peak_mb"], "MB"), aim=aims.get("peak_mb")),
        Ratio.of("swing_sums / best compiled", swing, compiled, aim=1.5),
    ]
