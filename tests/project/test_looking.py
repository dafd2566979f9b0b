"""`query` and `show`: what they read, and what they say where there is nothing to show."""

from __future__ import annotations

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
