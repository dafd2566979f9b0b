"""What a graph is made of: models, seeds, sources, the data tests on them, and what reads them outside."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Materialization = Literal["table", "view", "ephemeral", "source"]
ResourceType = Literal["model", "seed", "source"]


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
class Contract:
    """Names and types that a model promises, and where it says so; a type is empty where none is given."""

    columns: tuple[tuple[str, str], ...]
    where: str


@dataclass(frozen=True)
class Exposure:
    """What reads the project's results outside of it: a dashboard, a notebook, an application.

    Attributes:
        path: Where it is declared, as `file:line`.
        type: dashboard, notebook, analysis, ml or application.
        owner: `name`, `email` or both.
        reads: Names of the nodes it depends on.
    """

    name: str
    path: str
    type: str
    owner: dict[str, Any]
    reads: tuple[str, ...] = ()
    label: str = ""
    url: str = ""
    maturity: str = ""
    description: str = ""
    package: str = ""
    tags: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Node:
    """One vertex of the graph.

    Attributes:
        name: Unique relation name; `source__table` for a source.
        path: File it stands in, relative to the project.
        sql: Rendered SQL of a model; empty for a source.
        file_path: Where a source's data is, as configured (may be a glob).
        reads: Names of the nodes it reads, in order of first use.
        package: Name of the project or package it belongs to.
        fqn: Package, folders and name: what dotted selectors match.
        pre_hook: Rendered statements to run before its query, on its session.
        post_hook: The same, after its result is written and before it is stored.
        contract: What its columns must be, None where that is not enforced.
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
    resource_type: ResourceType = "model"
    package: str = ""
    fqn: tuple[str, ...] = ()
    contract: Contract | None = None
    pre_hook: tuple[str, ...] = ()
    post_hook: tuple[str, ...] = ()
    line_of: Any = field(default=None, compare=False, repr=False)

    @property
    def is_source(self) -> bool:
        return self.materialized == "source"

    def place(self, line: int = 0) -> str:
        """`file:line` of a line of the rendered SQL; the file alone if the line is unknown."""
        if line and self.line_of is not None:
            return f"{self.path}:{self.line_of.source_line(line)}"
        return self.path


def source_node_name(source: str, table: str) -> str:
    """Node (and relation) name of a source table."""
    return f"{source}__{table}"
