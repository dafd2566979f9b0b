"""The stage table of the main job's benchmark, on a made-up result; memory of a tree of processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.meter import PAGE, tree_mb
from tests.benchmarks.test_main_job import TOP, ratios, table

STAGES = {
    name: {"rows": 10, "cpu_s": 0.5 + number, "wall_s": 1.0, "peak_mb": 100 + number}
    for number, name in enumerate(["swing_sums", *(f"stage_{n}" for n in range(1, 18))])
}
RESULT: dict[str, Any] = {
    "tests": 3,
    "whole": {"planned_s": 1.0, "cpu_s": 200.0, "wall_s": 120.0, "peak_mb": 900.0},
    "stages": STAGES,
    "references": {"numba": [0.5, 0.4, 0.3], "scipy.sparse": [0.6, 0.6, 0.6]},
}


def test_cpu_seconds_of_the_table_add_up_to_the_job() -> None:
    *parts, whole = table(RESULT)
    assert whole == ("all", "", 200.0, 120.0, 900)
    assert sum(float(str(row[2])) for row in parts) == pytest.approx(200.0)
    assert [row[0] for row in parts[: TOP + 1]] == [f"stage_{n}" for n in range(17, 2, -1)] + ["3 more"]  # fmt: skip
    assert parts[TOP][2:] == (4.5, "", 102)


def test_swing_stands_beside_the_faster_reference() -> None:
    found = {ratio.name: ratio for ratio in ratios(RESULT, {"wall_s": 100.0})}
    swing = found["swing_sums / best compiled"]
    assert (swing.reference.what, swing.value, swing.meets_aim) == ("numba", 1.25, True)
    assert not found["wall time"].meets_aim
    assert found["memory"].aim is None


def test_memory_is_that_of_a_process_and_all_below_it(tmp_path: Path) -> None:
    found = ((1, 0, 1000, 9), (7, 1, 200, 50), (8, 7, 30, 20), (9, 8, 4, 0), (10, 1, 5000, 9))
    for number, parent, resident, shared in found:
        (tmp_path / str(number)).mkdir()
        (tmp_path / f"{number}/stat").write_text(f"{number} (a (b) c) S {parent} 0 0\n")
        (tmp_path / f"{number}/statm").write_text(f"99999 {resident} {shared} 1 0 5 0\n")
    assert tree_mb(7, tmp_path) == (150 + 10 + 4 + 50) * PAGE / 1e6
    assert tree_mb() > 0 or not Path("/proc").exists()
