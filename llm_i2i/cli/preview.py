"""`llmi2i preview`: prompts and answers side by side, in the terminal or as a page."""

from __future__ import annotations

import html
import json
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from llm_i2i.cli.output import line_width
from llm_i2i.errors import ProjectError, shown_text
from llm_i2i.runner.inspection.preview import Preview, PreviewRow

NARROW = 100  # characters of a line below which answers stand under prompts
MAX_LINES = 24  # of one prompt in the terminal; the page has all of it
STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
section { margin-bottom: 2.5rem; }
.row { display: grid; grid-template-columns: 3fr 2fr; gap: 1rem; border-top: 1px solid #8886; padding: .6rem 0; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; font: 13px/1.45 ui-monospace, monospace; }
.note { opacity: .75; margin: 0; }
@media (max-width: 44rem) { .row { grid-template-columns: 1fr; } }
"""


def print_previews(found: Sequence[Preview], page: Path | None, output: str) -> None:
    """Show previews, and write them as a page where one is asked for.

    Raises:
        ProjectError: The page cannot be written.
    """
    if output == "json":
        json.dump([asdict(one) for one in found], sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
    else:
        for one in found:
            click.echo(render(one, line_width()))
        if not found:
            click.echo("no model of this project trains or asks a language model")
    if page is not None:
        try:
            page.write_text(render_page(found), encoding="utf-8")
        except OSError as error:
            raise ProjectError(
                "the page cannot be written",
                where=str(page),
                found=error.strerror or str(error),
                fix="name a file in a folder that exists and may be written to",
            ) from error


def render(one: Preview, width: int) -> str:
    """One preview as text."""
    lines = [f"{one.node} {_does(one)}: {one.state}"]
    if one.hint:
        lines.append(f"  next: {one.hint}")
    for number, row in enumerate(one.rows, start=1):
        lines += [
            "",
            f"  {number} of {len(one.rows)}{_size(row)}",
            *_side_by_side(row, width),
        ]
    return "\n".join(lines) + "\n"


def render_page(found: Sequence[Preview]) -> str:
    """Previews as one page that needs nothing else."""
    sections = []
    for one in found:
        rows = "".join(
            f'<div class="row"><div><p class="note">{_size(row).lstrip(", ")}</p><pre>{html.escape(row.prompt) or "(no words before the items)"}</pre></div>'
            f'<div><p class="note">{_answers(one)}</p><pre>{html.escape(row.answer) or "none yet"}</pre></div></div>'
            for row in one.rows
        )
        hint = f'<p class="note">next: <code>{html.escape(one.hint)}</code></p>' if one.hint else ""
        title = f"<h2>{html.escape(one.node)}</h2><p>{_does(one)}: {html.escape(one.state)}</p>"
        sections.append(f"<section>{title}{hint}{rows}</section>")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Prompts and answers</title><style>{STYLE}</style></head><body><h1>Prompts and answers</h1>{''.join(sections)}</body></html>\n"
    )


def _does(one: Preview) -> str:
    return "learns from such rows" if one.does == "learns" else "asks"


def _size(row: PreviewRow) -> str:
    cut = f", cut from {row.whole:,}" if row.whole > row.tokens else ""
    return f", {row.tokens:,} tokens{cut}" if row.tokens else ""


def _answers(one: Preview) -> str:
    return "to be answered" if one.does == "learns" else "answered"


def _side_by_side(row: PreviewRow, width: int) -> list[str]:
    wide = width >= NARROW
    left_width = (width - 7) * 3 // 5 if wide else width - 4
    right_width = width - 7 - left_width if wide else width - 6
    left = _wrapped(row.prompt or "(no words before the items)", left_width)
    right = _wrapped(row.answer, right_width)
    if len(left) > MAX_LINES:
        left = [*left[: MAX_LINES - 1], f"... {len(left) - MAX_LINES + 1} more lines"]
    if not wide:
        return [*(f"    {line}" for line in left), *(f"  > {line}" for line in right)]
    height = max(len(left), len(right))
    left += [""] * (height - len(left))
    right += [""] * (height - len(right))
    return [f"    {a:<{left_width}} | {b}".rstrip() for a, b in zip(left, right, strict=True)]


def _wrapped(text: str, width: int) -> list[str]:
    return [
        part
        for line in shown_text(text).splitlines()
        for part in (textwrap.wrap(line, width, drop_whitespace=False) or [""])
    ]
