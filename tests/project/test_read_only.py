"""What reads, only reads: every write form of DuckDB 2.0, through each door there is."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.runner.environments.query import fetch_rows, open_catalogue, run_query
from llm_i2i.runner.inspection.calls import Filter, export_calls, forget_calls, list_calls
from llm_i2i.runner.inspection.calls import call_rows as rows_of_calls
from llm_i2i.runner.project import Project
from tests.project.conftest import ShopProject
from tests.write_forms import STATEMENTS

READING = [
    "from events limit 1",
    "select count(*) from events",
    "with recursive n as (select 1 as a union all select a + 1 from n where a < 3) from n",
    "describe events",
    "summarize events",
    "show tables",
    "values (1)",
    "table events",
    "explain select 1",
    "explain analyze from events",
    "explain (format json) select 1",
    "explain (select 1)",
    "pivot events on item_id in ('i0', 'i1') using count(*)",
    "-- what comes first\nselect 1 -- and last",
    "select 'copy x to y; drop table z', $$;$$",
    "from query_table('events')",
    "from events e join kept k using (user_id)",
]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    shop = ShopProject(tmp_path_factory.mktemp("built"))
    (shop.dir / "outside").mkdir()
    assert Project.load(shop.dir).build().success
    return Project.load(shop.dir)


def written(statement: str, project: Project) -> str:
    store, outside = project.store.root.resolve(), (project.dir / "outside").resolve()
    data = (project.dir / "data/log.csv").resolve()
    return statement.format(store=store, outside=outside, data=data)


def files(folder: Path) -> dict[str, str]:
    """Every file of the project with its digest; caches and scratch of the tool itself left out."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "cache" not in path.relative_to(folder).parts
    }


def refused(call: Any) -> LlmI2iError:
    with pytest.raises(LlmI2iError) as caught:
        call()
    error: LlmI2iError = caught.value
    assert error.what
    assert len(error.what) < 400
    return error


def test_query_refuses_every_write_form(built: Project) -> None:
    before = files(built.dir)
    connection = open_catalogue(built.environment, built.store)
    for statement in STATEMENTS:
        sql = written(statement, built)
        refused(lambda sql=sql: fetch_rows(run_query(connection, sql, ["events"])))
    assert files(built.dir) == before
    assert built.rows("select count(*) from events")[1] == [(60,)]


def test_what_is_a_statement_that_writes_says_so(built: Project) -> None:
    error = refused(
        lambda: built.rows(written("with x as (copy (select 1) to '{store}/x') from x", built))
    )
    assert error.what == "query takes one reading statement"
    assert error.fix == "write one select, from, describe or show"
    error = refused(lambda: built.rows("pivot events on item_id using count(*)"))
    assert "name the values" in error.fix


@pytest.mark.parametrize("sql", READING)
def test_what_reads_is_let_through(built: Project, sql: str) -> None:
    columns, rows = built.rows(sql)
    assert columns
    assert rows


def test_inline_sql_of_show_and_shell_is_no_other_door(
    built: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    from llm_i2i.cli.shell import Shell

    before = files(built.dir)
    shell = Shell(built, "table", 10)
    for statement in STATEMENTS[::8]:
        sql = written(statement, built)
        inline = built.render("{{ '' }}" + sql)
        assert inline == sql
        capsys.readouterr()
        shell.failed = False
        shell.run(sql)
        assert shell.failed, sql
        assert capsys.readouterr().out == ""
    assert files(built.dir) == before


def test_a_condition_on_calls_only_reads(built: Project, tmp_path: Path) -> None:
    found = list_calls(built)[0]
    before = files(built.dir)
    for where in (
        "true; copy (select 1) to '{store}/x.csv'",
        "true); copy (select 1) to '{store}/x.csv'; select (1",
        "call_key in (from json_execute_serialized_sql(json_serialize_sql('select 1')))",
        "exists (with x as (copy (select 1) to '{store}/x.csv') from x)",
    ):
        wanted = Filter(where=written(where, built))
        assert "no condition" in refused(lambda w=wanted: rows_of_calls(built, found, w.where)).what
        assert (
            "no condition" in refused(lambda w=wanted: forget_calls(built, w, dry_run=False)).what
        )
        assert (
            "no condition"
            in refused(lambda w=wanted: export_calls(built, w, tmp_path / "calls.csv")).what
        )
    assert files(built.dir) == before
    assert len(rows_of_calls(built, found, "result >= 0")[1]) == found.calls


def test_a_session_has_no_database_to_write_to(built: Project) -> None:
    relation = built.query("select database_name from duckdb_databases() where not internal")
    assert relation.fetchall() == [("dev",)]
    assert built.rows("select current_setting('autoinstall_known_extensions')")[1] == [(False,)]


def test_times_with_a_zone_are_shown(built: Project) -> None:
    when = "timestamptz '2024-01-02 03:04:05+00'"
    assert built.rows(f"select 1 as a, {when} as at")[1][0][1].startswith("2024-01-0")
    try:
        import pytz  # type: ignore[import-untyped]  # noqa: F401
    except ImportError:
        assert "cast it to text" in refused(lambda: built.rows(f"select [{when}]")).fix


def test_control_characters_of_data_do_not_reach_a_terminal() -> None:
    from llm_i2i.cli.output import render_table

    text = render_table(["a"], [["\x1b[31mred\x07\r\n\x9b2J é 鮨 \u2028"]])
    assert "\x1b" not in text
    assert "\\x1b[31mred\\x07\\r\\n\\x9b2J é 鮨 \\u2028" in text
