"""The page for assistants says nothing that is not so: its project builds, and its commands, vars, tables and files exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from llm_i2i.cli.group import repeat_options
from llm_i2i.cli.main import cli
from llm_i2i.runner.project import Project

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "project/docs/assistant.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = [line for kind, block in BLOCKS if not kind for line in block.splitlines()]
NAMED = re.compile(r"\A(?:#|--|\{#) ((?:project|models|udfs)/[\w/.]+)")


def test_its_project_builds_and_its_tests_pass(tmp_path: Path) -> None:
    for _, block in BLOCKS:
        if found := NAMED.match(block):
            path = tmp_path / found[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.removeprefix("{# project/prompts/user.jinja #}\n"))
    rows = [f"u{user},i{place},{place}" for user in range(4) for place in range(user + 1)]
    (tmp_path / "data").mkdir()
    (tmp_path / "data/log.csv").write_text("\n".join(["user_id,item_id,position", *rows]))
    project = Project.load(tmp_path)
    result = project.build()
    assert result.success, result
    assert {outcome.step.node.name for outcome in result.nodes} >= {"item_counts", "user_counts", "kept_users"}  # fmt: skip
    assert project.rows("select count(*) from kept_users")[1] == [(4,)]
    assert len([c for c in project.test(select="test_type:unit") if c.status == "PASS"]) == 2


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_is_one_of_ours(line: str) -> None:
    words = shlex.split(line)
    assert words.pop(0) == "llmi2i"
    context = click.Context(cli, info_name="llmi2i")
    group: click.Group = cli
    while isinstance(command := group.get_command(context, words.pop(0)), click.Group):
        group = command
    assert command is not None
    command.make_context(command.name, repeat_options(command, words))


def test_its_vars_tables_and_files_are_there(reference_project: Project) -> None:
    declared = set(reference_project.loaded.var_settings.declared)
    tables = set(reference_project.manifest.nodes) | set(reference_project.manifest.disabled)
    main_path = re.search(r"Its main path: (.*?)\.\n", TEXT)
    assert main_path is not None
    assert set(re.findall(r"`(\w+)`", main_path[1])) <= tables
    rows = re.findall(r"\| [^|]+ \| [^|]*\bvars? ([^|;]+)", TEXT.split("## The reference project")[1])  # fmt: skip
    assert len(rows) > 5
    vars = {name for row in rows for name in re.findall(r"`(\w+)(?:: \w+)?`", row)}
    assert vars <= declared
    for path in re.findall(r"`((?:project|models)/[a-z_/]+\.(?:yml|sql))`", TEXT):
        assert (ROOT / path).is_file(), path
