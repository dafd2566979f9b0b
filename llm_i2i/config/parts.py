"""part.yml: what a folder of models brings along: its vars, presets and lists, and how its models are built.

Every folder below a model path may have one. A part that is `optional` is read only if project.yml lists the folder under `parts:`; otherwise
none of its models, vars and entries exist.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, WithJsonSchema

from llm_i2i.config.base import Settings, StrList, describe
from llm_i2i.config.properties import ModelConfig
from llm_i2i.config.vars import Presets, VarDeclaration
from llm_i2i.config.yaml_text import Mistakes, Place, YamlList, YamlMapping, plain, read_yaml
from llm_i2i.errors import closest

PART_FILE = "part.yml"


class Entry(dict[str, Any]):
    """One entry of a list: its values, where it is written, and the vars and environment variables that its Jinja read."""

    def __init__(
        self,
        values: Mapping[str, Any],
        where: str,
        reads: Mapping[str, Any] | None = None,
        env_vars: Iterable[str] = (),
    ) -> None:
        super().__init__(values)
        self.where = where
        self.reads = dict(reads or {})
        self.env_vars = tuple(env_vars)

    def copied(self) -> Entry:
        """One that may be changed."""
        return Entry(copy.deepcopy(dict(self)), self.where, self.reads, self.env_vars)


class Entries(list[Entry]):
    """What one file says of a list: its entries, and what an entry of any file is where it does not say otherwise."""

    def __init__(
        self, entries: Iterable[Entry] = (), defaults: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(entries)
        self.defaults = dict(defaults or {})

    def and_those_of(self, other: Entries) -> Entries:
        """Both together; the defaults of the first win."""
        return Entries([*self, *other], {**other.defaults, **self.defaults})

    @property
    def filled(self) -> tuple[Entry, ...]:
        """The entries with the defaults filled in."""
        return tuple(Entry({**self.defaults, **entry}, entry.where) for entry in self)


def _entries(value: Any) -> Any:
    """`[{...}, ...]`, or `{defaults: {...}, entries: [...]}`, as Entries."""
    if isinstance(value, str):
        return value
    defaults: Any = {}
    if isinstance(value, YamlMapping) and set(value) <= {"defaults", "entries"}:
        defaults, value = value.get("defaults") or {}, value.get("entries")
    if not isinstance(value, (list, YamlList)):
        raise ValueError(
            f"is {describe(value)}; write a list of mappings, or the path of a YAML file with one"
        )
    entries = []
    for number, one in enumerate(value):
        if not isinstance(one, dict):
            raise ValueError(
                f"has {describe(one)} at place {number + 1}; write a mapping, such as {{name: ...}}"
            )
        place = one.place.line_only if isinstance(one, YamlMapping) else ""
        entries.append(Entry(plain(one), place))
    return Entries(entries, plain(defaults))


EntryList = Annotated[
    Any, BeforeValidator(_entries), WithJsonSchema({"type": ["array", "object", "string"]})
]


class ListFile(Settings):
    """The document of a list that is a file of its own."""

    title: ClassVar[str] = "a list"

    entries: EntryList


def _presets(value: Any) -> Any:
    if not isinstance(value, dict) or any(
        not isinstance(table, dict) or any(not isinstance(one, dict) for one in table.values())
        for table in value.values()
    ):
        raise ValueError("is not a mapping of vars; write {protocol: {paper: {triggers: 1}}}")
    return plain(value)


class PartFile(Settings):
    """One part.yml."""

    title: ClassVar[str] = "a part"

    description: str = ""
    optional: bool = False
    requires: StrList = Field(default_factory=list)
    files: StrList = Field(default_factory=list)
    vars: dict[str, VarDeclaration] = Field(default_factory=dict)
    presets: Annotated[Presets, BeforeValidator(_presets), WithJsonSchema({"type": "object"})] = (
        Field(default_factory=dict)
    )
    lists: dict[str, EntryList] = Field(default_factory=dict)
    config: ModelConfig = ModelConfig()


@dataclass(frozen=True)
class Part:
    """A folder of models with its part.yml.

    Attributes:
        name: The folder below the model path, such as `llm_cf`; empty for the model path itself.
        folder: The same as parts of a path.
        path: Where it is on disk.
    """

    name: str
    folder: tuple[str, ...]
    path: Path
    file: PartFile

    def is_in(self, other: Part) -> bool:
        """Whether it is the other part, or a folder of it."""
        return self.folder[: len(other.folder)] == other.folder


def find_parts(
    root: Path, model_paths: Iterable[str], shown: Any, mistakes: Mistakes
) -> Iterator[Part]:
    """All parts below the model paths, listed or not, in the order of their paths.

    Args:
        shown: How messages name a path.
    """
    from llm_i2i.config.base import validate

    for model_path in model_paths:
        base = root / model_path
        # A folder comes before the folders in it, whose config wins.
        for path in sorted(base.rglob(PART_FILE), key=lambda path: path.parent.parts):
            folder = path.parent.relative_to(base).parts
            if any(name.startswith(".") for name in folder):
                continue
            document = read_yaml(path, shown(path), mistakes)
            if document is None:
                document = YamlMapping(Place(shown(path), 1, 1))
            parsed = validate(PartFile, document, mistakes, place=Place(shown(path), 1, 1))
            if parsed is not None:
                yield Part("/".join(folder), folder, path.parent, parsed)


def chosen_parts(
    found: Iterable[Part], listed: Iterable[str], place: Place, mistakes: Mistakes
) -> tuple[list[Part], list[Part]]:
    """The parts of a project and those it leaves out; what is wrong with the list goes to `mistakes`.

    Args:
        listed: `parts:` of project.yml, written at `place`.
    """
    found, listed = list(found), list(listed)
    optional = {part.name: part for part in found if part.file.optional}
    for name in listed:
        if name not in optional:
            near = closest(name, optional, count=1)
            mistakes.add(
                f"there is no part '{name}'",
                place,
                found=f"parts that may be listed: {', '.join(optional) or 'none'}",
                fix=f"did you mean {near}?" if near else "remove it from parts:",
            )
        else:
            for needed in optional[name].file.requires:
                if needed not in listed:
                    mistakes.add(
                        f"part '{name}' needs part '{needed}'",
                        place,
                        found=f"parts: [{', '.join(listed)}]",
                        fix=f"add {needed} to parts:, or remove {name}",
                    )
    left_out = [part for name, part in optional.items() if name not in listed]
    inside = [part for part in found if any(part.is_in(other) for other in left_out)]
    return [part for part in found if part not in inside], inside
