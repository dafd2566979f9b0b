"""Which step of a plan is carried out next, and what steps aside meanwhile.

Everything runs in this process and thread, one step at a time in the order of the plan. With `jobs` above 1 table UDFs run in
processes of their own (`udf.processes`): the build of a step that calls one is parked until it is done, and others go on. A step that
no call waits for goes on where a core is free: beside as many calls as there are cores it would only delay them, and all behind them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llm_i2i.plan.step import PlanStep

if TYPE_CHECKING:
    from llm_i2i.runner.build.context import BuildContext, Work
    from llm_i2i.udf.processes import RunningCall

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
LOOK_SECONDS = 0.5  # between two looks at a result that another build is making


@dataclass(eq=False)
class Turn:
    """One step on its way.

    Attributes:
        number: Counts from 1 in the order of beginning.
        begun: It was taken before.
        work: Its build, once there is one.
        waits: The call it is parked for.
        cpu_seconds: What it has used, here and in the processes of its calls.
    """

    number: int
    step: PlanStep
    started: float = field(default_factory=time.monotonic)
    begun: bool = False
    work: Work | None = None
    waits: RunningCall | None = None
    cpu_seconds: float = 0.0


class Schedule:
    """The steps of a plan in an order in which each comes after what it reads."""

    def __init__(self, context: BuildContext) -> None:
        self._context = context
        self._waiting = list(context.plan.steps)
        self._unfinished = {step.node.name for step in self._waiting}
        self._parked: list[Turn] = []
        self._begun = 0
        self._busy: dict[Turn, float] = {}  # another build is making it -> when to look again
        self._leads = self._leading_to_calls()

    @property
    def unfinished(self) -> set[str]:
        """Names of the steps that have not ended."""
        return self._unfinished

    @property
    def patient(self) -> bool:
        """Whether a step may wait for another build: nothing of ours is held meanwhile."""
        return not self._parked

    def turns(self) -> Iterator[Turn]:
        """Steps to begin and to go on with, until all are finished.

        Whoever takes a turn says `finished`, `park` or `later` before asking for the next.
        """
        while self._waiting or self._parked or self._busy:
            if turn := self._again() or self._next():
                yield turn
                turn.begun = True
            else:
                assert self._context.workers is not None
                self._context.workers.wait(LOOK_SECONDS)

    def finished(self, turn: Turn) -> None:
        """The step has ended, well or not."""
        self._unfinished.discard(turn.step.node.name)
        workers = self._context.workers
        if (
            workers is not None
            and workers.n_idle
            and not any(map(self._calls_table, self._ready()))
        ):
            workers.end_idle(kept=1 if any(map(self._calls_table, self._waiting)) else 0)

    def park(self, turn: Turn) -> None:
        """The step goes on when `turn.waits` is done."""
        self._parked.append(turn)

    def later(self, turn: Turn) -> None:
        """Another build is making this result: look again in a moment."""
        self._busy[turn] = time.monotonic() + LOOK_SECONDS

    def close(self) -> None:
        """Give up what is parked; its processes end first, since they write where it is swept."""
        if self._parked and self._context.workers is not None:
            self._context.workers.close()
        for turn in self._parked:
            if turn.work is not None:
                turn.work.close()
        self._parked.clear()

    def _again(self) -> Turn | None:
        if self._parked and self._context.workers is not None:
            self._context.workers.wait(0)
        for turn in self._parked:
            if turn.waits is not None and turn.waits.done:
                self._parked.remove(turn)
                return turn
        for turn, moment in self._busy.items():
            if moment <= time.monotonic() or not self._parked:
                del self._busy[turn]
                return turn
        return None

    def _next(self) -> Turn | None:
        workers = self._context.workers
        if workers is None:
            return self._begin(self._waiting[0])
        is_full = len(self._parked) >= workers.number
        ready = [step for step in self._ready() if not (is_full and self._calls_table(step))]
        if not ready:
            return None
        # what a call waits for comes first, so that no process is idle early and all of them late
        first = min(ready, key=lambda step: step.node.name not in self._leads)
        if first.node.name not in self._leads and len(self._parked) >= CORES:
            return None
        return self._begin(first)

    def _ready(self) -> list[PlanStep]:
        """Steps that are not begun and wait for no other."""
        return [s for s in self._waiting if not self._unfinished & set(s.node.reads)]

    def _begin(self, step: PlanStep) -> Turn:
        self._waiting.remove(step)
        self._begun += 1
        return Turn(self._begun, step)

    def _leading_to_calls(self) -> set[str]:
        """Steps that call a table UDF (none that is quick), and those that such a step reads, however far."""
        leads: set[str] = set()
        for step in reversed(self._context.plan.steps):
            if self._calls_table(step) or step.node.name in leads:
                leads |= {step.node.name, *step.node.reads}
        return leads

    def _calls_table(self, step: PlanStep) -> bool:
        """Whether building a step calls a table UDF that runs in a process of its own."""
        return step.action == "build" and any(
            call.kind == "table" and not self._context.udfs.signatures[call.udf.lower()].is_quick
            for call in step.compiled.steps
        )
