"""What users of dbt and SQLMesh type out of habit, and what to type here."""

from __future__ import annotations

from collections.abc import Container

import click

ALIASES = {"list": "ls"}
# Commands that are called otherwise, or are not needed.
COMMANDS = {
    "run": "llmi2i build runs models and their tests; --exclude test_type:data test_type:unit leaves tests out",
    "seed": "llmi2i build -s resource_type:seed",
    "retry": "llmi2i build: what was finished is kept, so every build goes on where the last one stopped",
    "parse": "llmi2i ls reads the project and runs nothing; llmi2i compile checks its SQL too",
    "clean": "llmi2i gc removes results that nothing points to; removing the target folder loses paid calls, too",
    "deps": "nothing is fetched: packages.yml names folders and installed Python packages",
    "clone": "llmi2i promote dev prod",
    "snapshot": "environments keep their states: llmi2i rollback dev --list",
    "run-operation": "write the statement as a hook (on_run_start, on_run_end), or as a query",
    "freshness": "llmi2i source freshness",
    "version": "llmi2i --version",
    "apply": "llmi2i build",
    "audit": "llmi2i test",
    "dag": "llmi2i docs",
    "evaluate": "llmi2i show MODEL, or llmi2i show --inline SQL",
    "fetchdf": "llmi2i query SQL",
    "info": "llmi2i debug",
    "janitor": "llmi2i gc",
    "render": "llmi2i compile -s MODEL",
    "table_diff": "llmi2i diff dev prod -s MODEL",
    "ui": "llmi2i docs serve",
}
# Options that are written otherwise, or are not needed.
OPTIONS = {
    "--debug": "llmi2i debug says what is missing; LLMI2I_TRACEBACK=1 shows where an error comes from.",
    "--defer": "Not needed: environments share every result that did not change (--env).",
    "--empty": "llmi2i compile checks SQL, columns and types without running a model.",
    "--exclude-resource-type": "Write --exclude resource_type:seed or --exclude test_type:unit.",
    "--favor-state": "Not needed: environments share every result that did not change (--env).",
    "--indirect-selection": "Not needed: data tests go with their model.",
    "--no-partial-parse": "Not needed: a file that changed is read again.",
    "--no-use-colors": "Set NO_COLOR=1.",
    "--no-version-check": "Not needed: nothing is asked of the network.",
    "--profile": "Targets are in project.yml: -t TARGET.",
    "--profiles-dir": "Targets are in project.yml: -t TARGET.",
    "--resource-type": "Write -s resource_type:model.",
    "--use-colors": "Colours are on wherever stderr is a terminal.",
    "--warn-error": "Write severity: error in the test's config.",
}


def instead_of(command: str) -> str:
    """What to run in place of a command of dbt or SQLMesh; empty if it is none."""
    return COMMANDS.get(command, "")


def explain(
    error: click.NoSuchOption, args: list[str], commands: Container[str]
) -> click.NoSuchOption:
    """The error with what to write in place of the option, if we know.

    Args:
        args: The command line: an option that stands before the command belongs behind it.
        commands: Names of the commands that there are.
    """
    said = OPTIONS.get(error.option_name, "")
    if error.ctx is not None and error.ctx.parent is None:
        command = next((word for word in args if word in commands), "COMMAND")
        said = f"Options stand behind the command: llmi2i {command} {error.option_name}"
    if not said:
        return error
    message = f"No such option '{error.option_name}'. {said}"
    return click.NoSuchOption(error.option_name, message, ctx=error.ctx)
