"""Trials -> a plan over all their environments, and the builds. Nodes of equal fingerprint are built once, whoever needs them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from llm_i2i.config.base import unknown_fix
from llm_i2i.config.experiments import Experiments
from llm_i2i.errors import EngineError, LlmI2iError, ProjectError, ProjectErrors, raise_all
from llm_i2i.experiment.variants import Trial, Trials
from llm_i2i.plan.step import Plan, PlanStep
from llm_i2i.runner.build.events import BuildResult, Reporter
from llm_i2i.runner.project import Project

METRICS_NODE, RANKS_NODE, TARGETS_NODE = "ranking_metrics", "target_ranks_all", "targets"
AUTO = (
    "auto"  # the recommender that recommender_trials puts first, known when an environment is built
)
CHOSEN_SQL = "select recommender from recommender_trials where place = 1"


@dataclass(frozen=True)
class Arm:
    """One line of ranking_metrics: a recommender, and how its log was augmented.

    Before an environment is built the recommender may be `auto`; its metrics name the one that was chosen.
    """

    recommender: str
    augmentation: str

    def __str__(self) -> str:
        return f"{self.recommender}/{self.augmentation}"


@dataclass(frozen=True)
class EnvironmentPlan:
    """An environment with the trials that it is, and what its build would do."""

    name: str
    trials: tuple[Trial, ...]
    project: Project
    plan: Plan

    @cached_property
    def arms(self) -> tuple[Arm, ...]:
        """The arms that its target_ranks_all holds: the instances that it reads."""
        nodes = self.project.manifest.nodes
        if RANKS_NODE not in nodes:
            return ()
        found = [nodes[name].values for name in nodes[RANKS_NODE].reads]
        arms = [Arm(v["recommender"], v["augmentation"]) for v in found if "augmentation" in v]
        # whatever is chosen is also there without the language model.
        plain = [Arm(AUTO, "none")] if self.main_recommender == AUTO else []
        return tuple(dict.fromkeys(arms + plain))

    @cached_property
    def main_recommender(self) -> str:
        """What `none` or `llm_i2i` alone is an arm of: the recommender that the fusion adds to, which may be `auto`."""
        fusions = self.project.renderer.entries("fusions")
        named = [one["recommender"] for one in fusions if not one.get("prefix")]
        return str(named[0] if named else self.project.vars.get("recommender", ""))

    @cached_property
    def segments(self) -> tuple[str, ...]:
        """The segments that its ranking_metrics holds: the list of them."""
        segments = self.project.renderer.entries("segments")
        return tuple(str(one["name"]) for one in segments if one.get("enabled", True))

    @property
    def ranks(self) -> bool:
        """Whether it builds ranking_metrics."""
        return any(step.node.name == METRICS_NODE for step in self.plan.steps)

    @property
    def protocol(self) -> str:
        return str(self.project.vars.get("protocol", ""))

    def arm(self, text: str) -> Arm:
        """`none` or `swing/none` as an arm; without a recommender the project's main one is meant."""
        recommender, slash, augmentation = text.rpartition("/")
        return Arm(recommender if slash else self.main_recommender, augmentation)


@dataclass(frozen=True)
class ExperimentPlan:
    """All environments of an experiment, in the order they are built."""

    trials: Trials
    environments: tuple[EnvironmentPlan, ...]

    def environment_of(self, trial: Trial) -> EnvironmentPlan:
        return next(e for e in self.environments if e.name == trial.environment)

    @cached_property
    def new_in(self) -> dict[str, list[PlanStep]]:
        """Environment -> the results that it is the first to need and the store does not have."""
        known: set[tuple[str, str]] = set()
        found: dict[str, list[PlanStep]] = {}
        for environment in self.environments:
            new = [
                s for s in environment.plan.to_build if (s.node.name, s.fingerprint) not in known
            ]
            known |= {(s.node.name, s.fingerprint) for s in new}
            found[environment.name] = new
        return found

    @property
    def shown(self) -> list[Trial]:
        """The trials that are reported; the others are only compared with."""
        return [trial for trial in self.trials.trials if trial.shown]

    @property
    def to_build(self) -> list[PlanStep]:
        """Every result that is built, once."""
        return [step for steps in self.new_in.values() for step in steps]

    @cached_property
    def n_results(self) -> int:
        """Results that the environments hold, shared ones counted in each."""
        return sum(_is_stored(s) for e in self.environments for s in e.plan.steps)

    @cached_property
    def n_distinct(self) -> int:
        """The same, shared ones counted once."""
        return len(
            {
                (s.node.name, s.fingerprint)
                for e in self.environments
                for s in e.plan.steps
                if _is_stored(s)
            }
        )

    def udfs(self, kind: str, *, shared: bool) -> Counter[str]:
        """UDF -> results that call it: those to build (`shared`), or what it would be if every environment built its own."""
        steps = self.to_build if shared else [s for e in self.environments for s in e.plan.steps]
        return Counter(
            call.udf for step in steps for call in step.compiled.steps if call.kind == kind
        )

    def calls(self) -> tuple[int, int]:
        """Model calls to make as far as they are known now, and in how many results they are not."""
        known, unknown = 0, 0
        for environment in self.environments:
            for step in self.new_in[environment.name]:
                if any(call.kind == "batch" for call in step.compiled.steps):
                    counts = environment.project.calls_of(environment.plan, step)
                    known += counts.made if counts else 0
                    unknown += counts is None
        return known, unknown


