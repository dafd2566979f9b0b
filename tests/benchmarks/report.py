"""Figures of a benchmark run: printed, and kept under project/docs/benchmarks/."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.ratios import Ratio

FOLDER = Path(__file__).parents[2] / "project" / "docs" / "benchmarks"
# What reports of the running test said, by name: ratios, and the paths a change of ours would come from. conftest.py takes them.
REPORTED: dict[str, tuple[tuple[Ratio, ...], tuple[str, ...]]] = {}


def write_report(
    name: str,
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    command: str,
    ratios: Sequence[Ratio],
    paths: Sequence[str] = ("llm_i2i",),
) -> str:
    """A Markdown table with its command and date; the ratios go to ratios.json when the test ends.

    Args:
        paths: Where a change of ours would come from, relative to the repository's root.
    """
    lines = [
        f"# {title}",
        "",
        f"`{command}`, {datetime.date.today()}, {platform.machine()}, {os.cpu_count()} cores.",
        "",
    ]
    lines += ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += [
        "| " + " | ".join(f"{v:.2f}" if isinstance(v, float) else str(v) for v in row) + " |"
        for row in rows
    ]
    text = "\n".join(lines) + "\n"
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.md").write_text(text, encoding="utf-8")
    print("\n" + text)
    REPORTED[name] = tuple(ratios), tuple(paths)
    return text
