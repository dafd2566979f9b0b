"""Habits of dbt and SQLMesh users: the command line says what to type."""

from __future__ import annotations

import pytest

from llm_i2i.cli import words
from llm_i2i.cli.group import COMMANDS
from llm_i2i.cli.main import main


def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str) -> str:
    monkeypatch.setattr("sys.argv", ["llmi2i", *line.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("run", "No such command 'run'. Instead: llmi2i build runs models"),
        ("fetchdf x", "No such command 'fetchdf'. Instead: llmi2i query SQL."),
        ("biuld", "No such command 'biuld'. Did you mean 'build'"),
        ("build --profile x", "No such option '--profile'. Targets are in project.yml"),
        ("build --thread 2", "No such option '--thread'. Did you mean '--threads'?"),
        ("--quiet build", "Options stand behind the command: llmi2i build --quiet"),
        ("--log-format json build", "behind the command: llmi2i build --log-format"),
    ],
)
def test_what_to_type_instead(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str, answer: str
) -> None:
    assert answer in said(monkeypatch, capsys, typed)


def test_list_is_ls(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no such project folder" not in said(monkeypatch, capsys, "list --output nam")
    monkeypatch.setattr("sys.argv", ["llmi2i", "list", "--project-dir", "nowhere"])
    with pytest.raises(SystemExit):
        main()
    assert "error: no such project folder" in capsys.readouterr().err


def test_no_command_of_ours_is_said_to_be_missing() -> None:
    assert not words.COMMANDS.keys() & COMMANDS.keys()
    assert set(words.ALIASES.values()) <= COMMANDS.keys()
    for text in words.COMMANDS.values():
        for command in text.split("llmi2i ")[1:]:
            assert command.split()[0].rstrip(":,;") in {*COMMANDS, "--version"}
