"""What a graph is made of: models, sources, and the data tests on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Materialization = Literal["table", "view", "ephemeral", "source"]


@dataclass(frozen=True)
class DataCheck:
    """An assertion on rows: `sql` returns the rows that break it.

    (dbt's data test; named so that pytest does not collect it.)

    Attributes:
        depends_on: Nodes the query reads, its own model among them.
    """

    name: str
    model: str
    column: str | None
    sql: str
    depends_on: tuple[str, ...]
    where: str
    severity: Literal["error", "warn"] = "error"


@dataclass(frozen=True)
class Node:
    """One vertex of the graph.

    Attributes:
        name: Unique relation name; `source__table` for a source.
        path: File it stands in, relative to the project.
        sql: Rendered SQL of a model; empty for a source.
        file_path: Where a source's data is, as configured (may be a glob).
        reads: Names of the nodes it reads, in order of first use.
        line_of: Maps a line of `sql` to one of the file.
    """

    name: str
    path: str
    materialized: Materialization
    sql: str = ""
    file_path: str = ""
    file_format: str = "auto"
    reads: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    description: str = ""
    columns: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, Any] = field(
        default_factory=dict
    )  # vars, macros, prompts it really read: for explanations
    line_of: Any = field(default=None, compare=False, repr=False)

    @property
    def is_source(self) -> bool:
        return self.materialized == "source"

    def place(self, line: int = 0) -> str:
        """`file:line` of a line of the rendered SQL; the file alone if the line is unknown."""
        if line and self.line_of is not None:
            return f"{self.path}:{self.line_of.source_line(line)}"
        return self.path
