"""What hoisting makes of a query: the calls to run first, and the query that is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Columns = tuple[tuple[str, str], ...]  # (name, SQL type) in order


@dataclass(frozen=True)
class CallStep:
    """Run a UDF before the query.

    Attributes:
        relation: Name under which the result is visible to later steps and to the query.
        inputs: Batch UDF: one query of distinct arguments, named `arguments`; table UDF: a query per relation parameter.
        constants: Parameter -> query that returns its one value.
        columns: Columns of the result relation.
    """

    relation: str
    udf: str
    kind: str
    inputs: dict[str, str]
    constants: dict[str, str]
    columns: Columns

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> CallStep:
        return cls(
            **{**raw, "columns": tuple((name, sql_type) for name, sql_type in raw["columns"])}
        )


@dataclass(frozen=True)
class Hoisted:
    """The steps, in order, and the query that is left."""

    steps: tuple[CallStep, ...]
    sql: str
