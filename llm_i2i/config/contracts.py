"""Contracts: columns, types and constraints that a model promises."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from llm_i2i.config.base import Settings, StrList
from llm_i2i.config.data_tests import DataTestProperties


class Contract(Settings):
    """Whether the columns declared in YAML are enforced on what the SQL returns."""

    title: ClassVar[str] = "a contract"

    enforced: bool = True


class Constraint(Settings):
    """One constraint, on a column or (with `columns`) on the model."""

    title: ClassVar[str] = "a constraint"

    type: Literal["not_null", "unique", "primary_key", "foreign_key", "check"]
    name: str | None = None
    columns: StrList = Field(default_factory=list)
    expression: str | None = None
    to: str | None = None
    to_columns: StrList = Field(default_factory=list)
    warn_unenforced: bool = True  # dbt's; every constraint is enforced here
    warn_unsupported: bool = True

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.type == "check" and not self.expression:
            raise ValueError("of type check lacks its expression; add expression: ...")
        if self.type == "foreign_key" and not (self.to and self.to_columns):
            raise ValueError(
                "of type foreign_key lacks what it points to; add to: ref('x') and to_columns: [...]"
            )
        if (
            self.type == "foreign_key"
            and self.columns
            and len(self.columns) != len(self.to_columns)
        ):
            raise ValueError("of type foreign_key has columns and to_columns of different lengths")
        return self


def constraint_tests(
    model: str, constraint: Constraint, column: str | None = None
) -> list[DataTestProperties]:
    """The data tests that enforce a constraint: like every data test they run before anything is published."""
    columns = constraint.columns or ([column] if column else [])
    if constraint.type == "foreign_key":
        return [
            _test(model, constraint, "relationships", [c], c, to=constraint.to, field=field)
            for c, field in zip(columns, constraint.to_columns, strict=False)
        ]
    if constraint.type == "check":
        expression = f"({constraint.expression})"
        return [
            _test(model, constraint, "expression_is_true", columns, None, expression=expression)
        ]
    if constraint.type == "primary_key":
        return [_test(model, constraint, "grain", columns, None, columns=columns)]
    if constraint.type == "not_null":
        return [_test(model, constraint, "not_null", [c], c) for c in columns]
    known = " and ".join(f"{c} is not null" for c in columns)
    key = (
        columns[0] if len(columns) == 1 else f"case when {known} then row({', '.join(columns)}) end"
    )
    return [_test(model, constraint, "unique", columns, key)]


def _test(
    model: str,
    constraint: Constraint,
    test: str,
    names: list[str],
    column: str | None,
    **arguments: object,
) -> DataTestProperties:
    name = "_".join([constraint.name or f"constraint_{constraint.type}", model, *names])
    return DataTestProperties(
        test=test, arguments=arguments, name=name, column=column, line=constraint.location
    )
