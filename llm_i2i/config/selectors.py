"""selectors.yml: selections with a name."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from llm_i2i.config.base import Settings, validate
from llm_i2i.config.yaml_text import Mistakes, Place, YamlMapping, read_yaml
from llm_i2i.errors import raise_all

FILE = "selectors.yml"


class SelectorProperties(Settings):
    """A named selection; with `default: true` what a command without --select takes."""

    title: ClassVar[str] = "a selector"

    name: str
    description: str = ""
    default: bool = False
    definition: Any

    @property
    def definition_place(self) -> Place:
        return self.definition.place if isinstance(self.definition, YamlMapping) else self.place


class SelectorsFile(Settings):
    """selectors.yml."""

    title: ClassVar[str] = "selectors.yml"

    version: Any = None
    selectors: list[SelectorProperties] = Field(default_factory=list)


def load_selectors(project_file: Path, root: Path) -> dict[str, SelectorProperties]:
    """The selectors of selectors.yml by name; it stands beside the project file or in the project's folder.

    Raises:
        ProjectError: Mistakes in the file, all of them together.
    """
    paths = [project_file.with_name(FILE), root / FILE]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        return {}
    shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    mistakes = Mistakes()
    found: dict[str, SelectorProperties] = {}
    document = read_yaml(path, shown, mistakes)
    parsed = (
        validate(SelectorsFile, document, mistakes, place=Place(shown, 1, 1)) if document else None
    )
    for selector in parsed.selectors if parsed else []:
        first = found.setdefault(selector.name, selector)
        if first is not selector:
            mistakes.add(
                f"selector '{selector.name}' is defined twice",
                selector.place,
                found=f"first defined at {first.location}",
                fix="rename one of the two",
            )
    defaults = [selector for selector in found.values() if selector.default]
    if len(defaults) > 1:
        mistakes.add(
            "two selectors are the default",
            defaults[1].place,
            found=", ".join(f"'{selector.name}'" for selector in defaults),
            fix="keep default: true on one of them",
        )
    raise_all(mistakes.in_order())
    return found
