"""What there is: ls, query, show, shell, lineage, docs, export and the freshness of sources."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llm_i2i.cli.group import SelectionGroup
from llm_i2i.cli.options import (
    OUTPUTS,
    check_folder,
    model_names,
    open_project,
    project_options,
    selection_options,
    text_or_json,
    var_names,
)
from llm_i2i.errors import ProjectError

if TYPE_CHECKING:
    from llm_i2i.runner.project import Project


@click.command("ls")
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

    print_listing(open_project(**settings), select, exclude, resource_types, output, output_keys)


@click.command("vars")
@project_options
@click.argument("name", required=False, shell_complete=var_names)
@text_or_json
def list_vars(name: str | None, output: str, **settings: Any) -> None:
    """List vars, their values and where these come from.

    With NAME: all about this one, the models that read it among it.
    """
    from llm_i2i.cli.vars import list_vars, show_var

    if name is None:
        check_folder(settings["project_dir"])
        list_vars(Path(settings["project_dir"]), settings["vars_text"], output)
    else:
        show_var(open_project(**settings), name, output)


@click.command()
@project_options
@click.argument("sql")
@click.option("--output", type=OUTPUTS, default="table", show_default=True)
@click.option("--limit", type=click.IntRange(min=-1), default=-1, help="Rows at most; -1 for all.")
def query(sql: str, output: str, limit: int, **settings: Any) -> None:
    """Run one read-only SQL query on the published environment; ref() and var() work in it."""
    _show_query(open_project(**settings), sql, limit, output)


@click.command()
@project_options
@click.argument("node", required=False, shell_complete=model_names)
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
    project = open_project(**settings)
    name = node or select
    if bool(name) == bool(inline):
        raise ProjectError(
            "show takes one model or --inline SQL", fix="llmi2i show i2i_index --limit 10"
        )
    if inline:
        _show_query(project, inline, limit, output)
        return
    selected = project.select([str(name)])
    chosen = [n for n in selected if not project.manifest.nodes[n].is_source]
    if not chosen:
        raise ProjectError(
            "a source is not published, so there is nothing to show",
            found=", ".join(selected),
            fix="show what reads it: --inline \"from {{ ref('...') }}\", or open its file in DuckDB",
        )
    for model in chosen:
        if len(chosen) > 1:
            click.echo(f"-- {model}")
        _show_query(project, f'from "{model}"', limit, output)


def _show_query(project: Project, sql: str, limit: int, output: str) -> None:
    from llm_i2i.cli.output import print_rows

    columns, rows = project.rows(sql, limit)
    print_rows(columns, rows, output)


@click.command()
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
    """SQL prompt on the published environment, read-only.

    Statements may also come from a pipe.
    """
    from llm_i2i.cli.shell import run_shell

    sys.exit(run_shell(open_project(**settings), output, limit))


@click.command()
@project_options
@click.argument("column", metavar="TABLE[.COLUMN]", shell_complete=model_names)
@click.option("--upstream", is_flag=True, help="Only what it is made from.")
@click.option("--downstream", is_flag=True, help="Only what is made from it.")
@click.option(
    "--depth",
    type=click.IntRange(min=0),
    help="Steps to follow; 0 for all.  [default: 2; json: all]",
)
@text_or_json
def lineage(
    column: str, upstream: bool, downstream: bool, depth: int | None, output: str, **settings: Any
) -> None:
    """Show what a column is made from, and made into.

    Through SQL and UDF calls.
    """
    from llm_i2i.cli.lineage import print_lineage

    both = upstream == downstream
    print_lineage(
        open_project(**settings).lineage(),
        column,
        upstream or both,
        downstream or both,
        depth,
        output,
    )


@click.command()
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
    """Write or serve the documentation.

    One site in target/docs that opens without a server; `docs serve` shows it on this machine.
    """
    from llm_i2i.cli.docs import run_docs

    run_docs(open_project(**settings), action, port)


@click.command()
@project_options
@click.argument("table", shell_complete=model_names)
@click.argument("file", required=False)
@click.option("--to", metavar="FILE", help="The same as FILE.")
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
def export(table: str, file: str | None, to: str | None, force: bool, **settings: Any) -> None:
    """Write a table to a file.

    FILE ends in .parquet, .csv, .csv.gz, .tsv, .json, .jsonl or .duckdb, or is an address such as s3://bucket/index.
    """
    from llm_i2i.cli.environments import export

    place = file or to
    if not place or (file and to):
        raise ProjectError(
            "export takes one file",
            found=f"{file!r} and --to {to!r}" if file and to else "none",
            fix="llmi2i export i2i_index index.parquet, or --to s3://bucket/index",
        )
    export(open_project(**settings), table, place, force=force)


@click.group(cls=SelectionGroup)
def source() -> None:
    """Compare the age of sources with what they declare."""


@source.command()
@project_options
@selection_options
@click.option("--output", type=click.Choice(["lines", "json"]), default="lines", show_default=True)
def freshness(
    select: tuple[str, ...], exclude: tuple[str, ...], output: str, **settings: Any
) -> None:
    """Compare the age of sources with what they declare under `freshness:`."""
    from llm_i2i.cli.freshness import run_freshness

    sys.exit(run_freshness(open_project(**settings), select, exclude, output))


@click.command()
@project_options
@click.argument("models", metavar="[MODEL]...", nargs=-1, shell_complete=model_names)
@click.option(
    "--rows", type=click.IntRange(1, 100), default=3, show_default=True, help="Rows of each model."
)
@click.option("--prompts-only", is_flag=True, help="Ask no model; load its tokenizer alone.")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a page to this file as well.",
)
@text_or_json
def preview(
    models: tuple[str, ...],
    rows: int,
    prompts_only: bool,
    html: Path | None,
    output: str,
    **settings: Any,
) -> None:
    """Show prompts and answers of a few rows, before a long build.

    Of each MODEL that trains or asks a language model; by default the first of each file. Nothing is trained: a pretrained model that is not
    trained yet answers as it is, and one made from sizes not at all.
    """
    from llm_i2i.cli.preview import print_previews
    from llm_i2i.runner.inspection.preview import previews

    found = previews(open_project(**settings), models, rows, with_answers=not prompts_only)
    print_previews(found, html, output)


@click.command()
@project_options
@click.option(
    "--file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write it.  [default: report.html in the folder for results]",
)
def report(file: Path | None, **settings: Any) -> None:
    """Write a page on the published environment.

    What was in the log, what was chosen and why, what was gained with its interval, examples, calls: the sections of project/report.yml, each a query.
    """
    from llm_i2i.cli.report import write_report

    project = open_project(**settings)
    write_report(project, file or project.target_dir / "report.html", project.environment.name)
