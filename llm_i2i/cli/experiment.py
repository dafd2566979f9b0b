"""`llmi2i experiment`: list the experiments, say what one would run, run it."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from llm_i2i.cli.console import Console
from llm_i2i.cli.output import plain, print_rows
from llm_i2i.config.experiments import Experiment, load_experiments
from llm_i2i.errors import ProjectError
from llm_i2i.experiment.report import ENVIRONMENT, report
from llm_i2i.experiment.results import Results, Summary, read_published
from llm_i2i.experiment.run import (
    EnvironmentPlan,
    ExperimentPlan,
    plan_experiment,
    run_experiment,
    summary,
)
from llm_i2i.experiment.tables import column_title, count, line_title, reference_title
from llm_i2i.experiment.variants import Choice, make_trials
from llm_i2i.runner.build.events import BuildResult, NodeOutcome
from llm_i2i.runner.project import Project


def list_experiments(project: Project, output: str) -> None:
    """Names, sizes and descriptions on stdout."""
    experiments = load_experiments(project.loaded.file, project.dir)
    columns = ["experiment", "variants", "datasets", "description"]
    rows = [
        [name, _n_variants(e), ", ".join(e.datasets) or "bundled", " ".join(e.description.split())]
        for name, e in experiments.config.experiments.items()
    ]
    print_rows(columns, rows, output)


def _n_variants(experiment: Experiment) -> int:
    points = 1
    for values in experiment.grid.values():
        points *= len(values)
    return max(len(experiment.variants), 1) * points


def parse_seeds(text: str | None) -> list[int]:
    """`42,43` as numbers."""
    words = [word.strip() for word in (text or "").split(",") if word.strip()]
    if not all(word.isdigit() for word in words):
        raise ProjectError(
            "seeds are whole numbers",
            where="--seeds",
            found=text or "",
            fix="write --seeds 42,43,44",
        )
    return list(dict.fromkeys(map(int, words)))


def run(
    project: Project,
    name: str,
    choice: Choice,
    *,
    dry_run: bool,
    quiet: bool,
    output: str,
    max_calls: int | None,
) -> int:
    """Plan, build, report; the exit code."""
    experiments = load_experiments(project.loaded.file, project.dir)
    trials = make_trials(name, experiments, project.loaded.var_settings, choice)
    published = experiments.config.published
    facts = read_published(project.dir / published, published) if published else []
    plan = plan_experiment(project, trials, experiments)
    if dry_run:
        _print_plan(plan, output)
        return 0
    if not quiet:
        click.echo(_sharing(plan), err=True)
    failures = run_experiment(
        plan,
        lambda number, environment: _Progress(plan, number, environment, quiet=quiet),
        max_calls,
    )
    results = Results(plan, failures, facts)
    rows = results.rows()
    summed = results.summary(rows)
    folder, problem = report(project, plan, rows, summed, failures)
    if output == "json":
        click.echo(
            json.dumps(
                [{k: plain(v) for k, v in asdict(row).items()} for row in rows],
                indent=1,
                ensure_ascii=False,
            )
        )
    else:
        _print_summary(summed)
    for failure in failures:
        click.echo(f"FAILED {failure.trial.title}: {failure.reason}", err=True)
    if problem:
        click.echo(problem, err=True)
    if not quiet:
        failed = sum(f.trial.shown for f in failures)
        click.echo(
            f"{len(plan.shown) - failed} of {count(len(plan.shown), 'trial')} done. Tables and figure: {folder}",
            err=True,
        )
        if rows:
            click.echo(
                f"Rows: llmi2i query --env {ENVIRONMENT} \"from experiment_results where experiment = '{name}'\"",
                err=True,
            )
    return 1 if failures else 0


# -- what is printed -------------------------------------------------------------------------------


class _Progress(Console):
    """The console of one environment's build: where it is in the whole, and only what is really built."""

    def __init__(
        self, plan: ExperimentPlan, number: int, environment: EnvironmentPlan, *, quiet: bool
    ) -> None:
        super().__init__(quiet=quiet)
        first = environment.trials[0]
        names = " = ".join(dict.fromkeys(t.variant.name for t in environment.trials))
        new = len(plan.new_in[environment.name])
        self._title = f"{number} of {len(plan.environments)}  {names}  ({first.dataset}, seed {first.seed}; {new} to build)"
        self.note(self._title)

    def started(self, *_: Any) -> None:
        """Said once for the whole."""

    def node_finished(self, index: int, total: int, outcome: NodeOutcome) -> None:
        if outcome.status not in ("REUSED", "VIEW"):
            super().node_finished(index, total, outcome)

    def finished(self, result: BuildResult, env: str) -> None:
        counts = Counter(n.status for n in result.nodes)
        failed = f", ERROR={counts['ERROR']} SKIP={counts['SKIP']}" if not result.success else ""
        self.note(
            f"   built {counts['OK']}, reused {counts['REUSED']}{failed} in {result.seconds:.1f}s"
        )


