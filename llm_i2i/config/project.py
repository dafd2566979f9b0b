"""project.yml: name, paths, vars, targets, language models and folder-level config."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema

from llm_i2i.config.base import (
    ONE_OR_MANY_SCHEMA,
    PlainDict,
    ScalarText,
    Settings,
    StrList,
    describe,
    one_or_many,
    unknown_fix,
    validate,
)
from llm_i2i.config.packages import PackageEntry
from llm_i2i.config.parts import EntryList
from llm_i2i.config.properties import ModelConfig, SeedConfig
from llm_i2i.config.targets import DuckDBTarget, Target
from llm_i2i.config.vars import VarDeclaration
from llm_i2i.config.yaml_text import Mistakes, Place, YamlMapping, parse_yaml, plain
from llm_i2i.errors import ProjectError, raise_all

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PROJECT_FILES = ("project/project.yml", "project.yml")

FolderConfigs = dict[tuple[str, ...], ModelConfig]
SeedFolderConfigs = dict[tuple[str, ...], SeedConfig]
_ConfigT = TypeVar("_ConfigT", ModelConfig, SeedConfig)


def _check_identifier(text: str) -> str:
    if not _IDENTIFIER.fullmatch(text):
        raise ValueError("is not an identifier; use letters, digits and _, no digit first")
    return text


def _check_inside(path: str) -> str:
    if Path(path).is_absolute() or ".." in Path(path).parts:
        raise ValueError("leaves the project; write a path relative to the project's folder")
    return path


def _parse_folder_configs(value: Any, info: ValidationInfo) -> Any:
    """The nested mapping of `models:` as folder -> ModelConfig."""
    return _parse_folders("models", ModelConfig, value, info.context)


def _parse_seed_folder_configs(value: Any, info: ValidationInfo) -> Any:
    """The nested mapping of `seeds:` as folder -> SeedConfig."""
    return _parse_folders("seeds", SeedConfig, value, info.context)


def _parse_folders(
    section: str, kind: type[_ConfigT], value: Any, mistakes: Mistakes | None
) -> Any:
    if not isinstance(value, YamlMapping) or mistakes is None:
        return value
    found: dict[tuple[str, ...], _ConfigT] = {}
    _collect_folder(section, kind, (), value, value.place, mistakes, found)
    return found


def _collect_folder(
    section: str,
    kind: type[_ConfigT],
    folder: tuple[str, ...],
    tree: Any,
    place: Place,
    mistakes: Mistakes,
    found: dict[tuple[str, ...], _ConfigT],
) -> None:
    if not isinstance(tree, YamlMapping):
        key = folder[-1]
        is_config = key in kind.model_fields
        example = "materialized: view" if kind is ModelConfig else "enabled: false"
        mistakes.add(
            f"'{key}' under {section}: is neither a folder nor a config",
            place,
            found=describe(tree),
            fix=f"write '+{key}'" if is_config else f"write {key}: {{+{example}}}",
        )
        return
    configs = YamlMapping(tree.place)
    for key, value in tree.items():
        if key.startswith("+"):
            name = key[1:]
            configs[name] = value
            configs.keys_at[name] = tree.keys_at[key]
            configs.values_at[name] = tree.values_at[key]
        else:
            at = tree.values_at[key]
            _collect_folder(section, kind, (*folder, key), value, at, mistakes, found)
    config = validate(kind, configs, mistakes, place=tree.place) if configs else None
    if config is not None:
        found[folder] = config


_Path = Annotated[str, AfterValidator(_check_inside)]
_Paths = Annotated[list[_Path], BeforeValidator(one_or_many), ONE_OR_MANY_SCHEMA]
_Folders = Annotated[
    FolderConfigs, BeforeValidator(_parse_folder_configs), WithJsonSchema({"type": "object"})
]
_SeedFolders = Annotated[
    SeedFolderConfigs,
    BeforeValidator(_parse_seed_folder_configs),
    WithJsonSchema({"type": "object"}),
]


def _default_targets() -> dict[str, Target]:
    return {"dev": DuckDBTarget(type="duckdb")}


class ProjectConfig(Settings):
    """Settings of a project. All paths are relative to the project's folder."""

    title: ClassVar[str] = "the project file"
    hints: ClassVar[dict[str, str]] = {
        "selectors": "move it to selectors.yml beside this file",
        "dispatch": "remove it: a macro's name is used once",
        "profile": "remove it: targets are listed in this file under targets:",
        "config-version": "remove it",
        "var_rules": "write declare: {NAME: {default: ..., min: ...}}",
    } | {
        name.replace("_", "-"): f"write {name}"
        for name in (
            "model_paths",
            "macro_paths",
            "seed_paths",
            "test_paths",
            "target_path",
            "on_run_start",
            "on_run_end",
        )
    }

    name: Annotated[str, AfterValidator(_check_identifier)]
    version: ScalarText = ""
    description: str = ""
    model_paths: _Paths = Field(default_factory=lambda: ["models"])
    macro_paths: _Paths = Field(default_factory=lambda: ["project/macros"])
    udf_paths: _Paths = Field(default_factory=lambda: ["udfs"])
    prompt_paths: _Paths = Field(default_factory=lambda: ["project/prompts"])
    seed_paths: _Paths = Field(default_factory=lambda: ["project/seeds"])
    test_paths: _Paths = Field(default_factory=lambda: ["project/tests"])
    target_path: str = "target"
    vars: PlainDict = Field(default_factory=dict)
    declare: dict[str, VarDeclaration] = Field(default_factory=dict)
    parts: StrList = Field(default_factory=list)
    lists: dict[str, EntryList] = Field(default_factory=dict)
    target: str | None = None
    targets: dict[str, Target] = Field(default_factory=_default_targets)
    language_models: dict[str, PlainDict] = Field(default_factory=dict)
    packages: list[PackageEntry] = Field(default_factory=list)
    on_run_start: StrList = Field(default_factory=list)
    on_run_end: StrList = Field(default_factory=list)
    models: _Folders = Field(default_factory=dict)
    seeds: _SeedFolders = Field(default_factory=dict)

    @property
    def default_target(self) -> str:
        """The target used without --target: `target:`, else the first of `targets:`."""
        return self.target or next(iter(self.targets), "dev")

    def target_settings(self, name: str | None = None) -> Target:
        """Settings of a target, the default one without a name.

        Raises:
            ProjectError: There is no such target.
        """
        name = name or self.default_target
        if name not in self.targets:
            raise ProjectError(
                f"target '{name}' is not defined",
                where=self.location.partition(":")[0],
                found=f"targets: {', '.join(self.targets)}",
                fix=unknown_fix(name, self.targets, otherwise="add it under targets:"),
            )
        return self.targets[name]

    def folder_layers(self, folder: Sequence[str], package: str = "") -> list[ModelConfig]:
        """Config that `models:` gives to models in a folder, outermost first.

        As in dbt, the tree may begin with the name of the project or of a package, and end with a model's.

        Args:
            folder: Its parts below the model path, such as ('staging', 'logs'); a model's name may be the last.
            package: Whose folder it is; the project's own by default.
        """
        paths = _folder_paths(tuple(folder), package or self.name, not package)
        return [self.models[path] for path in paths if path in self.models]

    def seed_layers(self, folder: Sequence[str], package: str = "") -> list[SeedConfig]:
        """`folder_layers` of `seeds:`."""
        paths = _folder_paths(tuple(folder), package or self.name, not package)
        return [self.seeds[path] for path in paths if path in self.seeds]


