"""The sections of report.yml, with the rows of the published environment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llm_i2i.config.report import Section, load_report
from llm_i2i.errors import LlmI2iError, ProjectError
from llm_i2i.runner.inspection.calls import list_calls

if TYPE_CHECKING:
    from llm_i2i.runner.project import Project

MOST_ROWS = 200  # of one section


@dataclass(frozen=True)
class Shown:
    """A section with its rows.

    Attributes:
        problem: Why it has none: a table that this environment lacks, a query that fails.
        left_out: Whether there are more rows than are shown.
    """

    section: Section
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    problem: str = ""
    left_out: bool = False


def report_sections(project: Project) -> list[Shown]:
    """Every section of the project's report; one that cannot be made says why and ends nothing.

    Raises:
        ProjectError: There is no report.yml, it has mistakes, or the environment has nothing published.
    """
    sections = load_report(project.dir / project.loaded.file, project.dir).sections
    project.rows("select 1")  # an environment without anything is an error of the whole report
    return [*(_shown(project, section) for section in sections), _calls(project)]


def _shown(project: Project, section: Section) -> Shown:
    try:
        columns, rows = project.rows(section.query, MOST_ROWS + 1)
    except LlmI2iError as error:
        return Shown(section, problem=" ".join([error.what, error.found]).strip())
    if section.chart is not None:
        missing = [name for name in section.chart.columns() if name not in columns]
        if missing:
            raise ProjectError(
                f"the chart of section {section.name!r} reads a column that its query does not have",
                where=section.chart.location,
                found=f"{', '.join(missing)}; columns: {', '.join(columns)}",
                fix="name one of these columns",
            )
    return Shown(section, columns, rows[:MOST_ROWS], left_out=len(rows) > MOST_ROWS)


def _calls(project: Project) -> Shown:
    """What was asked of language models, by function."""
    totals: dict[str, list[float]] = {}
    for one in list_calls(project):
        total = totals.setdefault(one.udf, [0, 0, 0.0])
        total[0] += one.calls
        total[1] += one.tokens or 0
        total[2] += one.seconds or 0.0
    section = Section(
        name="Calls of language models",
        text="All calls that are kept in this project, whatever environment made them.",
        query="",
        empty="None were made.",
    )
    rows = [(udf, int(a), int(b), round(c, 1)) for udf, (a, b, c) in sorted(totals.items())]
    return Shown(section, ["function", "calls", "tokens", "seconds"], rows)
