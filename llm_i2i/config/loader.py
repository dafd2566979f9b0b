"""Reads the YAML files of a project, and reports the mistakes of all of them together."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from llm_i2i.config.base import validate
from llm_i2i.config.packages import find_package, read_packages_file
from llm_i2i.config.project import ProjectConfig, find_project_file, parse_project, with_packages
from llm_i2i.config.properties import Properties, PropertiesFile
from llm_i2i.config.yaml_text import Mistakes, Place, read_yaml
from llm_i2i.errors import raise_all


class LoadedProject(NamedTuple):
    """What the YAML of a project says. `root` is the folder that all paths are relative to.

    `packages` are the projects it uses, theirs among them, each once; their vars are in `config` too.
    """

    root: Path
    file: Path
    config: ProjectConfig
    properties: Properties
    packages: tuple[LoadedProject, ...] = ()

    @property
    def parts(self) -> tuple[LoadedProject, ...]:
        """The packages, then the project itself."""
        return (*self.packages, self)


def load_yaml(path: Path, *, file: str = "") -> Any:
    """A YAML file as located values (`YamlMapping`, `YamlList`, scalars); None if it is empty.

    Args:
        file: How messages name it; the path itself by default.

    Raises:
        ProjectError: It cannot be read or is not valid; all mistakes together.
    """
    mistakes = Mistakes()
    document = read_yaml(path, file or path.as_posix(), mistakes)
    raise_all(mistakes.in_order())
    return document


def load_project(project_dir: Path) -> LoadedProject:
    """project.yml and all properties files of a project and of its packages.

    Raises:
        ProjectError: There is no project, or mistakes in its files, all of them together.
    """
    mistakes = Mistakes()
    packages: dict[Path, LoadedProject] = {}
    project = _load(project_dir, project_dir, packages, mistakes)
    _refuse_same_names([*packages.values(), *([project] if project else [])], mistakes)
    raise_all(mistakes.in_order())
    assert project is not None
    config = with_packages(project.config, [package.config for package in packages.values()])
    return project._replace(config=config, packages=tuple(packages.values()))


def _load(
    folder: Path, root: Path, packages: dict[Path, LoadedProject], mistakes: Mistakes
) -> LoadedProject | None:
    """One project of the tree; the packages it uses go into `packages`, those of packages first.

    Args:
        root: The main project's folder, which messages name files relative to.
    """
    file = find_project_file(folder)
    config = _read_project(file, root, mistakes)
    # A broken project.yml should not hide what is wrong elsewhere: look in the usual place too.
    model_paths = config.model_paths if config else ["models"]
    others = [*config.macro_paths, *config.seed_paths] if config else []
    properties = _read_properties(folder, [*model_paths, *others], mistakes, root)
    if config is None:
        return None
    for entry in [*config.packages, *read_packages_file(file, folder, mistakes)]:
        found = find_package(entry, folder, mistakes)
        if found is None or found.resolve() in packages or found.resolve() == root.resolve():
            continue
        packages[found.resolve()] = LoadedProject(found, found, config, properties)  # being read
        package = _load(found, root, packages, mistakes)
        del packages[found.resolve()]
        if package is not None:
            packages[found.resolve()] = package
    return LoadedProject(folder, file, config, properties)


def _refuse_same_names(projects: list[LoadedProject], mistakes: Mistakes) -> None:
    seen: dict[str, LoadedProject] = {}
    for project in projects:
        first = seen.setdefault(project.config.name, project)
        if first is not project:
            mistakes.add(
                f"two projects are called '{project.config.name}'",
                project.config.place,
                found=f"also {first.config.location}",
                fix="rename one of the two packages",
            )


def load_project_config(project_dir: Path) -> ProjectConfig:
    """project.yml alone. Raises as `load_project` does."""
    mistakes = Mistakes()
    config = _read_project(find_project_file(project_dir), project_dir, mistakes)
    raise_all(mistakes.in_order())
    assert config is not None
    return config


def load_properties(project_dir: Path, model_paths: Iterable[str]) -> Properties:
    """All properties files under `model_paths`. Raises as `load_project` does."""
    mistakes = Mistakes()
    properties = _read_properties(project_dir, model_paths, mistakes)
    raise_all(mistakes.in_order())
    return properties


def find_files(root: Path, folders: Iterable[str], suffixes: tuple[str, ...]) -> Iterator[Path]:
    """Files under folders of a project by suffix, in a stable order, hidden ones left out."""
    for folder in folders:
        for parent, names, files in os.walk(root / folder):
            names[:] = sorted(name for name in names if not name.startswith("."))
            for name in sorted(files):
                if name.endswith(suffixes) and not name.startswith("."):
                    yield Path(parent, name)


def shown_path(path: Path, root: Path) -> str:
    """A path as messages show it: relative to the project, with forward slashes."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _read_project(file: Path, root: Path, mistakes: Mistakes) -> ProjectConfig | None:
    shown = shown_path(file, root)
    before = bool(mistakes)
    document = read_yaml(file, shown, mistakes)
    if document is None and bool(mistakes) != before:
        return None  # a syntax error; what follows from it is noise
    return parse_project(document, shown, mistakes)


def _read_properties(
    folder: Path, paths: Iterable[str], mistakes: Mistakes, root: Path | None = None
) -> Properties:
    properties = Properties()
    files = []
    for path in dict.fromkeys(find_files(folder, paths, (".yml", ".yaml"))):
        shown = shown_path(path, root or folder)
        files.append(shown)
        document = read_yaml(path, shown, mistakes)
        if document is None:
            continue
        parsed = validate(PropertiesFile, document, mistakes, place=Place(shown, 1, 1))
        if parsed is not None:
            _add_file(parsed, properties, mistakes)
    return replace(properties, files=tuple(files))


def _add_file(parsed: PropertiesFile, into: Properties, mistakes: Mistakes) -> None:
    for model in parsed.models:
        _add_named(model, into.models, mistakes)
        _check_columns(model.name, model, mistakes)
    for source in parsed.sources:
        _add_named(source, into.sources, mistakes)
        seen: dict[str, Any] = {}
        for table in source.tables:
            _add_named(table, seen, mistakes, prefix=f"{source.name}.")
            _check_columns(f"{source.name}.{table.name}", table, mistakes)
    for seed in parsed.seeds:
        _add_named(seed, into.seeds, mistakes)
        _check_columns(seed.name, seed, mistakes)
    for macro in parsed.macros:
        _add_named(macro, into.macros, mistakes)
    for exposure in parsed.exposures:
        _add_named(exposure, into.exposures, mistakes)
    for unit_test in parsed.unit_tests:
        _add_named(unit_test, into.unit_tests, mistakes)


def _check_columns(owner: str, table: Any, mistakes: Mistakes) -> None:
    seen: dict[str, Any] = {}
    for column in table.columns:
        _add_named(column, seen, mistakes, prefix=f"{owner}.")


def _add_named(
    item: Any,
    into: dict[str, Any],
    mistakes: Mistakes,
    *,
    prefix: str = "",
) -> None:
    first = into.setdefault(item.name, item)
    if first is not item:
        kind = item.title.removeprefix("a ").removeprefix("an ")
        mistakes.add(
            f"{kind} '{prefix}{item.name}' is described twice",
            item.place,
            found=f"first described at {first.location}",
            fix="merge the two descriptions into one",
        )


__all__ = [
    "LoadedProject",
    "find_files",
    "find_project_file",
    "load_project",
    "load_project_config",
    "load_properties",
    "load_yaml",
    "shown_path",
]
