"""How fast calls were made, and from that how long others will take."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

ENOUGH = 100  # calls: a shorter run says little of the speed, so a longer one goes first


class Meter(Protocol):
    """What a call's work is measured in.

    Attributes:
        subject: What the speed depends on (function, backend, size of the model); measurements of equal subjects compare.
        unit: How tokens are counted: by the checkpoint's vocabulary, or as words between white space.
    """

    @property
    def subject(self) -> str: ...

    @property
    def unit(self) -> str: ...

    def tokens(self, rows: Sequence[Sequence[Any]]) -> int:
        """Tokens of the prompts in these argument rows."""
        ...


@dataclass(frozen=True)
class Amount:
    """An amount of work: calls, tokens of their prompts, wall-clock seconds."""

    calls: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def plus(self, other: Amount) -> Amount:
        return Amount(
            self.calls + other.calls, self.tokens + other.tokens, self.seconds + other.seconds
        )

    @property
    def size(self) -> int:
        """Tokens; calls where the arguments have none."""
        return self.tokens or self.calls


@dataclass
class Stopwatch:
    """The batches of one run. The first is kept apart: it waits for the language model to start."""

    first: Amount | None = None
    rest: Amount = field(default_factory=Amount)

    def add(self, amount: Amount) -> None:
        """One more batch."""
        if self.first is None:
            self.first = amount
        else:
            self.rest = self.rest.plus(amount)

    @property
    def total(self) -> Amount:
        """Of all batches."""
        return (self.first or Amount()).plus(self.rest)

    def measurement(self, subject: str) -> dict[str, Any]:
        """What is kept of the run, as JSON can hold it."""
        return {
            "subject": subject,
            "first": asdict(self.first or Amount()),
            "rest": asdict(self.rest),
            "measured_at": time.time(),
        }


def estimate_seconds(
    measurements: Iterable[Mapping[str, Any]], subject: str, work: Amount
) -> float | None:
    """Seconds that `work` (its own seconds do not count) will take, by the latest run of the same subject; None without one."""
    if not work.calls:
        return 0.0
    latest = _latest(measurements, subject)
    if latest is None:
        return None
    first, rest = latest
    if not rest.size:
        return first.seconds * work.size / first.size if first.size else None
    rate = rest.seconds / rest.size
    start = max(first.seconds - rate * first.size, 0.0)
    return start + rate * work.size


def seconds_per_call(measurements: Iterable[Mapping[str, Any]], subject: str) -> float | None:
    """Seconds of one call, after the first batch, in the latest run of the same subject; None without one."""
    latest = _latest(measurements, subject)
    if latest is None:
        return None
    first, rest = latest
    known = rest if rest.calls else first
    return known.seconds / known.calls if known.calls else None


def _latest(
    measurements: Iterable[Mapping[str, Any]], subject: str
) -> tuple[Amount, Amount] | None:
    """The first batch and the others of the latest run that is long enough."""
    runs = [
        (m["measured_at"], Amount(**m["first"]), Amount(**m["rest"]))
        for m in measurements
        if m["subject"] == subject
    ]
    runs = [run for run in runs if run[1].plus(run[2]).calls >= ENOUGH] or runs
    return max(runs, key=lambda run: run[0])[1:] if runs else None
