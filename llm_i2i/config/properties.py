"""Properties files: YAML beside the models, with their descriptions, columns and data tests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, model_validator

from llm_i2i.config.base import (
    PlainDict,
    ScalarText,
    Settings,
    StrList,
    validated,
)
from llm_i2i.config.contracts import Constraint, Contract, constraint_tests
from llm_i2i.config.data_tests import DataTestProperties, DataTests
from llm_i2i.config.exposures import ExposureProperties
from llm_i2i.config.freshness import Freshness
from llm_i2i.config.unit_tests import UnitTestProperties
from llm_i2i.config.yaml_text import Mistakes, Place, YamlMapping
from llm_i2i.errors import raise_all

# -- config of a model -----------------------------------------------------------------------------


def _refuse_incremental(value: Any) -> Any:
    if value == "incremental":
        raise ValueError(
            "cannot be 'incremental'; write 'table': unchanged results are reused, calls cached"
        )
    return value


_EXPRESSION = re.compile(r"\s*\{\{.*\}\}\s*", re.DOTALL)


def _flag(value: Any) -> Any:
    if isinstance(value, bool) or (isinstance(value, str) and _EXPRESSION.fullmatch(value)):
        return value
    raise ValueError(
        "must be true or false; write it without quotes, or an expression as {{ var('name') == 'value' }}"
    )


# True, false, or Jinja that gives one of them: the text is evaluated when the project is loaded.
Flag = Annotated[
    bool | str, BeforeValidator(_flag), WithJsonSchema({"type": ["boolean", "string"]})
]
Materialization = Annotated[
    Literal["table", "view", "ephemeral"], BeforeValidator(_refuse_incremental)
]


class ModelConfig(Settings):
    """How a model is built: in config(), in YAML under `config:`, in project.yml after '+'.

    Attributes:
        volatile: Of a model that reads the clock, chance or files of its own: whether each build makes it anew; None where it reads nothing such.
    """

    title: ClassVar[str] = "a model's config"
    hints: ClassVar[dict[str, str]] = {
        "schema": "remove it: environments (--env) keep results apart",
        "unique_key": "remove it, or write grain: [...] to have the key tested",
        "pre-hook": "write pre_hook",
        "post-hook": "write post_hook",
    }

    materialized: Materialization = "table"
    enabled: Flag = True
    tags: StrList = Field(default_factory=list)
    grain: StrList = Field(default_factory=list)
    frozen: Flag = False
    volatile: bool | None = None
    partition_by: Literal["file"] | None = None
    max_error_ratio: Annotated[float, Field(ge=0, le=1)] = 0.0
    contract: Contract | None = None
    pre_hook: StrList = Field(default_factory=list)
    post_hook: StrList = Field(default_factory=list)
    meta: PlainDict = Field(default_factory=dict)


class SeedConfig(Settings):
    """How a seed's CSV file is read."""

    title: ClassVar[str] = "a seed's config"
    hints: ClassVar[dict[str, str]] = {
        "schema": "remove it: environments (--env) keep results apart",
        "quote_columns": "remove it: names are kept as the file has them",
        "full_refresh": "remove it: a changed file is a new result",
    }

    enabled: bool = True
    tags: StrList = Field(default_factory=list)
    grain: StrList = Field(default_factory=list)
    column_types: dict[str, str] = Field(default_factory=dict)
    delimiter: str | None = None
    contract: Contract | None = None
    meta: PlainDict = Field(default_factory=dict)


def parse_model_config(values: Mapping[str, Any], place: Place) -> ModelConfig:
    """The keyword arguments of a `config(...)` call as a ModelConfig that knows what was set.

    Raises:
        ProjectError: Unknown keys or wrong values, at `place`.
    """
    mistakes = Mistakes()
    config = validated(ModelConfig, _located(dict(values), place), place, mistakes)
    raise_all(mistakes.in_order())
    assert config is not None
    return config