def _is_stored(step: PlanStep) -> bool:
    return step.action != "view"


def plan_experiment(project: Project, trials: Trials, experiments: Experiments) -> ExperimentPlan:
    """Plan every environment, and check all that can be checked before anything runs.

    Raises:
        ProjectError: A variant that does not compile, an arm, segment or measure that is not there, a comparison of
            different targets; all of them together.
    """
    found: list[EnvironmentPlan] = []
    errors: dict[str, LlmI2iError] = {}
    for name in dict.fromkeys(t.environment for t in trials.trials):
        own = tuple(t for t in trials.trials if t.environment == name)
        try:
            there = project.variant(own[0].vars, name)
            found.append(EnvironmentPlan(name, own, there, there.plan(trials.experiment.select)))
        except LlmI2iError as error:
            for one in error.errors if isinstance(error, ProjectErrors) else [error]:
                one.found = f"{one.found}{'; ' if one.found else ''}in {own[0].title}"
                errors.setdefault(f"{one.what} {one.where}", one)
    raise_all(list(errors.values()))
    plan = ExperimentPlan(trials, tuple(found))
    for mistake in _mistakes(plan, experiments):
        errors.setdefault(f"{mistake.what} {mistake.where}", mistake)
    raise_all(list(errors.values()))
    return plan


@dataclass(frozen=True)
class Failure:
    """A trial without results, and why."""

    trial: Trial
    reason: str


def run_experiment(
    plan: ExperimentPlan,
    reporter: Callable[[int, EnvironmentPlan], Reporter],
    max_calls: int | None = None,
) -> list[Failure]:
    """Build every environment; one that fails does not stop the others.

    Args:
        reporter: Makes the reporter of an environment's build from its number (from 1) and plan.

    Returns:
        The trials whose environment could not be built.
    """
    failures = []
    for number, environment in enumerate(plan.environments, start=1):
        report = reporter(number, environment)
        try:
            result = environment.project.build(
                plan.trials.experiment.select, max_calls=max_calls, reporter=report
            )
            reason = "" if result.success else _why(result)
        except LlmI2iError as error:
            report.note(error.render())
            reason = error.what
        failures += [Failure(trial, reason) for trial in environment.trials if reason]
    return failures


def _why(result: BuildResult) -> str:
    nodes = [
        f"{n.step.node.name}: {n.error.what if n.error else ''}"
        for n in result.nodes
        if n.status == "ERROR"
    ]
    checks = [f"unit test {u.check.name}" for u in result.units if u.status != "PASS"]
    checks += [f"data test {c.check.name}" for c in result.checks if c.status in ("FAIL", "ERROR")]
    return "; ".join([*nodes, *checks])


# -- mistakes --------------------------------------------------------------------------------------


def _mistakes(plan: ExperimentPlan, experiments: Experiments) -> Iterator[LlmI2iError]:
    trials, experiment = plan.trials, plan.trials.experiment
    root = ("experiments", trials.name)
    for environment in plan.environments:
        if not environment.ranks and not experiment.measures:
            yield ProjectError(
                f"experiment '{trials.name}' reports nothing",
                where=str(experiments.place(*root, "select")),
                found=f"select: {' '.join(experiment.select)}, no measures",
                fix=f"select +{METRICS_NODE}, or name measures",
            )
        if environment.ranks:
            yield from _unknown_segments(environment, plan, experiments)
            for trial in environment.trials:
                yield from _unknown_arms(trial, environment, plan, experiments)
                yield from _other_targets(trial, environment, plan, experiments)
        yield from _wrong_measures(environment, plan, experiments)


