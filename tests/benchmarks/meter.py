"""What each node of a build costs: CPU seconds of all threads and processes, wall seconds, memory of all processes together."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path

from llm_i2i.plan.step import Plan, PlanStep
from llm_i2i.runner.build.events import NodeOutcome, Reporter
from llm_i2i.udf.processes import cpu_seconds

PAGE = os.sysconf("SC_PAGE_SIZE")


class Meter(Reporter):
    """A reporter that measures; memory is sampled while the `with` block lasts. Where there is no /proc, it stays 0.

    Nodes may overlap (`jobs`): the memory of each is that of all processes while it was on its way.
    """

    def __init__(self) -> None:
        self.stages: dict[str, dict[str, float]] = {}
        self.planned_s = 0.0  # CPU seconds until the plan was made, imports included
        self.peak_mb = 0.0
        self._peaks: dict[str, float] = {}  # of the nodes on their way
        self._ended = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Meter:
        self._sampler.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._sampler.join()

    def started(self, plan: Plan, found: Mapping[str, int]) -> None:
        self.planned_s = cpu_seconds()

    def node_started(self, index: int, total: int, step: PlanStep) -> None:
        self._peaks[step.node.name] = 0.0

    def node_finished(self, index: int, total: int, outcome: NodeOutcome) -> None:
        self._look()
        peak = self._peaks.pop(outcome.step.node.name, 0.0)
        if outcome.status == "OK":
            self.stages[outcome.step.node.name] = {
                "rows": outcome.rows,
                "cpu_s": round(outcome.cpu_seconds, 2),
                "wall_s": round(outcome.seconds, 2),
                "peak_mb": round(peak),
            }

    def _sample(self) -> None:
        while not self._ended.wait(0.2):
            self._look()

    def _look(self) -> None:
        now = tree_mb()
        self.peak_mb = max(self.peak_mb, now)
        for name, peak in list(self._peaks.items()):
            if name in self._peaks:
                self._peaks[name] = max(peak, now)


def tree_mb(root: int | None = None, proc: Path = Path("/proc")) -> float:
    """Resident megabytes (1e6) of a process and all below it: what each has of its own, and once, of the process that has most, the pages of files.

    The processes run the same libraries. Exact shares (smaps_rollup) take 20 ms a gigabyte to read, a tenth of what is measured here.
    """
    parents: dict[int, int] = {}
    for stat in proc.glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue  # it has ended meanwhile
    own = {root or os.getpid()}
    while more := {n for n, parent in parents.items() if parent in own} - own:
        own |= more
    pages = [_pages(proc / str(number)) for number in own]
    files = max((shared for _, shared in pages), default=0)
    return (sum(resident - shared for resident, shared in pages) + files) * PAGE / 1e6


def _pages(process: Path) -> tuple[int, int]:
    """Resident pages of a process, and how many of them are of files."""
    try:
        fields = (process / "statm").read_text().split()
    except OSError:
        return 0, 0  # ended, or no Linux
    return int(fields[1]), int(fields[2])
