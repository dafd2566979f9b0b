"""`llmi2i completion SHELL`: the script that teaches a shell our commands and options, by click's own machinery."""

from __future__ import annotations

import re
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


def model_names(project_dir: str, typed: str) -> list[str]:
    """Models whose names begin as typed, graph operators before the name kept; none where there is no project.

    Only file names are looked at: a shell waits for the answer.
    """
    from llm_i2i.config.loader import find_files, load_project
    from llm_i2i.errors import LlmI2iError

    operator, start = re.fullmatch(r"(@|\d*\+)?(.*)", typed, re.DOTALL).groups("")  # type: ignore[union-attr]
    try:
        project = load_project(Path(project_dir))
        files = find_files(project.root, project.config.model_paths, (".sql",))
        return [operator + file.stem for file in files if file.stem.startswith(start)]
    except (LlmI2iError, OSError):
        return []
