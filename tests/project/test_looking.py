"""`query` and `show`: what they read, and what they say where there is nothing to show."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from llm_i2i.cli.main import cli
from llm_i2i.errors import LlmI2iError
from llm_i2i.runner.project import Project
from tests.project.conftest import ShopProject


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> ShopProject:
    shop = ShopProject(tmp_path_factory.mktemp("shop"))
    Project.load(shop.dir).build("+events")
    return shop


def run(shop: ShopProject, *arguments: str) -> str:
    """What a command prints; the text of its error if it fails."""
    found = CliRunner().invoke(cli, [*arguments, "--project-dir", str(shop.dir)])
    if isinstance(found.exception, LlmI2iError):
        return found.exception.render()
    assert found.exit_code == 0, found.output
    return found.stdout


def test_jinja_works_in_a_query(built: ShopProject) -> None:
    sql = "select count(*) as n, {{ var('threshold') }} as t from {{ ref('events') }}"
    assert run(built, "query", sql, "--output", "csv").split() == ["n,t", "60,0.5"]
    assert run(built, "show", "--inline", sql, "--output", "csv").split() == ["n,t", "60,0.5"]
    assert Project.load(built.dir).query(sql).fetchall()[0][0] == 60


def test_a_udf_in_a_query_is_said_to_belong_in_a_model(built: ShopProject) -> None:
    message = run(built, "query", "select score(item_id) from events")
    assert "UDFs of the project are called in models, not in queries" in message


def test_a_source_has_nothing_to_show(built: ShopProject) -> None:
    message = run(built, "show", "source:log.events")
    assert message.startswith("error: a source is not published")
    assert "log__events" in message


def test_an_environment_that_was_never_published_names_those_that_were(built: ShopProject) -> None:
    message = run(built, "query", "from events", "--env", "dve")
    assert "fix:   run `llmi2i build` first with --env dve; published: dev" in message


def test_sql_of_the_command_line_is_compiled(built: ShopProject) -> None:
    sql = "select item_id, count(*) as n from {{ ref('events') }} where position < {{ var('threshold') }} group by all"
    said = run(built, "compile", "--inline", sql)
    assert said.startswith(
        "-- --inline\nselect item_id, count(*) as n from events where position < 0.5"
    )
    (found,) = json.loads(run(built, "compile", "--inline", sql, "--output", "json"))
    assert found["columns"] == {"item_id": "VARCHAR", "n": "BIGINT"}
    called = "select score(item_id, model := 'm') as s from {{ source('log', 'events') }}"
    said = run(built, "compile", "--inline", called)
    assert ": score, arguments\n" in said  # calls are lifted out, as in a model
    assert not (built.dir / "target" / "compiled").exists()


def test_wrong_sql_of_the_command_line_says_why(built: ShopProject) -> None:
    assert "write ref('events')" in run(built, "compile", "--inline", "from {{ ref('event') }}")
    said = run(built, "compile", "--inline", "select itm_id from {{ ref('events') }}")
    assert "  at:    --inline" in said
    assert "item_id" in said
    assert "log.events" in run(built, "compile", "--inline", "from {{ source('log', 'event') }}")
