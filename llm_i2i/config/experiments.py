"""experiments.yml: named experiments, and the logs they run on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from llm_i2i.config.base import (
    PlainDict,
    Settings,
    StrList,
    describe,
    place_of,
    unknown_fix,
    validate,
)
from llm_i2i.config.yaml_text import Mistakes, Place, YamlMapping, plain, read_yaml
from llm_i2i.errors import ProjectError, raise_all

FILE = "experiments.yml"
SEED_VAR = "random_seed"
METRICS = ("recall", "ndcg")
CUT_OFFS = (5, 10, 20, 50, 100, 200)  # what models/evaluation/ranking_metrics.sql computes

_Plain = Annotated[list[Any], BeforeValidator(plain)]


def _metric(name: str) -> str:
    if name not in METRICS:
        raise ValueError(
            f"is not a metric; {unknown_fix(name, METRICS, otherwise='write recall or ndcg')}"
        )
    return name


def _cut_off(k: int) -> int:
    if k not in CUT_OFFS:
        raise ValueError(f"is not computed; write one of {', '.join(map(str, CUT_OFFS))}")
    return k


class Dataset(Settings):
    """A log: any vars, most often `interactions`, `items` and `order_column`."""

    title: ClassVar[str] = "a dataset"

    description: str = ""
    vars: PlainDict = Field(default_factory=dict)


class NamedVariant(Settings):
    """Vars that a variant sets, and the arms it reports if they are not the experiment's."""

    title: ClassVar[str] = "a variant"

    description: str = ""
    vars: PlainDict = Field(default_factory=dict)
    arms: StrList | None = None


class Reference(Settings):
    """What a result is compared with: the same but for what is said here."""

    title: ClassVar[str] = "a reference"

    variant: str | None = None
    grid: PlainDict = Field(default_factory=dict)
    arm: str | None = None


class PublishedAs(Settings):
    """What published values of the experiment's table are listed under, where that is not what ours are called."""

    title: ClassVar[str] = "published_as"

    dataset: str
    recommender: str = ""
    augmentation: str = ""


class Figure(Settings):
    """How results are drawn.

    Attributes:
        kind: `dots` with intervals, a line of them per variant and arm; `lines` over the var `x`; `tradeoff`: the segment `all`
            against `long_tail`, a point for each value of `x`.
        x: A var of the grid, or `k`.
    """

    title: ClassVar[str] = "a figure"

    kind: Literal["dots", "lines", "tradeoff"] = "dots"
    x: str | None = None
    x_label: str = ""
    log_x: bool = False
    metric: Annotated[str, AfterValidator(_metric)] = "recall"
    k: Annotated[int, AfterValidator(_cut_off)] = 10


class Experiment(Settings):
    """Variants of a project, what is built of each and what is reported.

    A measure is a select of one number, or of a number and the two ends of its interval.
    """

    title: ClassVar[str] = "an experiment"
    hints: ClassVar[dict[str, str]] = {"cutoffs": "write k", "parameters": "write grid or variants"}

    description: str = ""
    select: StrList = Field(default_factory=lambda: ["+ranking_metrics"])
    vars: PlainDict = Field(default_factory=dict)
    variants: dict[str, NamedVariant] = Field(default_factory=dict)
    grid: dict[str, _Plain] = Field(default_factory=dict)
    datasets: StrList = Field(default_factory=list)
    seeds: list[int] = Field(default_factory=list)
    arms: StrList = Field(default_factory=list)
    metrics: list[Annotated[str, AfterValidator(_metric)]] = Field(
        default_factory=lambda: list(METRICS)
    )
    k: list[Annotated[int, AfterValidator(_cut_off)]] = Field(default_factory=lambda: [5, 10])
    segments: StrList = Field(default_factory=lambda: ["all"])
    split: Literal["validation", "test"] = "test"
    measures: dict[str, str] = Field(default_factory=dict)
    reference: Reference | None = None
    figure: Figure | None = None
    paper_table: int | None = None
    published_as: PublishedAs | None = None


class ExperimentsFile(Settings):
    """All of experiments.yml. `published`: a CSV of published values, shown beside ours."""

    title: ClassVar[str] = "the experiments file"

    published: str | None = None
    datasets: dict[str, Dataset] = Field(default_factory=dict)
    experiments: dict[str, Experiment] = Field(default_factory=dict)


@dataclass(frozen=True)
class Experiments:
    """experiments.yml, and where each value of it was written."""

    file: str
    config: ExperimentsFile
    document: YamlMapping

    def place(self, *location: str | int) -> Place:
        """Of the value at a path of keys, or of the nearest one above it that is there."""
        return place_of(self.document, location)

    def experiment(self, name: str) -> Experiment:
        """The experiment of that name.

        Raises:
            ProjectError: There is none.
        """
        known = self.config.experiments
        if name not in known:
            raise ProjectError(
                f"experiment '{name}' is not defined",
                where=self.file,
                found=f"experiments: {', '.join(known) or '(none)'}",
                fix=unknown_fix(name, known, otherwise="add it under experiments:"),
            )
        return known[name]


