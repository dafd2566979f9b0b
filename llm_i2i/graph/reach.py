"""YAML that speaks of what is not there: config for no folder, documentation of no macro."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from llm_i2i.config.loader import LoadedProject, shown_path
from llm_i2i.errors import LlmI2iError, ProjectError, closest, raise_all
from llm_i2i.graph.parts import files_of, folder_of

if TYPE_CHECKING:
    from llm_i2i.render.environment import MacroLibrary


def check_folders(
    project: LoadedProject, models_of: Mapping[str, list[str] | None], errors: list[LlmI2iError]
) -> None:
    """Config of project.yml for a folder or model that is not there reaches nothing: most often a misspelling.

    Args:
        models_of: Path of a model's file -> the names of its models.
    """
    for section, roots, suffix in (
        ("models", "model_paths", ".sql"),
        ("seeds", "seed_paths", ".csv"),
    ):
        if not getattr(project.config, section):
            continue
        known: dict[tuple[str, ...], None] = {(): None}
        for part in project.parts:
            for file in files_of(part, roots, suffix):
                shown = shown_path(file, project.root)
                folders = folder_of(project, part, shown, getattr(part.config, roots))
                paths = [folders[:depth] for depth in range(len(folders) + 1)]
                paths += [(*folders, name) for name in (file.stem, *(models_of.get(shown) or ()))]
                for path in paths:
                    known[(part.config.name, *path)] = None
                    if part is project:
                        known[path] = None
        for folder, config in getattr(project.config, section).items():
            if folder not in known and folder != (project.config.name,):
                near = closest("/".join(folder), ["/".join(path) for path in known])
                errors.append(
                    ProjectError(
                        f"config for {'/'.join(folder)!r} under {section}: reaches nothing",
                        where=config.location,
                        found=f"no such folder, model or package among the {section}",
                        fix=f"did you mean {near}?" if near else "correct the name or remove it",
                    )
                )


def check_documented_macros(parts: Iterable[LoadedProject], macros: MacroLibrary) -> None:
    """YAML about macros must speak of macros that exist, and of arguments that they take."""
    errors: list[LlmI2iError] = []
    for properties in (p for part in parts for p in part.properties.macros.values()):
        name = properties.name
        macro = macros.get(name)
        if macro is None:
            near = closest(name, macros)
            errors.append(
                ProjectError(
                    f"properties describe a macro {name!r} that does not exist",
                    where=properties.location,
                    found=f"{len(list(macros))} macros" + (f", closest {near}" if near else ""),
                    fix=f"did you mean {near}?" if near else "remove the entry or add the macro",
                )
            )
            continue
        for argument in properties.arguments:
            if argument.name not in macro.arguments and not macro.is_open:
                near = closest(argument.name, macro.arguments, count=1)
                errors.append(
                    ProjectError(
                        f"macro {name!r} has no argument {argument.name!r}",
                        where=argument.location,
                        found=f"{macro.signature} at {macro.location}",
                        fix=f"did you mean {near}?" if near else "remove it",
                    )
                )
    raise_all(errors)
