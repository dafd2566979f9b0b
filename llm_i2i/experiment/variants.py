"""An experiment of experiments.yml -> trials: every variant with every dataset and seed, each an environment of the same store."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from llm_i2i.config.base import unknown_fix
from llm_i2i.config.experiments import SEED_VAR, Experiment, Experiments, NamedVariant
from llm_i2i.config.vars import Vars, VarSettings, merge_vars
from llm_i2i.errors import LlmI2iError, ProjectError, ProjectErrors, raise_all
from llm_i2i.fingerprint import canonical_json, fingerprint

OWN = "own"  # what the log of --vars '{interactions: ...}' is called
BUNDLED = "bundled"


@dataclass(frozen=True)
class Variant:
    """One setting of an experiment.

    Attributes:
        name: Unique in the experiment, such as `full` or `full, alpha=2.0`.
        base: The named variant, empty if the experiment has only a grid.
        point: The grid's vars.
        vars: All it sets over the dataset: the experiment's, --vars, its own and the grid's.
        arms: As written (`none`, `generator/llm_i2i`); None: all there are.
    """

    name: str
    base: str
    point: Mapping[str, Any]
    vars: Mapping[str, Any]
    arms: tuple[str, ...] | None


@dataclass(frozen=True)
class Trial:
    """A variant on a dataset with a seed.

    Attributes:
        environment: Its name. Trials of equal vars share one.
        vars: All that differ from the project's.
        shown: False if only a comparison needs it.
    """

    variant: Variant
    dataset: str
    seed: int
    environment: str
    vars: Mapping[str, Any]
    shown: bool = True

    @property
    def title(self) -> str:
        return f"{self.variant.name}, {self.dataset}, seed {self.seed}"


@dataclass(frozen=True)
class Choice:
    """What the command line asks for; empty: what the experiment says.

    Attributes:
        variants: Names or patterns (`swing*`); a named variant stands for all its grid points.
        arms: Of the experiment's arms, as it writes them.
    """

    datasets: Sequence[str] = ()
    seeds: Sequence[int] = ()
    variants: Sequence[str] = ()
    arms: Sequence[str] = ()
    vars: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Trials:
    """All trials of a run, in the order of the datasets, variants and seeds."""

    name: str
    experiment: Experiment
    trials: tuple[Trial, ...]

    def reference_of(self, trial: Trial) -> Trial | None:
        """The trial that this one's results are compared with; None if the experiment names none."""
        if self.experiment.reference is None:
            return None
        base, point = _reference_key(self.experiment, trial.variant)
        return next(
            t for t in self.trials
            if t.dataset == trial.dataset and t.seed == trial.seed and t.variant.base == base and t.variant.point == point
        )  # fmt: skip


def make_trials(
    name: str, experiments: Experiments, settings: VarSettings, choice: Choice
) -> Trials:
    """Every variant with every dataset and seed, each with vars that the project accepts.

    Raises:
        ProjectError: Unknown experiment, dataset or variant, unknown vars or wrong values: all of them together.
    """
    experiment = experiments.experiment(name)
    errors = _choice_errors(name, experiment, experiments, choice)
    raise_all(errors)
    variants = [v for v in _variants(experiment, choice.vars) if _is_chosen(v, choice.variants)]
    if choice.variants and not variants:
        known = list(experiment.variants) or [v.name for v in _variants(experiment, {})]
        raise ProjectError(
            f"no variant of '{name}' matches {', '.join(choice.variants)}",
            where="--variant",
            found=f"variants: {', '.join(known)}",
            fix=unknown_fix(choice.variants[0], known, otherwise="give one of these, or a pattern"),
        )
    shown = {v.name for v in variants}
    variants = _with_references(experiment, variants, choice.vars)
    datasets = _datasets(experiment, experiments, choice)
    seeds = list(choice.seeds or experiment.seeds or [Vars(settings).get(SEED_VAR, 0)])
    trials = []
    for (dataset, dataset_vars), variant in itertools.product(datasets.items(), variants):
        for seed in seeds:
            vars = {**dataset_vars, **variant.vars}
            if SEED_VAR in settings.known:
                vars[SEED_VAR] = seed
            environment = f"{name}-{dataset}-{seed}-{fingerprint(vars)[:8]}"
            trial = Trial(
                _with_arms(variant, choice.arms),
                dataset,
                seed,
                environment,
                vars,
                variant.name in shown,
            )
            trials.append(trial)
    raise_all(_var_errors(name, experiments, settings, trials))
    return Trials(name, experiment, tuple(trials))


# -- variants --------------------------------------------------------------------------------------


def _variants(experiment: Experiment, extra: Mapping[str, Any]) -> list[Variant]:
    """Named variants x grid, named ones outermost."""
    named = experiment.variants or {"": NamedVariant()}
    points = [
        dict(zip(experiment.grid, values, strict=True))
        for values in itertools.product(*experiment.grid.values())
    ]
    return [
        _variant(experiment, base, variant, point, extra)
        for base, variant in named.items()
        for point in points
    ]


def _variant(
    experiment: Experiment, base: str, named: NamedVariant, point: Mapping[str, Any], extra: Mapping[str, Any]
) -> Variant:  # fmt: skip
    parts = [base] if base else []
    parts += [f"{var}={_short(value)}" for var, value in point.items()]
    arms = experiment.arms if named.arms is None else named.arms
    return Variant(
        name=", ".join(parts) or "default",
        base=base,
        point=point,
        vars={**experiment.vars, **extra, **named.vars, **point},
        arms=tuple(arms) or None,
    )


def _short(value: Any) -> str:
    return (
        str(value)
        if isinstance(value, (str, int, float)) and not isinstance(value, bool)
        else canonical_json(value)
    )


