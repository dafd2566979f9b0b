"""The command `llmi2i`. One function a command; the work is in `llm_i2i.runner.Project`."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llm_i2i import __version__
from llm_i2i.cli.options import Commands, add_selector
from llm_i2i.errors import LlmI2iError, ProjectError

if TYPE_CHECKING:
    from llm_i2i.cli.console import Console
    from llm_i2i.cli.json_log import JsonLog
    from llm_i2i.runner.project import Project

LISTING = ("ls", "query", "show", "plan", "compile", "lineage", "diff")
LOG_FORMAT = "LLMI2I_LOG_FORMAT"
STORE_FAILURES = "Keep all rows that break a data test, as Parquet in target/failures."
INTERRUPTED = 130  # what shells report for Ctrl-C


def _model_names(context: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
    """What a shell offers where a model is named."""
    from llm_i2i.cli.completion import model_names

    return model_names(context.params.get("project_dir") or ".", typed)


def project_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of a command that reads or publishes one environment; dbt's names where dbt has them."""
    env = click.option(
        "--env", default="dev", show_default=True, help="Environment to read and publish."
    )
    return place_options(env(command))


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of every command that reads a project."""
    for option in (
        click.option(
            "--project-dir", default=".", show_default=True, help="Folder of the project."
        ),
        click.option(
            "--vars",
            "vars_text",
            default="{}",
            help="YAML mapping that overrides vars: '{alpha: 2}'.",
        ),
        click.option("-t", "--target", help="Target of project.yml to run on."),
        click.option("--target-path", help="Folder for results, instead of project.yml's."),
        click.option("--threads", type=click.IntRange(min=1), help="Threads of the engine."),
    ):
        command = option(command)
    return command


def selection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--select and --exclude, repeatable, each holding one or more criteria; --selector and --state."""
    for option in (
        click.option(
            "--state",
            help="Folder with the state of another build, for state: and result:, such as its target.",
        ),
        click.option(
            "--selector",
            expose_value=False,
            is_eager=True,
            callback=add_selector,
            help="A selection of selectors.yml, by name.",
        ),
        click.option(
            "-s",
            "--select",
            "-m",
            "--models",
            "select",
            multiple=True,
            shell_complete=_model_names,
            callback=add_selector,
            help="name, +name, name+, tag:x, path:models/x, ... Several are a union, a,b an intersection.",
        ),
        click.option(
            "--exclude",
            multiple=True,
            shell_complete=_model_names,
            help="What to leave out, same syntax.",
        ),
    ):
        command = option(command)
    return command


