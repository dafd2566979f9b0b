"""One model file that is several models: built, tested, documented and traced like any others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from llm_i2i.cli.main import cli
from llm_i2i.docs_site.catalog import read_catalog
from llm_i2i.errors import ProjectError
from llm_i2i.runner.build.events import UnitOutcome
from llm_i2i.runner.project import Project
from tests.project.conftest import ShopProject

FILES = {
    "models/top.sql": """
        -- top.sql: instances( in a comment is no call.
        {{ instances(entries('tops'), name='top_{part}') }}
        select
            user_id,
            {{ score }} as score
        from {{ ref('scored') }}
        where score >= {{ least }}
    """,
    "models/part.yml": """
        lists:
          tops:
            defaults: {score: score, least: 0.5, tags: [tops], description: ''}
            entries:
              - {part: high, least: "{{ var('threshold') }}", tags: [tops, best]}
              - {part: low, least: 0, description: All of them.}
    """,
    "models/top.yml": """
        models:
          - name: top
            description: "Users with a score of at least {{ least }}."
            columns:
              - name: user_id
                description: "One of part {{ part }}."
                data_tests: [not_null]
              - name: score
                data_tests:
                  - accepted_range: {name: in_range, min_value: "{{ least }}", max_value: 1}
          - name: top_low
            columns:
              - name: score
                data_tests: [not_null]
    """,
}


@pytest.fixture
def tops(shop: ShopProject) -> ShopProject:
    for name, text in FILES.items():
        shop.write(name, text)
    return shop


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> ShopProject:
    """Built once, and only read."""
    shop = ShopProject(tmp_path_factory.mktemp("tops"))
    for name, text in FILES.items():
        shop.write(name, text)
    assert Project.load(shop.dir).build().success
    return shop


def test_a_changed_value_makes_only_its_instance_stale(tops: ShopProject) -> None:
    def statuses() -> dict[str, str]:
        result = Project.load(tops.dir).build()
        assert result.success
        return {one.step.node.name: one.status for one in result.nodes}

    statuses()
    tops.replace("models/part.yml", "part: low, least: 0,", "part: low, least: 0.1,")
    built = {name for name, status in statuses().items() if status == "OK"}
    assert built == {"top_low"}
    tops.replace("project/project.yml", "threshold: 0.5", "threshold: 0.4")
    built = {name for name, status in statuses().items() if status == "OK"}
    assert built == {"top_high", "kept"}
    tops.replace("models/top.sql", "is no call", "is none")
    assert "OK" not in statuses().values()


def test_state_modified_names_the_changed_instance(tops: ShopProject) -> None:
    Project.load(tops.dir).write_state()
    (tops.dir / "target").rename(tops.dir / "before")
    tops.replace("models/part.yml", "part: low, least: 0,", "part: low, least: 0.1,")
    project = Project.load(tops.dir, state=tops.dir / "before")
    assert project.select("state:modified") == ["top_low"]


def test_data_tests_of_the_file_and_of_one_instance(built: ShopProject) -> None:
    checks = {check.name: check for check in Project.load(built.dir).manifest.checks}
    assert {name for name in checks if "top_" in name} == {
        "not_null_top_high_user_id",
        "in_range_top_high",
        "not_null_top_low_user_id",
        "in_range_top_low",
        "not_null_top_low_score",
    }
    assert "0.5" in checks["in_range_top_high"].sql


def test_the_catalog_describes_each_instance(built: ShopProject) -> None:
    nodes = {node["name"]: node for node in read_catalog(Project.load(built.dir)).nodes}
    high, low = nodes["top_high"], nodes["top_low"]
    assert high["description"] == "Users with a score of at least 0.5."
    assert low["description"] == "Users with a score of at least 0."
    assert high["tags"] == ["tops", "best"]
    described = {column["name"]: column["description"] for column in high["columns"]}
    assert described["user_id"] == "One of part high."
    assert high["vars"] == {"threshold": 0.5}
    assert low["vars"] == {}
    assert high["state"] == low["state"] == "current"


def test_a_value_set_may_describe_a_model_that_no_yaml_knows(tops: ShopProject) -> None:
    (tops.dir / "models/top.yml").unlink()
    nodes = Project.load(tops.dir).manifest.nodes
    assert nodes["top_high"].description == ""
    assert nodes["top_low"].description == "All of them."


def test_lineage_goes_through_instances(built: ShopProject) -> None:
    done = CliRunner().invoke(
        cli,
        ["lineage", "--project-dir", str(built.dir), "scored.score", "--downstream"],
        catch_exceptions=False,
    )
    assert "top_high.score" in done.output
    assert "top_low.score" in done.output


def test_the_manifest_and_the_compiled_files_keep_instances_apart(built: ShopProject) -> None:
    manifest = json.loads((built.dir / "target/manifest.json").read_text())
    found = {name: manifest["nodes"][f"model.shop.top_{name}"] for name in ("high", "low")}
    assert {one["original_file_path"] for one in found.values()} == {"models/top.sql"}
    assert {one["compiled_path"] for one in found.values()} == {
        "target/compiled/models/top_high.sql",
        "target/compiled/models/top_low.sql",
    }
    assert found["high"]["description"] == "Users with a score of at least 0.5."
    assert found["high"]["patch_path"] == "shop://models/top.yml"
    CliRunner().invoke(cli, ["compile", "--project-dir", str(built.dir)], catch_exceptions=False)
    texts = {name: (built.dir / one["compiled_path"]).read_text() for name, one in found.items()}
    assert ">= 0.5" in texts["high"]
    assert ">= 0\n" in texts["low"].rstrip() + "\n"


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        ("file:top.sql", ["top_high", "top_low"]),
        ("file:top", ["top_high", "top_low"]),
        ("path:models/top.sql", ["top_high", "top_low"]),
        ("tag:best", ["top_high"]),
        ("top_low", ["top_low"]),
    ],
)
def test_selectors(built: ShopProject, selection: str, names: list[str]) -> None:
    assert sorted(Project.load(built.dir).select(selection)) == names


def test_config_of_project_yml(tops: ShopProject) -> None:
    tops.replace(
        "project/project.yml",
        "target: dev",
        "models: {top: {+tags: [all], +materialized: view}, top_low: {+materialized: table}}\ntarget: dev",
    )
    nodes = Project.load(tops.dir).manifest.nodes
    assert nodes["top_high"].config["materialized"] == "view"
    assert nodes["top_low"].config["materialized"] == "table"
    assert nodes["top_low"].tags == ("all", "tops")
    tops.replace("project/project.yml", "top_low:", "top_lwo:")
    with pytest.raises(ProjectError, match="config for 'top_lwo' under models: reaches nothing"):
        _ = Project.load(tops.dir).manifest


# -- unit tests ------------------------------------------------------------------------------------

UNIT = """
    unit_tests:
      - name: high_ones
        model: top_high
        overrides: {overrides}
        given:
          - input: ref('scored')
            rows: [{{user_id: ann, score: 0.5}}, {{user_id: bob, score: 0.3}}]
        expect:
          rows: [{rows}]
"""


@pytest.mark.parametrize(
    ("overrides", "rows"),
    [
        ("{}", "{user_id: ann, score: 0.5}"),
        ("{vars: {threshold: 0.2}}", "{user_id: ann, score: 0.5}, {user_id: bob, score: 0.3}"),
    ],
)
def test_a_unit_test_of_an_instance(tops: ShopProject, overrides: str, rows: str) -> None:
    tops.write("models/unit.yml", UNIT.format(overrides=overrides, rows=rows))
    (outcome,) = Project.load(tops.dir).test("test_type:unit")
    assert isinstance(outcome, UnitOutcome)
    assert outcome.error is None
    assert not outcome.diff


def test_a_unit_test_mocks_the_udf_of_an_instance(tops: ShopProject) -> None:
    tops.write(
        "models/asked.sql",
        """
        {{ instances([{'greeting': 'Hello'}, {'greeting': 'Bye'}], name='asked_{greeting}') }}
        select user_id, score('{{ greeting }} ' || user_id, model := 'm') as score from {{ ref('events') }}
        """,
    )
    tops.write(
        "models/unit.yml",
        """
        unit_tests:
          - name: bye
            model: asked_Bye
            given:
              - {input: ref('events'), rows: [{user_id: ann}]}
              - {input: udf('score'), rows: [{prompt: Bye ann, model: m, returns: 0.25}]}
            expect: {rows: [{user_id: ann, score: 0.25}]}
        """,
    )
    (outcome,) = Project.load(tops.dir).test("test_type:unit")
    assert isinstance(outcome, UnitOutcome)
    assert outcome.error is None
    assert not outcome.diff
    assert tops.calls() == []


@pytest.mark.parametrize(
    "text",
    [
        "unit_tests: [{name: t, model: top, given: [], expect: {rows: []}}]",
        "exposures: [{name: e, type: dashboard, owner: {name: ann}, depends_on: [\"ref('top')\"]}]",
    ],
)
def test_a_file_of_several_models_is_no_model(tops: ShopProject, text: str) -> None:
    tops.write("models/more.yml", text)
    with pytest.raises(ProjectError, match=r"'top'"):
        _ = Project.load(tops.dir).manifest


def test_a_singular_test_cannot_read_the_file(tops: ShopProject) -> None:
    tops.write("project/tests/none.sql", "select 1 from {{ ref('top') }}")
    with pytest.raises(ProjectError, match="does not name any model"):
        _ = Project.load(tops.dir).manifest


def test_an_exposure_reads_an_instance(tops: ShopProject) -> None:
    tops.write(
        "models/more.yml",
        "exposures: [{name: e, type: dashboard, owner: {name: ann}, depends_on: [\"ref('top_low')\"]}]",
    )
    assert Project.load(tops.dir).manifest.exposures["e"].reads == ("top_low",)


# -- the render cache ------------------------------------------------------------------------------


def described(project: Project) -> Any:
    return {n: (node.sql, node.values, node.tags, node.inputs) for n, node in project.manifest.nodes.items()}  # fmt: skip


def test_a_second_load_gives_the_same_and_a_changed_list_is_noticed(tops: ShopProject) -> None:
    first = Project.load(tops.dir)
    first.build()
    assert described(Project.load(tops.dir)) == described(first)
    tops.replace("models/part.yml", "{part: low,", "{part: lowest,")
    (tops.dir / "models/top.yml").unlink()
    assert sorted(Project.load(tops.dir).select("file:top")) == ["top_high", "top_lowest"]


def test_environment_variables_in_a_list_are_read_each_time(
    tops: ShopProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    tops.replace("models/part.yml", "least: 0,", "least: \"{{ env_var('LEAST') | float }}\",")
    monkeypatch.setenv("LEAST", "0.1")
    project = Project.load(tops.dir)
    project.build()
    assert project.manifest.nodes["top_low"].values["least"] == 0.1
    monkeypatch.setenv("LEAST", "0.2")
    assert Project.load(tops.dir).manifest.nodes["top_low"].values["least"] == 0.2


def test_watch_looks_at_lists_that_are_files(tops: ShopProject) -> None:
    from llm_i2i.cli.watch import watched_places
    from llm_i2i.config.loader import load_project

    tops.write("lists/tops.yml", "- {part: high}\n")
    tops.replace("models/part.yml", "lists:", "lists:\n  other: lists/tops.yml")
    places = watched_places(load_project(tops.dir))
    assert tops.dir / "lists/tops.yml" in places
    assert any(Path("models/part.yml") == p.relative_to(tops.dir) or p == tops.dir / "models" for p in places)  # fmt: skip
