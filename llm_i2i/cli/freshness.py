"""`llmi2i source freshness`: one line a source, in dbt's shape."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from llm_i2i.runner.inspection.freshness import SourceAge
    from llm_i2i.runner.project import Project

WIDTH = 80


def run_freshness(
    project: Project, select: Sequence[str], exclude: Sequence[str], output: str
) -> int:
    """Check, print, write sources.json; the exit code: 1 where a source is too old or cannot be read."""
    from llm_i2i.runner.inspection.freshness import check_freshness, write_sources

    ages: list[SourceAge] = []
    for age in check_freshness(project, select, exclude):
        ages.append(age)
        _print_line(age)
    write_sources(project.target_dir, ages)
    if output == "json":
        for age in ages:
            click.echo(json.dumps(_row(age)))
    return 1 if any(age.status in ("error", "runtime error") for age in ages) else 0


def _print_line(age: SourceAge) -> None:
    word = {"error": "ERROR STALE", "runtime error": "ERROR"}.get(age.status, age.status.upper())
    left = f"{word} freshness of {_name(age)}"
    right = "[ERROR]" if age.error else f"[{_old(age.age)}]"
    dots = "." * max(WIDTH - 10 - len(left) - len(right) - 2, 1)
    print(f"{time.strftime('%H:%M:%S')}  {left} {dots} {right}", file=sys.stderr)
    if age.error:
        print(age.error.render(), file=sys.stderr)


def _row(age: SourceAge) -> dict[str, object]:
    return {
        "source": _name(age),
        "status": age.status,
        "max_loaded_at": age.loaded_at.isoformat() if age.loaded_at else None,
        "age_seconds": age.age.total_seconds() if age.age else None,
    }


def _name(age: SourceAge) -> str:
    return age.node.name.replace("__", ".", 1)


def _old(age: timedelta | None) -> str:
    if age is None:
        return "no rows"
    hours, rest = divmod(int(age.total_seconds()), 3600)
    if hours >= 48:
        return f"{hours // 24} days old"
    return f"{hours}h {rest // 60:02d}m old"
