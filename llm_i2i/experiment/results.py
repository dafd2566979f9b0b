"""What the environments of an experiment say, as one table: values, gains over the reference with intervals, published values beside them."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from llm_i2i.errors import LlmI2iError, ProjectError
from llm_i2i.experiment.run import (
    AUTO,
    CHOSEN_SQL,
    METRICS_NODE,
    RANKS_NODE,
    Arm,
    EnvironmentPlan,
    ExperimentPlan,
    Failure,
)
from llm_i2i.experiment.variants import Trial
from llm_i2i.fingerprint import canonical_json
from llm_i2i.names import quote_literal
from llm_i2i.runner.environments.query import fetch_rows, open_catalogue, run_query
from llm_i2i.statistics import Estimate, Floats, bootstrap, gains

if TYPE_CHECKING:
    import duckdb

PAPER_PROTOCOL = "paper"  # the one that published values were computed under


@dataclass(frozen=True)
class Result:
    """One row of experiment_results: a value of one trial.

    Attributes:
        vars: JSON of what the variant sets.
        metric, k: recall or ndcg at k; the name of a measure, and None.
        lower, upper: 95% interval of the value, bootstrap over users.
        reference: Variant and arm that it is compared with.
        difference: value - reference_value, with its 95% interval, paired over users.
        gain: value / reference_value - 1, the paper's delta.
        published: The paper's value under the same protocol; `published_gain`: its gain over the paper's reference.
    """

    experiment: str
    variant: str
    vars: str
    seed: int
    dataset: str
    protocol: str
    recommender: str | None
    augmentation: str | None
    segment: str
    split: str
    metric: str
    k: int | None
    value: float | None
    n_users: int | None
    lower: float | None = None
    upper: float | None = None
    reference: str | None = None
    reference_value: float | None = None
    difference: float | None = None
    difference_lower: float | None = None
    difference_upper: float | None = None
    gain: float | None = None
    published: float | None = None
    published_gain: float | None = None
    environment: str = ""


@dataclass(frozen=True)
class Summary:
    """One row of experiment_summary: a value over the seeds.

    Attributes:
        value: Mean over seeds, beside median, smallest and largest.
        lower, upper, difference_lower, difference_upper: 95% intervals over users of the mean over seeds. They say nothing of
            other seeds: that is what min and max are for.
    """

    experiment: str
    variant: str
    vars: str
    dataset: str
    protocol: str
    recommender: str | None
    augmentation: str | None
    segment: str
    split: str
    metric: str
    k: int | None
    n_seeds: int
    value: float | None
    median: float | None
    min: float | None
    max: float | None
    n_users: int | None
    lower: float | None
    upper: float | None
    reference: str | None
    reference_value: float | None
    difference: float | None
    difference_lower: float | None
    difference_upper: float | None
    gain: float | None
    published: float | None
    published_gain: float | None


@dataclass(frozen=True)
class Ranks:
    """Where an arm of an environment ranks each target of the split, in the order of target_number."""

    targets: npt.NDArray[np.int64]
    ranks: Floats
    columns: dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A line of the experiment's tables: a trial and one of its arms, and what it is compared with."""

    trial: Trial
    arm: Arm
    other_trial: Trial | None = None
    other_arm: Arm | None = None

    @property
    def reference(self) -> str | None:
        """The reference's variant and arm; the arm alone where the variant is the same."""
        if self.other_trial is None:
            return None
        variant = self.other_trial.variant.name
        same = variant == self.trial.variant.name
        return str(self.other_arm) if same else f"{variant}: {self.other_arm}"


