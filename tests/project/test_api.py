"""The Python API: doctests that run, results as Arrow, pandas and polars, tables in notebooks."""

from __future__ import annotations

import doctest
import os
from pathlib import Path

import pytest

import llm_i2i
from llm_i2i import Project, api
from llm_i2i.cli.init import init
from llm_i2i.errors import ProjectError
from llm_i2i.tabular import Records, html_table
from tests.project.conftest import ShopProject


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Built once, and only read."""
    project = Project.load(ShopProject(tmp_path_factory.mktemp("shop")).dir)
    assert project.build().success
    return project


def test_the_examples_of_the_documentation_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    init(tmp_path / "shop")
    monkeypatch.chdir(tmp_path)
    options = doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL
    found = doctest.testmod(api, optionflags=options)
    assert found.failed == 0
    assert found.attempted >= 10
    assert Path(os.getcwd()) == tmp_path


def test_import_is_cheap_until_project_is_used() -> None:
    assert "Project" not in vars(llm_i2i)  # made by __getattr__


def test_what_a_console_shows(built: Project) -> None:
    assert repr(built) == f"<project shop in {built.dir}, target dev, environment dev>"
    assert repr(built.test("kept")) == "<3 tests: PASS=3 WARN=0 FAIL=0 ERROR=0>"


def test_rows_in_every_form(built: Project) -> None:
    rows = built.query("from kept order by user_id limit 3")
    assert rows.columns == ["user_id", "score"]
    tuples = rows.fetchall()
    assert list(rows) == tuples
    assert [tuple(record.values()) for record in rows.records()] == tuples
    assert [tuple(r.values()) for r in rows.arrow().to_pylist()] == tuples
    assert [tuple(r) for r in rows.df().itertuples(index=False)] == tuples
    assert rows.pl().rows() == tuples
    assert rows.limit(1).fetchall() == tuples[:1]


def test_two_results_may_be_open_at_once(built: Project) -> None:
    first = built.query("select count(*) from kept")
    second = built.query("select count(*) from events")
    assert second.fetchall() == [(60,)]
    assert first.fetchall()[0][0] <= 20
    with pytest.raises(ProjectError, match="reading statement"):
        built.query("set enable_external_access = true")


def test_nothing_is_read_before_it_is_asked_for(built: Project) -> None:
    rows = built.query("select error('read') as x from kept")
    assert rows.columns == ["x"]
    with pytest.raises(ProjectError, match="read"):
        rows.arrow()
    with pytest.raises(ProjectError, match="read"):
        rows.fetchall()


def test_a_notebook_shows_tables(built: Project) -> None:
    shown = built.query("select '<b>' as text, 1234 as n, null as nothing")._repr_html_()
    assert "<th>text</th><th>n</th><th>nothing</th>" in shown
    assert "&lt;b&gt;" in shown
    assert ">1,234</td><td><i>NULL</i></td>" in shown
    assert "<small>1 row</small>" in shown
    many = built.query("from range(1000)")._repr_html_()
    assert many.count("<tr>") == 51
    assert "the first 50 rows" in many


def test_plans_builds_and_tests_are_tables(shop: ShopProject) -> None:
    project = Project.load(shop.dir)
    plan = project.plan()
    assert repr(plan) == "<plan of 5 nodes, 5 to build>"
    assert plan.arrow().column_names == ["node", "action", "reason", "fingerprint"]
    assert "not built yet" in plan._repr_html_()
    result = project.build()
    assert repr(result) == "<build succeeded: 5 of 5 nodes built, 6 data tests, 0 failed>"
    scored = next(record for record in result.records() if record["node"] == "scored")
    assert (scored["status"], scored["rows"], scored["calls"]) == ("OK", 20, 20)
    outcomes = project.test()
    assert outcomes.success
    assert len(outcomes) == len(outcomes.df()) == 6
    assert outcomes.records()[0] == {
        "test": "grain_events", "model": "events", "status": "PASS", "failures": 0, "error": None,
    }  # fmt: skip


def test_a_failed_build_says_so(shop: ShopProject) -> None:
    shop.replace("models/models.yml", "max_value: 1", "max_value: 0.6")
    result = Project.load(shop.dir).build()
    assert repr(result).startswith("<build failed: 5 of 5 nodes built, 6 data tests, 1 failed")


def test_an_experiment(shop: ShopProject) -> None:
    shop.write(
        "project/experiments.yml",
        """
        experiments:
          cut:
            select: +kept
            grid: {threshold: [0.2, 0.6]}
            measures: {users: select count(*) from kept}
        """,
    )
    result = Project.load(shop.dir).experiment("cut")
    assert result.success, result.failures
    users = [record["value"] for record in result.records()]
    assert len(users) == 2
    assert users[0] > users[1]
    assert len(result.rows.arrow()) == 2
    assert result.folder.is_dir()
    assert len(shop.calls()) == 20  # the variants share the calls
    with pytest.raises(ProjectError, match="'cuts' is not defined"):
        Project.load(shop.dir).experiment("cuts")


def test_a_long_table_says_how_many_rows_there_are() -> None:
    rows = Records([{"x": i} for i in range(70)])
    assert "50 of 70 rows" in rows._repr_html_()
    assert repr(rows) == "<70 rows>"
    assert "2 rows" in html_table(["x"], [[1], [2]], 2)
