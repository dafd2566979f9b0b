"""Figures of a benchmark run: printed, and kept under project/docs/benchmarks/."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "project" / "docs" / "benchmarks"


def write_report(
    name: str, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], command: str
) -> str:
    """A Markdown table with its command and date."""
    lines = [
        f"# {title}",
        "",
        f"`{command}`, {datetime.date.today()}, {platform.machine()}, 2 cores.",
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
    return text
