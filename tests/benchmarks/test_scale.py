"""What an index of a large log costs, stage by stage, and whether the cost of an event stays flat (`make bench`; project/docs/scale.md).

1M, 5M and 20M events under a memory limit of 2 GB; 100M under one of 12 GB with LLM_I2I_SCALE_100M=1 (ten minutes more, 16 GB of memory, 15 GB of disk).
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.ratios import Ratio, Side
from tests.benchmarks.report import FOLDER, write_report

ROOT = Path(__file__).parents[2]
SIZES = [1_000_000, 5_000_000, 20_000_000]
STAGES = ("simulate-log", "first_events", "interactions", "swing_events", "swing_costs", "swing_sums", "swing", "i2i_index_baseline")  # fmt: skip
pytestmark = pytest.mark.bench


def run_size(events: int, folder: Path, memory_limit: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.scale_run", str(events), str(folder), memory_limit]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    assert not result["errors"]
    return result


def test_the_cost_of_an_event_is_flat(tmp_path: Path) -> None:
    results = [run_size(events, tmp_path, "2GB") for events in SIZES]
    if os.environ.get("LLM_I2I_SCALE_100M"):
        results.append(run_size(100_000_000, tmp_path, "12GB"))
    report(results)
    costs = [swing_seconds(r) / r["events"] for r in results]
    assert max(costs) <= 1.5 * min(costs)
    assert results[2]["stages"]["swing_sums"]["peak_mb"] <= 3000


def swing_seconds(result: dict[str, Any]) -> float:
    """CPU seconds of the events under the caps and of the sums."""
    return sum(result["stages"][name]["cpu_s"] for name in ("swing_events", "swing_sums"))


def report(results: list[dict[str, Any]]) -> None:
    """scale.json and scale.md under project/docs/benchmarks."""
    text = json.dumps({"machine": platform.machine(), "cores": os.cpu_count(), "results": results}, indent=1)  # fmt: skip
    (FOLDER / "scale.json").write_text(text + "\n", encoding="utf-8")
    rows = []
    for result in results:
        stages = result["stages"]
        pairs = stages["swing_sums"]
        rows.append(
            (
                f"{result['events'] / 1e6:g}M",
                *(stages.get(name, {}).get("cpu_s", "") for name in STAGES),
                f"{1e6 * swing_seconds(result) / result['events']:.1f}",
                pairs["peak_mb"],
            )
        )
    write_report(
        "scale",
        "CPU seconds of each stage of a Swing index, both cores; users per item capped at 100, pairs of at least two users",
        ("events", *STAGES, "Swing, CPU s per million events", "peak MB"),
        rows,
        "pytest -m bench tests/benchmarks/test_scale.py",
        ratios(results),
        ("project/macros/swing.sql", "models/similarity", "models/staging", "llm_i2i/engine"),
    )


def ratios(results: list[dict[str, Any]]) -> list[Ratio]:
    """How flat the cost of an event is, and the aims at 20M events."""
    events = [Side(f"{r['events'] / 1e6:g}M", 1e6 * swing_seconds(r) / r["events"], "CPU s per million events") for r in results]  # fmt: skip
    cheapest, *_, dearest = sorted(events, key=lambda side: side.value)
    pairs = results[2]["stages"]["swing_sums"]
    return [
        Ratio.of("an event of the dearest size / of the cheapest", dearest, cheapest, aim=1.5),
        Ratio.of("swing_sums of 20M", Side("20M", swing_seconds(results[2])), aim=90),
        Ratio.of("peak of 20M", Side("20M", pairs["peak_mb"], "MB"), aim=3000),
    ]
