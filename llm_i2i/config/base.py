"""The base of all settings models, and pydantic's complaints turned into our errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import ErrorDetails

from llm_i2i.config.yaml_text import Mistakes, Place, YamlList, YamlMapping, plain
from llm_i2i.errors import closest

_NOWHERE = Place()


class Settings(BaseModel):
    """A mapping of a YAML file with known keys. `title` is what messages call it."""

    # Validators are built for what is read alone: most files use few of the kinds.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)
    title: ClassVar[str] = "settings"
    hints: ClassVar[
        Mapping[str, str]
    ] = {}  # for keys that dbt has and we do not: what to do instead

    _place: Place = PrivateAttr(default_factory=lambda: _NOWHERE)  # a plain default is copied

    @property
    def location(self) -> str:
        """Where this was written, as `models/x.yml:12`; empty when made in Python."""
        return self._place.line_only

    @property
    def place(self) -> Place:
        return self._place

    @model_validator(mode="wrap")
    @classmethod
    def _keep_place(
        cls, value: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo
    ) -> Self:
        if not isinstance(value, YamlMapping):
            return handler(value)
        made = handler(_known_keys(cls, value, info.context))
        made._place = value.place
        return made


def _known_keys(
    model: type[Settings], value: YamlMapping, mistakes: Mistakes | None
) -> dict[str, Any]:
    """The keys that `model` has; others go to `mistakes`. A key without a value is not given."""
    fields = model.model_fields
    if mistakes is not None:
        for key in value.keys() - fields.keys():
            mistakes.add(
                f"unknown key '{key}' in {model.title}",
                value.keys_at[key],
                found=f"known keys: {', '.join(fields)}",
                fix=model.hints.get(key) or unknown_fix(key, fields),
            )
        return {key: item for key, item in value.items() if key in fields and item is not None}
    return value


SettingsT = TypeVar("SettingsT", bound=Settings)


def unknown_fix(name: str, known: Iterable[str], *, otherwise: str = "remove it") -> str:
    """A `fix` for an unknown name: the nearest known one, else `otherwise`."""
    near = closest(name, known, count=1)
    return f"did you mean {near}?" if near else otherwise


def validate(
    model: type[SettingsT], value: Any, mistakes: Mistakes, *, place: Place
) -> SettingsT | None:
    """`value` as `model`, or None with the reasons in `mistakes`.

    Args:
        place: Of `value`; says where when it is not even a mapping.
    """
    if not isinstance(value, YamlMapping):
        mistakes.add(
            f"{model.title} must be a mapping (key: value lines)",
            place,
            found=describe(value),
            fix=f"begin with one of: {', '.join(model.model_fields)}",
        )
        return None
    try:
        return model.model_validate(value, context=mistakes)
    except ValidationError as error:
        for details in error.errors(include_url=False):
            _add_mistake(details, value, mistakes)
        return None


def validated(
    model: type[SettingsT], values: Mapping[str, Any], place: Place, mistakes: Mistakes
) -> SettingsT | None:
    """`validate` for values that were not read from YAML, all of them placed at `place`."""
    return validate(model, YamlMapping(place, dict(values)), mistakes, place=place)


# -- the words of an error -------------------------------------------------------------------------

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping (key: value lines)",
    "model_type": "a mapping (key: value lines)",
    "model_attributes_type": "a mapping (key: value lines)",
}


def _add_mistake(error: ErrorDetails, root: YamlMapping, mistakes: Mistakes) -> None:
    """One of pydantic's errors, with the place of the value it is about."""
    kind, location = error["type"], _untagged(root, error["loc"])
    value = error["input"]
    if kind == "union_tag_not_found":
        kind, location = "missing", (*location, _tag_key(error))
    elif kind == "union_tag_invalid":
        kind, location = "literal_error", (*location, _tag_key(error))
        expected = str(error["ctx"]["expected_tags"]).replace(", ", " or ")
        error = {**error, "ctx": {"expected": expected}}
        value = error["input"][location[-1]]
    name = _path_text(location)
    place = place_of(root, location)
    if kind == "missing":
        owner = place_of(root, location[:-1])
        given = _value_at(root, location[:-1])
        key = str(location[-1])
        mistakes.add(
            f"missing key '{key}'", owner, found=describe(given), fix=f"add a line '{key}: ...'"
        )
        return
    what, fix = _message(kind, error, name, value)
    mistakes.add(what, place, found=describe(value), fix=fix)


