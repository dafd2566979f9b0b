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
from llm_i2i.errors import LlmI2iError, ProjectError

if TYPE_CHECKING:
    from llm_i2i.cli.console import Console
    from llm_i2i.cli.json_log import JsonLog
    from llm_i2i.graph.compile import CompiledModel
    from llm_i2i.runner.project import Project

LISTING = ("ls", "query", "show", "plan", "compile")
LOG_FORMAT = "LLMI2I_LOG_FORMAT"
INTERRUPTED = 130  # what shells report for Ctrl-C


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
    """--select and --exclude, repeatable, each holding one or more criteria."""
    for option in (
        click.option(
            "-s",
            "--select",
            "-m",
            "--models",
            "select",
            multiple=True,
            help="name, +name, name+, tag:x, path:models/x, ...",
        ),
        click.option("--exclude", multiple=True, help="What to leave out, same syntax."),
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


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
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
@click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
@click.option(
    "--watch",
    is_flag=True,
    help="Build again whenever a file of the project changes, until Ctrl-C.",
)
@log_options
def build(
    select: tuple[str, ...], exclude: tuple[str, ...], full_refresh: bool, fail_fast: bool, max_calls: int | None,
    dry_run: bool, watch: bool, quiet: bool, log_format: str, **settings: Any,
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


@cli.command("ls")
@project_options
@selection_options
@click.option(
    "--output",
    type=click.Choice(["name", "json", "path", "selector"]),
    default="name",
    show_default=True,
)
@click.option(
    "--resource-type",
    type=click.Choice(["model", "source", "test", "all"]),
    default="all",
    show_default=True,
)
def list_nodes(
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    output: str,
    resource_type: str,
    **settings: Any,
) -> None:
    """List nodes in build order."""
    project = _project(**settings)
    nodes = [project.manifest.nodes[name] for name in project.select(select, exclude)]
    if resource_type == "test":
        chosen = {node.name for node in nodes}
        checks = [check for check in project.manifest.checks if check.model in chosen]
        for check in checks:
            raw = {
                "name": check.name,
                "model": check.model,
                "column": check.column,
                "path": check.where,
            }
            click.echo(
                json.dumps(raw)
                if output == "json"
                else check.where
                if output == "path"
                else check.name
            )
        return
    for node in nodes:
        if resource_type == "all" or node.is_source == (resource_type == "source"):
            click.echo(_listed(node, output))


def _listed(node: Any, output: str) -> str:
    if output == "json":
        return json.dumps(
            {
                "name": node.name,
                "resource_type": "source" if node.is_source else "model",
                "path": node.path,
                "materialized": node.materialized,
                "tags": list(node.tags),
                "depends_on": list(node.reads),
                "description": node.description,
            }
        )
    if output == "path":
        return str(node.path)
    if output == "selector":
        return (
            f"source:{node.name.replace('__', '.', 1)}"
            if node.is_source
            else str(node.path.removesuffix(".sql").replace("/", "."))
        )
    return str(node.name)


@cli.command("compile")
@project_options
@selection_options
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def compile_command(
    select: tuple[str, ...], exclude: tuple[str, ...], output: str, **settings: Any
) -> None:
    """Write the compiled SQL under target/compiled; print it when models are selected."""
    project = _project(**settings)
    chosen = [n for n in project.select(select, exclude) if not project.manifest.nodes[n].is_source]
    compiled = project.compile(chosen)
    texts = {}
    for name in chosen:
        model = compiled[name]
        texts[name] = _compiled_text(model)
        path = project.target_dir / "compiled" / project.manifest.nodes[name].path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(texts[name], encoding="utf-8")
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


def _compiled_text(model: CompiledModel) -> str:
    """The statements of a model in the order they run."""
    parts = []
    for step in model.steps:
        queries = {**step.inputs, **step.constants}
        parts += [f"-- {step.relation}: {step.udf}, {name}\n{sql}" for name, sql in queries.items()]
    return ";\n\n".join([*parts, model.sql]) + "\n"


@cli.command()
@project_options
@selection_options
@log_options
def test(
    select: tuple[str, ...], exclude: tuple[str, ...], quiet: bool, log_format: str, **settings: Any
) -> None:
    """Run the data tests of what is built now."""
    console = _reporter(log_format, quiet=quiet)
    outcomes = _project(**settings).test(select, exclude, console)
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
@click.argument("node", required=False)
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
