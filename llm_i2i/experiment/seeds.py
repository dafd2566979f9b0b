"""`build --seeds`: one build a seed, and how far metrics_summary moves from seed to seed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from llm_i2i.config.experiments import SEED_VAR
from llm_i2i.errors import ProjectError
from llm_i2i.experiment.report import store_rows
from llm_i2i.runner.build.events import BuildResult
from llm_i2i.runner.project import Project
from llm_i2i.store.environment import Environment, Pointer

SUMMARY_NODE = "metrics_summary"
ARM = (
    "recommender",
    "augmentation",
    "protocol",
)  # its columns that name an arm; the others are metrics


@dataclass(frozen=True)
class SeedMetric:
    """A row of metrics_by_seed: one metric of an arm, as the build with one seed found it."""

    recommender: str
    augmentation: str
    protocol: str
    metric: str
    random_seed: int
    value: float


@dataclass(frozen=True)
class MetricSpread:
    """A row of metrics_spread: the same over all seeds that could be built."""

    recommender: str
    augmentation: str
    protocol: str
    metric: str
    median: float
    lowest: float
    highest: float
    n_seeds: int


def seed_projects(
    project: Project, seeds: Sequence[int], select: Iterable[str] = (), exclude: Iterable[str] = ()
) -> list[tuple[int, Project]]:
    """The project with each seed. The first publishes the environment itself, each other one of its own (`dev-seed-43`).

    Raises:
        ProjectError: No seed is given, the project has no var random_seed, or the selection leaves out metrics_summary.
    """
    if not seeds:
        raise ProjectError(
            "no seed is given", where="--seeds", fix="write --seeds 42,43,44, or leave it out"
        )
    if SEED_VAR not in project.loaded.var_settings.known:
        raise ProjectError(
            f"the project has no var '{SEED_VAR}', so that all seeds would give the same",
            where="--seeds",
            fix=f"declare {SEED_VAR}, and give it to what draws random numbers",
        )
    found = [
        # A variant takes the vars of --vars away unless it is given them again.
        (
            seed,
            project.variant(
                {**project.definition.vars.cli, SEED_VAR: seed},
                environment_of(project, seeds, seed),
            ),
        )
        for seed in seeds
    ]
    steps = found[0][1].plan(list(select), list(exclude)).steps
    if not any(step.node.name == SUMMARY_NODE for step in steps):
        raise ProjectError(
            f"the selection leaves out {SUMMARY_NODE}, which is what seeds are compared by",
            where="--seeds",
            fix=f"select +{SUMMARY_NODE} too, or leave out --seeds",
        )
    return found


def environment_of(project: Project, seeds: Sequence[int], seed: int) -> str:
    """What the build with this seed publishes."""
    own = project.environment.name
    return own if seed == seeds[0] else f"{own}-seed-{seed}"


def build_seeds(
    projects: Sequence[tuple[int, Project]], build: Callable[[Project], BuildResult]
) -> tuple[list[SeedMetric], list[int]]:
    """Build each; one that fails does not stop the others. What does not depend on the seed is in the store after the first.

    Returns:
        The metrics of those that were built, and the seeds that could not be.
    """
    rows: list[SeedMetric] = []
    failed: list[int] = []
    for seed, there in projects:
        if build(there).success:
            rows += metrics_of(there, seed)
        else:
            failed.append(seed)
    return rows, failed


def metrics_of(project: Project, seed: int) -> list[SeedMetric]:
    """The published metrics_summary, a row for each number in it."""
    columns, rows = project.rows(f"select * from {SUMMARY_NODE}")
    found = []
    for row in rows:
        values = dict(zip(columns, row, strict=True))
        recommender, augmentation, protocol = (str(values.get(name)) for name in ARM)
        found += [
            SeedMetric(recommender, augmentation, protocol, name, seed, float(value))
            for name, value in values.items()
            if name not in ARM and value is not None
        ]
    return found


def spread(rows: Sequence[SeedMetric]) -> list[MetricSpread]:
    """Median, lowest and highest value over the seeds, in the order of the first seed's arms."""
    groups: dict[tuple[str, str, str, str], list[float]] = {}
    for row in rows:
        key = (row.recommender, row.augmentation, row.protocol, row.metric)
        groups.setdefault(key, []).append(row.value)
    return [
        MetricSpread(*key, median(values), min(values), max(values), len(values))
        for key, values in groups.items()
    ]


def publish_seeds(
    project: Project, rows: Sequence[SeedMetric], summed: Sequence[MetricSpread]
) -> str:
    """Publish the tables metrics_by_seed and metrics_spread; the name of their environment."""
    name = f"{project.environment.name}-seeds"
    with ExitStack() as held:
        digests = {
            table: store_rows(project, name, table, row_type, found, held)
            for table, row_type, found in (
                ("metrics_by_seed", SeedMetric, rows),
                ("metrics_spread", MetricSpread, summed),
            )
        }
        pointers = {table: Pointer(digest) for table, digest in digests.items()}
        Environment(project.target_dir, name).publish(pointers)
    return name
