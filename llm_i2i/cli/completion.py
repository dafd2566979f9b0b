"""`llmi2i completion SHELL`: the script that teaches a shell our commands and options, by click's own machinery."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import click
from click.shell_completion import get_completion_class

PROGRAM, VARIABLE = "llmi2i", "_LLMI2I_COMPLETE"
INSTALL = {
    "bash": 'eval "$(llmi2i completion bash)"  in ~/.bashrc',
    "zsh": 'eval "$(llmi2i completion zsh)"  in ~/.zshrc',
    "fish": "llmi2i completion fish > ~/.config/fish/completions/llmi2i.fish",
}


def completion_script(cli: click.Command, shell: str) -> str:
    """The source of a shell's completion."""
    found = get_completion_class(shell)
    assert found is not None  # click.Choice lets only its shells through
    return found(cli, {}, PROGRAM, VARIABLE).source()


class Offers:
    """What a shell offers behind an option of a project: names that begin as typed; none where there is no project.

    Only names in files are looked at: a shell waits for the answer.
    """

    def __init__(self, project_dir: str, target_path: str | None = None) -> None:
        self._dir = Path(project_dir)
        self._target_path = target_path

    def models(self) -> list[str]:
        from llm_i2i.config.loader import find_files, load_project

        project = load_project(self._dir)
        files = find_files(project.root, project.config.model_paths, (".sql",))
        return [file.stem for file in files if not project.is_left_out(file)]

    def environments(self) -> list[str]:
        """Those that were published."""
        from llm_i2i.config.loader import load_project
        from llm_i2i.store.environment import environment_names

        folder = self._target_path or load_project(self._dir).config.target_path
        return environment_names(self._dir / folder)

    def targets(self) -> list[str]:
        from llm_i2i.config.loader import load_project

        return list(load_project(self._dir).config.targets)

    def vars(self) -> list[str]:
        from llm_i2i.config.loader import load_project

        return load_project(self._dir).var_settings.known

    def selectors(self) -> list[str]:
        from llm_i2i.config.project import find_project_file
        from llm_i2i.config.selectors import load_selectors

        return list(load_selectors(find_project_file(self._dir), self._dir))


def offered(names: Callable[[], list[str]], typed: str) -> list[str]:
    """The names that begin as typed; graph operators before what is typed are kept, as in `2+scored`."""
    from llm_i2i.errors import LlmI2iError

    operator, start = re.fullmatch(r"(@|\d*\+)?(.*)", typed, re.DOTALL).groups("")  # type: ignore[union-attr]
    try:
        return [operator + name for name in names() if name.startswith(start)]
    except (LlmI2iError, OSError):
        return []