def log_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How a command that runs nodes says how it goes, on stderr."""
    for option in (
        click.option("-q", "--quiet", is_flag=True, help="Only errors."),
        click.option(
            "--log-format",
            type=click.Choice(["text", "json"]),
            default="text",
            show_default=True,
            envvar=LOG_FORMAT,
            help="Lines to read, or one JSON object a line.",
        ),
    ):
        command = option(command)
    return command


def _reporter(log_format: str, *, quiet: bool) -> Console | JsonLog:
    if log_format == "json":
        os.environ[LOG_FORMAT] = "json"  # so that an error that ends the command is one, too
        from llm_i2i.cli.json_log import JsonLog

        return JsonLog(quiet=quiet)
    from llm_i2i.cli.console import Console

    return Console(quiet=quiet)


def _project(project_dir: str, vars_text: str, **settings: Any) -> Project:
    from llm_i2i.config.project import parse_vars_argument
    from llm_i2i.runner.project import Project

    folder = Path(project_dir)
    if not folder.is_dir():
        raise ProjectError(
            "no such project folder", where=project_dir, fix="pass --project-dir DIR"
        )
    return Project.load(folder, vars=parse_vars_argument(vars_text), **settings)


@click.group(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="llmi2i", message="%(prog)s %(version)s")
def cli() -> None:
    """Repair an interaction log with language models, train item-to-item indices on it, query recall in SQL.

    Start with `llmi2i build`, then `llmi2i query "from metrics_summary"`.
    """


@cli.command()
@project_options
@selection_options
@click.option(
    "-f",
    "--full-refresh",
    is_flag=True,
    help="Build the selected nodes again even if nothing changed.",
)
@click.option("-x", "--fail-fast", is_flag=True, help="Stop at the first failure.")
@click.option(
    "--max-calls",
    type=click.IntRange(min=0),
    help="Fail a node that needs more new UDF calls than this.",
)
@click.option("--store-failures", is_flag=True, help=STORE_FAILURES)
@click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
@click.option(
    "--watch",
    is_flag=True,
    help="Build again whenever a file of the project changes, until Ctrl-C.",
)
@log_options
def build(
    select: tuple[str, ...], exclude: tuple[str, ...], full_refresh: bool, fail_fast: bool, max_calls: int | None,
    store_failures: bool, dry_run: bool, watch: bool, quiet: bool, log_format: str, **settings: Any,
) -> None:  # fmt: skip
    """Build what is stale, run its data tests, publish the environment."""
    if watch:
        from llm_i2i.cli.watch import watch as build_forever

        given = sys.argv[sys.argv.index("build") + 1 :]
        build_forever(Path(settings["project_dir"]), [a for a in given if a != "--watch"])
    reporter = _reporter(log_format, quiet=quiet)
    project = _project(**settings)
    if dry_run:
        _print_plan(project, select, exclude, full_refresh, "table")
        return
    result = project.build(
        select,
        exclude,
        full_refresh=full_refresh,
        fail_fast=fail_fast,
        max_calls=max_calls,
        store_failures=store_failures,
        reporter=reporter,
    )
    sys.exit(result.exit_code)


@cli.command()
@project_options
@selection_options
@click.option("-f", "--full-refresh", is_flag=True, help="As if the selected nodes were stale.")
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def plan(
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    full_refresh: bool,
    output: str,
    **settings: Any,
) -> None:
    """Show what `build` would do, node by node, and why."""
    _print_plan(_project(**settings), select, exclude, full_refresh, output)


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


@cli.group()
def source() -> None:
    """What there is to know of the sources."""


@source.command()
@project_options
@selection_options
@click.option("--output", type=click.Choice(["lines", "json"]), default="lines", show_default=True)
def freshness(
    select: tuple[str, ...], exclude: tuple[str, ...], output: str, **settings: Any
) -> None:
    """Compare the age of sources with what they declare under `freshness:`."""
    from llm_i2i.cli.freshness import run_freshness

    sys.exit(run_freshness(_project(**settings), select, exclude, output))


@cli.command("ls")
@project_options
@selection_options
@click.option(
    "--output",
    type=click.Choice(["name", "json", "path", "selector"]),
    default="name",
    show_default=True,
)
@click.option("--output-keys", multiple=True, help="Keys of each line of --output json.")
@click.option(
    "--resource-type",
    "resource_types",
    type=click.Choice(
        ["model", "seed", "source", "exposure", "test", "unit_test", "default", "all"]
    ),
    multiple=True,
    help="Only these; repeatable. Default: all but tests.",
)
def list_nodes(
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    output: str,
    output_keys: tuple[str, ...],
    resource_types: tuple[str, ...],
    **settings: Any,
) -> None:
    """List nodes in build order."""
    from llm_i2i.cli.ls import print_listing

    print_listing(_project(**settings), select, exclude, resource_types, output, output_keys)


@cli.command("compile")
@project_options
@selection_options
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def compile_command(
    select: tuple[str, ...], exclude: tuple[str, ...], output: str, **settings: Any
) -> None:
    """Write the compiled SQL under target/compiled; print it when models are selected."""
    project = _project(**settings)
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
    if output == "json":
        click.echo(
            json.dumps(
                [{"name": n, "sql": texts[n], "columns": dict(compiled[n].columns)} for n in chosen]
            )
        )
    elif select:
        for name in chosen:
            click.echo(f"-- {name}\n{texts[name]}")
    click.echo(f"Compiled {len(chosen)} models to {project.target_dir / 'compiled'}.", err=True)


@cli.command()
@project_options
@selection_options
@click.option("--store-failures", is_flag=True, help=STORE_FAILURES)
@log_options
def test(
    select: tuple[str, ...], exclude: tuple[str, ...], store_failures: bool, quiet: bool, log_format: str,
    **settings: Any,
) -> None:  # fmt: skip
    """Run unit tests, and the data tests of what is built now. Also: -s test_type:unit, -s unit_test:NAME."""
    console = _reporter(log_format, quiet=quiet)
    outcomes = _project(**settings).test(select, exclude, console, store_failures=store_failures)
    console.show_warnings()
    failed = [o for o in outcomes if o.status in ("FAIL", "ERROR")]
    warned = [o for o in outcomes if o.status == "WARN"]
    if not quiet and log_format == "text":
        passed = len(outcomes) - len(failed) - len(warned)
        click.echo(
            f"Done. PASS={passed} WARN={len(warned)} FAIL={len(failed)} TOTAL={len(outcomes)}",
            err=True,
        )
    sys.exit(1 if failed else 0)


OUTPUTS = click.Choice(["table", "json", "csv"])


@cli.command()
@project_options
@click.argument("sql")
@click.option("--output", type=OUTPUTS, default="table", show_default=True)
@click.option("--limit", type=click.IntRange(min=-1), default=-1, help="Rows at most; -1 for all.")
def query(sql: str, output: str, limit: int, **settings: Any) -> None:
    """Run one read-only SQL query on the published environment."""
    _show_query(_project(**settings), sql, limit, output)


@cli.command()
@project_options
@click.argument("node", required=False, shell_complete=_model_names)
@click.option("-s", "--select", help="The model to show, as in dbt.")
@click.option("--inline", help="SQL to show instead of a model; ref() works.")
@click.option(
    "--limit",
    type=click.IntRange(min=-1),
    default=5,
    show_default=True,
    help="Rows at most; -1 for all.",
)
@click.option("--output", type=OUTPUTS, default="table", show_default=True)
def show(
    node: str | None,
    select: str | None,
    inline: str | None,
    limit: int,
    output: str,
    **settings: Any,
) -> None:
    """Show the first rows of a published model."""
    project = _project(**settings)
    name = node or select
    if bool(name) == bool(inline):
        raise ProjectError(
            "show takes one model or --inline SQL", fix="llmi2i show i2i_index --limit 10"
        )
    if inline:
        _show_query(project, project.render(inline), limit, output)
        return
    chosen = [n for n in project.select([str(name)]) if not project.manifest.nodes[n].is_source]
    for model in chosen:
        if len(chosen) > 1:
            click.echo(f"-- {model}")
        _show_query(project, f'from "{model}"', limit, output)


def _show_query(project: Project, sql: str, limit: int, output: str) -> None:
    from llm_i2i.cli.output import print_rows

    columns, rows = project.rows(sql, limit)
    print_rows(columns, rows, output)


@cli.command()
@place_options
@click.argument("name", required=False)
@click.option(
    "--dataset", "datasets", multiple=True, help="Dataset of experiments.yml; repeatable."
)
@click.option("--seeds", help="Random seeds: 42,43,44.")
@click.option("--variant", "variants", multiple=True, help="Only these: a name or a pattern.")
@click.option(
    "--arm", "arms", multiple=True, help="Only these arms, as the experiment writes them."
)
@click.option("--dry-run", is_flag=True, help="Show what would be built and shared, and stop.")
@click.option(
    "--max-calls",
    type=click.IntRange(min=0),
    help="Fail a node that needs more new UDF calls than this.",
)
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("-q", "--quiet", is_flag=True, help="Only errors.")
def experiment(
    name: str | None, datasets: tuple[str, ...], seeds: str | None, variants: tuple[str, ...], arms: tuple[str, ...],
    dry_run: bool, max_calls: int | None, output: str, quiet: bool, project_dir: str, vars_text: str, **settings: Any,
) -> None:  # fmt: skip
    """Run an experiment of experiments.yml: every variant, one results table, one figure. Without NAME: list them."""
    from llm_i2i.cli.experiment import list_experiments, parse_seeds, run
    from llm_i2i.config.project import parse_vars_argument
    from llm_i2i.experiment.variants import Choice

    project = _project(project_dir, "{}", **settings)
    if name is None:
        list_experiments(project, output)
        return
    choice = Choice(datasets, parse_seeds(seeds), variants, arms, parse_vars_argument(vars_text))
    sys.exit(
        run(project, name, choice, dry_run=dry_run, quiet=quiet, output=output, max_calls=max_calls)
    )


@cli.command()
@project_options
@click.argument("column", metavar="TABLE[.COLUMN]", shell_complete=_model_names)
@click.option("--upstream", is_flag=True, help="Only what it is made from.")
@click.option("--downstream", is_flag=True, help="Only what is made from it.")
@click.option(
    "--depth",
    type=click.IntRange(min=0),
    help="Steps to follow; 0 for all.  [default: 2; json: all]",
)
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def lineage(
    column: str, upstream: bool, downstream: bool, depth: int | None, output: str, **settings: Any
) -> None:
    """Show what a column is made from, and what is made from it, through SQL and UDF calls."""
    from llm_i2i.cli.lineage import print_lineage

    both = upstream == downstream
    print_lineage(
        _project(**settings).lineage(), column, upstream or both, downstream or both, depth, output
    )


MOVE_OUTPUT = click.option(
    "--output", type=click.Choice(["table", "json"]), default="table", show_default=True
)


@cli.command()
@place_options
@click.argument("source", metavar="FROM")
@click.argument("target_env", metavar="TO")
@click.option("--dry-run", is_flag=True, help="Check and say what would change, and stop.")
@click.option("--force", is_flag=True, help="Even if FROM is stale or its data tests fail.")
@MOVE_OUTPUT
def promote(
    source: str, target_env: str, dry_run: bool, force: bool, output: str, **settings: Any
) -> None:
    """Point environment TO to what FROM points to, in one step: llmi2i promote dev prod.

    Refused when FROM is not what the project says, or a data test does not hold on it.
    """
    from llm_i2i.cli.environments import promote

    promote(_project(**settings), source, target_env, force=force, dry_run=dry_run, output=output)


@cli.command()
@place_options
@click.argument("env", metavar="ENV")
@click.option("--to", help="A state's number, or a time: the state that held then.")
@click.option("--list", "list_states", is_flag=True, help="Show the states that are kept.")
@click.option("--dry-run", is_flag=True, help="Say what would change, and stop.")
@MOVE_OUTPUT
def rollback(
    env: str, to: str | None, list_states: bool, dry_run: bool, output: str, **settings: Any
) -> None:
    """Point environment ENV back to what it pointed to before its last move."""
    from llm_i2i.cli import environments

    project = _project(**settings)
    if list_states:
        environments.list_states(project, env, output)
    else:
        environments.rollback(project, env, to, dry_run=dry_run, output=output)


@cli.command()
@place_options
@selection_options
@click.argument("here", metavar="ENV")
@click.argument("there", metavar="OTHER")
@click.option(
    "-k", "ks", type=click.IntRange(min=1), multiple=True, default=(10,), show_default=True,
    help="List length at which indices are compared; repeatable.",
)  # fmt: skip
@click.option(
    "--sample", type=click.IntRange(min=0), default=3, show_default=True, help="Rows shown."
)
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def diff(
    here: str, there: str, ks: tuple[int, ...], sample: int, output: str, select: tuple[str, ...],
    exclude: tuple[str, ...], **settings: Any,
) -> None:  # fmt: skip
    """Compare the tables of two environments: llmi2i diff dev prod -s i2i_index."""
    from llm_i2i.cli.diff import diff

    diff(
        _project(**settings), here, there, output, select=select, exclude=exclude, ks=ks, sample=sample
    )  # fmt: skip


@cli.command()
@place_options
@click.option("--calls", is_flag=True, help="Also calls that no kept result was made with.")
@click.option(
    "--unfinished", is_flag=True, help="Also what builds made that failed or were killed."
)
@click.option(
    "--keep-states", type=click.IntRange(min=1), default=20, show_default=True,
    help="States kept of each environment's history.",
)  # fmt: skip
@click.option(
    "--drop-env", "drop", multiple=True, help="Also an environment: a name or a pattern; repeatable."
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only say what is garbage.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@MOVE_OUTPUT
def gc(
    calls: bool, unfinished: bool, keep_states: int, drop: tuple[str, ...], dry_run: bool, yes: bool,
    output: str, **settings: Any,
) -> None:  # fmt: skip
    """Remove results that no environment and no kept history points to; asks before."""
    from llm_i2i.cli.environments import gc

    gc(
        _project(**settings), yes=yes, dry_run=dry_run, output=output, calls=calls, unfinished=unfinished,
        keep_states=keep_states, drop=drop,
    )  # fmt: skip


@cli.command()
@project_options
@click.argument("action", type=click.Choice(["generate", "serve"]), default="generate")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="Of `docs serve`; 0: any that is free.",
)
def docs(action: str, port: int, **settings: Any) -> None:
    """Write the documentation to target/docs, one site that opens without a server; or serve it on this machine."""
    from llm_i2i.cli.docs import run_docs

    run_docs(_project(**settings), action, port)


@cli.command()
@project_options
@click.option("--output", type=OUTPUTS, default="table", show_default=True)
@click.option(
    "--limit",
    type=click.IntRange(min=-1),
    default=100,
    show_default=True,
    help="Rows shown at most; -1 for all.",
)
def shell(output: str, limit: int, **settings: Any) -> None:
    """SQL prompt on the published environment, read-only; statements may also come from a pipe."""
    from llm_i2i.cli.shell import run_shell

    sys.exit(run_shell(_project(**settings), output, limit))


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes our commands in a shell: eval "$(llmi2i completion bash)"."""
    from llm_i2i.cli.completion import INSTALL, completion_script

    click.echo(completion_script(cli, shell))
    if sys.stdout.isatty():
        click.echo(f"to use it: {INSTALL[shell]}", err=True)


