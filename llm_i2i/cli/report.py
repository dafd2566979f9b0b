"""`llmi2i report`: one page that needs nothing else, readable in print, by the colour-blind and on a phone."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llm_i2i.cli.charts import drawn, is_number
from llm_i2i.errors import ProjectError
from llm_i2i.runner.inspection.report import Shown, report_sections

if TYPE_CHECKING:
    from llm_i2i.config.report import Chart
    from llm_i2i.runner.project import Project

PAGE = """
:root { color-scheme: light dark; --line: #8885; }
body { font: 16px/1.55 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem; }
h1 { margin-bottom: 0; }
h2 { margin: 2.2rem 0 .3rem; font-size: 1.2rem; }
.note { opacity: .8; margin: .2rem 0 .6rem; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.text { min-width: 8rem; overflow-wrap: anywhere; }
figure { margin: .5rem 0; background: #fff; border-radius: 4px; padding: .5rem; max-width: 46rem; }
figure svg { width: 100%; height: auto; }
@media print { body { max-width: none; margin: 0; } section { break-inside: avoid; } }
"""


def write_report(project: Project, file: Path, env: str) -> None:
    """Write the report of a published environment.

    Raises:
        ProjectError: There is nothing to report on, or the file cannot be written.
    """
    page = render_report(report_sections(project), project.loaded.config.name, env)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ProjectError(
            "the report cannot be written",
            where=str(file),
            found=error.strerror or str(error),
            fix="name a file that may be written",
        ) from error
    click.echo(f"Wrote {file}")


def render_report(sections: Sequence[Shown], name: str, env: str) -> str:
    """The page."""
    title = f"{html.escape(name)}: environment {html.escape(env)}"
    body = "".join(map(_section, sections))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{PAGE}</style></head><body><h1>{title}</h1>{body}</body></html>\n"
    )


def _section(shown: Shown) -> str:
    section = shown.section
    parts = [f"<section><h2>{html.escape(section.name)}</h2>"]
    if section.text:
        parts.append(f'<p class="note">{html.escape(section.text)}</p>')
    if shown.problem:
        parts.append(f"<p>Not in this environment: {html.escape(shown.problem)}</p>")
    elif not shown.rows:
        parts.append(f"<p>{html.escape(section.empty)}</p>")
    elif len(shown.columns) == 1:
        parts += [f"<p>{html.escape(_cell(row[0]))}</p>" for row in shown.rows]
    else:
        if section.chart is not None:
            parts.append(_figure(section.chart, shown))
        parts.append(_table(shown))
    if shown.left_out:
        parts.append(f'<p class="note">The first {len(shown.rows)} rows.</p>')
    return "".join(parts) + "</section>"


def _table(shown: Shown) -> str:
    head = "".join(f"<th>{html.escape(name.replace('_', ' '))}</th>" for name in shown.columns)
    rows = "".join(
        "<tr>"
        + "".join(
            f'<td class="{"number" if is_number(value) else "text"}">{html.escape(_cell(value))}</td>'
            for value in row
        )
        + "</tr>"
        for row in shown.rows
    )
    return f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() and abs(value) >= 10 else f"{value:.4f}"
    return str(value)


def _figure(chart: Chart, shown: Shown) -> str:
    svg = drawn(chart, shown.columns, shown.rows)
    if not svg:
        return '<p class="note">No chart: pip install &#39;llm_i2i[plots]&#39;</p>'
    described = html.escape(f"{shown.section.name}: {chart.x} by {chart.label}", quote=True)
    return f'<figure role="img" aria-label="{described}">{svg}</figure>'
