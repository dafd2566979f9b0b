"""`llmi2i` alone tells what comes next in this folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from llm_i2i.cli.group import COMMANDS
from llm_i2i.cli.main import cli
from llm_i2i.cli.next_steps import next_steps


def told(monkeypatch: pytest.MonkeyPatch, folder: Path) -> str:
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(cli, [])
    assert done.exit_code == 0
    return done.stdout


def test_it_fits_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "llmi2i init shop" in told(monkeypatch, tmp_path)
    (tmp_path / "project").mkdir()
    (tmp_path / "project/project.yml").write_text("name: shop\n")
    assert "llmi2i plan" in told(monkeypatch, tmp_path)
    (tmp_path / "target").mkdir()
    (tmp_path / "target/dev.duckdb").touch()
    text = told(monkeypatch, tmp_path)
    assert 'llmi2i query "from metrics_summary"' in text
    assert "llmi2i init" not in text
    assert max(map(len, text.splitlines())) <= 100


def test_its_commands_are_there(tmp_path: Path) -> None:
    for command, _ in next_steps(tmp_path):
        assert command.split("llmi2i ")[1].split()[0] in COMMANDS
