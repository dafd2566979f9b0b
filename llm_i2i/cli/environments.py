"""`llmi2i promote`, `rollback`, `gc` and `export`: what they print and ask."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llm_i2i.cli.output import line_width, print_rows, render_table

if TYPE_CHECKING:
    from llm_i2i.runner.environments.move import Move
    from llm_i2i.runner.project import Project
    from llm_i2i.runner.remote.publish import Published
    from llm_i2i.store.gc import Collection


def promote(
    project: Project, source: str, target: str, *, force: bool, dry_run: bool, output: str
) -> None:
    """Move an environment to what another points to, and print what changes."""
    from llm_i2i.cli.console import Console

    console = Console(quiet=True)
    move = project.promote(source, target, force=force, dry_run=dry_run, reporter=console)
    console.show_warnings()
    _print_move(move, output)
    if move.checked:
        click.echo(f"{move.checked} data tests hold on {source!r}.", err=True)
    if not move.changes:
        click.echo(f"Environment {target!r} already points to what {source!r} does.", err=True)
    elif dry_run:
        click.echo(f"Dry run: environment {target!r} stays as it is.", err=True)
    else:
        undo = f" To undo: llmi2i rollback {target}" if move.state > 1 else ""
        click.echo(f"Promoted {source!r} to {target!r}, state {move.state}.{undo}", err=True)


def rollback(project: Project, name: str, to: str | None, *, dry_run: bool, output: str) -> None:
    """Move an environment back, and print what changes."""
    move = project.rollback(name, to, dry_run=dry_run)
    _print_move(move, output)
    if not move.changes:
        click.echo(
            f"Environment {name!r} already points to what state {move.restores} did.", err=True
        )
    elif dry_run:
        click.echo(
            f"Dry run: environment {name!r} would go back to state {move.restores}.", err=True
        )
    else:
        click.echo(
            f"Environment {name!r} is back at state {move.restores}, as state {move.state}."
            f" To undo: llmi2i rollback {name} --to {move.state - 1}",
            err=True,
        )


def list_states(project: Project, name: str, output: str) -> None:
    """The states of an environment that are kept, the one that holds first."""
    from llm_i2i.runner.environments.move import explain_move, open_environment

    states = open_environment(project.target_dir, name).history()
    rows = []
    for i, state in enumerate(states):
        known = i + 1 < len(states)
        changes = explain_move(project.store, states[i + 1].nodes, state.nodes) if known else []
        whole = all(p.sql or project.store.meta(n, p.fingerprint) for n, p in state.nodes.items())
        rows.append(
            [
                state.number,
                _local(state.at) if output == "table" else state.at,
                state.by,
                len(state.nodes),
                _counts(changes) if output == "table" and known else len(changes) if known else "",
                "now" if i == 0 else "" if whole else "results missing",
            ]
        )
    print_rows(["state", "at", "by", "nodes", "changes", "note"], rows, output)


def _local(at: str) -> str:
    return datetime.fromisoformat(at).astimezone().strftime("%Y-%m-%d %H:%M:%S") if at else "?"


def _counts(changes: Sequence[Any]) -> str:
    counts = Counter(change.change for change in changes)
    return ", ".join(f"{counts[kind]} {kind}" for kind in ("new", "changed", "removed") if counts[kind])  # fmt: skip


def _print_move(move: Move, output: str) -> None:
    if output == "json":
        click.echo(json.dumps(asdict(move), indent=1, ensure_ascii=False))
        return
    if move.changes:
        rows = [[c.node, c.change, c.reason] for c in move.changes]
        click.echo(render_table(["node", "change", "why"], rows, line_width()), nl=False)
    click.echo(
        f"{_counts(move.changes) or 'nothing changes'}, {move.unchanged} unchanged.", err=True
    )


def gc(project: Project, *, yes: bool, dry_run: bool, output: str, **scope: Any) -> None:
    """Say what is garbage, ask, remove it."""
    found = project.gc(dry_run=True, **scope)
    # nothing to ask about: what killed processes left is removed all the same
    if not dry_run and (found.is_empty or yes or _confirmed("Remove all this?", output)):
        found = project.gc(dry_run=False, **scope)
    if output == "json":
        raw = {
            "removed": found.removed,
            "bytes": found.bytes,
            "environments": found.environments,
            "states": found.states,
            "kept": {"results": found.kept[0], "bytes": found.kept[1]},
            "garbage": [
                {"kind": g.kind, "name": g.name, "path": str(g.path), "bytes": g.bytes}
                for g in found.garbage
            ],
        }
        click.echo(json.dumps(raw, indent=1, ensure_ascii=False))
        return
    if not found.removed:
        _print_garbage(found)
    click.echo(
        f"{'Removed' if found.removed else 'Garbage:'} {size(found.bytes)} in {_parts(found)}."
        f" Kept {found.kept[0]:,} results, {size(found.kept[1])}.",
        err=True,
    )
    if not found.is_empty and not found.removed and not dry_run:
        click.echo("Nothing was removed. To remove it: llmi2i gc --yes", err=True)


def _print_garbage(found: Collection) -> None:
    by_name: dict[tuple[str, str], list[int]] = {}
    for item in found.garbage:
        by_name.setdefault((item.kind, item.name.split(" ")[0]), []).append(item.bytes)
    ordered = sorted(by_name.items(), key=lambda entry: (-sum(entry[1]), entry[0]))
    shown: list[list[Any]] = [
        [kind, name, len(sizes), size(sum(sizes)).rjust(8)] for (kind, name), sizes in ordered
    ]
    shown += [["environment", name, 1, ""] for name in found.environments]
    shown += [["history", name, n, ""] for name, n in found.states.items()]
    if shown:
        click.echo(
            render_table(["garbage", "of", "count", "    size"], shown, line_width()), nl=False
        )


def _parts(found: Collection) -> str:
    counts = Counter(item.kind for item in found.garbage)
    names = {"result": "results", "unfinished": "unfinished trainings", "calls": "groups of calls"}
    parts = [f"{n:,} {names.get(kind, kind)}" for kind, n in counts.items()]
    parts += [f"environments {', '.join(found.environments)}"] * bool(found.environments)
    parts += [f"states of {', '.join(found.states)}"] * bool(found.states)
    return ", ".join(parts) or "0 results"


def _confirmed(question: str, output: str) -> bool:
    """Whether someone at a terminal says yes; nobody there is a no."""
    if output == "json" or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    return click.confirm(question, err=True)


def size(n: float) -> str:
    """Bytes for people: 1.5 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if n < 1000:
            return f"{n:,.0f} {unit}" if unit == "B" else f"{n:,.1f} {unit}"
        n /= 1000
    return f"{n:,.1f} TB"


def export(project: Project, table: str, file: str, *, force: bool) -> None:
    """Write a table to a file and say how large it is, or to an object store."""
    if "://" in file:
        say_published(table, project.export_to_store(table, file))
        return
    rows = project.export(table, file, force=force)
    written = size(Path(file).stat().st_size)
    click.echo(f"Wrote {rows:,} rows of {table} to {file} ({written}).", err=True)


def say_published(table: str, published: Published) -> None:
    """Say what a publication did."""
    what = f"{published.rows:,} rows" if published.rows else "written"
    done = what if published.is_new else "it is there already"
    click.echo(f"{table}: version {published.digest} at {published.place}, {done}", err=True)