def load_experiments(project_file: Path, root: Path) -> Experiments:
    """experiments.yml beside the project file.

    Raises:
        ProjectError: It is not there, or has mistakes, all of them together.
    """
    path = project_file.with_name(FILE)
    shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    if not path.is_file():
        raise ProjectError(
            "this project has no experiments",
            where=shown,
            found="no such file",
            fix="write it: see project/docs/experiments.md",
        )
    mistakes = Mistakes()
    document = read_yaml(path, shown, mistakes)
    raise_all(mistakes.in_order())
    if document is None:
        document = YamlMapping(Place(shown, 1, 1))
    config = validate(ExperimentsFile, document, mistakes, place=Place(shown, 1, 1))
    if config is not None:
        experiments = Experiments(shown, config, document)
        for name, experiment in config.experiments.items():
            _check(name, experiment, experiments, mistakes)
    raise_all(mistakes.in_order())
    assert config is not None
    return experiments


def _check(name: str, experiment: Experiment, all: Experiments, mistakes: Mistakes) -> None:
    """What can be wrong with an experiment without looking at the project."""

    def add(what: str, *location: str | int, found: str = "", fix: str) -> None:
        mistakes.add(what, all.place("experiments", name, *location), found=found, fix=fix)

    if not _is_name(name):
        add(f"experiment name '{name}' cannot name a folder", fix="use letters, digits and _")
    for i, dataset in enumerate(experiment.datasets):
        if dataset not in all.config.datasets:
            known = all.config.datasets
            add(
                f"dataset '{dataset}' is not defined", "datasets", i,
                found=f"datasets: {', '.join(known)}", fix=unknown_fix(dataset, known, otherwise="add it under datasets:"),
            )  # fmt: skip
    for var, values in experiment.grid.items():
        if not values:
            add(
                f"grid var '{var}' has no values",
                "grid",
                var,
                found="an empty list",
                fix="list at least one value",
            )
        for i, value in enumerate(values):
            if value in values[:i]:
                add(
                    f"grid var '{var}' has a value twice",
                    "grid",
                    var,
                    i,
                    found=describe(value),
                    fix="remove one",
                )
    for var, where in _set_twice(experiment):
        add(
            f"var '{var}' is set by a variant and by the grid",
            *where,
            fix="set it in one of the two",
        )
    for where in _settings_of(experiment, SEED_VAR):
        add(f"var '{SEED_VAR}' is set by the seeds", *where, fix="list seeds: [42, 43] instead")
    _check_reference(experiment, add)
    _check_figure(experiment, add)
    if len(set(experiment.seeds)) < len(experiment.seeds):
        add("a seed is given twice", "seeds", found=str(experiment.seeds), fix="remove one")


def _check_reference(experiment: Experiment, add: Any) -> None:
    reference = experiment.reference
    if reference is None:
        return
    if reference.variant is not None and reference.variant not in experiment.variants:
        add(
            f"the reference '{reference.variant}' is no variant", "reference", "variant",
            found=f"variants: {', '.join(experiment.variants) or '(none)'}",
            fix=unknown_fix(reference.variant, experiment.variants, otherwise="name one of the variants"),
        )  # fmt: skip
    for var, value in reference.grid.items():
        if value not in experiment.grid.get(var, []):
            add(
                f"the reference's {var}: {value} is not in the grid", "reference", "grid", var,
                found=f"{var}: {experiment.grid[var]}" if var in experiment.grid else f"grid vars: {', '.join(experiment.grid) or '(none)'}",
                fix="use a value of the grid",
            )  # fmt: skip


def _check_figure(experiment: Experiment, add: Any) -> None:
    figure = experiment.figure
    if figure is None:
        return
    if figure.kind != "dots" and figure.x not in ("k", *experiment.grid):
        add(
            f"the figure's x '{figure.x}' is no grid var", "figure",
            found=f"grid vars: {', '.join(experiment.grid) or '(none)'}",
            fix="set x to one of them, or kind: dots",
        )  # fmt: skip
    if figure.metric not in experiment.metrics or figure.k not in experiment.k:
        add(
            f"the figure shows {figure.metric}@{figure.k}, which the experiment does not report", "figure",
            found=f"metrics {', '.join(experiment.metrics)} at {', '.join(map(str, experiment.k))}",
            fix="add it to metrics and k, or show another",
        )  # fmt: skip
    if figure.kind == "tradeoff" and not {"all", "long_tail"} <= set(experiment.segments):
        add(
            "a tradeoff needs the segments all and long_tail",
            "figure",
            fix="write segments: [all, long_tail]",
        )


def _set_twice(experiment: Experiment) -> Iterator[tuple[str, Sequence[str]]]:
    for name, variant in experiment.variants.items():
        for var in variant.vars:
            if var in experiment.grid:
                yield var, ("variants", name, "vars", var)


def _settings_of(experiment: Experiment, var: str) -> Iterator[Sequence[str]]:
    if var in experiment.vars:
        yield ("vars", var)
    if var in experiment.grid:
        yield ("grid", var)
    for name, variant in experiment.variants.items():
        if var in variant.vars:
            yield ("variants", name, "vars", var)


def _is_name(name: str) -> bool:
    return bool(name) and name.replace("_", "a").isalnum() and name.isascii()
