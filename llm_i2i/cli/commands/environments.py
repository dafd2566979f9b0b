"""Environments as pointers: promote, rollback, diff, gc."""

from __future__ import annotations

from typing import Any

import click

from llm_i2i.cli.options import (
    environment_names,
    open_project,
    place_options,
    selection_options,
    table_or_json,
    text_or_json,
)


@click.command()
@place_options
@click.argument("source", metavar="FROM", shell_complete=environment_names)
@click.argument("target_env", metavar="TO", shell_complete=environment_names)
@click.option("--dry-run", is_flag=True, help="Check and say what would change, and stop.")
@click.option("--force", is_flag=True, help="Even if FROM is stale or its data tests fail.")
@table_or_json
def promote(
    source: str, target_env: str, dry_run: bool, force: bool, output: str, **settings: Any
) -> None:
    """Point an environment to what another points to.

    In one step: llmi2i promote dev prod. Refused when FROM is not what the project says, or a data test does not hold on it.
    """
    from llm_i2i.cli.environments import promote

    promote(
        open_project(**settings), source, target_env, force=force, dry_run=dry_run, output=output
    )


@click.command()
@place_options
@click.argument("env", metavar="ENV", shell_complete=environment_names)
@click.option("--to", help="A state's number, or a time: the state that held then.")
@click.option("--list", "list_states", is_flag=True, help="Show the states that are kept.")
@click.option("--dry-run", is_flag=True, help="Say what would change, and stop.")
@table_or_json
def rollback(
    env: str, to: str | None, list_states: bool, dry_run: bool, output: str, **settings: Any
) -> None:
    """Point an environment back to what it was."""
    from llm_i2i.cli import environments

    project = open_project(**settings)
    if list_states:
        environments.list_states(project, env, output)
    else:
        environments.rollback(project, env, to, dry_run=dry_run, output=output)


@click.command()
@place_options
@selection_options
@click.argument("here", metavar="ENV", shell_complete=environment_names)
@click.argument("there", metavar="OTHER", shell_complete=environment_names)
@click.option(
    "-k", "ks", type=click.IntRange(min=1), multiple=True, default=(10,), show_default=True,
    help="List length at which indices are compared; repeatable.",
)  # fmt: skip
@click.option(
    "--sample", type=click.IntRange(min=0), default=3, show_default=True, help="Rows shown."
)
@text_or_json
def diff(
    here: str, there: str, ks: tuple[int, ...], sample: int, output: str, select: tuple[str, ...],
    exclude: tuple[str, ...], **settings: Any,
) -> None:  # fmt: skip
    """Compare the tables of two environments.

    For example: llmi2i diff dev prod -s i2i_index.
    """
    from llm_i2i.cli.diff import diff

    diff(
        open_project(**settings), here, there, output, select=select, exclude=exclude, ks=ks, sample=sample
    )  # fmt: skip


@click.command()
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
@table_or_json
def gc(
    calls: bool, unfinished: bool, keep_states: int, drop: tuple[str, ...], dry_run: bool, yes: bool,
    output: str, **settings: Any,
) -> None:  # fmt: skip
    """Remove results that nothing points to; asks before.

    Kept is what an environment or the kept states of its history point to.
    """
    from llm_i2i.cli.environments import gc

    gc(
        open_project(**settings), yes=yes, dry_run=dry_run, output=output, calls=calls, unfinished=unfinished,
        keep_states=keep_states, drop=drop,
    )  # fmt: skip
