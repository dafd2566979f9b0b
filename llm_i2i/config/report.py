"""report.yml: the sections of `llmi2i report`, each a query with a title, and a chart where one helps."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from llm_i2i.config.base import Settings, validate
from llm_i2i.config.yaml_text import Mistakes, Place, YamlMapping, read_yaml
from llm_i2i.errors import ProjectError, raise_all

FILE = "report.yml"


class Chart(Settings):
    """How rows are drawn, by columns of the query.

    Attributes:
        kind: `points`: `y` over `x`, each named by `label`; `bars` of `x`; `intervals`: `x` with its ends `lower` and `upper`.
    """

    title: ClassVar[str] = "a chart"

    kind: Literal["points", "bars", "intervals"]
    x: str
    y: str | None = None
    label: str
    lower: str | None = None
    upper: str | None = None

    def columns(self) -> list[str]:
        """The columns it reads.

        Raises:
            ProjectError: A kind lacks a column.
        """
        needed = {"points": ("y",), "bars": (), "intervals": ("lower", "upper")}[self.kind]
        missing = [name for name in needed if getattr(self, name) is None]
        if missing:
            raise ProjectError(
                f"a chart of kind {self.kind} needs {' and '.join(missing)}",
                where=self.location,
                fix=f"name the column: {missing[0]}: ...",
            )
        return [self.label, self.x, *(str(getattr(self, name)) for name in needed)]


class Section(Settings):
    """One section. `empty`: what is said where the query has no rows."""

    title: ClassVar[str] = "a section"

    name: str
    text: str = ""
    query: str
    chart: Chart | None = None
    empty: str = "No rows."


class ReportFile(Settings):
    """All of report.yml."""

    title: ClassVar[str] = "the report file"

    sections: list[Section]


def load_report(project_file: Path, root: Path) -> ReportFile:
    """report.yml beside the project file.

    Raises:
        ProjectError: It is not there, or has mistakes, all of them together.
    """
    path = project_file.with_name(FILE)
    shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    if not path.is_file():
        raise ProjectError(
            "this project has no report",
            where=shown,
            found="no such file",
            fix="write it: see project/docs/report.md",
        )
    mistakes = Mistakes()
    document = read_yaml(path, shown, mistakes)
    raise_all(mistakes.in_order())
    place = Place(shown, 1, 1)
    report = validate(ReportFile, document or YamlMapping(place), mistakes, place=place)
    raise_all(mistakes.in_order())
    assert report is not None
    for section in report.sections:
        if section.chart is not None:
            section.chart.columns()
    return report
