"""The columns of another model, as its own final select names them: `columns_of('candidate_signals')`.

A column that is added to a model is then picked up by every model that asks, with no second list to keep. The other model is rendered when it is
asked for, so that the order of the files does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from llm_i2i.errors import ProjectError
from llm_i2i.fingerprint import fingerprint
from llm_i2i.render.result import Instance


@dataclass(frozen=True)
class ModelText:
    """A model as its file has it, not yet rendered."""

    path: str
    text: str
    instance: Instance | None = None

    @cached_property
    def digest(self) -> str:
        """Of all that its columns may follow from, but for vars and macros."""
        return fingerprint(
            [self.path, self.text, dict(self.instance.values) if self.instance else {}]
        )


@dataclass(frozen=True)
class KnownColumns:
    """The columns of a model.

    Attributes:
        vars: Read for them, as env_vars were.
        asked: Models that they follow from -> digest of their text.
    """

    names: tuple[str, ...]
    vars: dict[str, Any]
    asked: dict[str, str]
    env_vars: dict[str, None]


def selected_columns(sql: str) -> tuple[str, ...]:
    """The names that the final select of a query gives its columns, in their order.

    Raises:
        ProjectError: They are not all written there.
    """
    from sqlglot import exp, parse_one
    from sqlglot.errors import SqlglotError

    try:
        tree = parse_one(sql, dialect="duckdb")
    except SqlglotError as error:
        raise ProjectError(
            "its SQL cannot be parsed",
            found=str(error).splitlines()[0],
            fix="correct it: columns_of() reads its final select",
        ) from error
    if not isinstance(tree, exp.Query):
        raise ProjectError("it is not a query", found=tree.key, fix="write one select")
    if tree.is_star:
        raise ProjectError(
            "its columns are not written out",
            found="a * in its final select",
            fix="name the columns there",
        )
    columns = tuple(tree.named_selects)
    if not all(columns):
        number = columns.index("") + 1
        raise ProjectError(
            "one of its columns has no name", found=f"column {number}", fix="name it with as"
        )
    return columns