class Results:
    """Reads published environments and computes the rows; each arm's ranks are read once."""

    def __init__(
        self,
        plan: ExperimentPlan,
        failures: Sequence[Failure],
        published: Sequence[Mapping[str, str]] = (),
    ) -> None:
        self.plan = plan
        self.experiment = plan.trials.experiment
        self._failed = {f.trial.environment for f in failures}
        self._published = published
        self._ranks: dict[tuple[str, Arm], Ranks] = {}
        self._connections: dict[str, duckdb.DuckDBPyConnection] = {}
        self._metrics: dict[str, list[dict[str, Any]]] = {}
        self._chosen: dict[str, str] = {}
        self._summed_intervals: dict[
            Any, dict[tuple[str, int], tuple[Estimate, Estimate | None]]
        ] = {}

    def rows(self) -> list[Result]:
        """A row for each trial, arm, segment, metric and k, in the experiment's order."""
        found: list[Result] = []
        for trial in self._trials():
            if self.plan.environment_of(trial).ranks:
                for case in self._cases(trial):
                    found += self._case_rows(case)
            found += self._measures(trial)
        return found

    def summary(self, rows: Sequence[Result]) -> list[Summary]:
        """The rows over their seeds, in the same order."""
        groups: dict[tuple[Any, ...], list[Result]] = {}
        for row in rows:
            groups.setdefault(_key(row), []).append(row)
        cases = {
            (c.trial.variant.name, c.trial.dataset, c.arm, c.trial.seed): c
            for t in self._trials()
            for c in self._cases(t)
        }
        return [self._summed(group, cases) for group in groups.values()]

    # -- cases -------------------------------------------------------------------------------------

    def _trials(self) -> Iterator[Trial]:
        return (t for t in self.plan.trials.trials if t.shown and t.environment not in self._failed)

    def _cases(self, trial: Trial) -> Iterator[Case]:
        environment = self.plan.environment_of(trial)
        if not environment.ranks:
            return
        texts = trial.variant.arms
        arms = (
            environment.arms or self._arms_found(environment)
            if texts is None
            else [environment.arm(a) for a in texts]
        )
        for arm in dict.fromkeys(self._resolved(environment, arm) for arm in arms):
            yield self._with_reference(trial, arm)

    def _resolved(self, environment: EnvironmentPlan, arm: Arm) -> Arm:
        """The arm as the environment's metrics name it: `auto` is the recommender that its validation targets chose."""
        if arm.recommender != AUTO:
            return arm
        if environment.name not in self._chosen:
            _, rows = fetch_rows(self._query(environment, CHOSEN_SQL))
            self._chosen[environment.name] = str(rows[0][0])
        return replace(arm, recommender=self._chosen[environment.name])

    def _arms_found(self, environment: EnvironmentPlan) -> list[Arm]:
        return list(
            dict.fromkeys(
                Arm(r["recommender"], r["augmentation"]) for r in self._read_metrics(environment)
            )
        )

    def _with_reference(self, trial: Trial, arm: Arm) -> Case:
        reference = self.experiment.reference
        other = self.plan.trials.reference_of(trial)
        if reference is None or other is None or other.environment in self._failed:
            return Case(trial, arm)
        environment = self.plan.environment_of(other)
        named = arm if reference.arm is None else environment.arm(reference.arm)
        other_arm = self._resolved(environment, named)
        same = other.environment == trial.environment and other_arm == arm
        arms = [self._resolved(environment, one) for one in environment.arms]
        known = not arms or other_arm in arms
        return Case(trial, arm) if same or not known else Case(trial, arm, other, other_arm)

    # -- ranking metrics ---------------------------------------------------------------------------

    def _case_rows(self, case: Case) -> Iterator[Result]:
        environment = self.plan.environment_of(case.trial)
        wanted = [
            row for row in self._read_metrics(environment)
            if (row["recommender"], row["augmentation"]) == (case.arm.recommender, case.arm.augmentation)
        ]  # fmt: skip
        if not wanted:
            raise LlmI2iError(
                f"{METRICS_NODE} has no row of {case.arm} on the split {self.experiment.split}",
                where=environment.name,
                found=f"protocol {environment.protocol}",
                fix="report the other split, or another protocol",
            )
        found = {(row["segment"], row["metric"], row["k"]): row for row in wanted}
        protocol = next(
            (str(r["protocol"]) for r in wanted if r.get("protocol")), environment.protocol
        )
        for segment in self.experiment.segments:
            intervals = self._intervals([case], segment)
            for metric, k in self._measured():
                # a segment without targets has no rows: a small log may have no long-tail target.
                row = found.get((segment, metric, k), {"value": None, "n_users": 0})
                result = Result(
                    experiment=self.plan.trials.name, variant=case.trial.variant.name,
                    vars=canonical_json(dict(case.trial.variant.vars)), seed=case.trial.seed, dataset=case.trial.dataset,
                    protocol=protocol, recommender=case.arm.recommender, augmentation=case.arm.augmentation, segment=segment,
                    split=self.experiment.split, metric=metric, k=k, value=row["value"], n_users=row["n_users"],
                    environment=case.trial.environment,
                )  # fmt: skip
                value, difference = intervals[metric, k]
                yield self._with_published(
                    _compared(result, value, difference, case.reference), case
                )

    def _measured(self) -> list[tuple[str, int]]:
        return [(metric, k) for metric in self.experiment.metrics for k in self.experiment.k]

    def _intervals(
        self, cases: Sequence[Case], segment: str
    ) -> dict[tuple[str, int], tuple[Estimate, Estimate | None]]:
        """Value and difference of a case, or of its seeds together: the mean over seeds of each user's value."""
        measured = self._measured()
        own = [self._read_ranks(c.trial, c.arm) for c in cases]
        values = np.mean([self._gains(r) for r in own], axis=0)
        mask = segment_mask(segment, own[0].columns)
        intervals = self._estimates(cases[0].trial, values[mask])
        differences: list[Estimate | None] = [None] * len(measured)
        others = [
            self._read_ranks(c.other_trial, c.other_arm)
            for c in cases
            if c.other_trial and c.other_arm
        ]
        if len(others) == len(cases):
            for mine, theirs in zip(own, others, strict=True):
                if not np.array_equal(mine.targets, theirs.targets):
                    raise LlmI2iError(
                        f"{cases[0].trial.title} and its reference rank different targets",
                        where=RANKS_NODE,
                        fix="compare arms of one log and protocol",
                    )
            other_values = np.mean([self._gains(r) for r in others], axis=0)
            differences = list(self._estimates(cases[0].trial, (values - other_values)[mask]))
        return dict(zip(measured, zip(intervals, differences, strict=True), strict=True))

    def _gains(self, ranks: Ranks) -> Floats:
        return np.stack([gains(ranks.ranks, metric, k) for metric, k in self._measured()], axis=1)

    def _estimates(self, trial: Trial, values: Floats) -> list[Estimate]:
        """Of each column, with the draws that the trial's environment makes for paired_differences."""
        vars = self.plan.environment_of(trial).project.vars
        resamples = int(vars.get("bootstrap_resamples", 1000))
        random_seed = int(vars.get("bootstrap_seed", 1))
        return [
            bootstrap(column, resamples=resamples, random_seed=random_seed) for column in values.T
        ]

    def _read_metrics(self, environment: EnvironmentPlan) -> list[dict[str, Any]]:
        if environment.name not in self._metrics:
            columns, rows = fetch_rows(
                self._query(
                    environment, f"from {METRICS_NODE} where split = '{self.experiment.split}'"
                )
            )
            self._metrics[environment.name] = [dict(zip(columns, row, strict=True)) for row in rows]
        return self._metrics[environment.name]

    def _read_ranks(self, trial: Trial, arm: Arm) -> Ranks:
        key = (trial.environment, arm)
        if key not in self._ranks:
            self._ranks[key] = self._fetch_ranks(self.plan.environment_of(trial), arm)
        return self._ranks[key]

    def _fetch_ranks(self, environment: EnvironmentPlan, arm: Arm) -> Ranks:
        near = (
            ", is_near"
            if "is_near" in self._query(environment, f"from {RANKS_NODE}").columns
            else ""
        )
        relation = self._query(
            environment,
            f"select target_number, cast(rank as double) as rank, is_long_tail, is_new_user, is_new_item{near} from {RANKS_NODE}"
            f" where recommender = {quote_literal(arm.recommender)} and augmentation = {quote_literal(arm.augmentation)}"
            f" and split = '{self.experiment.split}' order by target_number",
        )
        table = relation.to_arrow_table()
        columns = {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names}
        ranks = np.asarray(columns.pop("rank"), dtype=np.float64)
        targets = np.asarray(columns.pop("target_number"), dtype=np.int64)
        return Ranks(targets, np.where(np.isnan(ranks), np.inf, ranks), columns)

    def _query(self, environment: EnvironmentPlan, sql: str) -> duckdb.DuckDBPyRelation:
        """A query on an environment, over one connection for all: a catalogue opens once in a process."""
        if environment.name not in self._connections:
            project = environment.project
            self._connections[environment.name] = open_catalogue(project.environment, project.store)
        return run_query(
            self._connections[environment.name], sql, list(environment.plan.fingerprints)
        )

    # -- measures, published values ----------------------------------------------------------------

    def _measures(self, trial: Trial) -> Iterator[Result]:
        environment = self.plan.environment_of(trial)
        reference = self.plan.trials.reference_of(trial)
        for name, sql in self.experiment.measures.items():
            row = Result(
                experiment=self.plan.trials.name, variant=trial.variant.name, vars=canonical_json(dict(trial.variant.vars)),
                seed=trial.seed, dataset=trial.dataset, protocol=environment.protocol, recommender=None, augmentation=None,
                segment="all", split=self.experiment.split, metric=name, k=None, n_users=None, environment=environment.name,
                **self._measure(environment, name, sql),
            )  # fmt: skip
            if (
                reference is not None
                and reference.variant.name != trial.variant.name
                and reference.environment not in self._failed
            ):
                other = self._measure(self.plan.environment_of(reference), name, sql)["value"]
                row = replace(
                    row,
                    reference=reference.variant.name,
                    reference_value=other,
                    **_change(row.value, other),
                )
            yield self._with_published(row, None)

    def _measure(self, environment: EnvironmentPlan, name: str, sql: str) -> dict[str, Any]:
        """Its value, and the ends of its interval if it has one."""
        _, rows = fetch_rows(self._query(environment, sql))
        if len(rows) != 1:
            raise LlmI2iError(
                f"measure '{name}' gave {len(rows)} rows", where=environment.name, found=sql, fix="write a select of one number"
            )  # fmt: skip
        numbers = [None if value is None else round(float(value), 12) for value in rows[0]]
        return dict(zip(("value", "lower", "upper"), numbers, strict=False))

    def _with_published(self, row: Result, case: Case | None) -> Result:
        if row.k is not None and row.protocol != PAPER_PROTOCOL:
            return row
        base = case.trial.variant.base if case else ""
        published = self._find_published(row, base, row.recommender, row.augmentation)
        gain = None
        if published is not None and case and case.other_trial and case.other_arm:
            other = self._find_published(
                row,
                case.other_trial.variant.base,
                case.other_arm.recommender,
                case.other_arm.augmentation,
            )
            gain = round(published / other - 1, 4) if other else None
        return replace(row, published=published, published_gain=gain)

    def _find_published(
        self, row: Result, base: str, recommender: str | None, augmentation: str | None
    ) -> float | None:
        """The paper's value of that table, by variant where the table has variants, else by recommender and augmentation."""
        known_as, dataset = self.experiment.published_as, row.dataset
        if known_as is not None:
            dataset = known_as.dataset
            recommender = recommender or known_as.recommender
            augmentation = augmentation or known_as.augmentation
        for fact in self._published:
            if fact["table"] != str(self.experiment.paper_table) or fact["dataset"] != dataset:
                continue
            if (
                fact["metric"] != row.metric
                or fact["segment"] != row.segment
                or fact["k"] != str(row.k or "")
            ):
                continue
            by_arm = (fact["recommender"], fact["augmentation"]) == (
                recommender or "",
                augmentation or "",
            )
            if fact["variant"] == base if fact["variant"] else by_arm:
                return float(fact["value"])
        return None

    # -- over seeds --------------------------------------------------------------------------------

    def _summed(self, rows: Sequence[Result], cases: Mapping[tuple[Any, ...], Case]) -> Summary:
        first = rows[0]
        values = [row.value for row in rows if row.value is not None]
        others = [row.reference_value for row in rows if row.reference_value is not None]
        value, other = _mean(values), _mean(others) if len(others) == len(rows) else None
        named = {f.name for f in fields(Summary)}
        common = {f.name: getattr(first, f.name) for f in fields(Result) if f.name in named}
        summary = Summary(
            **common | {
                "n_seeds": len(rows), "value": value, "median": median(values) if values else None,
                "min": min(values, default=None), "max": max(values, default=None), "reference_value": other,
            } | _change(value, other)
        )  # fmt: skip
        if len(rows) == 1:
            return summary
        if first.k is None:  # each seed's interval is its own
            return replace(summary, lower=None, upper=None)
        arm = Arm(str(first.recommender), str(first.augmentation))
        own = tuple(cases[row.variant, row.dataset, arm, row.seed] for row in rows)
        interval, difference = self._over_seeds(own, first.segment)[first.metric, first.k]
        bounds: dict[str, Any] = (
            {"difference_lower": difference.lower, "difference_upper": difference.upper}
            if difference
            else {}
        )
        return replace(
            summary, lower=_finite(interval.lower), upper=_finite(interval.upper), **bounds
        )

    def _over_seeds(
        self, cases: tuple[Case, ...], segment: str
    ) -> dict[tuple[str, int], tuple[Estimate, Estimate | None]]:
        key = (cases[0].trial.environment, cases[0].arm, segment)
        if key not in self._summed_intervals:
            self._summed_intervals[key] = self._intervals(cases, segment)
        return self._summed_intervals[key]


