"""Unit tests as declared in YAML, in dbt's shape; `udf('name')` is an input like any other."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from llm_i2i.config.base import PlainDict, Settings, StrList

Format = Literal["dict", "csv", "sql"]


def _parse_rows(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(row, dict) for row in value):
        return value  # as it is: every row knows its line
    raise ValueError(
        "must be a list of rows, or text under format csv or sql; write rows: [{column: value}]"
    )


Rows = Annotated[
    Any,
    BeforeValidator(_parse_rows),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "object"}}]}),
]


class _Rows(Settings):
    """Rows written here, or in a file of `test_paths`/fixtures that `fixture` names without its ending."""

    format: Format = "dict"
    rows: Rows = None
    fixture: str | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.rows is None) == (self.fixture is None):
            raise ValueError("needs either 'rows' or 'fixture'; for a table without rows: []")
        if self.fixture is not None and self.format == "dict":
            raise ValueError("has a 'fixture' of format dict; write format: csv or format: sql")
        if self.rows is not None and isinstance(self.rows, str) != (self.format != "dict"):
            wanted = "a list of rows" if self.format == "dict" else "text: rows: |"
            raise ValueError(
                f"has rows that are not of format {self.format}; write {wanted}, or another format"
            )
        return self


class UnitTestInput(_Rows):
    """What stands in for one input: `ref('model')`, `source('source', 'table')` or `udf('name')`."""

    title: ClassVar[str] = "an input of a unit test"

    input: str


class UnitTestExpect(_Rows):
    """The rows the model must give. Columns that are left out are not compared."""

    title: ClassVar[str] = "what a unit test expects"


class UnitTestOverrides(Settings):
    """What the model finds instead of the project's own."""

    title: ClassVar[str] = "a unit test's overrides"

    vars: PlainDict = Field(default_factory=dict)
    macros: PlainDict = Field(default_factory=dict)
    env_vars: PlainDict = Field(default_factory=dict)


class UnitTestConfig(Settings):
    """The `config:` of a unit test."""

    title: ClassVar[str] = "a unit test's config"

    enabled: bool = True
    tags: StrList = Field(default_factory=list)
    meta: PlainDict = Field(default_factory=dict)


class UnitTestProperties(Settings):
    """One unit test as declared."""

    title: ClassVar[str] = "a unit test"

    name: str
    description: str = ""
    model: str
    given: list[UnitTestInput] = Field(default_factory=list)
    expect: UnitTestExpect
    overrides: UnitTestOverrides = UnitTestOverrides()
    config: UnitTestConfig = UnitTestConfig()