def _unknown_segments(
    environment: EnvironmentPlan, plan: ExperimentPlan, experiments: Experiments
) -> Iterator[LlmI2iError]:
    for i, segment in enumerate(plan.trials.experiment.segments):
        if environment.segments and segment not in environment.segments:
            yield ProjectError(
                f"segment '{segment}' is not in {METRICS_NODE}",
                where=str(experiments.place("experiments", plan.trials.name, "segments", i)),
                found=f"segments: {', '.join(environment.segments)}",
                fix=unknown_fix(segment, environment.segments),
            )


def _unknown_arms(
    trial: Trial, environment: EnvironmentPlan, plan: ExperimentPlan, experiments: Experiments
) -> Iterator[LlmI2iError]:
    reference = plan.trials.experiment.reference
    arms: list[tuple[str, tuple[str, ...]]]
    arms = [
        (a, ("variants", trial.variant.base, "arms"))
        for a in trial.variant.arms or ()
        if trial.shown
    ]
    if reference is not None and reference.arm is not None:
        arms.append((reference.arm, ("reference", "arm")))
    root = ("experiments", plan.trials.name)
    known = [str(arm) for arm in environment.arms]
    for text, location in arms:
        if known and str(environment.arm(text)) not in known:
            place = experiments.place(*root, *location)
            if place == experiments.place(
                *root, "variants", trial.variant.base
            ) or place == experiments.place(*root):
                place = experiments.place(*root, "arms")
            yield ProjectError(
                f"arm '{environment.arm(text)}' is not evaluated in variant '{trial.variant.name}'",
                where=str(place),
                found=f"arms: {', '.join(known)}",
                fix=unknown_fix(
                    str(environment.arm(text)),
                    known,
                    otherwise="name one of these, or set the var that adds it",
                ),
            )


def _other_targets(
    trial: Trial, environment: EnvironmentPlan, plan: ExperimentPlan, experiments: Experiments
) -> Iterator[LlmI2iError]:
    """A comparison is of the same users and targets under the same protocol, or none."""
    reference = plan.trials.reference_of(trial)
    if reference is None or not trial.shown:
        return
    other = plan.environment_of(reference)
    pairs = {
        "protocol": (environment.protocol, other.protocol),
        "targets": tuple(e.plan.fingerprints.get(TARGETS_NODE, "") for e in (environment, other)),
    }
    for what, (mine, theirs) in pairs.items():
        if mine != theirs:
            yield ProjectError(
                f"variant '{trial.variant.name}' and its reference '{reference.variant.name}' have different {what}",
                where=str(experiments.place("experiments", plan.trials.name, "reference")),
                found=f"{mine} and {theirs}",
                fix="compare variants of one protocol and log: leave what differs out of the reference",
            )
            return


def _wrong_measures(
    environment: EnvironmentPlan, plan: ExperimentPlan, experiments: Experiments
) -> Iterator[LlmI2iError]:
    measures = plan.trials.experiment.measures
    if not measures:
        return
    engine = environment.project.local_engine()
    try:
        for step in environment.plan.steps:
            engine.declare(step.node.name, step.compiled.columns)
        for name, sql in measures.items():
            problem = ""
            try:
                columns = engine.columns(f"select * from ({sql})")
                if len(columns) not in (1, 3):
                    problem = f"{len(columns)} columns, it must be one number, or three: its interval's ends behind it"
            except EngineError as error:
                problem = error.what
            if problem:
                yield ProjectError(
                    f"measure '{name}': {problem}",
                    where=str(experiments.place("experiments", plan.trials.name, "measures", name)),
                    found=sql.strip()[:120],
                    fix="write one select of one number over the models that `select` builds",
                )
    finally:
        engine.close()


def summary(plan: ExperimentPlan) -> Mapping[str, object]:
    """What `--dry-run` says, as data."""
    known, unknown = plan.calls()
    return {
        "experiment": plan.trials.name,
        "trials": len(plan.shown),
        "environments": len(plan.environments),
        "results": plan.n_results,
        "distinct_results": plan.n_distinct,
        "results_to_build": len(plan.to_build),
        "trainings_to_run": dict(plan.udfs("table", shared=True)),
        "trainings_unshared": dict(plan.udfs("table", shared=False)),
        "call_nodes_to_run": dict(plan.udfs("batch", shared=True)),
        "call_nodes_unshared": dict(plan.udfs("batch", shared=False)),
        "calls_known": known,
        "call_nodes_not_known_yet": unknown,
    }
