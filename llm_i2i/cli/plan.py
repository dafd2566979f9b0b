"""`llmi2i plan`: each node with what becomes of it and why, and what the calls to language models will cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from llm_i2i.cli.output import line_width, print_rows, render_table

if TYPE_CHECKING:
    from llm_i2i.plan.step import Plan
    from llm_i2i.runner.project import Project

COLUMNS = (
    "node", "action", "reason", "rows", "has_calls", "calls", "cached", "to_make", "tokens", "token_unit", "seconds",
)  # fmt: skip


def plan_rows(project: Project, plan: Plan) -> list[dict[str, Any]]:
    """One row a node, None where there is nothing to say or nothing is known yet: a node with `has_calls` makes calls even then.

    Returns:
        calls (distinct), cached, to_make; tokens of the calls to make, counted by `token_unit` (`tokens` of the checkpoint's
        vocabulary, or `words` where there is no checkpoint yet); seconds they will take at the speed measured last.
    """
    rows = []
    for step in plan.steps:
        stored = (
            project.store.meta(step.node.name, step.fingerprint) if step.action == "reuse" else None
        )
        has_calls = step.action == "build" and any(c.kind == "batch" for c in step.compiled.steps)
        row: dict[str, Any] = dict.fromkeys(COLUMNS)
        row |= {"node": step.node.name, "action": step.action, "reason": step.reason}
        row |= {"rows": stored.rows if stored else None, "has_calls": has_calls}
        if has_calls and (counts := project.calls_of(plan, step)):
            seconds = None if counts.seconds is None else round(counts.seconds, 2)
            row |= {"calls": counts.distinct, "cached": counts.cached, "to_make": counts.made}
            row |= {"tokens": counts.tokens, "token_unit": counts.token_unit, "seconds": seconds}
        rows.append(row)
    return rows


def print_plan(rows: list[dict[str, Any]], output: str) -> None:
    """The rows as JSON, or as two tables: the nodes, and those with calls. A summary on stderr."""
    if output == "json":
        print_rows(COLUMNS, [[row[name] for name in COLUMNS] for row in rows], output)
    else:
        _print_table(COLUMNS[:4], [[*_head(row), _number(row["rows"], "")] for row in rows], left=3)
        calls = [row for row in rows if row["has_calls"]]
        if calls:
            columns = ("calls of", "distinct", "cached", "to_make", "tokens", "time")
            _print_table(columns, [_calls(row) for row in calls], left=1)
    building = [row for row in rows if row["action"] == "build"]
    click.echo(
        f"{len(building)} to build, {len(rows) - len(building)} to reuse or view."
        + _total([row for row in building if row["has_calls"]]),
        err=True,
    )


def _print_table(columns: Sequence[str], rows: list[list[str]], left: int) -> None:
    """A table of which all but the first `left` columns are set to the right."""
    widths = [max([len(name), *(len(row[i]) for row in rows)]) for i, name in enumerate(columns)]

    def aligned(cells: Sequence[str]) -> list[str]:
        return [c if i < left else c.rjust(widths[i]) for i, c in enumerate(cells)]

    click.echo(render_table(aligned(columns), [aligned(row) for row in rows], line_width()))


def _head(row: dict[str, Any]) -> list[str]:
    return [str(row[name]) for name in COLUMNS[:3]]


def _calls(row: dict[str, Any]) -> list[str]:
    numbers = [_number(row[name]) for name in ("calls", "cached", "to_make")]
    about = "~" if row["token_unit"] == "words" else ""
    return [row["node"], *numbers, about + _number(row["tokens"]), duration(row["seconds"])]


def _number(value: int | None, unknown: str = "?") -> str:
    return unknown if value is None else f"{value:,}"


def duration(seconds: float | None) -> str:
    """Seconds to read: `11.0s`, `2:05`, `1:02:05`; `?` where they are not known."""
    if seconds is None:
        return "?"
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _total(rows: list[dict[str, Any]]) -> str:
    """What is to be said of all calls together."""
    if not rows:
        return ""
    known = [row["seconds"] for row in rows if row["seconds"] is not None]
    text = f" Calls: {duration(sum(known)) if known else 'time unknown'}"
    if known and len(known) < len(rows):
        text += f"; {len(rows) - len(known)} of them not known yet (?)"
    if any(row["token_unit"] == "words" for row in rows):
        text += ".\n~ counts words between white space: there is no checkpoint, or not yet"
    return text + "."
