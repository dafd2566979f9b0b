"""Data tests as declared in YAML, in any of dbt's spellings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema

from llm_i2i.config.base import PlainDict, Settings, StrList, describe, validate, validated
from llm_i2i.config.yaml_text import Mistakes, Place, YamlList, YamlMapping, plain
from llm_i2i.errors import raise_all

Severity = Literal["error", "warn"]


class DataTestConfig(Settings):
    """The `config:` of a data test."""

    title: ClassVar[str] = "a data test's config"

    severity: Severity = "error"
    where: str | None = None
    limit: Annotated[int, Field(ge=1)] | None = None
    fail_calc: str = "count(*)"
    error_if: str = "!= 0"
    warn_if: str = "!= 0"
    store_failures: bool | None = None
    enabled: bool = True
    tags: StrList = Field(default_factory=list)
    meta: PlainDict = Field(default_factory=dict)


@dataclass(frozen=True)
class DataTestProperties:
    """One data test as declared.

    Attributes:
        test: Name of the test, such as `not_null`; the macro is `test_not_null`.
        arguments: As written; text such as "ref('items')" is not yet evaluated.
        name: The author's own name for it, if any.
        where: SQL condition on the tested rows.
        limit: How many failing rows are looked for at most.
        fail_calc: What counts as failures, an SQL expression over the failing rows.
        error_if: Condition on that number, as `> 10`; `warn_if` likewise.
        column: The column it is declared on, None if on the model.
        line: Where it is declared, as `models/x.yml:12`.
    """

    test: str
    arguments: dict[str, Any] = field(default_factory=dict)
    name: str | None = None
    severity: Severity = "error"
    where: str | None = None
    limit: int | None = None
    fail_calc: str = "count(*)"
    error_if: str = "!= 0"
    warn_if: str = "!= 0"
    store_failures: bool | None = None
    enabled: bool = True
    tags: tuple[str, ...] = ()
    meta: dict[str, Any] = field(default_factory=dict)
    description: str = ""
    column: str | None = None
    line: str = ""


_TEST_CONFIG_KEYS = frozenset(DataTestConfig.model_fields)
_TEST_EXAMPLE = "write - not_null, or - accepted_values: {values: [a, b]}"


def _parse_data_tests(value: Any, info: ValidationInfo) -> Any:
    """Entries of `data_tests:` as DataTestProperties; what is wrong goes to the context."""
    mistakes = info.context
    if not isinstance(value, YamlList) or mistakes is None:
        return value
    entries = zip(value, value.items_at, strict=True)
    tests = [_parse_data_test(entry, place, mistakes) for entry, place in entries]
    return [test for test in tests if test is not None]


def _parse_data_test(entry: Any, place: Place, mistakes: Mistakes) -> DataTestProperties | None:
    if isinstance(entry, str):
        return DataTestProperties(test=entry, line=place.line_only)
    if not isinstance(entry, YamlMapping) or not entry:
        mistakes.add(
            "a data test must be a name or a mapping {name: arguments}",
            place,
            found=describe(entry),
            fix=_TEST_EXAMPLE,
        )
        return None
    test, *others = entry
    if others:
        mistakes.add(
            f"data test '{test}' has keys beside it",
            entry.keys_at[others[0]],
            found=f"keys {', '.join(entry)} at one level",
            fix=f"indent {', '.join(others)} under '{test}:'",
        )
        return None
    body = entry[test]
    if body is None:
        return DataTestProperties(test=test, line=place.line_only)
    if not isinstance(body, YamlMapping):
        mistakes.add(
            f"the arguments of data test '{test}' must be a mapping (key: value lines)",
            entry.values_at[test],
            found=describe(body),
            fix=_TEST_EXAMPLE,
        )
        return None
    return _data_test_of(test, body, place, mistakes)


def _data_test_of(
    test: str, body: YamlMapping, place: Place, mistakes: Mistakes
) -> DataTestProperties:
    config = DataTestConfig()
    if body.get("config") is not None:
        at = body.values_at["config"]
        config = validate(DataTestConfig, body["config"], mistakes, place=at) or config
    given = {key: getattr(config, key) for key in config.model_fields_set}
    return DataTestProperties(
        test=test,
        arguments=_arguments(test, body, mistakes),
        name=_text(body, "name", mistakes),
        description=_text(body, "description", mistakes) or "",
        line=place.line_only,
        **given | {"tags": tuple(config.tags)},
    )


def _text(body: YamlMapping, key: str, mistakes: Mistakes) -> str | None:
    value = body.get(key)
    if value is None or isinstance(value, str):
        return value
    mistakes.add(
        f"'{key}' must be text", body.values_at[key], found=describe(value), fix="quote it"
    )
    return None


def _arguments(test: str, body: YamlMapping, mistakes: Mistakes) -> dict[str, Any]:
    """Arguments written beside `name` and `config`, and those under `arguments:`."""
    nested = body.get("arguments")
    if nested is not None and not isinstance(nested, YamlMapping):
        mistakes.add(
            f"'arguments' of data test '{test}' must be a mapping (key: value lines)",
            body.values_at["arguments"],
            found=describe(nested),
            fix="write arguments: {values: [a, b]}",
        )
        nested = None
    arguments = dict(nested or {})
    for key, value in body.items():
        if key in ("name", "config", "description", "arguments"):
            continue
        if key in _TEST_CONFIG_KEYS:
            mistakes.add(
                f"'{key}' belongs under config: in data test '{test}'",
                body.keys_at[key],
                found=f"'{key}' among the arguments",
                fix=f"write config: {{{key}: ...}}; an argument of this name goes under arguments:",
            )
        elif key in arguments:
            mistakes.add(
                f"argument '{key}' of data test '{test}' is given twice",
                body.keys_at[key],
                found="also under arguments:",
                fix="keep one of the two",
            )
        arguments[key] = value
    return {key: plain(value) for key, value in arguments.items()}


def parse_data_test_config(values: Mapping[str, Any], place: Place) -> DataTestConfig:
    """The keyword arguments of `config(...)` in a singular test.

    Raises:
        ProjectError: Unknown keys or wrong values, at `place`.
    """
    mistakes = Mistakes()
    config = validated(DataTestConfig, values, place, mistakes)
    raise_all(mistakes.in_order())
    assert config is not None
    return config


DataTests = Annotated[
    list[DataTestProperties],
    BeforeValidator(_parse_data_tests),
    WithJsonSchema(
        {
            "type": "array",
            "items": {
                "anyOf": [
                    {"type": "string"},
                    {"type": "object", "minProperties": 1, "maxProperties": 1},
                ]
            },
        }
    ),
]