@cli.command()
@project_options
@click.argument("table")
@click.argument("file")
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
def export(table: str, file: str, force: bool, **settings: Any) -> None:
    """Write TABLE to FILE: .parquet, .csv, .csv.gz, .tsv, .json, .jsonl or .duckdb."""
    from llm_i2i.cli.environments import export

    export(_project(**settings), table, file, force=force)


@cli.group()
def calls() -> None:
    """Calls of UDFs that were paid for: list, inspect, cost, export, forget."""


def call_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Which calls of which project."""
    for option in (
        click.option("--where", default="", help="SQL over the arguments, result and call_key."),
        click.option("--before", default="", help="Made before this time: 2026-01-31."),
        click.option("--group", default="", help="Call group, or how its name begins."),
        click.option("--node", default="", help="Model that made them: a name or a pattern."),
        click.option("--udf", default="", help="UDF: a name or a pattern."),
    ):
        command = option(command)
    return place_options(command)


def _filter(udf: str, node: str, group: str, before: str, where: str) -> Any:
    from llm_i2i.runner.calls import Filter

    return Filter(udf, node, group, before, where)


FILTERS = ("udf", "node", "group", "before", "where")


def _calls_of(settings: dict[str, Any]) -> tuple[Project, Any]:
    wanted = _filter(**{name: settings.pop(name) for name in FILTERS})
    return _project(**settings), wanted


@calls.command("list")
@call_options
@MOVE_OUTPUT
def calls_list(output: str, **settings: Any) -> None:
    """What is kept, by UDF, node and call group."""
    from llm_i2i.cli.calls import print_calls

    print_calls(*_calls_of(settings), output)


@calls.command("inspect")
@call_options
@click.option(
    "--limit", type=click.IntRange(min=-1), default=5, show_default=True,
    help="Calls of each group at most; -1 for all.",
)  # fmt: skip
@MOVE_OUTPUT
def calls_inspect(limit: int, output: str, **settings: Any) -> None:
    """Arguments and results."""
    from llm_i2i.cli.calls import print_inspected

    print_inspected(*_calls_of(settings), limit, output)


@calls.command("cost")
@call_options
@click.option("--price", type=click.FloatRange(min=0), help="Of a million tokens of the prompts.")
@MOVE_OUTPUT
def calls_cost(price: float | None, output: str, **settings: Any) -> None:
    """Calls, tokens and time by node, UDF and language model."""
    from llm_i2i.cli.calls import print_cost

    print_cost(*_calls_of(settings), price, output)


@calls.command("export")
@call_options
@click.argument("file")
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
def calls_export(file: str, force: bool, **settings: Any) -> None:
    """Write calls to FILE, one row a call, in the format of its suffix."""
    from llm_i2i.runner.calls import export_calls

    n = export_calls(*_calls_of(settings), Path(file), force=force)
    click.echo(f"Wrote {n:,} calls to {file}.", err=True)


@calls.command("forget")
@call_options
@click.option("--all", "everything", is_flag=True, help="Every call, without a filter.")
@click.option("--dry-run", is_flag=True, help="Only say how many.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def calls_forget(everything: bool, dry_run: bool, yes: bool, **settings: Any) -> None:
    """Remove calls, so that they are made again; asks before."""
    from llm_i2i.cli.calls import forget

    forget(*_calls_of(settings), everything=everything, yes=yes, dry_run=dry_run)


@cli.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def init(folder: Path) -> None:
    """Write a running project into the new or empty folder DIR, with a bundled log."""
    from llm_i2i.cli.init import init

    init(folder)


@cli.command()
@project_options
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def debug(output: str, **settings: Any) -> None:
    """Show versions, project, target, store, extras, devices and sources, and what is missing."""
    from llm_i2i.cli.debug import debug

    sys.exit(debug(lambda: _project(**settings), output))


@cli.command()
@click.option("--project-dir", default=".", show_default=True, help="Folder of the project.")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
def schema(folder: Path | None, project_dir: str) -> None:
    """Write JSON Schemas of the project's YAML files into DIR, for editors; .llmi2i/schema by default."""
    from llm_i2i.runner.schemas import write_schemas

    for path in write_schemas(Path(project_dir), folder):
        click.echo(path)