def segment_mask(segment: str, columns: Mapping[str, Any]) -> npt.NDArray[np.bool_]:
    """Which targets are in a segment of ranking_metrics (list segments), shape (targets,).

    New users are in the segment `new_users` and in no other.
    """
    is_long_tail, is_new_user, is_new_item = (
        np.asarray(columns[name], dtype=bool)
        for name in ("is_long_tail", "is_new_user", "is_new_item")
    )
    if segment == "new_users":
        return is_new_user
    of_item = {"long_tail": is_long_tail, "other": ~is_long_tail, "new_items": is_new_item}
    mask: npt.NDArray[np.bool_] = ~is_new_user
    mask &= of_item.get(segment.removesuffix("_without_near"), np.ones_like(is_long_tail))
    if segment.endswith("_without_near") and "is_near" in columns:
        mask &= ~np.asarray(columns["is_near"], dtype=bool)
    return mask


def read_published(path: Path, shown: str) -> list[dict[str, str]]:
    """Published values: table, dataset, recommender, augmentation, variant, segment, metric, k, value.

    Raises:
        ProjectError: The file is missing, or has other columns.
    """
    wanted = {
        "table",
        "dataset",
        "recommender",
        "augmentation",
        "variant",
        "segment",
        "metric",
        "k",
        "value",
    }
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise ProjectError(
            "the published values cannot be read", where=shown, found=error.strerror or str(error), fix="correct `published:` in experiments.yml"
        ) from error  # fmt: skip
    found = set(rows[0]) if rows else set()
    if rows and not wanted <= found:
        raise ProjectError(
            "the published values lack columns", where=shown, found=f"columns {', '.join(found)}", fix=f"add {', '.join(sorted(wanted - found))}"
        )  # fmt: skip
    return rows


