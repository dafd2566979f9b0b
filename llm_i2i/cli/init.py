"""`llmi2i init DIR`: a running project of the reference project's shape."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from llm_i2i.config.parts import PART_FILE, Part, find_parts
from llm_i2i.config.yaml_text import Mistakes
from llm_i2i.errors import ProjectError, closest, raise_all
from llm_i2i.runner.artifacts.schemas import FOLDER, write_schemas

# What a new project gets of the reference project. The wheel carries the same (pyproject.toml, held by a test).
CARRIED = (
    ".sqlfluff",
    "models",
    "udfs",
    "project/project.yml",
    "project/arms.yml",
    "project/experiments.yml",
    "project/report.yml",
    "project/deepspeed",
    "project/macros",
    "project/prompts",
    "project/sqlfluff_context",
    "project/seeds",
    "project/docs/models.md",
    "project/docs/changes.md",
    "project/docs/method.md",
    "project/docs/your_own_log.md",
    "project/docs/data.md",
    "project/docs/project_tool.md",
    "project/docs/experiments.md",
    "project/docs/report.md",
    "project/docs/prompts.md",
    "project/docs/language_models.md",
    "project/docs/llama2.md",
    "project/docs/glossary.md",
    "project/docs/how_it_works.md",
    "project/docs/command_line.md",
    "project/docs/backbones.md",
    "project/docs/environments.md",
    "project/docs/graph.md",
    "project/docs/llm_cf.md",
    "project/docs/online.md",
    "project/docs/scale.md",
    "project/docs/serving.md",
    "project/docs/spark.md",
    "project/docs/testing.md",
    "project/docs/assistant.md",
    "llms.txt",
)
ASSISTANT = "assistant"  # `--with assistant`: not a part, but these pages for whoever works with an assistant
ASSISTANT_PAGES = ("llms.txt", "project/docs/assistant.md")
EXPERIMENTS = "project/experiments.yml"
IGNORED = "target/\n__pycache__/\n"
README = """# {name}

An llm_i2i project: `project/project.yml` has the settings that matter first (`llmi2i vars` lists all), `models/` the SQL, `udfs/` the Python functions that SQL calls.

    llmi2i debug            # what is installed, what is missing
    llmi2i plan             # what a build would do, and why
    llmi2i build            # log -> long tail -> generator -> discriminator -> fusion -> i2i_index -> metrics
    llmi2i query "from metrics_summary"

Your own log instead of the made-up shop: `project/docs/your_own_log.md`.
"""
_UNWANTED = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")
_STAGING = ".llmi2i-init"  # where the project is prepared: a folder holds all of it or nothing


def init(folder: Path, parts: Iterable[str] = ()) -> None:
    """Write the project and say how to go on.

    Args:
        parts: Optional parts that come with it, and `assistant` for the pages that assistants read; `all` for everything.

    Raises:
        ProjectError: The folder has something in it, or cannot be written; a part does not exist, or needs another.
    """
    _check_empty(folder)
    optional = optional_parts(carried_root())
    asked = set(parts)
    chosen = choose_parts(optional, asked - {ASSISTANT})
    left_out = () if {ASSISTANT, "all"} & asked else ASSISTANT_PAGES
    name = project_name(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        staging = folder / _STAGING
        try:
            _write_project(staging, name, optional, chosen, left_out)
            for path in sorted(staging.iterdir()):
                path.rename(folder / path.name)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise ProjectError(
            "the project cannot be written", where=str(folder), found=str(error)
        ) from error
    click.echo(_next_steps(folder, name), err=True)


def project_name(folder: Path) -> str:
    """The folder's name as an identifier."""
    name = re.sub(r"\W+", "_", folder.resolve().name, flags=re.ASCII).strip("_").lower()
    return name if name and not name[0].isdigit() else f"project_{name}".rstrip("_")


def carried_root() -> Path:
    """Where the files of a new project come from: package data of an installed wheel, the repository of a checkout."""
    package = Path(__file__).parents[1]
    roots = (package / "scaffold", package.parent)
    for root in roots:
        if (root / "project" / "project.yml").is_file():
            return root
    raise ProjectError(
        "this installation of llm_i2i carries no project",
        where=str(roots[0]),
        found="no project/project.yml",
        fix="install the wheel again: pip install --force-reinstall llm_i2i",
    )


def optional_parts(root: Path) -> dict[str, Part]:
    """By name, those a project may leave out."""
    mistakes = Mistakes()
    found = list(
        find_parts(root, ["models"], lambda path: path.relative_to(root).as_posix(), mistakes)
    )
    raise_all(mistakes.in_order())
    return {part.name: part for part in found if part.file.optional}


