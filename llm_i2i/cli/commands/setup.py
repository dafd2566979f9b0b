"""A new project and its editor: init, debug, schema, completion."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from llm_i2i.cli.options import open_project, project_options, text_or_json


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--with",
    "parts",
    multiple=True,
    metavar="PARTS",
    help="Optional parts, separated by commas, or all; assistant: pages that assistants read. Repeatable. Default: none.",
)
def init(folder: Path, parts: tuple[str, ...]) -> None:
    """Write a running project into a new folder.

    DIR is new or empty; a bundled log comes with it.
    """
    from llm_i2i.cli.init import init

    init(folder, [name for text in parts for name in text.replace(",", " ").split()])


@click.command()
@project_options
@text_or_json
@click.option("--verify", is_flag=True, help="Read every stored byte; set aside what is damaged.")
def debug(output: str, verify: bool, **settings: Any) -> None:
    """Show what is here and what is missing.

    Versions, project, target, store, extras, devices and sources, and how to get what is missing.
    """
    from llm_i2i.cli.debug import debug

    sys.exit(debug(lambda: open_project(**settings), output, verify=verify))


@click.command()
@click.option("--project-dir", default=".", show_default=True, help="Folder of the project.")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
def schema(folder: Path | None, project_dir: str) -> None:
    """Write JSON Schemas of the YAML files, for editors.

    Into DIR, .llmi2i/schema by default.
    """
    from llm_i2i.runner.artifacts.schemas import write_schemas

    for path in write_schemas(Path(project_dir), folder):
        click.echo(path)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes commands in a shell.

    To use it: eval "$(llmi2i completion bash)".
    """
    from llm_i2i.cli.completion import INSTALL, completion_script

    click.echo(completion_script(click.get_current_context().find_root().command, shell))
    if sys.stdout.isatty():
        click.echo(f"to use it: {INSTALL[shell]}", err=True)
