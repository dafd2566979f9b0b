"""Shell completion by click's machinery."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner

from llm_i2i.cli.completion import PROGRAM, VARIABLE
from llm_i2i.cli.main import cli
from tests.project.conftest import ShopProject


def offered(words: str, typed: str) -> list[str]:
    complete = BashComplete(cli, {}, PROGRAM, VARIABLE)
    return [item.value for item in complete.get_completions(words.split(), typed)]


def test_commands_options_and_models_are_offered(tmp_path: Path) -> None:
    ShopProject(tmp_path)
    place = f"--project-dir {tmp_path}"
    assert {"build", "lineage", "docs", "shell"} <= set(offered("", ""))
    assert offered("build", "--full") == ["--full-refresh"]
    assert offered("completion", "") == ["bash", "zsh", "fish"]
    assert offered(f"build {place} --select", "s") == ["scored"]
    assert offered(f"build {place} -s", "2+tr") == ["2+trained"]
    assert offered(f"lineage {place}", "ke") == ["kept"]
    assert offered("build --project-dir /nowhere -s", "s") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_asks_our_program(shell: str) -> None:
    result = CliRunner().invoke(cli, ["completion", shell])
    assert result.exit_code == 0
    assert f"{VARIABLE}={shell}_complete" in result.output
    program = shutil.which(shell)
    if program and shell != "fish":
        subprocess.run([program, "-n"], input=result.output, text=True, check=True)
