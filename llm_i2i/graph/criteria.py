"""What a selection says: criteria joined by union, intersection and difference, read from the command line or from YAML."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from llm_i2i.config.base import describe, unknown_fix
from llm_i2i.config.yaml_text import Mistakes, Place, YamlList, YamlMapping
from llm_i2i.errors import ProjectError

ALL = 1_000_000  # a depth no graph reaches
PATTERN = re.compile(
    r"(?P<at>@)?(?:(?P<up>\d*)\+)?(?:(?P<method>[a-z_]\w*(?:\.[\w.]+)?):)?(?P<value>.+?)(?:\+(?P<down>\d*))?"
)
FILE_SUFFIXES = (".sql", ".yml", ".yaml", ".csv")
EXAMPLES = "name, +name, 2+name+1, @name, tag:x, path:models/x, config.materialized:view, a,b"


@dataclass(frozen=True)
class Criterion:
    """One word of a selection, such as `2+tag:nightly`.

    Attributes:
        up: How many steps of parents it takes along; 0 for none, ALL for every one.
        down: The same of children.
        at: Children and all that they read, dbt's `@`.
        text: As written, for messages.
    """

    method: str
    value: str
    up: int = 0
    down: int = 0
    at: bool = False
    text: str = field(default="", compare=False)


@dataclass(frozen=True)
class Union:
    """What any part selects."""

    parts: tuple[Selection, ...]


@dataclass(frozen=True)
class Intersection:
    """What every part selects."""

    parts: tuple[Selection, ...]


@dataclass(frozen=True)
class Difference:
    """What `base` selects and `minus` does not."""

    base: Selection
    minus: Selection


Selection = Criterion | Union | Intersection | Difference


def parse_words(words: Iterable[str]) -> Union:
    """The values of --select: a space is a union, a comma an intersection.

    Raises:
        ProjectError: A criterion that cannot be read.
    """
    groups = [word for text in words for word in text.split()]
    return Union(tuple(_parse_group(group) for group in groups if group.strip(",")))


def _parse_group(group: str) -> Selection:
    parts = tuple(parse_criterion(part) for part in group.split(",") if part)
    return parts[0] if len(parts) == 1 else Intersection(parts)


def parse_criterion(text: str) -> Criterion:
    """One criterion in dbt's words.

    Raises:
        ProjectError: It is no criterion.
    """
    match = PATTERN.fullmatch(text)
    if match is None or set(match["value"]) <= {"+", "@"} or (match["at"] and match["down"] == ""):
        raise ProjectError(f"selector {text!r} cannot be read", found=text, fix=f"write {EXAMPLES}")
    value = match["value"]
    return Criterion(
        match["method"] or default_method(value),
        value,
        up=_depth(match["up"]),
        down=_depth(match["down"]),
        at=bool(match["at"]),
        text=text,
    )


def _depth(text: str | None) -> int:
    return 0 if text is None else int(text) if text else ALL


def default_method(value: str) -> str:
    """What a value without a method is: a path, a file, or a name."""
    if "/" in value:
        return "path"
    return "file" if value.endswith(FILE_SUFFIXES) else "fqn"


# -- selectors.yml ---------------------------------------------------------------------------------

_CRITERION_KEYS = {
    "method": "text",
    "value": "a value",
    "parents": "true or false",
    "children": "true or false",
    "parents_depth": "a whole number",
    "children_depth": "a whole number",
    "childrens_parents": "true or false",
    "exclude": "a list",
}
_DEFINITION_FIX = (
    "write 'tag:nightly', {method: tag, value: nightly}, union: [...] or intersection: [...]"
)


def parse_definition(value: Any, place: Place, mistakes: Mistakes) -> Selection | None:
    """The `definition:` of a selector of selectors.yml, or None with the reasons in `mistakes`."""
    if isinstance(value, str):
        return _parse_text(value, place, mistakes)
    if not isinstance(value, YamlMapping) or not value:
        mistakes.add(
            "a definition must be text or a mapping",
            place,
            found=describe(value),
            fix=_DEFINITION_FIX,
        )
        return None
    for key, kind in (("union", Union), ("intersection", Intersection)):
        if key in value:
            return _parse_set(key, kind, value, mistakes)
    if "method" in value:
        return _parse_method(value, place, mistakes)
    if len(value) == 1:
        ((key, item),) = value.items()
        return Criterion(key, str(item), text=f"{key}:{item}")
    mistakes.add("a definition says no method", place, found=describe(value), fix=_DEFINITION_FIX)
    return None


def _parse_text(text: str, place: Place, mistakes: Mistakes) -> Selection | None:
    try:
        union = parse_words([text])
    except ProjectError as error:
        mistakes.add(error.what, place, found=error.found, fix=error.fix)
        return None
    return union.parts[0] if len(union.parts) == 1 else union


def _parse_set(
    key: str, kind: type[Union] | type[Intersection], value: YamlMapping, mistakes: Mistakes
) -> Selection | None:
    members = value[key]
    others = [name for name in value if name != key]
    if others or not isinstance(members, YamlList) or not members:
        at = value.keys_at[others[0]] if others else value.values_at[key]
        mistakes.add(
            f"'{key}' must be a list, alone in its mapping",
            at,
            found=describe(value if others else members),
            fix=f"write {key}: [...]; an exclude is a member: - exclude: [...]",
        )
        return None
    parts: list[Selection] = []
    minus: list[Selection] = []
    for member, place in zip(members, members.items_at, strict=True):
        if isinstance(member, YamlMapping) and list(member) == ["exclude"]:
            minus += _parse_list(member["exclude"], member.values_at["exclude"], mistakes)
        elif (part := parse_definition(member, place, mistakes)) is not None:
            parts.append(part)
    selection = kind(tuple(parts))
    return Difference(selection, Union(tuple(minus))) if minus else selection


def _parse_list(value: Any, place: Place, mistakes: Mistakes) -> list[Selection]:
    if not isinstance(value, YamlList):
        mistakes.add("'exclude' must be a list", place, found=describe(value), fix="write [...]")
        return []
    found = [
        parse_definition(item, at, mistakes) for item, at in zip(value, value.items_at, strict=True)
    ]
    return [part for part in found if part is not None]


def _parse_method(value: YamlMapping, place: Place, mistakes: Mistakes) -> Selection | None:
    for key in value.keys() - _CRITERION_KEYS.keys():
        mistakes.add(
            f"unknown key '{key}' in a criterion",
            value.keys_at[key],
            found=f"known keys: {', '.join(_CRITERION_KEYS)}",
            fix="remove it: data tests go with their model here"
            if key == "indirect_selection"
            else unknown_fix(key, _CRITERION_KEYS),
        )
        return None
    for key, kind in (("parents", bool), ("children", bool), ("childrens_parents", bool)):
        if not isinstance(value.get(key, False), kind):
            mistakes.add(
                f"'{key}' must be {_CRITERION_KEYS[key]}",
                value.values_at[key],
                found=describe(value[key]),
                fix="write it without quotes",
            )
            return None
    if "value" not in value:
        mistakes.add("missing key 'value'", place, found=describe(value), fix="add value: ...")
        return None
    method, text = str(value["method"]), str(value["value"])
    criterion = Criterion(
        method,
        text,
        up=_yaml_depth(value, "parents"),
        down=_yaml_depth(value, "children"),
        at=bool(value.get("childrens_parents")),
        text=f"{method}:{text}",
    )
    if "exclude" not in value:
        return criterion
    minus = _parse_list(value["exclude"], value.values_at["exclude"], mistakes)
    return Difference(criterion, Union(tuple(minus)))


def _yaml_depth(value: YamlMapping, side: str) -> int:
    depth = value.get(f"{side}_depth")
    if isinstance(depth, int) and not isinstance(depth, bool):
        return depth
    return ALL if value.get(side) else 0