def _sharing(plan: ExperimentPlan) -> str:
    lines = [
        f"Experiment {plan.trials.name}: {count(len(plan.shown), 'trial')} in {count(len(plan.environments), 'environment')}",
        f"  results       {plan.n_results:,} in all environments, {plan.n_distinct:,} distinct, {len(plan.to_build):,} to build",
    ]
    for kind in ("table", "batch"):
        alone, shared = plan.udfs(kind, shared=False), plan.udfs(kind, shared=True)
        found = [f"{udf} {shared[udf]} (unshared {n})" for udf, n in sorted(alone.items())]
        lines.append(f"  {kind} UDFs    {', '.join(found) or 'none'}")
    known, unknown = plan.calls()
    later = f", and those of {count(unknown, 'result')} that depend on what is not built yet"
    lines.append(f"  model calls   {known:,} to make{later if unknown else ''}")
    return "\n".join(lines)


def _print_plan(plan: ExperimentPlan, output: str) -> None:
    columns = [
        "environment",
        "variants",
        "dataset",
        "seed",
        "results",
        "to_build",
        "stored",
        "shared",
    ]
    rows: list[list[Any]] = []
    for e in plan.environments:
        steps = [s for s in e.plan.steps if s.action != "view"]
        new, stored = len(plan.new_in[e.name]), sum(s.action == "reuse" for s in steps)
        variants = list(dict.fromkeys(t.variant.name for t in e.trials))
        rows.append(
            [
                e.name,
                variants,
                e.trials[0].dataset,
                e.trials[0].seed,
                len(steps),
                new,
                stored,
                len(steps) - new - stored,
            ]
        )
    if output == "json":
        said = {**summary(plan), "plan": [dict(zip(columns, row, strict=True)) for row in rows]}
        click.echo(json.dumps(said, indent=1, ensure_ascii=False))
        return
    print_rows(columns, [[row[0], " = ".join(row[1]), *row[2:]] for row in rows], "table")
    click.echo(_sharing(plan), err=True)


def _print_summary(rows: Sequence[Summary]) -> None:
    """Wide tables on stdout for each dataset and protocol."""
    for dataset, protocol in dict.fromkeys((r.dataset, r.protocol) for r in rows):
        chosen = [r for r in rows if (r.dataset, r.protocol) == (dataset, protocol)]
        click.echo(f"{dataset}, protocol {protocol}" if protocol else dataset)
        _print_rows([r for r in chosen if r.k is not None])
        _print_rows([r for r in chosen if r.k is None])
        sys.stdout.flush()


def _print_rows(chosen: Sequence[Summary]) -> None:
    """A line for each variant and arm; behind them how the headline compares with the reference."""
    if not chosen:
        return
    titles = list(dict.fromkeys(column_title(r) for r in chosen))
    lines: dict[tuple[str, str], dict[str, Summary]] = {}
    for row in chosen:
        lines.setdefault(line_title(row), {})[column_title(row)] = row
    # the headline: the first metric over all targets at the largest k; measures have no interval.
    headline = [
        r for r in chosen if r.k is not None and (r.segment, r.metric) == ("all", chosen[0].metric)
    ]
    last = column_title(headline[-1]) if any(r.difference is not None for r in headline) else ""
    compared = [r for r in headline if r.reference is not None] if last else []
    references = list(dict.fromkeys(reference_title(r) for r in compared))
    comparison = [f"{last} less reference", "lower", "upper", "change", "reference"] if last else []
    columns = ["variant", "arm", *titles, *comparison]
    table = []
    for title, cells in lines.items():
        found = cells.get(last)
        extra = (
            [
                found.difference,
                found.difference_lower,
                found.difference_upper,
                _percent(found.gain),
                reference_title(found) if found.reference else None,
            ]
            if found
            else [None] * 5
        )
        values = [_shown(cells[t]) if t in cells else None for t in titles]
        table.append([*title, *values, *(extra if last else [])])
    left_out = {1} if not any(line[1] for line in table) else set()
    if last and len(references) == 1:
        left_out.add(len(columns) - 1)
    used = [i for i in range(len(columns)) if i not in left_out]
    print_rows([columns[i] for i in used], [[line[i] for i in used] for line in table], "table")
    if last:
        named = f"reference: {references[0]}; " if len(references) == 1 else ""
        click.echo(f"{named}lower, upper: 95% interval of the difference, paired over users")


def _shown(row: Summary) -> float | int | None:
    """The value; a count as a whole number."""
    whole = row.k is None and row.value is not None and row.value == int(row.value)
    return int(row.value) if whole and row.value is not None else row.value


def _percent(gain: float | None) -> str | None:
    return None if gain is None else f"{gain:+.1%}"
