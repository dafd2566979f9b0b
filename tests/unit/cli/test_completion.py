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
    assert offered(f"export {place}", "ke") == ["kept"]
    assert offered("build --project-dir /nowhere -s", "s") == []


def test_values_of_options_are_offered(tmp_path: Path) -> None:
    shop = ShopProject(tmp_path)
    shop.replace("project/project.yml", "targets: {", "targets: {big: {type: duckdb}, ")
    selector = "{name: nightly, definition: 'tag:log'}, {name: daily, definition: kept}"
    shop.write("project/selectors.yml", f"selectors: [{selector}]\n")
    place = f"--project-dir {tmp_path}"
    assert offered(f"build {place} --env", "") == []  # nothing is published
    for env in ("dev", "prod"):
        shop.write(f"target/envs/{env}.json", "{}")
        shop.write(f"elsewhere/envs/{env}2.json", "{}")
    assert offered(f"build {place} --env", "") == ["dev", "prod"]
    assert offered(f"query {place} --target-path elsewhere --env", "p") == ["prod2"]
    assert offered(f"diff {place} dev", "p") == ["prod"]
    assert offered(f"rollback {place}", "d") == ["dev"]
    assert offered(f"build {place} --target", "") == ["big", "dev"]
    assert offered(f"ls {place} --selector", "n") == ["nightly"]
    shop.write("project/selectors.yml", "selectors: {\n")
    assert offered(f"ls {place} --selector", "n") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_asks_our_program(shell: str) -> None:
    result = CliRunner().invoke(cli, ["completion", shell])
    assert result.exit_code == 0
    assert f"{VARIABLE}={shell}_complete" in result.output
    program = shutil.which(shell)
    if program and shell != "fish":
        subprocess.run([program, "-n"], input=result.output, text=True, check=True)
