"""`llmi2i calls`: the UDF calls that were paid for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llm_i2i.cli.options import open_project, place_options, table_or_json, together

if TYPE_CHECKING:
    from llm_i2i.runner.inspection.calls import Filter
    from llm_i2i.runner.project import Project


@click.group()
def calls() -> None:
    """List, inspect, cost, export, forget calls of UDFs."""


# Which calls of which project.
call_options = together(
    place_options,
    click.option("--where", default="", help="SQL over the arguments, result and call_key."),
    click.option("--before", default="", help="Made before this time: 2026-01-31."),
    click.option("--group", default="", help="Call group, or how its name begins."),
    click.option("--node", default="", help="Model that made them: a name or a pattern."),
    click.option("--udf", default="", help="UDF: a name or a pattern."),
)


def _calls_of(settings: dict[str, Any]) -> tuple[Project, Filter]:
    from llm_i2i.runner.inspection.calls import Filter

    wanted = Filter(
        **{name: settings.pop(name) for name in ("udf", "node", "group", "before", "where")}
    )
    return open_project(**settings), wanted


@calls.command("list")
@call_options
@table_or_json
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
@table_or_json
def calls_inspect(limit: int, output: str, **settings: Any) -> None:
    """Arguments and results."""
    from llm_i2i.cli.calls import print_inspected

    print_inspected(*_calls_of(settings), limit, output)


@calls.command("cost")
@call_options
@click.option("--price", type=click.FloatRange(min=0), help="Of a million tokens of the prompts.")
@table_or_json
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
    from llm_i2i.runner.inspection.calls import export_calls

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
