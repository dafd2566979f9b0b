"""One size of the scale benchmark in a process of its own: `python -m tests.benchmarks.scale_run EVENTS FOLDER MEMORY_LIMIT [VARS]`; a line of JSON on stdout."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from llm_i2i.plan.step import PlanStep
from llm_i2i.runner.build.events import NodeOutcome, Reporter
from llm_i2i.runner.project import Project
from llm_i2i.simulate.big_log import BigLog, write_big_log

ROOT = Path(__file__).parents[2]
# What a large log wants: pairs of items that one user alone has are noise, and an item's users are a sample.
VARS = {
    "items": None,
    "order_column": "timestamp",
    "recommender": "swing",
    "swing_preset": "paper",
    "min_common_users": 2,
    "max_users_per_item": 100,
}


class Meter(Reporter):
    """CPU seconds of all threads, and wall seconds, of each node."""

    def __init__(self) -> None:
        self.stages: dict[str, dict[str, float]] = {}

    def node_started(self, index: int, total: int, step: PlanStep) -> None:
        self._cpu, self._wall = time.process_time(), time.monotonic()

    def node_finished(self, index: int, total: int, outcome: NodeOutcome) -> None:
        if outcome.status == "OK":
            self.stages[outcome.step.node.name] = {
                "rows": outcome.rows or 0,
                "cpu_s": round(time.process_time() - self._cpu, 2),
                "wall_s": round(time.monotonic() - self._wall, 2),
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            }


def main(events: int, folder: Path, memory_limit: str, vars: dict[str, object]) -> None:
    """Write the log if it is not there, build i2i_index_baseline of it, print what each node cost."""
    log = folder / f"log_{events}.parquet"
    meter = Meter()
    if not log.exists():
        started = time.process_time()
        rows = write_big_log(BigLog(events), log)
        meter.stages["simulate-log"] = {"rows": rows, "cpu_s": round(time.process_time() - started, 2)}  # fmt: skip
    project = Project.load(
        ROOT, vars={**VARS, "interactions": str(log), **vars}, target_path=folder / f"target_{events}"
    )  # fmt: skip
    project.definition.target = project.target.model_copy(update={"memory_limit": memory_limit})
    # data tests are left out: their cost is their own
    result = project.build(select="+i2i_index_baseline", exclude="test_type:data", reporter=meter)
    errors = [str(outcome.error) for outcome in result.nodes if outcome.error]
    sums = project.query("from swing_costs").fetchall() if not errors else []
    print(json.dumps({"events": events, "stages": meter.stages, "errors": errors, "costs": sums}))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], json.loads(sys.argv[4] if len(sys.argv) > 4 else "{}"))  # fmt: skip