def _with_arms(variant: Variant, chosen: Sequence[str]) -> Variant:
    if not chosen:
        return variant
    arms = tuple(chosen) if variant.arms is None else tuple(a for a in variant.arms if a in chosen)
    return Variant(variant.name, variant.base, variant.point, variant.vars, arms)


def _is_chosen(variant: Variant, patterns: Sequence[str]) -> bool:
    if not patterns:
        return True
    return any(variant.base == p or fnmatchcase(variant.name, p) for p in patterns)


def _reference_key(experiment: Experiment, variant: Variant) -> tuple[str, Mapping[str, Any]]:
    reference = experiment.reference
    assert reference is not None
    base = variant.base if reference.variant is None else reference.variant
    return base, {**variant.point, **reference.grid}


def _with_references(
    experiment: Experiment, variants: list[Variant], extra: Mapping[str, Any]
) -> list[Variant]:
    """The variants and those they are compared with, in the experiment's order."""
    if experiment.reference is None:
        return variants
    needed = [(v.base, v.point) for v in variants]
    needed += [_reference_key(experiment, v) for v in variants]
    return [v for v in _variants(experiment, extra) if (v.base, v.point) in needed]


# -- datasets --------------------------------------------------------------------------------------


def _datasets(
    experiment: Experiment, experiments: Experiments, choice: Choice
) -> dict[str, Mapping[str, Any]]:
    """Name -> vars of the logs to run on."""
    if "interactions" in choice.vars:
        return {OWN: {}}
    names = list(choice.datasets or experiment.datasets or [BUNDLED])
    known = experiments.config.datasets
    return {name: known[name].vars if name in known else {} for name in names}


# -- mistakes --------------------------------------------------------------------------------------


def _choice_errors(
    name: str, experiment: Experiment, experiments: Experiments, choice: Choice
) -> list[LlmI2iError]:
    known = [*experiments.config.datasets, *({BUNDLED} - experiments.config.datasets.keys())]
    errors: list[LlmI2iError] = [
        ProjectError(
            f"dataset '{dataset}' is not defined",
            where="--dataset",
            found=f"datasets: {', '.join(known)}",
            fix=unknown_fix(
                dataset, known, otherwise=f"add it under datasets: in {experiments.file}"
            ),
        )
        for dataset in choice.datasets
        if dataset not in known
    ]
    if choice.datasets and "interactions" in choice.vars:
        errors.append(
            ProjectError(
                "--dataset and --vars both say which log is read", where="--vars", found="interactions", fix="give one of the two"
            )
        )  # fmt: skip
    if SEED_VAR in choice.vars:
        errors.append(
            ProjectError(
                f"var '{SEED_VAR}' is set by the seeds", where="--vars", fix="write --seeds 42,43"
            )
        )
    swept = dict.fromkeys(experiment.grid, "the grid")
    swept |= {var: f"variant '{n}'" for n, v in experiment.variants.items() for var in v.vars}
    errors += [
        ProjectError(
            f"var '{var}' is what '{name}' varies", where="--vars", found=f"set by {swept[var]}", fix="leave it out of --vars, or edit the experiment"
        )
        for var in choice.vars
        if var in swept
    ]  # fmt: skip
    written = {a for v in _variants(experiment, {}) for a in v.arms or ()}
    errors += [
        ProjectError(
            f"arm '{arm}' is none of the experiment's",
            where="--arm",
            found=f"arms: {', '.join(sorted(written))}",
            fix=unknown_fix(arm, written, otherwise="give one of these"),
        )
        for arm in choice.arms
        if written and arm not in written
    ]
    return errors


def _var_errors(
    name: str, experiments: Experiments, settings: VarSettings, trials: Sequence[Trial]
) -> list[LlmI2iError]:
    """Unknown vars and values that the project's rules forbid, each once, with the place it was written at."""
    found: dict[str, LlmI2iError] = {}
    for trial in trials:
        declared = {var: value for var, value in trial.vars.items() if var in settings.known}
        for vars in (trial.vars, declared):  # an unknown var hides wrong values
            try:
                merge_vars(settings, vars)
            except LlmI2iError as error:
                for one in error.errors if isinstance(error, ProjectErrors) else [error]:
                    placed = _placed(one, name, experiments, trial)
                    found.setdefault(f"{placed.what} {placed.where} {placed.found}", placed)
    return list(found.values())


def _placed(error: LlmI2iError, name: str, experiments: Experiments, trial: Trial) -> LlmI2iError:
    """The error with the line of experiments.yml that sets the var it names, `--vars` if none does."""
    var = error.what.partition("'")[2].partition("'")[0]
    experiment = experiments.config.experiments[name]
    dataset = experiments.config.datasets.get(trial.dataset)
    for location in _places(name, experiment, trial, var):
        return ProjectError(
            error.what, where=str(experiments.place(*location)), found=error.found, fix=error.fix
        )
    if dataset is not None and var in dataset.vars:
        where = str(experiments.place("datasets", trial.dataset, "vars", var))
        return ProjectError(error.what, where=where, found=error.found, fix=error.fix)
    return error


def _places(
    name: str, experiment: Experiment, trial: Trial, var: str
) -> Iterator[tuple[str | int, ...]]:
    root = ("experiments", name)
    if var in trial.variant.point:
        yield (*root, "grid", var, experiment.grid[var].index(trial.variant.point[var]))
    named = experiment.variants.get(trial.variant.base)
    if named is not None and var in named.vars:
        yield (*root, "variants", trial.variant.base, "vars", var)
    if var in experiment.vars:
        yield (*root, "vars", var)