def _tag_key(error: ErrorDetails) -> str:
    """The key that says which of several models a mapping is."""
    return str(error["ctx"]["discriminator"]).strip("'")


def _untagged(root: YamlMapping, location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """A location without the tags that pydantic puts in for the chosen one of several models: they are not in the file."""
    kept: list[int | str] = []
    value: Any = root
    for index, part in enumerate(location):
        is_tag = isinstance(value, Mapping) and part not in value and part in value.values()
        if is_tag and index < len(location) - 1:
            continue
        kept.append(part)
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            value = None
    return tuple(kept)


def _message(kind: str, error: ErrorDetails, name: str, value: Any) -> tuple[str, str]:
    context = error.get("ctx", {})
    if kind in _EXPECTED:
        return f"'{name}' must be {_EXPECTED[kind]}", _type_fix(kind, value)
    if kind == "literal_error":
        allowed = str(context["expected"])
        words = allowed.replace("'", "").replace(" or ", ", ").split(", ")
        return f"'{name}' must be {allowed}", unknown_fix(
            str(value), words, otherwise=f"write one of: {', '.join(words)}"
        )
    if kind == "value_error":
        what, _, fix = str(context["error"]).partition("; ")
        return f"'{name}' {what}", fix or "correct the value"
    message = error["msg"].replace("Input should", "must", 1)
    return f"'{name}' {message}", "correct the value"


def _type_fix(kind: str, value: Any) -> str:
    if kind == "list_type" and not isinstance(value, (dict, list)):
        return f"write [{value}]"
    if kind == "list_type":
        return "begin each item with '- '"
    if kind == "string_type" and isinstance(value, (bool, int, float)):
        return f"quote it: '{str(value).lower() if isinstance(value, bool) else value}'"
    if kind in ("int_type", "float_type", "bool_type") and isinstance(value, str):
        return "write it without quotes"
    return f"write {_EXPECTED[kind]}"


def _path_text(location: tuple[int | str, ...]) -> str:
    """`('columns', 2, 'name')` as `columns[2].name`, keys only from the last list on."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def describe(value: Any) -> str:
    """A short text of a value with its kind, for the `found` line."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"{str(value).lower()} (true or false)"
    if isinstance(value, dict):
        return f"a mapping with keys {', '.join(map(str, value))}" if value else "an empty mapping"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    kind = "text" if isinstance(value, str) else "a number"
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({kind})"


def _value_at(root: Any, location: tuple[int | str, ...]) -> Any:
    for part in location:
        root = root[part]
    return root


def place_of(root: Any, location: tuple[int | str, ...]) -> Place:
    """The place of the value at `location`, or of the nearest container that has one."""
    value, place = root, root.place
    for part in location:
        if isinstance(value, YamlMapping) and part in value:
            value, place = value[str(part)], value.values_at[str(part)]
        elif isinstance(value, YamlList) and isinstance(part, int) and part < len(value):
            value, place = value[part], value.items_at[part]
        else:
            break
    return place  # type: ignore[no-any-return]


def one_or_many(value: Any) -> Any:
    """`tags: a` for `tags: [a]`, as dbt allows."""
    return [value] if isinstance(value, str) else value


def _plain_dict(value: Any) -> Any:
    return plain(value) if isinstance(value, dict) else value


def _scalar_text(value: Any) -> Any:
    return str(value) if isinstance(value, (int, float)) else value


ScalarText = Annotated[
    str, BeforeValidator(_scalar_text), WithJsonSchema({"type": ["string", "number"]})
]
PlainDict = Annotated[dict[str, Any], BeforeValidator(_plain_dict)]
ONE_OR_MANY_SCHEMA = WithJsonSchema(
    {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
)
StrList = Annotated[list[str], BeforeValidator(one_or_many), ONE_OR_MANY_SCHEMA]