def choose_parts(optional: dict[str, Part], asked: Iterable[str]) -> list[str]:
    """The parts asked for, in the order of their names.

    Raises:
        ProjectError: One does not exist, or needs another that is not asked for; all mistakes together.
    """
    names = set(asked)
    if "all" in names:
        return sorted(optional)
    errors = []
    for name in sorted(names):
        if name not in optional:
            near = closest(name, optional, count=1)
            errors.append(
                ProjectError(
                    f"there is no part '{name}'",
                    where="--with",
                    found=f"parts: {', '.join(optional) or 'none'}",
                    fix=f"did you mean {near}?" if near else "name some of these, or all",
                )
            )
            continue
        needed = [other for other in optional[name].file.requires if other not in names]
        if needed:
            errors.append(
                ProjectError(
                    f"part '{name}' needs {', '.join(needed)}",
                    where="--with",
                    found=", ".join(sorted(names)),
                    fix=f"llmi2i init DIR --with {','.join(sorted({*names, *needed}))}",
                )
            )
    raise_all(errors)
    return sorted(names)


def _keep_parts(folder: Path, optional: dict[str, Part], chosen: list[str]) -> None:
    """Remove what belongs only to parts that were not chosen, and list the others in project.yml."""
    kept = {path for name in chosen for path in optional[name].file.files}
    for name, part in optional.items():
        if name in chosen:
            continue
        shutil.rmtree(folder / "models" / name, ignore_errors=True)
        for path in set(part.file.files) - kept:
            if (folder / path).is_dir():
                shutil.rmtree(folder / path)
            else:
                (folder / path).unlink(missing_ok=True)
    if set(chosen) != set(optional):
        # the tables and figures of the paper: they set vars of all parts.
        (folder / EXPERIMENTS).unlink(missing_ok=True)
    settings = folder / "project" / "project.yml"
    text = settings.read_text(encoding="utf-8")
    line = f"parts: [{', '.join(chosen)}]"
    settings.write_text(
        re.sub(r"^parts:.*$", line, text, count=1, flags=re.MULTILINE), encoding="utf-8"
    )


def _check_empty(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise ProjectError(
            "this is a file", where=str(folder), fix="name a folder: llmi2i init shop"
        )
    found = sorted(p.name for p in folder.iterdir() if p.name != ".git") if folder.is_dir() else []
    if found:
        raise ProjectError(
            "the folder is not empty",
            where=str(folder),
            found=", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else ""),
            fix="name a new or empty folder: nothing is ever written over",
        )


def _write_project(
    folder: Path, name: str, optional: dict[str, Part], chosen: list[str], left_out: tuple[str, ...]
) -> None:
    root = carried_root()
    for part in CARRIED:
        if part in left_out:
            continue
        source, copy = root / part, folder / part
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=_UNWANTED)
        else:
            shutil.copy(source, copy)
    settings = folder / "project" / "project.yml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(
        re.sub(r"^name: .*$", f"name: {name}", text, count=1, flags=re.MULTILINE), encoding="utf-8"
    )
    (folder / ".gitignore").write_text(IGNORED, encoding="utf-8")
    (folder / "README.md").write_text(README.format(name=name), encoding="utf-8")
    _keep_parts(folder, optional, chosen)
    write_schemas(folder)  # with the vars of the parts that are left
    for path, kind in _yaml_files(folder):
        _name_schema(path, folder / FOLDER / f"{kind}.json")


def _yaml_files(folder: Path) -> Iterator[tuple[Path, str]]:
    """YAML files of a project with the schema of each."""
    for kind in ("project", "experiments", "report"):
        if (folder / "project" / f"{kind}.yml").is_file():
            yield folder / "project" / f"{kind}.yml", kind
    for path in sorted((folder / "models").rglob("*.yml")):
        yield path, "part" if path.name == PART_FILE else "properties"


def _name_schema(path: Path, schema: Path) -> None:
    """Put the line that editors look for before a file's own first line."""
    place = Path(os.path.relpath(schema, path.parent)).as_posix()
    text = path.read_text(encoding="utf-8")
    path.write_text(f"# yaml-language-server: $schema={place}\n{text}", encoding="utf-8")


def _next_steps(folder: Path, name: str) -> str:
    enter = "" if folder.resolve() == Path.cwd() else f"  cd {folder}\n"
    return (
        f"Created project {name!r} in {folder}.\n\nNext:\n{enter}"
        "  llmi2i debug                                        # what is installed, what is missing\n"
        "  llmi2i build --vars '{language_model: fake}'        # all of it in a minute, with made-up answers\n"
        "  llmi2i build                                        # trains real models; needs pip install 'llm_i2i[local]'\n"
        '  llmi2i query "from metrics_summary"\n\n'
        "Your own log: project/docs/your_own_log.md. All settings: llmi2i vars."
    )
