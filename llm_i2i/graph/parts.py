"""Where the files of a project and of its packages stand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from llm_i2i.config.loader import LoadedProject, find_files


def files_of(part: LoadedProject, paths: str, suffix: str) -> Iterator[Path]:
    """Files of one kind of a project or package, without the parts it leaves out; `paths` is the setting that says where."""
    for file in find_files(part.root, getattr(part.config, paths), (suffix,)):
        if not part.is_left_out(file):
            yield file


def folder_of(
    project: LoadedProject, part: LoadedProject, path: str, roots: Iterable[str]
) -> tuple[str, ...]:
    """Folders of a file below the model (or seed) path it stands under."""
    absolute = project.root / path
    own = absolute.relative_to(part.root) if absolute.is_relative_to(part.root) else absolute
    folder = own.parts[:-1]
    for root in roots:
        prefix = Path(root).parts
        if folder[: len(prefix)] == prefix:
            return folder[len(prefix) :]
    return folder
