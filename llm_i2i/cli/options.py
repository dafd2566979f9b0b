"""Options that commands share, and what they open: a project, a reporter."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llm_i2i.errors import ProjectError

if TYPE_CHECKING:
    from llm_i2i.cli.console import Console
    from llm_i2i.cli.json_log import JsonLog
    from llm_i2i.runner.project import Project

LOG_FORMAT = "LLMI2I_LOG_FORMAT"
_SELECTOR = "llm_i2i.selector"

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
OUTPUTS = click.Choice(["table", "json", "csv"])
table_or_json = click.option(
    "--output", type=click.Choice(["table", "json"]), default="table", show_default=True
)
text_or_json = click.option(
    "--output", type=click.Choice(["text", "json"]), default="text", show_default=True
)
max_calls_option = click.option(
    "--max-calls",
    type=click.IntRange(min=0),
    help="Fail a node that needs more new UDF calls than this.",
)
store_failures_option = click.option(
    "--store-failures",
    is_flag=True,
    help="Keep all rows that break a data test, as Parquet in target/failures.",
)


def together(*options: Decorator) -> Decorator:
    """One decorator of several options; the help shows them in this order."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


Completer = Callable[[click.Context, click.Parameter, str], list[str]]


def _completer(kind: str) -> Completer:
    """What a shell offers where something of this kind is named: a method of `completion.Offers`."""

    def complete(context: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
        from llm_i2i.cli.completion import Offers, offered

        given = context.params
        offers = Offers(given.get("project_dir") or ".", given.get("target_path"))
        return offered(getattr(offers, kind), typed)

    return complete


model_names = _completer("models")
environment_names = _completer("environments")
target_names = _completer("targets")
selector_names = _completer("selectors")
var_names = _completer("vars")


# Options of every command that reads a project.
place_options = together(
    click.option("--project-dir", default=".", show_default=True, help="Folder of the project."),
    click.option(
        "--vars",
        "vars_text",
        default="{}",
        help="YAML mapping that overrides vars: '{alpha: 2}'.",
    ),
    click.option(
        "-t", "--target", shell_complete=target_names, help="Target of project.yml to run on."
    ),
    click.option("--target-path", help="Folder for results, instead of project.yml's."),
    click.option("--threads", type=click.IntRange(min=1), help="Threads of the engine."),
    click.option(
        "--jobs",
        type=click.IntRange(min=1),
        help="Trainings and other table UDFs that run at once, each in a process of its own.",
    ),
)


# Options of a command that reads or publishes one environment; dbt's names where dbt has them.
project_options = together(
    click.option(
        "--env",
        default="dev",
        show_default=True,
        shell_complete=environment_names,
        help="Environment to read and publish.",
    ),
    place_options,
)


def add_selector(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """Let `--selector NAME` stand for `--select selector:NAME`; callback of both options.

    Raises:
        click.UsageError: Both are given.
    """
    if param.name == "selector":
        ctx.meta[_SELECTOR] = value
        return value
    name = ctx.meta.get(_SELECTOR)
    if name is None:
        return value
    if value:
        raise click.UsageError("--selector and --select exclude each other: give one of them.")
    return (f"selector:{name}",)


# --select and --exclude, repeatable, each holding one or more criteria; --selector and --state.
selection_options = together(
    click.option(
        "-s",
        "--select",
        "-m",
        "--models",
        "select",
        multiple=True,
        shell_complete=model_names,
        callback=add_selector,
        help="name, +name, name+, tag:x, path:models/x, ... Several are a union, a,b an intersection.",
    ),
    click.option(
        "--exclude",
        multiple=True,
        shell_complete=model_names,
        help="What to leave out, same syntax.",
    ),
    click.option(
        "--selector",
        expose_value=False,
        is_eager=True,
        shell_complete=selector_names,
        callback=add_selector,
        help="A selection of selectors.yml, by name.",
    ),
    click.option(
        "--state",
        help="Folder with the state of another build, for state: and result:, such as its target.",
    ),
)


# How a command that runs nodes says how it goes, on stderr.
log_options = together(
    click.option("-q", "--quiet", is_flag=True, help="Only errors."),
    click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        envvar=LOG_FORMAT,
        help="Lines to read, or one JSON object a line.",
    ),
)


def open_reporter(log_format: str, *, quiet: bool) -> Console | JsonLog:
    """Who says how a build goes, in lines to read or in JSON."""
    if log_format == "json":
        os.environ[LOG_FORMAT] = "json"  # so that an error that ends the command is one, too
        from llm_i2i.cli.json_log import JsonLog

        return JsonLog(quiet=quiet)
    from llm_i2i.cli.console import Console

    return Console(quiet=quiet)


def check_folder(project_dir: str) -> None:
    """Refuse a project folder that is not there."""
    if not Path(project_dir).is_dir():
        raise ProjectError(
            "no such project folder", where=project_dir, fix="pass --project-dir DIR"
        )


def open_project(project_dir: str, vars_text: str, **settings: Any) -> Project:
    """The project of the common options; a folder that is not there is an error of ours."""
    from llm_i2i.config.project import parse_vars_argument
    from llm_i2i.runner.project import Project

    check_folder(project_dir)
    project = Project.load(Path(project_dir), vars=parse_vars_argument(vars_text), **settings)
    project.sources.remote.say = lambda text: click.echo(text, err=True)
    return project
