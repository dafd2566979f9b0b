"""`llmi2i build --watch`: build, wait until a file of the project changes, build again."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from llm_i2i.config.loader import LoadedProject, load_project

SECONDS = 0.3  # between two looks at the files
Stamp = dict[Path, tuple[int, int]]


def watch(project_dir: Path, arguments: Sequence[str]) -> None:
    """Build in a process of its own each time, so that changed UDFs are read afresh. Ends with Ctrl-C alone.

    Args:
        arguments: Those of `build`, without --watch.
    """
    watched = watched_places(load_project(project_dir))
    while True:
        before = stamp(watched)
        subprocess.run([sys.executable, "-m", "llm_i2i", "build", *arguments], check=False)
        click.echo("watching; Ctrl-C ends it", err=True)
        changed = wait_for_change(watched, before)
        click.echo(f"\nchanged: {', '.join(sorted(p.name for p in changed)[:3])}", err=True)


def watched_places(loaded: LoadedProject) -> list[Path]:
    """Folders and files of a project, and of the packages it uses, that say what is built."""
    found: list[Path] = []
    for part in loaded.parts:
        config = part.config
        names = [*config.model_paths, *config.macro_paths, *config.udf_paths, *config.prompt_paths, *config.seed_paths, *config.test_paths, "project", "project.yml"]  # fmt: skip
        lists = [config.lists, *(folder.file.lists for folder in part.folders)]
        names += [value for one in lists for value in one.values() if isinstance(value, str)]
        found += [part.root / name for name in names]
    return list(dict.fromkeys(found))


def stamp(places: Iterable[Path]) -> Stamp:
    """Time and size of every file at or under the places; editors' and interpreters' own files are left out."""
    found: Stamp = {}
    for place in places:
        for path in [place] if place.is_file() else place.rglob("*"):
            if path.name.startswith((".", "#")) or path.name.endswith("~") or "__pycache__" in path.parts:  # fmt: skip
                continue
            try:
                status = path.stat()
            except OSError:  # gone since it was listed
                continue
            if path.is_file():
                found[path] = (status.st_mtime_ns, status.st_size)
    return found


def wait_for_change(places: Sequence[Path], before: Stamp) -> set[Path]:
    """The files that are new, gone or different; waits until an editor has written them all."""
    while (now := stamp(places)) == before:
        time.sleep(SECONDS)
    while True:
        time.sleep(SECONDS)
        later = stamp(places)
        if later == now:
            return {p for p in before.keys() | now.keys() if before.get(p) != now.get(p)}
        now = later
