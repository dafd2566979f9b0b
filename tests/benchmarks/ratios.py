"""Ratios of a benchmark to references of the same run, in one file: project/docs/benchmarks/ratios.json (how to read it: README.md beside it)."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

FILE = Path(__file__).parents[2] / "project" / "docs" / "benchmarks" / "ratios.json"
SCHEMA = 1
TOLERANCE = 0.15  # of a ratio, where repeats do not spread wider; single repeats on a quiet machine are within about a tenth
ALONE = 0.25  # the same for a figure without a reference
QUIET = 0.1  # of the cores may be taken by other processes


@dataclass(frozen=True)
class Side:
    """What one side of a ratio measured: a median and the repeats it is of."""

    what: str
    value: float
    unit: str = "CPU s"
    repeats: tuple[float, ...] = ()

    @classmethod
    def of(cls, what: str, repeats: Sequence[float], unit: str = "CPU s") -> Side:
        """The median of repeats."""
        kept = tuple(map(_six_digits, repeats))
        return cls(what, statistics.median(kept), unit, kept)

    @property
    def spread(self) -> float:
        """Half the range of the repeats as a share of the value; 0.0 where there is one."""
        if len(self.repeats) < 2:
            return 0.0
        return (max(self.repeats) - min(self.repeats)) / 2 / self.value


@dataclass(frozen=True)
class Ratio:
    """Ours by a reference of the same run; without a reference, ours alone, in its unit.

    Attributes:
        name: Unique in its benchmark.
        value: ours / reference, or ours.
        better: Which way is better.
        aim: What `value` should reach, where somebody asked for it.
        tolerance: The share by which `value` may get worse unnoticed.
    """

    name: str
    value: float
    ours: Side
    reference: Side | None
    better: Literal["lower", "higher"] = "lower"
    aim: float | None = None
    tolerance: float = TOLERANCE

    @classmethod
    def of(cls, name: str, ours: Side, reference: Side | None = None, **more: Any) -> Ratio:
        """The value from its sides."""
        value = ours.value / reference.value if reference else ours.value
        more.setdefault("tolerance", TOLERANCE if reference else ALONE)
        return cls(name, _six_digits(value), ours, reference, **more)

    @property
    def unit(self) -> str:
        return "" if self.reference else self.ours.unit

    @property
    def meets_aim(self) -> bool:
        """True also where there is no aim."""
        if self.aim is None:
            return True
        return self.value <= self.aim if self.better == "lower" else self.value >= self.aim


@dataclass(frozen=True)
class Run:
    """Where, when and beside what a benchmark ran. None: not recorded.

    Attributes:
        commit: HEAD at the time; `uncommitted` says that files differed from it.
        libraries: Versions of what either side may stand on.
        load: Load averages (one minute) at start and end; they count the benchmark itself.
        others: Cores that other processes kept busy on average, the hypervisor's share included.
    """

    date: str
    commit: str
    machine: str
    cores: int
    python: str
    libraries: Mapping[str, str]
    load: tuple[float, float] | None = None
    others: float | None = None
    seconds: float | None = None
    uncommitted: bool = False
    note: str = ""

    @property
    def quiet(self) -> bool | None:
        """Whether other processes left the cores to the benchmark; None: not known."""
        return None if self.others is None else self.others <= QUIET * self.cores

    @property
    def place(self) -> tuple[str, int, str]:
        """What has to be equal for seconds to be compared; an empty text where it is not recorded."""
        return self.machine, self.cores, self.python


@dataclass(frozen=True)
class Benchmark:
    """What one report measured.

    Attributes:
        test: pytest's id of the test that measures it.
        paths: Where a change of ours would come from, relative to the repository's root.
    """

    name: str
    test: str
    run: Run
    ratios: tuple[Ratio, ...]
    paths: tuple[str, ...] = ("llm_i2i",)


def _six_digits(value: float) -> float:
    return float(f"{value:.6g}")


def to_json(benchmarks: Mapping[str, Benchmark]) -> str:
    """The file's text; benchmarks by name."""
    found = {}
    for name in sorted(benchmarks):
        found[name] = asdict(benchmarks[name])
        del found[name]["name"]
    return json.dumps({"schema": SCHEMA, "benchmarks": found}, indent=1) + "\n"


def from_json(text: str) -> dict[str, Benchmark]:
    """What `to_json` wrote; nothing, where there is no text.

    Raises:
        ValueError: Another schema.
    """
    if not text.strip():
        return {}
    content = json.loads(text)
    if content["schema"] != SCHEMA:
        raise ValueError(f"ratios.json has schema {content['schema']}, this code reads {SCHEMA}")
    return {name: _benchmark(name, found) for name, found in content["benchmarks"].items()}


def _benchmark(name: str, found: dict[str, Any]) -> Benchmark:
    run = found["run"]
    run["load"] = tuple(run["load"]) if run["load"] else None
    ratios = tuple(
        Ratio(**{**r, "ours": _side(r["ours"]), "reference": r["reference"] and _side(r["reference"])})
        for r in found["ratios"]
    )  # fmt: skip
    return Benchmark(name, found["test"], Run(**run), ratios, tuple(found["paths"]))


def _side(found: dict[str, Any]) -> Side:
    return Side(**{**found, "repeats": tuple(found["repeats"])})


def keep(benchmark: Benchmark, file: Path = FILE) -> None:
    """Put a benchmark in the file, in place of what it measured before; others stay."""
    known = from_json(file.read_text(encoding="utf-8")) if file.exists() else {}
    file.write_text(to_json({**known, benchmark.name: benchmark}), encoding="utf-8")
