"""What each node of a build costs: CPU seconds of all threads and child processes, wall seconds, memory of all processes together."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from llm_i2i.plan.step import PlanStep
from llm_i2i.runner.events import NodeOutcome, Reporter
from tests.benchmarks.watch import own_seconds

PAGE = os.sysconf("SC_PAGE_SIZE")


class Meter(Reporter):
    """A reporter that measures; memory is sampled while the `with` block lasts. Where there is no /proc, it stays 0."""

    def __init__(self) -> None:
        self.stages: dict[str, dict[str, float]] = {}
        self.peak_mb = 0.0
        self._node_peak = 0.0
        self._ended = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Meter:
        self._sampler.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._sampler.join()

    def node_started(self, index: int, total: int, step: PlanStep) -> None:
        self._node_peak = 0.0
        self._cpu, self._wall = own_seconds(), time.monotonic()

    def node_finished(self, index: int, total: int, outcome: NodeOutcome) -> None:
        if outcome.status == "OK":
            self.stages[outcome.step.node.name] = {
                "rows": outcome.rows or 0,
                "cpu_s": round(own_seconds() - self._cpu, 2),
                "wall_s": round(time.monotonic() - self._wall, 2),
                "peak_mb": round(max(self._node_peak, tree_mb())),
            }

    def _sample(self) -> None:
        while not self._ended.wait(0.2):
            now = tree_mb()
            self.peak_mb, self._node_peak = max(self.peak_mb, now), max(self._node_peak, now)


def tree_mb(root: int | None = None, proc: Path = Path("/proc")) -> float:
    """Resident megabytes (1e6) of a process and all below it; pages that they share count once for each."""
    parents: dict[int, int] = {}
    pages: dict[int, int] = {}
    for stat in proc.glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue  # it has ended meanwhile
        number = int(stat.parent.name)
        parents[number], pages[number] = int(fields[1]), int(fields[21])
    own = {root or os.getpid()}
    while more := {n for n, parent in parents.items() if parent in own} - own:
        own |= more
    return sum(pages.get(n, 0) for n in own) * PAGE / 1e6
