"""Reads the YAML files of a project, and reports the mistakes of all of them together."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from llm_i2i.config.base import validate
from llm_i2i.config.packages import find_package, read_packages_file
from llm_i2i.config.parts import PART_FILE, Entries, Entry, ListFile, Part, chosen_parts, find_parts
from llm_i2i.config.project import ProjectConfig, find_project_file, parse_project, with_packages
from llm_i2i.config.properties import Properties, PropertiesFile
from llm_i2i.config.vars import Presets, VarDeclaration, VarSettings
from llm_i2i.config.yaml_text import Mistakes, Place, YamlMapping, read_yaml
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
    folders: tuple[Part, ...] = ()  # with a part.yml, without those left out
    left_out: tuple[Part, ...] = ()
    lists: Mapping[str, Entries] = {}  # of project.yml and of the folders, as written

    @property
    def var_settings(self) -> VarSettings:
        """What it and its packages say of vars."""
        declared: dict[str, VarDeclaration] = {}
        presets: Presets = {}
        for project in self.parts:
            declared |= project.config.declare
            for part in project.folders:
                group = part.name.replace("/", " ") or project.config.name
                declared |= {
                    name: one if one.group else one.model_copy(update={"group": group})
                    for name, one in part.file.vars.items()
                }
                for chooser, tables in part.file.presets.items():
                    for value, given in tables.items():
                        presets.setdefault(chooser, {}).setdefault(value, {}).update(given)
        # A language model may bring vars of a part that the project leaves out: nothing reads them.
        left_out = {
            name: listed.name
            for one in self.parts
            for listed in one.left_out
            if listed.file.optional
            for part in one.left_out
            if part.is_in(listed)
            for name in part.file.vars
            if name not in declared
        }
        return VarSettings(
            declared=declared,
            presets=presets,
            given=self.config.vars,
            brought={
                name: _without(entry["vars"], left_out.keys())
                for name, entry in self.config.language_models.items()
                if entry.get("vars") is not None
            },
            names={
                name: [str(entry["name"]) for entry in entries if "name" in entry]
                for name, entries in self.all_lists.items()
            },
            where=self.config.location.partition(":")[0],
            left_out=left_out,
        )

    @property
    def all_lists(self) -> dict[str, tuple[Entry, ...]]:
        """The entries of every list: those of the packages, of project.yml, then of its folders."""
        found: dict[str, Entries] = {}
        for project in self.parts:
            for name, entries in project.lists.items():
                found[name] = found.get(name, Entries()).and_those_of(entries)
        return {name: entries.filled for name, entries in found.items()}

    def is_left_out(self, path: Path) -> bool:
        """Whether a file stands in a part that the project does not list."""
        return any(path.is_relative_to(part.path) for part in self.left_out)

    @property
    def parts(self) -> tuple[LoadedProject, ...]:
        """The packages, then the project itself."""
        return (*self.packages, self)


def _without(given: Any, names: Collection[str]) -> Any:
    """A mapping without some names; what is no mapping is refused later."""
    if not isinstance(given, Mapping):
        return given
    return {name: value for name, value in given.items() if name not in names}


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
    there, listed = _find_parts(folder, root, model_paths, config, mistakes)
    place = config.place if config else Place()
    parts, left_out = chosen_parts(there, listed, place, mistakes)
    properties = _read_properties(
        folder, [*model_paths, *others], mistakes, root, tuple(part.path for part in left_out)
    )
    if config is None:
        return None
    _refuse_declared_twice(config, parts, mistakes)
    lists = _read_lists(folder, root, config, parts, mistakes)
    for entry in [*config.packages, *read_packages_file(file, folder, mistakes)]:
        found = find_package(entry, folder, mistakes)
        if found is None or found.resolve() in packages or found.resolve() == root.resolve():
            continue
        packages[found.resolve()] = LoadedProject(found, found, config, properties)  # being read
        package = _load(found, root, packages, mistakes)
        del packages[found.resolve()]
        if package is not None:
            packages[found.resolve()] = package
    return LoadedProject(folder, file, config, properties, (), tuple(parts), tuple(left_out), lists)


def _find_parts(
    folder: Path,
    root: Path,
    model_paths: Iterable[str],
    config: ProjectConfig | None,
    mistakes: Mistakes,
) -> tuple[list[Part], list[str]]:
    """The parts there are, and those that project.yml lists; not those whose part.yml is broken, which is said already."""
    before = len(mistakes.in_order())
    found = list(find_parts(folder, model_paths, lambda path: shown_path(path, root), mistakes))
    listed = list(config.parts) if config else []
    if len(mistakes.in_order()) > before:
        names = {part.name for part in found}
        listed = [name for name in listed if name in names]
    return found, listed


def _refuse_declared_twice(
    config: ProjectConfig, parts: Iterable[Part], mistakes: Mistakes
) -> None:
    seen: dict[str, VarDeclaration] = dict(config.declare)
    for part in parts:
        for name, declaration in part.file.vars.items():
            first = seen.setdefault(name, declaration)
            if first is not declaration:
                mistakes.add(
                    f"var '{name}' is declared twice",
                    declaration.place,
                    found=f"first declared at {first.location}",
                    fix="remove one of the two",
                )


def _read_lists(
    folder: Path, root: Path, config: ProjectConfig, parts: Iterable[Part], mistakes: Mistakes
) -> dict[str, Entries]:
    """The lists of project.yml, then what its folders add to them; a list may be a YAML file of its own."""
    found: dict[str, Entries] = {}
    for lists in (config.lists, *(part.file.lists for part in parts)):
        for name, value in lists.items():
            if isinstance(value, str):
                shown = shown_path(folder / value, root)
                document = read_yaml(folder / value, shown, mistakes)
                if document is None:  # empty, or said to be missing
                    continue
                wrapped = YamlMapping(Place(shown, 1, 1), {"entries": document})
                parsed = validate(ListFile, wrapped, mistakes, place=Place(shown, 1, 1))
                value = parsed.entries if parsed else Entries()
            found[name] = found.get(name, Entries()).and_those_of(value)
    return found


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
    folder: Path,
    paths: Iterable[str],
    mistakes: Mistakes,
    root: Path | None = None,
    left_out: tuple[Path, ...] = (),
) -> Properties:
    properties = Properties()
    files = []
    for path in dict.fromkeys(find_files(folder, paths, (".yml", ".yaml"))):
        if path.name == PART_FILE or any(path.is_relative_to(one) for one in left_out):
            continue
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