def _folder_paths(parts: tuple[str, ...], name: str, own: bool) -> list[tuple[str, ...]]:
    """The places of a config tree that speak of a folder, outermost first."""
    prefixes = [parts[:depth] for depth in range(len(parts) + 1)]
    if own:
        return [path for prefix in prefixes for path in ((name, *prefix), prefix)]
    return [(), *((name, *prefix) for prefix in prefixes)]


def with_packages(config: ProjectConfig, packages: Sequence[ProjectConfig]) -> ProjectConfig:
    """The project's settings over those that its packages bring: vars and language models."""
    if not packages:
        return config
    merged: dict[str, dict[str, Any]] = {}
    for name in ("vars", "language_models"):
        merged[name] = {}
        for layer in (*packages, config):
            merged[name] |= getattr(layer, name)
    combined = config.model_copy(update=merged)
    combined._place = config.place
    return combined


def find_project_file(project_dir: Path) -> Path:
    """project/project.yml, or project.yml, in a project's folder.

    Raises:
        ProjectError: There is none, or both.
    """
    found = [project_dir / name for name in _PROJECT_FILES if (project_dir / name).is_file()]
    if len(found) == 1:
        return found[0]
    if found:
        raise ProjectError(
            "there are two project files",
            where=str(project_dir),
            found=" and ".join(_PROJECT_FILES),
            fix="keep project/project.yml",
        )
    above = next((folder for folder in project_dir.resolve().parents if _is_project(folder)), None)
    raise ProjectError(
        "this is not a project: there is no project.yml",
        where=str(project_dir),
        found=f"neither {' nor '.join(_PROJECT_FILES)}",
        fix=f"pass --project-dir {above}"
        if above
        else "run 'llmi2i init DIR' or pass --project-dir",
    )


def _is_project(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _PROJECT_FILES)


def parse_project(document: Any, file: str, mistakes: Mistakes) -> ProjectConfig | None:
    """The project file's document as ProjectConfig, or None with the reasons in `mistakes`."""
    config = validate(ProjectConfig, document, mistakes, place=Place(file, 1, 1))
    if config is None:
        return None
    if not config.targets:
        mistakes.add(
            "targets: is empty",
            document.values_at["targets"],
            found="no target",
            fix="write targets: {dev: {type: duckdb}}, or remove the key",
        )
    elif config.target is not None and config.target not in config.targets:
        mistakes.add(
            f"target '{config.target}' is not defined",
            document.values_at["target"],
            found=f"targets: {', '.join(config.targets)}",
            fix=unknown_fix(config.target, config.targets, otherwise="add it under targets:"),
        )
    return config


# -- vars ------------------------------------------------------------------------------------------


def parse_vars_argument(text: str) -> dict[str, Any]:
    """The value of --vars, such as '{a: 1, b: x}', as a dict.

    Raises:
        ProjectError: It is not a YAML mapping.
    """
    mistakes = Mistakes()
    document = parse_yaml(text, "--vars", mistakes)
    raise_all(mistakes.in_order())
    fix = "write --vars '{name: value}'"
    if document is None:
        return {}
    if not isinstance(document, YamlMapping):
        raise ProjectError(
            "--vars must be a YAML mapping", where="--vars", found=describe(document), fix=fix
        )
    for key, value in document.items():
        if value is None and ":" in key:
            raise ProjectError(
                "--vars needs a space after each colon", where="--vars", found=key, fix=fix
            )
    return {key: plain(value) for key, value in document.items()}


def json_schema() -> dict[str, Any]:
    """JSON Schema of project.yml, for editors."""
    return ProjectConfig.model_json_schema()
