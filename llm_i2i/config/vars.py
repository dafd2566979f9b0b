"""Vars: how each is declared, and what it is in one invocation.

A var is declared once: under `vars:` of the `part.yml` it belongs to, or under `declare:` of project.yml. Its value comes from, the first that
says something: `--vars`, the chosen language model, project.yml, a preset, the default.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from pydantic import Field

from llm_i2i.config.base import Settings, StrList
from llm_i2i.errors import ProjectError, closest, raise_all

VarType = Literal["number", "integer", "boolean", "text", "list", "mapping", "place", "any"]
TYPE_WORDS = {
    "number": "a finite number",
    "integer": "a whole number",
    "boolean": "true or false",
    "text": "text",
    "list": "a list",
    "mapping": "a mapping (key: value lines)",
    "place": "a path as text, or a table as {connection: ..., table: ...}",
    "any": "a value",
}
LANGUAGE_MODEL_VAR = "language_model"
Presets = dict[str, dict[str, dict[str, Any]]]  # var that chooses -> its value -> var -> value


class VarDeclaration(Settings):
    """What a var is for and what it may be.

    Attributes:
        default: Its value where nothing else gives one.
        type: Without one, that of the default. With type list, `values` are those that its members may have.
        values_of: Name of a list (`lists:`): the names of its entries are allowed besides `values`.
        preset: Vars whose presets may give its value, the first of them that does.
        group: What it is listed under; the part it is declared in by default.
    """

    title: ClassVar[str] = "a var's declaration"

    help: str = ""
    default: Any = None
    type: VarType | None = None
    values: list[Any] | None = None
    values_of: str | None = None
    min: int | float | None = None
    max: int | float | None = None
    nullable: bool = False
    preset: StrList = Field(default_factory=list)
    group: str = ""

    @property
    def kind(self) -> VarType:
        """Its type, taken from the default where it is not given."""
        if self.type is not None:
            return self.type
        kinds: list[tuple[type, VarType]] = [(bool, "boolean"), (int, "integer"), (float, "number")]
        kinds += [(str, "text"), (list, "list"), (dict, "mapping")]
        return next((name for kind, name in kinds if isinstance(self.default, kind)), "any")

    def broken_by(self, value: Any, names: Iterable[str] = ()) -> str:
        """What the value should be instead; empty if it is fine.

        Args:
            names: The names that `values_of` stands for.
        """
        if value is None:
            return "" if self.nullable else "a value, not null"
        if self.values is not None or self.values_of is not None:
            return self._not_among([*(self.values or []), *names], value)
        if not _has_type(value, self.kind):
            return TYPE_WORDS[self.kind]
        if self.min is not None and value < self.min:
            return f"at least {self.min}"
        if self.max is not None and value > self.max:
            return f"at most {self.max}"
        return ""

    def _not_among(self, values: list[Any], value: Any) -> str:
        allowed = ", ".join(map(str, dict.fromkeys(values)))
        if self.kind == "list":
            fine = isinstance(value, list) and all(_is_among(one, values) for one in value)
            return "" if fine else f"a list, such as [{values[0]}], of some of {allowed}"
        return "" if _is_among(value, values) else f"one of {allowed}"


def _is_among(value: Any, values: list[Any]) -> bool:
    """1 is not true, nor 0 false, as Python has it."""
    return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in values)


def _has_type(value: Any, kind: VarType) -> bool:
    if kind == "any":
        return True
    if kind in ("number", "integer"):
        kinds = (int,) if kind == "integer" else (int, float)
        return isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value)
    if kind == "place":
        return isinstance(value, (str, dict))
    return isinstance(value, {"boolean": bool, "list": list, "mapping": dict, "text": str}[kind])


@dataclass(frozen=True)
class VarSettings:
    """All that a project says of its vars.

    Attributes:
        declared: By name, each with its group.
        presets: What a value of one var makes of others.
        given: Values in project.yml.
        brought: Language model -> the vars that come with it; `language_model` is the var that chooses.
        names: List -> the names of its entries, for `values_of`.
        where: project.yml, for messages.
        left_out: Vars of parts that the project does not list -> the part.
    """

    declared: Mapping[str, VarDeclaration]
    presets: Presets
    given: Mapping[str, Any]
    brought: Mapping[str, Mapping[str, Any]]
    names: Mapping[str, list[str]]
    where: str
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def known(self) -> list[str]:
        return [*self.declared, *(name for name in self.given if name not in self.declared)]

    def chosen_model(self, cli_vars: Mapping[str, Any]) -> str:
        """The language model whose vars count."""
        declared = self.declared.get(LANGUAGE_MODEL_VAR)
        given = {**self.given, **cli_vars}.get(LANGUAGE_MODEL_VAR)
        return str(given if given is not None or declared is None else declared.default)


class Vars(dict[str, Any]):
    """The vars of one invocation by name, and where each value comes from."""

    def __init__(self, settings: VarSettings, cli: Mapping[str, Any] | None = None) -> None:
        """Resolve every var; nothing is checked yet (`merge_vars`)."""
        super().__init__()
        self.settings = settings
        self.cli = dict(cli or {})
        chosen = settings.chosen_model(self.cli)
        self._layers = (
            ("--vars", self.cli),
            (f"language model {chosen}", settings.brought.get(chosen, {})),
            (settings.where or "project.yml", settings.given),
        )
        self.origins: dict[str, str] = {}
        self._open: list[str] = []
        for name in [*settings.known, *(name for name in self.cli if name not in settings.known)]:
            self._resolve(name)

    def over(self, values: Mapping[str, Any]) -> Vars:
        """The same with other values of some vars, over all else; presets are asked again."""
        return Vars(self.settings, {**self.cli, **values})

    def preset(self, name: str) -> Any:
        """What a var would be if neither the command line, the language model nor project.yml said anything."""
        return self._fallback(name)[0]

    def _resolve(self, name: str) -> Any:
        if name in self.origins:
            return self[name]
        declaration = self.settings.declared.get(name)
        falls_back = declaration is not None and declaration.preset
        for origin, layer in self._layers:
            # null leaves the value to the preset, where there is one.
            if name in layer and not (layer[name] is None and falls_back):
                self[name], self.origins[name] = layer[name], origin
                return self[name]
        self[name], self.origins[name] = self._fallback(name)
        return self[name]

    def _fallback(self, name: str) -> tuple[Any, str]:
        declaration = self.settings.declared.get(name)
        if declaration is None:
            return self.settings.given.get(name), self.settings.where
        for chooser in declaration.preset:
            if chooser in self._open:
                raise ProjectError(
                    f"presets of var '{name}' go in a circle",
                    where=declaration.location,
                    found=" -> ".join([*self._open, chooser]),
                    fix="remove one of them",
                )
            self._open.append(chooser)
            value = self._resolve(chooser)
            self._open.pop()
            given = self.settings.presets.get(chooser, {}).get(str(value), {})
            if name in given:
                return given[name], f"{chooser}: {value}"
        return declaration.default, "default"


def merge_vars(settings: VarSettings, cli_vars: Mapping[str, Any]) -> Vars:
    """The vars of one invocation.

    An entry of `language_models:` brings vars under its key `vars:`, such as the prompts it reads, so that the var
    `language_model` alone switches a project to another model.

    Raises:
        ProjectError: A var is not declared in the project, or has a value its declaration forbids; all of them together.
    """
    known = settings.known
    raise_all(
        [
            *(_unknown(name, known, "--vars", settings) for name in cli_vars if name not in known),
            *_misspelt(settings),
            *_unknown_brought(settings, settings.chosen_model(cli_vars)),
        ]
    )
    merged = Vars(settings, cli_vars)
    errors = []
    for name, declaration in settings.declared.items():
        names = settings.names.get(declaration.values_of or "", [])
        if wanted := declaration.broken_by(merged.get(name), names):
            origin = merged.origins[name]
            errors.append(
                ProjectError(
                    f"var '{name}' must be {wanted}",
                    where=origin if origin in ("--vars", settings.where) else settings.where,
                    found=repr(merged.get(name)) + ("" if origin in ("--vars", settings.where) else f", from {origin}"),
                    fix=f"give {name} such a value"
                    + (", or list the part that brings yours under parts:" if declaration.values_of else ""),
                )
            )  # fmt: skip
    raise_all(errors)
    return merged


def _misspelt(settings: VarSettings) -> Iterator[ProjectError]:
    """Vars of project.yml that are not declared, but nearly are: most often a misspelling."""
    import difflib

    for name in settings.given:
        if name in settings.declared:
            continue
        near = difflib.get_close_matches(name, settings.declared, n=1, cutoff=0.85)
        if near and near[0] not in settings.given:
            yield ProjectError(
                f"var '{name}' is not declared",
                where=settings.where,
                found=f"{len(settings.declared)} declared vars, closest {near[0]!r}",
                fix=f"did you mean {near[0]}? If not, declare {name} under declare: in {settings.where}",
            )


def _unknown_brought(settings: VarSettings, model: str) -> Iterator[ProjectError]:
    """What is wrong with the vars that the chosen language model brings."""
    brought = settings.brought.get(model, {})
    where = f"{settings.where}: language_models.{model}.vars"
    if not isinstance(brought, Mapping):
        yield ProjectError(
            "a language model's vars are not a mapping",
            where=where,
            found=repr(brought),
            fix="write vars: {NAME: value}",
        )
        return
    for name in brought:
        if name not in settings.known:
            yield _unknown(name, settings.known, where, settings)


def _unknown(name: str, known: Iterable[str], where: str, settings: VarSettings) -> ProjectError:
    if name in settings.left_out:
        part = settings.left_out[name]
        return ProjectError(
            f"var '{name}' is of part '{part}', which this project leaves out",
            where=where,
            found=f"{part} is not among parts: of {settings.where}",
            fix=f"add {part} to parts:, or remove {name}",
        )
    near = closest(name, known)
    return ProjectError(
        f"var '{name}' is not declared",
        where=where,
        found=f"{len(list(known))} vars" + (f", closest {near}" if near else ""),
        fix=f"declare it under declare: in {settings.where or 'project.yml'}",
    )
