"""One model file, several models: `{{ instances([{'part': 'train'}, ...], name='swing_{part}') }}`.

Each value set is one model. Its values are names in the file's SQL and in its YAML, and `name` is its name, with values in braces. A value set
may hold `enabled`, `description` and `tags`, which go to the model's config and documentation too.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from string import Formatter
from typing import Any

from llm_i2i.config.parts import Entry
from llm_i2i.errors import ProjectError, closest
from llm_i2i.render.context import Rendering, RenderInputs, refuse_undefined
from llm_i2i.render.environment import RESERVED_NAMES, compile_instances
from llm_i2i.render.result import Instance

_NAME = re.compile(r"\w[\w.-]*")  # what is safe as the name of a file, too
_FIX = "write {{ instances([{'part': 'train'}, {'part': 'test'}], name='events_{part}') }}"


def read_instances(
    inputs: RenderInputs, path: str, text: str, stem: str
) -> tuple[list[Instance] | None, bool]:
    """The instances that a model file declares, None where it declares none; and whether the same inputs give the same again.

    Raises:
        ProjectError: The declaration is not valid, or gives two models one name.
    """
    template = compile_instances(text, path)
    if template is None:
        return None, True
    declared: list[tuple[Any, Any, str]] = []

    def instances(value_sets: Any = None, name: Any = None, **unknown: Any) -> str:
        if unknown:
            rendering.fail(
                f"instances() takes no argument '{next(iter(unknown))}'",
                found="value sets and name",
                fix=_FIX,
            )
        refuse_undefined(value_sets, name)
        for values in value_sets if isinstance(value_sets, (list, tuple)) else ():
            refuse_undefined(*(values.values() if isinstance(values, dict) else ()))
        declared.append((value_sets, name, rendering.where()))
        return ""

    rendering = Rendering(inputs, name=stem, text=text)
    rendering.names["instances"] = instances
    rendering.run(template)
    value_sets, pattern, where = declared[0]
    if not isinstance(value_sets, (list, tuple)) or not all(
        isinstance(s, dict) for s in value_sets
    ):
        raise ProjectError(
            "instances() needs a list of value sets", where=where, found=repr(value_sets), fix=_FIX
        )
    if not isinstance(pattern, str) or not pattern:
        raise ProjectError(
            "instances() needs the pattern of the models' names",
            where=where,
            found=repr(pattern),
            fix=_FIX,
        )
    found: dict[str, Instance] = {}
    known = Rendering(inputs, name=stem).names
    keys = Counter(key for values in value_sets for key in values)
    for values in value_sets:
        at = values.where if isinstance(values, Entry) and values.where else where
        _check_values(values, keys, len(value_sets), known, at, path)
        one = Instance(
            _filled(pattern, values, at, where),
            dict(values),
            at,
            values.reads if isinstance(values, Entry) else dict(rendering.vars),
        )
        first = found.setdefault(one.name, one)
        if first is not one:
            raise ProjectError(
                f"two instances of {path} are called {one.name!r}",
                where=at,
                found=f"also {first.where}" if first.where != at else f"name={pattern!r}",
                fix="give name= a value that differs between them",
            )
    return list(found.values()), rendering.is_repeatable


def _check_values(
    values: Mapping[str, Any],
    keys: Mapping[str, int],
    number: int,
    known: Mapping[str, Any],
    at: str,
    path: str,
) -> None:
    """Complain of a value that others have and this lacks, or that hardly any other has, of a name or a flag that cannot be.

    Args:
        keys: How many of the `number` value sets have each.
    """
    strange = {key for key, count in keys.items() if number > 2 and 2 * count <= number}
    for key in values:
        if key in strange:  # most often a misspelling
            near = closest(key, [one for one in keys if one not in values or keys[one] > keys[key]])
            raise ProjectError(
                f"the value '{key}' of an instance of {path} is not one that the others have",
                where=at,
                found=f"values of the others: {', '.join(k for k in keys if keys[k] == number)}",
                fix=f"did you mean {near.split(', ')[0]}? If not, give {key} to all, or as a default of the list"
                if near
                else f"remove {key}, give it to all, or write it as a default of the list",
            )
    for key in keys:
        if key not in values and key not in strange:
            raise ProjectError(
                f"an instance of {path} lacks the value '{key}'",
                where=at,
                found=f"values {', '.join(values)}",
                fix=f"add {key}: other instances have it",
            )
    for key in values:
        if key in known and key != "name":
            kind = "a function" if key in RESERVED_NAMES else "a macro"
            raise ProjectError(
                f"the value '{key}' of an instance of {path} has the name of {kind}",
                where=at,
                found=key,
                fix="give it another name",
            )
    if not isinstance(values.get("enabled", True), bool):
        raise ProjectError(
            f"'enabled' of an instance of {path} is neither true nor false",
            where=at,
            found=repr(values["enabled"]),
            fix="compare with ==, in or is none",
        )


def _filled(pattern: str, values: Mapping[str, Any], at: str, where: str) -> str:
    """The pattern with its `{value}` filled in.

    Raises:
        ProjectError: It names a value that the instance lacks.
    """
    try:
        pieces = list(Formatter().parse(pattern))
    except ValueError as error:
        raise ProjectError(
            "the pattern of the models' names cannot be read",
            where=where,
            found=f"name={pattern!r}: {error}",
            fix="put each value into braces: name='events_{part}'",
        ) from error
    text = ""
    for literal, field_name, _, _ in pieces:
        text += literal
        if field_name is None:
            continue
        if field_name not in values:
            raise ProjectError(
                f"the name of an instance needs the value '{field_name}'",
                where=at,
                found=f"name={pattern!r} at {where}; values {', '.join(values)}",
                fix=f"add {field_name} to the value set",
            )
        text += str(values[field_name])
    if not _NAME.fullmatch(text):
        raise ProjectError(
            f"{text!r} cannot be the name of a model",
            where=at,
            found=f"name={pattern!r} at {where}",
            fix="use letters, digits and _",
        )
    return text
