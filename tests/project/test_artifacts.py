"""manifest.json, run_results.json and catalog.json: what dbt's tools read of a project."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from llm_i2i.runner.project import Project
from tests.project.conftest import ShopProject

KNOWN = {"model", "seed", "test", "source", "macro", "exposure"}


def artifact(shop: ShopProject, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((shop.dir / "target" / name).read_text())
    return found


def results(shop: ShopProject) -> dict[str, dict[str, Any]]:
    listed = artifact(shop, "run_results.json")["results"]
    return {one["unique_id"].split(".")[2]: one for one in listed}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> ShopProject:
    """Built once, and only read."""
    shop = ShopProject(tmp_path_factory.mktemp("shop"))
    assert Project.load(shop.dir).build().success
    return shop


def test_the_manifest_has_every_node_and_only_what_dbt_knows(built: ShopProject) -> None:
    manifest = artifact(built, "manifest.json")
    assert manifest["metadata"]["dbt_schema_version"].endswith("/manifest/v12.json")
    assert manifest["metadata"]["project_name"] == "shop"
    kinds = {
        n["resource_type"]
        for section in ("nodes", "sources", "macros", "exposures")
        for n in manifest[section].values()
    }
    assert kinds <= KNOWN
    models = {n["name"] for n in manifest["nodes"].values() if n["resource_type"] == "model"}
    assert models == {"events", "prompts", "trained", "scored", "kept"}
    assert set(manifest["sources"]) == {"source.shop.log.events"}
    assert "macro.llm_i2i.test_not_null" in manifest["macros"]


def test_each_node_has_the_checksum_of_its_file(built: ShopProject) -> None:
    kept = artifact(built, "manifest.json")["nodes"]["model.shop.kept"]
    text = (built.dir / "models/kept.sql").read_text()
    assert kept["raw_code"] == text
    assert kept["checksum"] == {
        "name": "sha256",
        "checksum": hashlib.sha256(text.strip().encode()).hexdigest(),
    }
    assert kept["meta"]["llm_i2i"]["vars"] == {"threshold": 0.5}
    assert kept["relation_name"] == '"dev"."main"."kept"'
    assert "{{" not in kept["compiled_code"]


def test_the_two_maps_say_the_same(built: ShopProject) -> None:
    manifest = artifact(built, "manifest.json")
    parents, children = manifest["parent_map"], manifest["child_map"]
    assert set(parents) == set(children) == {*manifest["nodes"], *manifest["sources"]}
    edges = {(parent, child) for child, above in parents.items() for parent in above}
    assert edges == {(parent, child) for parent, below in children.items() for child in below}
    assert ("source.shop.log.events", "model.shop.events") in edges
    assert ("model.shop.trained", "model.shop.scored") in edges
    tests = [child for child in children["model.shop.events"] if child.startswith("test.")]
    assert len(tests) == 4  # grain, not_null, not_empty, and kept's relationships


def test_a_data_test_says_what_it_tests(built: ShopProject) -> None:
    nodes = artifact(built, "manifest.json")["nodes"].values()
    (found,) = (n for n in nodes if n["name"] == "accepted_range_kept_score")
    assert found["test_metadata"]["name"] == "accepted_range"
    assert found["test_metadata"]["kwargs"]["max_value"] == 1
    assert found["attached_node"] == "model.shop.kept"
    assert found["column_name"] == "score"
    assert found["depends_on"]["macros"] == ["macro.llm_i2i.test_accepted_range"]


def test_run_results_tell_calls_and_rows(built: ShopProject) -> None:
    run = artifact(built, "run_results.json")
    assert run["metadata"]["dbt_schema_version"].endswith("/run-results/v6.json")
    assert (
        run["metadata"]["invocation_id"]
        == (artifact(built, "manifest.json")["metadata"]["invocation_id"])
    )
    assert run["args"]["which"] == "build"
    scored = results(built)["scored"]
    response = scored["adapter_response"]
    assert scored["status"] == "success"
    assert (response["calls"], response["calls_cached"], response["rows_affected"]) == (20, 0, 20)
    assert response["tokens"] == 20 * 4  # "Hello u1 of Earth"
    (timing,) = scored["timing"]
    assert timing["started_at"] <= timing["completed_at"]
    assert results(built)["not_null_events_user_id"]["status"] == "pass"


def test_what_was_reused_made_no_calls(shop: ShopProject) -> None:
    assert Project.load(shop.dir).build(select="+scored").success
    before = (shop.dir / "target" / "manifest.json").stat().st_ino
    assert Project.load(shop.dir).build(select="scored").success
    found = results(shop)
    assert set(found) == {"scored"}
    assert found["scored"]["message"].startswith("REUSED (fingerprint ")
    assert found["scored"]["adapter_response"]["reused"]
    assert "calls" not in found["scored"]["adapter_response"]
    # replaced in one step: another file, and nothing left beside it
    assert (shop.dir / "target" / "manifest.json").stat().st_ino != before
    assert not list((shop.dir / "target").glob(".*.json.*"))


def test_failures_are_recorded(shop: ShopProject) -> None:
    shop.replace("models/models.yml", "max_value: 1", "max_value: 0.6")
    shop.replace("models/prompts.sql", "user_id,", "user_id, error('no ink') as ink,")
    assert not Project.load(shop.dir).build().success
    found = results(shop)
    assert found["prompts"]["status"] == "error"
    assert "no ink" in found["prompts"]["message"]
    assert found["scored"]["status"] == "skipped"
    shop.replace("models/prompts.sql", "user_id, error('no ink') as ink,", "user_id,")
    assert not Project.load(shop.dir).build().success
    failed = results(shop)["accepted_range_kept_score"]
    assert failed["status"] == "fail"
    assert failed["failures"] > 0
    assert failed["message"] == f"Got {failed['failures']} results, configured to error if != 0"


def test_test_writes_its_own_results(shop: ShopProject) -> None:
    assert Project.load(shop.dir).build().success
    Project.load(shop.dir).test("kept")
    run = artifact(shop, "run_results.json")
    assert run["args"] == {
        "which": "test", "env": "dev", "target": "dev", "select": ["kept"], "exclude": [],
    }  # fmt: skip
    assert {one["unique_id"].split(".")[0] for one in run["results"]} == {"test"}
    assert all(one["execution_time"] > 0 for one in run["results"])


def test_compile_writes_a_manifest_and_no_results(shop: ShopProject) -> None:
    done = shop.run("compile", "--select", "events")
    assert done.returncode == 0, done.stderr
    nodes = artifact(shop, "manifest.json")["nodes"]
    assert nodes["model.shop.events"]["compiled"]
    assert "compiled_code" not in nodes["model.shop.kept"]
    assert not (shop.dir / "target/run_results.json").exists()


def test_the_catalog_has_the_columns_of_what_is_stored(built: ShopProject) -> None:
    nodes = artifact(built, "catalog.json")["nodes"]
    assert list(nodes["model.shop.kept"]["columns"]) == ["user_id", "score"]
    assert nodes["model.shop.kept"]["columns"]["score"]["type"] == "DOUBLE"
    assert nodes["model.shop.scored"]["stats"]["num_rows"]["value"] == 20


def test_macros_are_there_with_their_text(shop: ShopProject) -> None:
    shop.write(
        "project/macros/twice.sql",
        "{% macro once(x) %}{{ x }}{% endmacro %}\n{% macro twice(x, y=1) %}\n2 * {{ x }}\n{% endmacro %}\n",
    )
    shop.replace("models/kept.sql", "score\n", "{{ twice('score') }} as score\n")
    project = Project.load(shop.dir)
    project.write_manifest(project.compile())
    manifest = artifact(shop, "manifest.json")
    twice = manifest["macros"]["macro.shop.twice"]
    assert twice["macro_sql"] == "{% macro twice(x, y=1) %}\n2 * {{ x }}\n{% endmacro %}"
    assert [argument["name"] for argument in twice["arguments"]] == ["x", "y"]
    assert manifest["nodes"]["model.shop.kept"]["depends_on"]["macros"] == ["macro.shop.twice"]
