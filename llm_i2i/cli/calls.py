"""`llmi2i calls`: list, inspect, cost, export, forget."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from llm_i2i.cli.environments import size
from llm_i2i.cli.output import line_width, plain, render_table
from llm_i2i.errors import ProjectError

if TYPE_CHECKING:
    from llm_i2i.runner.inspection.calls import CallSet, Filter
    from llm_i2i.runner.project import Project

KEPT = ("udf", "group", "node", "constants", "calls", "measured", "counted", "seconds", "tokens", "token_unit", "bytes", "made_at", "in_use")  # fmt: skip


def print_calls(project: Project, wanted: Filter, output: str) -> None:
    """One row a group and node."""
    from llm_i2i.runner.inspection.calls import list_calls

    found = list_calls(project, wanted)
    if output == "json":
        raw = [{name: getattr(c, name) for name in KEPT} for c in found]
        click.echo(json.dumps(plain(raw), indent=1, ensure_ascii=False))
        return
    rows = [
        [c.udf, c.node or "?", c.group[:6], f"{c.calls:,}", _tokens([c]), _time([c]), size(c.bytes), "yes" if c.in_use else "no"]
        for c in found
    ]  # fmt: skip
    _print_by_udf(["group", "calls", "tokens", "time", "size", "used"], rows, right=range(2, 6))
    total = sum(c.calls for c in found)
    click.echo(f"{total:,} calls, {size(sum(c.bytes for c in found))}.", err=True)


def _print_by_udf(names: list[str], rows: list[list[str]], right: range) -> None:
    """A table of rows (udf, node, ...): each UDF in a line of its own above its nodes, so that no name is cut in 80 columns.

    Args:
        right: Places of the columns that are set to the right; 0 is the node's.
    """
    names = ["udf, node", *names]
    lines: list[list[str]] = []
    for udf in dict.fromkeys(row[0] for row in rows):
        lines += [[udf] + [""] * (len(names) - 1)] if udf else []
        lines += [["  " * bool(udf) + row[1], *row[2:]] for row in rows if row[0] == udf]
    for place in right:
        widest = max(len(line[place]) for line in [names, *lines])
        for line in [names, *lines]:
            line[place] = line[place].rjust(widest)
    width = line_width() if sys.stdout.isatty() else None
    click.echo(render_table(names, lines, width).rpartition("(")[0], nl=False)


def _tokens(sets: list[CallSet]) -> str:
    """Their tokens; `?` if none were counted, a `+` behind where only some were."""
    calls, counted = sum(c.calls for c in sets), sum(c.counted for c in sets)
    if not counted:
        return "?"
    words = any(c.token_unit == "words" for c in sets)
    return f"{'~' * words}{sum(c.tokens for c in sets):,}{'+' * (counted < calls)}"


def _time(sets: list[CallSet]) -> str:
    from llm_i2i.cli.plan import duration

    calls, measured = sum(c.calls for c in sets), sum(c.measured for c in sets)
    if not measured:
        return "?"
    return duration(sum(c.seconds for c in sets)) + "+" * (measured < calls)


def print_inspected(project: Project, wanted: Filter, limit: int, output: str) -> None:
    """Arguments and results of single calls."""
    from llm_i2i.runner.inspection.calls import call_rows, list_calls

    shown: list[dict[str, Any]] = []
    for found in list_calls(project, wanted):
        columns, rows = call_rows(project, found, wanted.where, limit)
        if output == "json":
            head = {"udf": found.udf, "group": found.group, "node": found.node}
            shown += [{**head, **dict(zip(columns, row, strict=True))} for row in rows]
            continue
        node = f", made by {found.node}" if found.node else ""
        click.echo(f"-- {found.udf} {found.group[:6]}{node}: {found.calls:,} calls")
        for name, value in found.constants.items():
            click.echo(f"--   {name} = {value}"[: line_width()])
        click.echo(render_table(columns, rows, line_width()))
    if output == "json":
        click.echo(json.dumps(plain(shown), indent=1, ensure_ascii=False))


def print_cost(project: Project, wanted: Filter, per_million: float | None, output: str) -> None:
    """Calls, tokens, time and money by node, UDF and language model."""
    from llm_i2i.runner.inspection.calls import list_calls, price

    groups: dict[tuple[str, str, str], list[CallSet]] = {}
    for found in list_calls(project, wanted):
        groups.setdefault((found.node, found.udf, found.model), []).append(found)
    parts = sorted(groups.items(), key=lambda part: -sum(c.seconds for c in part[1]))
    whole = [c for sets in groups.values() for c in sets]
    if output == "json":
        raw = [
            {
                "node": node, "udf": udf, "model": model,
                "calls": sum(c.calls for c in sets), "measured": sum(c.measured for c in sets),
                "counted": sum(c.counted for c in sets), "seconds": sum(c.seconds for c in sets),
                "tokens": sum(c.tokens for c in sets), "token_unit": sets[0].token_unit,
                "price": None if per_million is None else price(sets, per_million),
            }
            for (node, udf, model), sets in parts
        ]  # fmt: skip
        click.echo(json.dumps(plain(raw), indent=1, ensure_ascii=False))
        return
    names = ["model", "calls", "tokens", "time"]
    rows = [
        [udf, node or "?", _model(model), *_amounts(sets)] for (node, udf, model), sets in parts
    ]
    rows.append(["", "total", "", *_amounts(whole)])
    if per_million is not None:
        names.append("price")
        for row, sets in zip(rows, [*(sets for _, sets in parts), whole], strict=True):
            amount = price(sets, per_million)
            row.append("?" if amount is None else f"{amount:,.2f}")
    _print_by_udf(names, rows, right=range(2, len(names) + 1))
    notes = []
    if any(c.measured < c.calls or c.counted < c.calls for c in whole):
        notes.append("? and +: time or tokens of some calls are not known")
    if any(c.token_unit == "words" for c in whole):
        notes.append("~ counts words: the UDF has no checkpoint with a tokenizer")
    if per_million is not None:
        notes.append("price: tokens of the prompts alone")
    for note in notes:
        click.echo(note, err=True)


def _amounts(sets: list[CallSet]) -> list[str]:
    return [f"{sum(c.calls for c in sets):,}", _tokens(sets), _time(sets)]


def _model(name: str) -> str:
    """`generator/3f2a.../artifact@9c1d...` as `generator@9c1d...`."""
    head, _, digest = name.partition("@")
    return f"{head.split('/')[0]}@{digest[:6]}" if digest else name


def forget(project: Project, wanted: Filter, *, everything: bool, yes: bool, dry_run: bool) -> None:
    """Say what would go, ask, forget it."""
    from llm_i2i.runner.inspection.calls import forget_calls

    if wanted.is_empty and not everything:
        raise ProjectError(
            "calls forget needs to know which calls",
            found="no filter",
            fix="pass --udf, --node, --group, --before or --where; --all for every call",
        )
    found = forget_calls(project, wanted, dry_run=True)
    text = f"{found.calls:,} calls, {size(found.bytes)}"
    click.echo(text, err=True)
    if found.in_use:
        click.echo(
            f"{found.in_use:,} of them are of groups in use: results stay, but a build that needs them"
            " again pays again",
            err=True,
        )
    if dry_run or not found.calls:
        click.echo("Dry run: nothing was forgotten." if dry_run else "Nothing to forget.", err=True)
        return
    if not yes:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise ProjectError(
                "calls are only forgotten when someone says so",
                found="no terminal to ask at",
                fix="pass --yes",
            )
        if not click.confirm("Forget them?", err=True):
            return
    forget_calls(project, wanted, dry_run=False)
    click.echo(f"Forgot {text}.", err=True)
    if found.nodes:
        click.echo(
            f"To make them again: llmi2i build --full-refresh -s {' '.join(found.nodes)}", err=True
        )
