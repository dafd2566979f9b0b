"""Column lineage over whole projects, and the command that shows it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from llm_i2i.cli.main import cli
from llm_i2i.errors import ProjectError
from llm_i2i.graph.lineage import ColumnGraph
from llm_i2i.runner.project import Project
from tests.project.conftest import ShopProject


def show(shop: ShopProject, *arguments: str) -> str:
    result = CliRunner().invoke(
        cli, ["lineage", "--project-dir", str(shop.dir), *arguments], catch_exceptions=False
    )
    assert result.exit_code == 0
    return result.output


def test_the_tree_goes_through_the_udf_to_prompt_and_checkpoint(shop: ShopProject) -> None:
    assert show(shop, "kept.score", "--depth", "0") == (
        "kept.score  DOUBLE\n"
        "  made from\n"
        "  └─ scored.score\n"
        "     ├─ prompts.prompt  (through score)\n"
        "     │  └─ events.user_id\n"
        "     │     └─ log__events.user_id\n"
        "     └─ trained.checkpoint  (through score)\n"
        "        ├─ events.*  (through train)\n"
        "        │  └─ log__events.*\n"
        "        └─ events.item_id  (through train)\n"
        "           └─ log__events.item_id\n"
        "  used by no column\n"
    )


def test_the_tree_stops_at_a_depth_and_says_so(shop: ShopProject) -> None:
    assert show(shop, "log.events.user_id", "--downstream", "--depth", "1") == (
        "log__events.user_id  VARCHAR\n"
        "  used by\n"
        "  └─ events.user_id\n"
        "  (11 further edges downstream: --depth 0)\n"
    )
    assert show(shop, "LOG__EVENTS.user_id".lower(), "--upstream").endswith("\n  a source\n")


def test_json_has_every_edge_with_its_udfs(shop: ShopProject) -> None:
    (found,) = json.loads(show(shop, "scored.score", "--upstream", "--output", "json"))
    assert (found["column"], found["data_type"]) == ("scored.score", "DOUBLE")
    assert "downstream" not in found
    edges = [(e["from"], e["to"], e["via"]) for e in found["upstream"]]
    assert edges[:2] == [
        ("prompts.prompt", "scored.score", ["score"]),
        ("trained.checkpoint", "scored.score", ["score"]),
    ]
    assert ("log__events.item_id", "events.item_id", []) in edges
    whole = json.loads(show(shop, "scored", "--output", "json"))
    assert [c["column"] for c in whole] == ["scored.user_id", "scored.prompt", "scored.score"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scord.score", "error: no model or source is called 'scord'\n  found: 6 tables, closest 'scored'"),
        ("scored.scor", "error: scored has no column 'scor'\n  found: columns user_id, prompt, score\n  fix:   did you mean 'score'?"),
    ],
)  # fmt: skip
def test_unknown_names_bring_the_nearest(shop: ShopProject, text: str, message: str) -> None:
    with pytest.raises(ProjectError) as error:
        Project.load(shop.dir).lineage().resolve(text)
    assert error.value.render().startswith(message)


def test_lineage_is_kept_until_the_sql_changes(
    shop: ShopProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    import llm_i2i.graph.lineage as module

    made: list[str] = []
    real = module.query_lineage
    monkeypatch.setattr(
        module, "query_lineage", lambda sql, *rest: made.append(sql) or real(sql, *rest)
    )
    Project.load(shop.dir).lineage()
    assert len(made) == 5
    Project.load(shop.dir).lineage()
    assert len(made) == 5
    shop.replace("models/kept.sql", "    score\n", "    score * 2 as score\n")
    graph = Project.load(shop.dir).lineage()
    assert len(made) == 6
    assert [e.source for e in graph.direct(("kept", "score"), "upstream")] == [("scored", "score")]


@pytest.fixture(scope="module")
def reference(reference_project: Project) -> ColumnGraph:
    return reference_project.lineage()


def test_every_column_of_the_reference_project_is_followed(reference: ColumnGraph) -> None:
    guessed = set()
    for model, lineage in reference.made_from.items():
        assert list(lineage) == [*reference.types[model], "*"]
        for sources in lineage.values():
            for source in sources:
                assert source.column in {"*", *reference.types[source.relation]}, (model, source)
                guessed |= {model} if source.guessed else set()
    assert guessed == {"log_items"}  # its columns(lambda ...) is the engine's to expand


def test_the_confidence_depends_on_the_log_the_signals_and_the_checkpoint(
    reference: ColumnGraph,
) -> None:
    column = ("scored_interactions", "confidence")
    direct = {e.source: e.via for e in reference.direct(column, "upstream")}
    assert direct["discriminator", "checkpoint"] == "score_interaction"
    assert direct["candidate_signals", "cosine_all"] == "score_interaction"
    everything = {e.source for e in reference.walk(column, "upstream")}
    assert {("log__interactions", "user_id"), ("generator", "checkpoint")} <= everything
    below = {e.target for e in reference.walk(column, "downstream")}
    assert ("ranking_metrics", "value") in below
    assert ("index_auto_augmented", "score") in below
    assert ("swing", "score") not in below
    # the served index reads the confidences of the whole log.
    served = {e.source for e in reference.walk(("i2i_index", "score"), "upstream")}
    assert ("whole_scored_interactions", "confidence") in served
