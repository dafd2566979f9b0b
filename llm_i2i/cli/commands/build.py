"""Build, plan, compile, test: the commands that work on the graph."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llm_i2i.cli.options import (
    log_options,
    max_calls_option,
    open_project,
    open_reporter,
    project_options,
    selection_options,
    store_failures_option,
    table_or_json,
    text_or_json,
)
from llm_i2i.errors import counted

if TYPE_CHECKING:
    from llm_i2i.cli.console import Console
    from llm_i2i.cli.json_log import JsonLog
    from llm_i2i.graph.compile import CompiledModel
    from llm_i2i.runner.build.events import BuildResult
    from llm_i2i.runner.project import Project


@click.command()
@project_options
@selection_options
@click.option(
    "-f",
    "--full-refresh",
    is_flag=True,
    help="Build the selected nodes again even if nothing changed.",
)
@click.option("-x", "--fail-fast", is_flag=True, help="Stop at the first failure.")
@max_calls_option
@store_failures_option
@click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
@click.option(
    "--watch",
    is_flag=True,
    help="Build again whenever a file of the project changes, until Ctrl-C.",
)
@click.option(
    "--seeds",
    help="Build once for each of these values of random_seed ('42,43,44'), and print median and spread of metrics_summary; the first is published.",
)
@log_options
def build(
    select: tuple[str, ...], exclude: tuple[str, ...], full_refresh: bool, fail_fast: bool, max_calls: int | None,
    store_failures: bool, dry_run: bool, watch: bool, seeds: str | None, quiet: bool, log_format: str, **settings: Any,
) -> None:  # fmt: skip
    """Build what is stale, test it, publish the environment."""
    if watch:
        from llm_i2i.cli.watch import watch as build_forever

        given = sys.argv[sys.argv.index("build") + 1 :]
        build_forever(Path(settings["project_dir"]), [a for a in given if a != "--watch"])
    reporter = open_reporter(log_format, quiet=quiet)
    project = open_project(**settings)

    def run(there: Project) -> BuildResult:
        return there.build(
            select,
            exclude,
            full_refresh=full_refresh,
            fail_fast=fail_fast,
            max_calls=max_calls,
            store_failures=store_failures,
            reporter=reporter,
        )

    if seeds is not None:
        sys.exit(
            _build_seeds(project, seeds, run, reporter, select, exclude, full_refresh, dry_run)
        )
    if dry_run:
        _print_plan(project, select, exclude, full_refresh, "table")
        return
    result = run(project)
    sys.exit(result.exit_code)


def _build_seeds(
    project: Project,
    text: str,
    run: Callable[[Project], BuildResult],
    reporter: Console | JsonLog,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    full_refresh: bool,
    dry_run: bool,
) -> int:
    """One build a seed; what they say on stdout, as JSON under --log-format json. The exit code."""
    from dataclasses import asdict

    from llm_i2i.cli.experiment import parse_seeds
    from llm_i2i.cli.json_log import JsonLog
    from llm_i2i.cli.output import print_rows
    from llm_i2i.experiment.seeds import build_seeds, publish_seeds, seed_projects, spread

    projects = seed_projects(project, parse_seeds(text), select, exclude)
    if dry_run:
        for seed, there in projects:
            click.echo(f"random_seed {seed}, environment '{there.environment.name}'", err=True)
            _print_plan(there, select, exclude, full_refresh, "table")
        return 0

    numbers = {id(there): n for n, (_, there) in enumerate(projects, start=1)}

    def build_one(there: Project) -> BuildResult:
        number = numbers[id(there)]
        reporter.note(f"Seed {number} of {len(projects)}: random_seed {projects[number - 1][0]}")
        return run(there)

    rows, failed = build_seeds(projects, build_one)
    summed = spread(rows)
    if summed:
        name = publish_seeds(project, rows, summed)
        table = [asdict(row) for row in summed]
        print_rows(
            list(table[0]),
            [list(row.values()) for row in table],
            "json" if isinstance(reporter, JsonLog) else "table",
        )
        sys.stdout.flush()
        reporter.note(f'Each seed: llmi2i query --env {name} "from metrics_by_seed"')
    for seed in failed:
        reporter.note(f"FAILED random_seed {seed}: it is not in the medians")
    return 1 if failed else 0


@click.command()
@project_options
@selection_options
@click.option("-f", "--full-refresh", is_flag=True, help="As if the selected nodes were stale.")
@table_or_json
def plan(
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    full_refresh: bool,
    output: str,
    **settings: Any,
) -> None:
    """Show what `build` would do, node by node, and why."""
    _print_plan(open_project(**settings), select, exclude, full_refresh, output)


def _print_plan(
    project: Project,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    full_refresh: bool,
    output: str,
) -> None:
    from llm_i2i.cli.plan import plan_rows, print_plan

    found = project.plan(select, exclude, full_refresh)
    print_plan(plan_rows(project, found), output)


@click.command("compile")
@project_options
@selection_options
@click.option("--inline", help="SQL to compile and print instead of models; ref() works.")
@text_or_json
def compile_command(
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    inline: str | None,
    output: str,
    **settings: Any,
) -> None:
    """Compile models to SQL under target/compiled. Those that are selected are printed."""
    project = open_project(**settings)
    if inline is not None:
        if select or exclude:
            raise click.UsageError("--inline and a selection exclude each other: give one of them.")
        model = project.compile_inline(inline)
        _print_compiled({model.name: model}, {model.name: model.text()}, output)
        return
    nodes = project.manifest.nodes
    chosen = [n for n in project.select(select, exclude) if nodes[n].resource_type == "model"]
    compiled = project.compile(chosen)
    texts = project.compiled_text(chosen)
    for name in chosen:
        path = project.compiled_path(nodes[name])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(texts[name], encoding="utf-8")
    project.write_state()
    project.write_manifest(compiled)
    if output == "json" or select:
        _print_compiled({name: compiled[name] for name in chosen}, texts, output)
    click.echo(
        f"Compiled {counted({'model': len(chosen)})} to {project.target_dir / 'compiled'}.",
        err=True,
    )


def _print_compiled(
    models: Mapping[str, CompiledModel], texts: Mapping[str, str], output: str
) -> None:
    if output == "json":
        rows = [
            {"name": name, "sql": texts[name], "columns": dict(model.columns)}
            for name, model in models.items()
        ]
        click.echo(json.dumps(rows))
        return
    for name in models:
        click.echo(f"-- {name}\n{texts[name]}")


@click.command()
@project_options
@selection_options
@store_failures_option
@log_options
def test(
    select: tuple[str, ...], exclude: tuple[str, ...], store_failures: bool, quiet: bool, log_format: str,
    **settings: Any,
) -> None:  # fmt: skip
    """Run unit tests, and data tests on what is built.

    Also: -s test_type:unit, -s unit_test:NAME.
    """
    console = open_reporter(log_format, quiet=quiet)
    outcomes = open_project(**settings).test(
        select, exclude, console, store_failures=store_failures
    )
    console.show_warnings()
    counts = Counter(outcome.status for outcome in outcomes)
    if not quiet and log_format == "text":
        said = " ".join(f"{word}={counts[word]}" for word in ("PASS", "WARN", "FAIL", "ERROR"))
        click.echo(f"Done. {said} TOTAL={len(outcomes)}", err=True)
    sys.exit(1 if counts["FAIL"] or counts["ERROR"] else 0)
