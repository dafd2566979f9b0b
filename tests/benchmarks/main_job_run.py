"""The main job in a process of its own: `python -m tests.benchmarks.main_job_run FOLDER [VARS]`; a line of JSON on stdout."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from llm_i2i.runner.project import Project
from llm_i2i.udf.processes import cpu_seconds
from tests.benchmarks.meter import Meter

ROOT = Path(__file__).parents[2]
REPEATS = 3


def main(folder: Path, vars: dict[str, object]) -> None:
    """Build everything into an empty folder, as `make build` does, and print what each node cost; then Swing by compiled references."""
    started = time.monotonic()
    with Meter() as meter:
        project = Project.load(ROOT, vars=vars, target_path=folder)
        result = project.build(reporter=meter)
    whole = {
        "planned_s": meter.planned_s,
        "cpu_s": cpu_seconds(),
        "wall_s": time.monotonic() - started,
        "peak_mb": meter.peak_mb,
    }
    errors = [o.error.what for o in result.nodes if o.error]
    errors += [c.check.name for c in result.checks if c.status in ("FAIL", "ERROR")]
    references = {} if errors else swing_references(project)
    print(json.dumps({"whole": whole, "stages": meter.stages, "tests": len(result.checks), "errors": errors, "references": references}))  # fmt: skip


def swing_references(project: Project) -> dict[str, list[float]]:
    """CPU seconds of compiled Swing on the train part of this build, by name; their sums are those of swing_sums."""
    from tests.benchmarks.references import numba_swing, scipy_swing

    events = project.query("select user_number, item_number from interactions_train").fetchnumpy()
    users = np.unique(events["user_number"], return_inverse=True)[1].astype(np.int64)
    items = np.unique(events["item_number"], return_inverse=True)[1].astype(np.int64)
    wanted = project.query("select count(*), sum(user_pairs), sum(self_terms) from swing_sums").fetchall()[0]  # fmt: skip
    seconds = {}
    for name, swing in (("numba", numba_swing), ("scipy.sparse", scipy_swing)):
        swing(users, items)  # compile outside the clock
        times, (keys, sums, selves) = _timed(lambda run=swing: run(users, items))
        np.testing.assert_allclose([len(keys), sums.sum(), selves.sum()], wanted)
        seconds[name] = times
    return seconds


def _timed(run: Callable[[], Any]) -> tuple[list[float], Any]:
    times = []
    for _ in range(REPEATS):
        started = time.process_time()
        found = run()
        times.append(time.process_time() - started)
    return times, found


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2] if len(sys.argv) > 2 else "{}"))
