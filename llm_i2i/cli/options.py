"""How the command line reads selections: several words after one -s, and --selector beside --select."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

SELECTIONS = ("select", "exclude", "output_keys")  # options that take all words up to the next one
_SELECTOR = "llm_i2i.selector"


class Commands(click.Group):
    """A group whose commands take `-s one two three`, as dbt's do."""

    group_class = type

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, command, repeat_options(command, rest) if command else rest


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