def _compared(
    row: Result, value: Estimate, difference: Estimate | None, reference: str | None
) -> Result:
    row = replace(row, lower=_finite(value.lower), upper=_finite(value.upper))
    if difference is None or row.value is None or not row.n_users:
        return row
    other = round(row.value - difference.mean, 12)
    return replace(
        row, reference=reference, reference_value=other, difference=difference.mean,
        difference_lower=difference.lower, difference_upper=difference.upper, gain=_change(row.value, other)["gain"],
    )  # fmt: skip


def _change(value: float | None, other: float | None) -> dict[str, Any]:
    """Difference and relative change (0.1 = ten percent more)."""
    if value is None or other is None:
        return {"difference": None, "gain": None}
    return {
        "difference": round(value - other, 12),
        "gain": round(value / other - 1, 4) if other else None,
    }


def _key(row: Result) -> tuple[Any, ...]:
    return (
        row.variant, row.dataset, row.protocol, row.recommender, row.augmentation, row.segment, row.split, row.metric, row.k
    )  # fmt: skip


def _mean(values: Sequence[float]) -> float | None:
    return round(math.fsum(values) / len(values), 12) if values else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def column_types(row_type: type) -> dict[str, str]:
    """SQL type of each column of Result or Summary."""
    types = {"int": "BIGINT", "float": "DOUBLE", "str": "VARCHAR"}
    return {f.name: types[str(f.type).split(" ")[0]] for f in fields(row_type)}
