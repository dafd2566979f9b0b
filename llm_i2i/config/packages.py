"""packages.yml: other projects whose models, macros, prompts and UDFs this one uses; found on disk, never fetched."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Self

from pydantic import Field, model_validator

from llm_i2i.config.base import Settings, validate
from llm_i2i.config.yaml_text import Mistakes, Place, read_yaml

FILE = "packages.yml"
_FETCHED = (
    "we fetch nothing: install it with pip and write python: NAME, or copy it and write local: PATH"
)


class PackageEntry(Settings):
    """A package: a folder that holds a project, or an installed Python package that does."""

    title: ClassVar[str] = "a package"
    hints: ClassVar[dict[str, str]] = dict.fromkeys(
        ("package", "git", "tarball", "version", "revision", "subdirectory"), _FETCHED
    )

    local: str | None = None
    python: str | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.local is None) == (self.python is None):
            raise ValueError("has no place or two; write one of local: PATH and python: NAME")
        return self


class PackagesFile(Settings):
    """packages.yml."""

    title: ClassVar[str] = "packages.yml"

    packages: list[PackageEntry] = Field(default_factory=list)


def read_packages_file(project_file: Path, root: Path, mistakes: Mistakes) -> list[PackageEntry]:
    """The entries of packages.yml, beside the project file or in the project's folder."""
    for path in dict.fromkeys((project_file.with_name(FILE), root / FILE)):
        if path.is_file():
            document = read_yaml(path, path.name, mistakes)
            if document is None:
                return []
            parsed = validate(PackagesFile, document, mistakes, place=Place(path.name, 1, 1))
            return parsed.packages if parsed else []
    return []


def find_package(entry: PackageEntry, root: Path, mistakes: Mistakes) -> Path | None:
    """The folder of a package's project, or None with the reason in `mistakes`."""
    folders = list(_folders(entry, root))
    for folder in folders:
        if any((folder / name).is_file() for name in ("project/project.yml", "project.yml")):
            return folder
    if entry.python is not None and not folders:
        mistakes.add(
            f"package '{entry.python}' is not installed",
            entry.place,
            found="no such Python package here",
            fix=f"pip install {entry.python.replace('_', '-')}",
        )
    else:
        mistakes.add(
            f"package '{entry.local or entry.python}' is no project",
            entry.place,
            found=f"no project.yml in {', '.join(map(str, folders))}",
            fix="point to the folder that holds project.yml, or project/project.yml",
        )
    return None


def _folders(entry: PackageEntry, root: Path) -> Iterator[Path]:
    if entry.local is not None:
        yield (root / entry.local)
        return
    try:
        spec = importlib.util.find_spec(str(entry.python))
    except (ImportError, ValueError):
        return
    for place in (spec.submodule_search_locations or []) if spec else []:
        yield Path(place)
