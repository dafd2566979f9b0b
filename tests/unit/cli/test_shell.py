"""The SQL prompt: what it suggests, how statements end, what it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_i2i.cli.shell import Shell, _completer, _reader, read_tables, statements, suggest
from llm_i2i.runner.project import Project
from tests.project.conftest import ShopProject

TABLES = {
    "scored": {"user_id": "VARCHAR", "score": "DOUBLE"},
    "swing": {"item_id": "VARCHAR", "score": "FLOAT"},
}


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("from s", ["scored", "swing"]),
        ("select * from scored as a join s", ["scored", "swing"]),
        ("select a.| from scored as a", ["user_id", "score"]),
        ("select scored.s| from scored", ["score"]),
        ("select u| from scored", ["user_id", "using", "union"]),
        ("select i| from scored", ["inner", "in", "is", "ilike"]),
        ("select i| from swing b", ["item_id", "inner", "in", "is", "ilike"]),
        ("select it", ["item_id"]),
        ("se", ["select"]),
        ("select x.", []),
        ("select ", []),
        ("\\d sw", ["swing"]),
        ("select * from {{ ref('sw", ["swing"]),
    ],
)
def test_suggestions_fit_the_place(typed: str, wanted: list[str]) -> None:
    before, _, after = typed.partition("|")
    found = list(suggest(before, after, TABLES))
    assert [s.text for s in found] == wanted
    assert all(before.endswith(s.text[: s.length]) for s in found)


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        (["select 1;"], ["select 1;"]),
        (["select", "", "1", ";"], ["select\n\n1\n;"]),
        (["select ';' -- ;", "; select 2;"], ["select ';' -- ;\n;", " select 2;"]),
        (["\\d scored", "select 1"], ["\\d scored", "select 1"]),
        (["", "exit"], ["exit"]),
        (["select", None, "select 2;"], ["select 2;"]),
    ],
)
def test_statements_end_at_a_semicolon(lines: list[str | None], wanted: list[str]) -> None:
    waiting = iter(lines)

    def read(prompt: str) -> str:
        line = next(waiting, EOFError)
        if line is EOFError:
            raise EOFError
        if line is None:
            raise KeyboardInterrupt
        return str(line)

    assert list(statements(read)) == wanted


def test_it_reads_what_is_published_and_writes_nothing(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = ShopProject(tmp_path_factory.mktemp("shop"))
    project = Project.load(shop.dir)
    assert project.build(select="+events").success
    assert read_tables(project) == {
        "events": {"user_id": "VARCHAR", "item_id": "VARCHAR", "position": "BIGINT"}
    }
    shell = Shell(project, "csv", 2)
    assert shell.run("select count(*) as n from {{ ref('events') }};")
    assert capsys.readouterr().out.split() == ["n", "60"]
    assert shell.run("from events")
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 3
    assert "(the first 2;" in shown.err
    assert shell.run("help;")
    assert "columns of a table" in capsys.readouterr().out
    assert shell.run("\\d events")
    assert "position,BIGINT" in capsys.readouterr().out
    assert not shell.failed
    assert shell.run("create table t as select 1")
    assert shell.failed
    assert "query takes one reading statement" in capsys.readouterr().err
    assert shell.run("\\d event")
    assert "did you mean 'events'?" in capsys.readouterr().err
    assert project.build().success
    assert shell.run("select count(*) as n from kept")  # published since
    assert capsys.readouterr().out.split()[0] == "n"
    assert not shell.run("\\q")


def test_prompt_toolkit_completes_at_the_prompt(tmp_path: Path) -> None:
    pytest.importorskip(
        "prompt_toolkit", reason="needs prompt_toolkit: pip install 'llm_i2i[shell]'"
    )
    from prompt_toolkit.application import create_app_session
    from prompt_toolkit.completion import CompleteEvent
    from prompt_toolkit.document import Document
    from prompt_toolkit.input import create_pipe_input
    from prompt_toolkit.output import DummyOutput

    project = Project.load(ShopProject(tmp_path).dir)
    project.build(select="events")
    shell = Shell(project, "table", 10)
    found = list(_completer(shell).get_completions(Document("from ev"), CompleteEvent()))
    assert [(c.text, c.start_position, c.display_meta_text) for c in found] == [("events", -2, "table")]  # fmt: skip
    with create_pipe_input() as typing, create_app_session(input=typing, output=DummyOutput()):
        read = _reader(shell)
        typing.send_text("from events;\r")
        assert read("> ") == "from events;"
        typing.send_text("\x04")
        with pytest.raises(EOFError):
            read("> ")
    assert "from events" in (project.target_dir / "cache" / "shell_history").read_text()


def test_statements_from_a_pipe(tmp_path_factory: pytest.TempPathFactory) -> None:
    import subprocess
    import sys

    shop = ShopProject(tmp_path_factory.mktemp("shop"))
    Project.load(shop.dir).build(select="+events")
    command = [sys.executable, "-m", "llm_i2i", "shell", "--project-dir", str(shop.dir), "--output", "json"]  # fmt: skip
    typed = "select 1 as a;\nfrom event;\nselect 2\n as b;"
    found = subprocess.run(command, input=typed, capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert found.stdout.split() == ["[", "{", '"a":', "1", "}", "]", "[", "{", '"b":', "2", "}", "]"]  # fmt: skip
    assert found.stderr.startswith("error: Catalog Error: Table with name event does not exist!")
    assert "llmi2i>" not in found.stdout + found.stderr
