"""Reads the YAML files of a project, and reports the mistakes of all of them together."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from llm_i2i.config.base import validate
from llm_i2i.config.project import ProjectConfig, find_project_file, parse_project
from llm_i2i.config.properties import (
    MacroProperties,
    ModelProperties,
    Properties,
    PropertiesFile,
    SourceProperties,
)
from llm_i2i.config.yaml_text import Mistakes, Place, read_yaml
from llm_i2i.errors import raise_all


class LoadedProject(NamedTuple):
    """What the YAML of a project says. `root` is the folder that all paths are relative to."""

    root: Path
    file: Path
    config: ProjectConfig
    properties: Properties


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
    """project.yml and all properties files of a project.

    Raises:
        ProjectError: There is no project, or mistakes in its files, all of them together.
    """
    file = find_project_file(project_dir)
    mistakes = Mistakes()
    config = _read_project(file, project_dir, mistakes)
    # A broken project.yml should not hide what is wrong elsewhere: look in the usual place too.
    model_paths = config.model_paths if config else ["models"]
    properties = _read_properties(project_dir, model_paths, mistakes)
    raise_all(mistakes.in_order())
    assert config is not None
    return LoadedProject(project_dir, file, config, properties)


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


def _read_properties(root: Path, model_paths: Iterable[str], mistakes: Mistakes) -> Properties:
    properties = Properties()
    files = []
    for path in find_files(root, model_paths, (".yml", ".yaml")):
        shown = shown_path(path, root)
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
    for macro in parsed.macros:
        _add_named(macro, into.macros, mistakes)
    for unit_test in parsed.unit_tests:
        _add_named(unit_test, into.unit_tests, mistakes)


def _check_columns(owner: str, table: Any, mistakes: Mistakes) -> None:
    seen: dict[str, Any] = {}
    for column in table.columns:
        _add_named(column, seen, mistakes, prefix=f"{owner}.")


def _add_named(
    item: ModelProperties | SourceProperties | MacroProperties | Any,
    into: dict[str, Any],
    mistakes: Mistakes,
    *,
    prefix: str = "",
) -> None:
    first = into.setdefault(item.name, item)
    if first is not item:
        kind = item.title.removeprefix("a ")
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