def _located(value: Any, place: Place) -> Any:
    if not isinstance(value, dict):
        return value
    return YamlMapping(place, {key: _located(item, place) for key, item in value.items()})


def merge_model_config(layers: Iterable[ModelConfig]) -> ModelConfig:
    """One config out of layers, the most general first.

    As in dbt: a later layer wins, tags and hooks add up, meta is merged key by key.
    """
    return ModelConfig(**_merged(layers, ("tags", "pre_hook", "post_hook")))


def merge_seed_config(layers: Iterable[SeedConfig]) -> SeedConfig:
    """`merge_model_config` for seeds."""
    return SeedConfig(**_merged(layers, ("tags",)))


def _merged(layers: Iterable[Settings], adding: tuple[str, ...]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    lists: dict[str, list[Any]] = {name: [] for name in adding}
    meta: dict[str, Any] = {}
    for layer in layers:
        given = {name: getattr(layer, name) for name in layer.model_fields_set}
        for name in adding:
            lists[name] += given.pop(name, [])
        meta.update(given.pop("meta", {}))
        merged.update(given)
    lists["tags"] = list(dict.fromkeys(lists["tags"]))
    return {**merged, **lists, "meta": meta}


class _Tested(Settings):
    """Something with data tests, under dbt's new or old key."""

    data_tests: DataTests = Field(default_factory=list)
    tests: DataTests = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_key(self, info: ValidationInfo) -> Self:
        if "data_tests" in self.model_fields_set and "tests" in self.model_fields_set:
            raise ValueError(
                "has both 'tests' and 'data_tests'; move all of them under data_tests:"
            )
        return self

    @property
    def own_data_tests(self) -> list[DataTestProperties]:
        return [*self.data_tests, *self.tests]


# -- models, sources, macros -----------------------------------------------------------------------


class ColumnProperties(_Tested):
    """A column: `data_type` is a DuckDB type; what a contract enforces."""

    title: ClassVar[str] = "a column"

    name: str
    description: str = ""
    data_type: str | None = None
    constraints: list[Constraint] = Field(default_factory=list)
    tags: StrList = Field(default_factory=list)
    meta: PlainDict = Field(default_factory=dict)


class _Table(_Tested):
    """What models and source tables share."""

    name: str
    description: str = ""
    columns: list[ColumnProperties] = Field(default_factory=list)

    def all_data_tests(self) -> Iterator[DataTestProperties]:
        """Data tests of the table, then those of its columns with `column` filled in."""
        yield from self.own_data_tests
        for column in self.columns:
            yield from (replace(test, column=column.name) for test in column.own_data_tests)

    def column(self, name: str) -> ColumnProperties | None:
        return next((column for column in self.columns if column.name == name), None)


class _Built(_Table):
    """What models and seeds share; `grain` and `contract` may also stand under `config:`."""

    grain: StrList = Field(default_factory=list)
    contract: Contract | None = None
    constraints: list[Constraint] = Field(default_factory=list)

    @model_validator(mode="after")
    def _said_once(self) -> Self:
        for key in ("grain", "contract"):
            if key in self.model_fields_set and key in self._config.model_fields_set:
                raise ValueError(f"gives '{key}' twice; remove the one under config:")
        return self

    @property
    def _config(self) -> Settings:
        raise NotImplementedError

    def constraint_tests(self) -> Iterator[DataTestProperties]:
        """The data tests that its constraints mean."""
        for constraint in self.constraints:
            yield from constraint_tests(self.name, constraint)
        for column in self.columns:
            for constraint in column.constraints:
                yield from constraint_tests(self.name, constraint, column.name)

    def _given_config(self) -> dict[str, Any]:
        given = {name: getattr(self._config, name) for name in self._config.model_fields_set}
        for key in {"grain", "contract"} & self.model_fields_set:
            given[key] = getattr(self, key)
        return given


class ModelProperties(_Built):
    """A model as described in YAML."""

    title: ClassVar[str] = "a model"

    config: ModelConfig = ModelConfig()

    @property
    def _config(self) -> ModelConfig:
        return self.config

    @property
    def config_layer(self) -> ModelConfig:
        """What this YAML says of the config, for `merge_model_config`."""
        layer = ModelConfig(**self._given_config())
        layer._place = self.place
        return layer


class SeedProperties(_Built):
    """A seed, a CSV file under seed_paths, as described in YAML."""

    title: ClassVar[str] = "a seed"

    config: SeedConfig = SeedConfig()

    @property
    def _config(self) -> SeedConfig:
        return self.config

    @property
    def config_layer(self) -> SeedConfig:
        """What this YAML says of the config, for `merge_seed_config`."""
        layer = SeedConfig(**self._given_config())
        layer._place = self.place
        return layer


class SourceConfig(Settings):
    """The `config:` of a source or of one of its tables."""

    title: ClassVar[str] = "a source's config"

    enabled: bool = True
    loaded_at_field: str | None = None
    freshness: Freshness | None = None
    tags: StrList = Field(default_factory=list)
    meta: PlainDict = Field(default_factory=dict)


class SourceColumn(ColumnProperties):
    """A column of a source.

    `id_of` says that it holds ids and of what. Ids are text unless all are surely integers, in every source with ids of the same things.
    """

    title: ClassVar[str] = "a source's column"

    id_of: str | None = None


class Reading(Settings):
    """How a source's text files are written, where they do not say it themselves. Every value may be Jinja.

    Attributes:
        encoding: As Python calls it; UTF-8 unless a byte order mark says otherwise.
        header: Whether the first line names the columns.
        names: The names of the columns of files that do not name them.
        null_values: Words that stand for no value.
        skip: Lines before the header.
    """

    title: ClassVar[str] = "the reading of a source"

    encoding: str | None = None
    delimiter: str | None = None
    header: bool | str | None = None
    names: list[str] | str | None = None
    quote: str | None = None
    null_values: list[str] | str | None = None
    skip: int | str | None = None


_READING_TYPES: dict[str, tuple[type, str]] = {
    "encoding": (str, "a name such as latin-1"),
    "delimiter": (str, "text such as ';'"),
    "header": (bool, "true or false"),
    "names": (list, "a list such as [user_id, item_id, timestamp]"),
    "quote": (str, "one character, or '' for none"),
    "null_values": (list, "a list such as ['NULL', '\\N']"),
    "skip": (int, "a number of lines"),
}


def checked_reading(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The settings of a `Reading` after their Jinja was evaluated, those alone that say something.

    Raises:
        ProjectError: One is not what it must be.
    """
    from llm_i2i.errors import ProjectError

    given = {
        key: value
        for key, value in values.items()
        if value is not None and value != [] and (value != "" or key == "quote")
    }
    for key, value in given.items():
        expected, example = _READING_TYPES[key]
        if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
            raise ProjectError(
                f"{key} of a source is not {example}",
                where=where,
                found=repr(value),
                fix=f"write {key}: as {example}",
            )
    if given.get("delimiter") == r"\t":
        given["delimiter"] = "\t"
    return given


class ConnectionTable(Settings):
    """A table of a database that the target attaches. Every value may be Jinja.

    Attributes:
        connection: Its alias in `attach:`.
        table: Its name there, such as public.events.
        version: A query whose one value changes when the rows do; files of databases and Iceberg tables need none.
        key: A column with another value in each row, by which a read that broke off goes on.
    """

    title: ClassVar[str] = "the source: of a table"

    connection: str
    table: str
    version: str | None = None
    key: str | None = None


def checked_table(value: Any, where: str) -> dict[str, str]:
    """A `ConnectionTable` as a var or Jinja gave it, without what it does not say.

    Raises:
        ProjectError: It is none.
    """
    from llm_i2i.errors import ProjectError

    known = ConnectionTable.model_fields
    given = {key: item for key, item in value.items() if item is not None}
    wrong = [key for key, item in given.items() if key not in known or not isinstance(item, str)]
    missing = [key for key in ("connection", "table") if not given.get(key)]
    if wrong or missing:
        raise ProjectError(
            "this does not name a table of a connection",
            where=where,
            found=f"{', '.join(wrong)}: unknown, or no text" if wrong else f"no {missing[0]}",
            fix="write {connection: shop, table: public.events, version: select max(id) from public.events, key: id}",
        )
    return given


class SourceTable(_Table):
    """Files, a lakehouse table or a table of a database.

    `path` is a file or glob below the project, an address such as s3://bucket/log/*.parquet, or the folder of a Delta or Iceberg
    table, and may hold Jinja; where that gives a mapping it is read as `source` is.

    With a `list_separator`, lists become text with it between their values. Format `lines` gives one row a line that is not blank, as text in the column `line`: for what no reader knows, parsed by a model.
    """

    title: ClassVar[str] = "a source table"

    path: str | None = None
    source: ConnectionTable | None = None
    format: Literal["auto", "parquet", "csv", "json", "lines"] = "auto"
    columns: list[SourceColumn] = Field(default_factory=list)  # type: ignore[assignment]
    reading: Reading = Reading()
    list_separator: str | None = None
    loaded_at_field: str | None = None
    freshness: Freshness | None = None
    tags: StrList = Field(default_factory=list)
    meta: PlainDict = Field(default_factory=dict)
    config: SourceConfig = SourceConfig()

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.path is None) == (self.source is None):
            raise ValueError("must say where it is; write either path: or source:")
        return self


class SourceProperties(Settings):
    """A named group of source tables."""

    title: ClassVar[str] = "a source"
    hints: ClassVar[dict[str, str]] = dict.fromkeys(
        ("schema", "database"),
        "remove it: give each table a path, or source: {connection: ..., table: ...}",
    )

    name: str
    description: str = ""
    loaded_at_field: str | None = None
    freshness: Freshness | None = None
    tags: StrList = Field(default_factory=list)
    meta: PlainDict = Field(default_factory=dict)
    config: SourceConfig = SourceConfig()
    tables: list[SourceTable] = Field(default_factory=list)

    def table(self, name: str) -> SourceTable | None:
        return next((table for table in self.tables if table.name == name), None)


class MacroArgument(Settings):
    """An argument of a macro, for the docs."""

    title: ClassVar[str] = "a macro's argument"

    name: str
    type: str | None = None
    description: str = ""


class MacroProperties(Settings):
    """A macro, for the docs."""

    title: ClassVar[str] = "a macro"

    name: str
    description: str = ""
    arguments: list[MacroArgument] = Field(default_factory=list)


class PropertiesFile(Settings):
    """One properties file."""

    title: ClassVar[str] = "a properties file"
    hints: ClassVar[dict[str, str]] = {
        "vars": "move it to part.yml of this folder, or to project.yml",
        "selectors": "move it to selectors.yml beside project.yml",
    }

    version: ScalarText = ""
    models: list[ModelProperties] = Field(default_factory=list)
    seeds: list[SeedProperties] = Field(default_factory=list)
    exposures: list[ExposureProperties] = Field(default_factory=list)
    sources: list[SourceProperties] = Field(default_factory=list)
    macros: list[MacroProperties] = Field(default_factory=list)
    unit_tests: list[UnitTestProperties] = Field(default_factory=list)


@dataclass(frozen=True)
class Properties:
    """All properties files of a project together, by name."""

    models: dict[str, ModelProperties] = field(default_factory=dict)
    sources: dict[str, SourceProperties] = field(default_factory=dict)
    macros: dict[str, MacroProperties] = field(default_factory=dict)
    seeds: dict[str, SeedProperties] = field(default_factory=dict)
    exposures: dict[str, ExposureProperties] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    unit_tests: dict[str, UnitTestProperties] = field(default_factory=dict)


def json_schema() -> dict[str, Any]:
    """JSON Schema of a properties file, for editors."""
    return PropertiesFile.model_json_schema()
