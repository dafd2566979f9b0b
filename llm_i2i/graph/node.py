"""What a graph is made of: models, seeds, sources, the data tests on them, and what reads them outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Materialization = Literal["table", "view", "ephemeral", "source"]
ResourceType = Literal["model", "seed", "source"]


@dataclass(frozen=True)
class DataCheck:
    """An assertion on rows: `sql` returns the rows that break it.

    (dbt's data test; named so that pytest does not collect it.)

    Attributes:
        model: The node it is declared on; of a singular test the first it reads.
        depends_on: Nodes the query reads, its own model among them.
        test: Name of the generic test, such as `not_null`; empty of a singular one.
        fail_calc: What counts as failures, an expression over the rows that break it.
        error_if: Condition on the failures, as `> 10`, at which it fails; `warn_if` likewise.
        store_failures: True: all rows that break it are kept; None: the first of them; False: none.
    """

    name: str
    model: str
    column: str | None
    sql: str
    depends_on: tuple[str, ...]
    where: str
    severity: Literal["error", "warn"] = "error"
    test: str = ""
    fail_calc: str = "count(*)"
    error_if: str = "!= 0"
    warn_if: str = "!= 0"
    store_failures: bool | None = None
    tags: tuple[str, ...] = ()
    description: str = ""

    @property
    def is_singular(self) -> bool:
        return not self.test


@dataclass(frozen=True)
class WrittenRows:
    """Rows of a unit test as their author wrote them, not yet typed.

    Attributes:
        rows: Column -> value; of CSV all text, an empty field None.
        places: Where each row is written, as `models/x.yml:12`.
        sql: A query in place of the rows.
    """

    where: str
    rows: tuple[Mapping[str, Any], ...] = ()
    places: tuple[str, ...] = ()
    sql: str | None = None


@dataclass(frozen=True)
class UnitCheck:
    """A unit test: what a model gives for given rows.

    Attributes:
        given: Input node -> the rows that stand in for it.
        mocks: UDF, lower case -> rows of arguments with the answer in `returns`.
        vars: Values of vars for this test, over the project's own; `macros` and `env_vars` likewise.
    """

    name: str
    model: str
    where: str
    given: Mapping[str, WrittenRows]
    mocks: Mapping[str, WrittenRows]
    expect: WrittenRows
    vars: Mapping[str, Any] = field(default_factory=dict)
    macros: Mapping[str, Any] = field(default_factory=dict)
    env_vars: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    description: str = ""


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
        values: Of one of several models of a file: what its SQL and YAML may name; `family` is then the file's name.
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
    values: dict[str, Any] = field(default_factory=dict)
    family: str = ""
    line_of: Any = field(default=None, compare=False, repr=False)

    @property
    def is_source(self) -> bool:
        return self.materialized == "source"

    def compiled_file(self, project: str) -> str:
        """Where its compiled SQL is kept: beside the others of its folder, by its own name; a package's below the package.

        Args:
            project: The name of the main project.
        """
        folders = self.path.split("/")[:-1] if self.package == project else self.fqn[:-1]
        return "/".join([*folders, f"{self.name}.sql"])

    def place(self, line: int = 0) -> str:
        """`file:line` of a line of the rendered SQL; the file alone if the line is unknown."""
        if line and self.line_of is not None:
            return f"{self.path}:{self.line_of.source_line(line)}"
        return self.path


def source_node_name(source: str, table: str) -> str:
    """Node (and relation) name of a source table."""
    return f"{source}__{table}"