@cli.command()
@project_options
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="0: any free one.",
)
@click.option("--index", default="i2i_index", show_default=True, help="The index to serve.")
def serve(host: str, port: int, index: str, **settings: Any) -> None:
    """Serve the environment's index over HTTP; what is published later is picked up."""
    from llm_i2i.cli.serve import run_serve

    run_serve(_project(**settings), index, host, port)


@cli.command("publish-redis")
@project_options
@click.argument("url")
@click.option("--index", default="i2i_index", show_default=True, help="The index to write.")
@click.option("--prefix", default="i2i", show_default=True, help="What all its keys begin with.")
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Earlier versions that stay.",
)
def publish_redis(url: str, index: str, prefix: str, keep: int, **settings: Any) -> None:
    """Write the environment's index to Redis at URL (redis://host:6379/0) and switch readers to it."""
    from llm_i2i.cli.serve import run_publish_redis

    run_publish_redis(_project(**settings), url, index, prefix, keep)


@cli.command("simulate-shop")
@project_options
@click.option(
    "--out",
    default="target/simulated_shop",
    show_default=True,
    help="Folder for the log, below the project's.",
)
@click.option(
    "--control",
    default="i2i_index_baseline",
    show_default=True,
    help="Arm: a table, ENV/TABLE, or http://.../recommend.",
)
@click.option(
    "--treatment", default="i2i_index", show_default=True, help="The other arm, written alike."
)
@click.option(
    "--days", type=click.IntRange(1, 366), default=7, show_default=True, help="Of the test."
)
@click.option(
    "--days-before",
    type=click.IntRange(0, 366),
    default=0,
    show_default=True,
    help="Days before it, when all meet control.",
)
@click.option(
    "--requests-a-day",
    type=click.FloatRange(0, 100, min_open=True),
    default=0.6,
    show_default=True,
    help="Mean requests of a user a day.",
)
@click.option("--users", type=click.IntRange(min=2), help="Shoppers at most; all without.")
@click.option(
    "-k",
    type=click.IntRange(1, 1000),
    default=500,
    show_default=True,
    help="Items asked for in a request.",
)
@click.option(
    "--page",
    type=click.IntRange(1, 1000),
    default=10,
    show_default=True,
    help="Items of them that are shown.",
)
@click.option(
    "--measured-latency",
    is_flag=True,
    help="Log how long each call really took, not a modelled time.",
)
@click.option("--seed", type=click.IntRange(min=0), default=42, show_default=True)
@click.option("--output", type=OUTPUTS, default="table", show_default=True)
def simulate_shop(
    project_dir: str, vars_text: str, target: str | None, target_path: str | None, threads: int | None, env: str, out: str,
    output: str, **settings: Any,
) -> None:  # fmt: skip
    """Let made-up shoppers with known tastes meet two indices, and write the log of that A/B test with its true effects."""
    from llm_i2i.cli.simulate import ShopSettings, simulate

    project = _project(
        project_dir, vars_text, target=target, target_path=target_path, threads=threads, env=env
    )
    simulate(project, ShopSettings(**settings), project.dir / out, output)


def main() -> None:
    """Entry point: our errors become messages and exit codes, never tracebacks."""
    if len(sys.argv) > 1 and sys.argv[1] in LISTING and hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `llmi2i ls | head` ends as any listing does
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except LlmI2iError as error:
        if os.environ.get(LOG_FORMAT) == "json":
            from llm_i2i.cli.json_log import print_error

            print_error(error)
        else:
            print(error.render(), file=sys.stderr)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        print(
            "\ninterrupted: finished nodes and batches are kept, run the same command again to go on",
            file=sys.stderr,
        )
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader of a pipe has left: nobody to tell
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        if os.environ.get("LLMI2I_TRACEBACK"):
            raise
        problem = LlmI2iError(
            f"unexpected {type(error).__name__}: {error}",
            fix="this is a defect of llmi2i; run again with LLMI2I_TRACEBACK=1 and report what it prints",
        )
        print(problem.render(), file=sys.stderr)
        sys.exit(1)
