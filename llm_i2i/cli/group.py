"""The group `llmi2i`: commands are loaded when asked for, and `-s` takes several words."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

import click

from llm_i2i.cli.words import ALIASES, instead_of
from llm_i2i.errors import closest

SELECTIONS = ("select", "exclude", "output_keys")  # options that take all words up to the next one
# Modules of llm_i2i.cli.commands: heading in the help, and the commands each defines.
MODULES = {
    "build": ("Build", "build plan compile test"),
    "explore": ("Look", "ls vars query show preview report shell lineage docs export source"),
    "measure": ("Measure", "experiment simulate-shop simulate-loop simulate-log"),
    "environments": ("Publish", "promote rollback diff gc"),
    "serving": ("Serve", "serve publish publish-redis"),
    "calls": ("UDF calls", "calls"),
    "setup": ("Set up", "init debug schema completion"),
}
COMMANDS = {name: module for module, (_, names) in MODULES.items() for name in names.split()}


class SelectionGroup(click.Group):
    """A group whose commands take `-s one two three`, as dbt's do."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, command, repeat_options(command, rest) if command else rest


class Commands(SelectionGroup):
    """All commands by theme; `--version` imports none of them, `ls` those of its own module."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        cmd_name = ALIASES.get(cmd_name, cmd_name)
        if cmd_name not in COMMANDS:
            return None
        defined = vars(import_module(f"llm_i2i.cli.commands.{COMMANDS[cmd_name]}")).values()
        found = (c for c in defined if isinstance(c, click.Command) and c.name == cmd_name)
        return next(found, None)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, COMMANDS))
        for heading, names in MODULES.values():
            commands = {name: self.get_command(ctx, name) for name in names.split()}
            with formatter.section(heading):
                formatter.write_dl(
                    [(n.ljust(width), c.get_short_help_str(60)) for n, c in commands.items() if c]
                )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS.keys() | ALIASES.keys():
            instead, near = instead_of(args[0]), closest(args[0], COMMANDS)
            hint = f" Instead: {instead}." if instead else f" Did you mean {near}?" if near else ""
            ctx.fail(f"No such command '{args[0]}'.{hint}")
        return super().resolve_command(ctx, args)


def repeat_options(command: click.Command, args: Sequence[str]) -> list[str]:
    """The arguments with the option before each further word: `-s a b` as `-s a -s b`.

    A command that takes words of its own keeps them: there `-s a b` stays as it is.
    """
    if any(isinstance(param, click.Argument) for param in command.params):
        return list(args)
    flags = {flag for p in command.params if p.name in SELECTIONS for flag in p.opts}
    found: list[str] = []
    open_flag = ""  # the selection whose words are being read
    for word in args:
        if word.startswith("-"):
            head, joined, _ = word.partition("=")
            open_flag = head if head in flags else ""
            if open_flag and not joined:
                found.append(word)
                continue
        elif open_flag and found[-1] != open_flag:
            found.append(open_flag)
        found.append(word)
    return found
