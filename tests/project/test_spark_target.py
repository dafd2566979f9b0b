"""A target of type spark: what compiles, what does not and why, and a whole build on Sail beside one on DuckDB."""

from __future__ import annotations

import json

from llm_i2i.runner.project import Project
from tests.project.conftest import ShopProject

TARGETS = "targets: {dev: {type: duckdb, threads: 1, memory_limit: 1GB}"


def add_target(shop: ShopProject, url: str = "sc://127.0.0.1:9", more: str = "") -> None:
    target = f", cluster: {{type: spark, url: '{url}'{more}}}"
    shop.replace("project/project.yml", TARGETS, TARGETS + target)


def test_compile_shows_the_sql_of_the_engine(shop: ShopProject) -> None:
    add_target(shop)
    shop.replace("models/kept.sql", "    score\n", "    list(score order by score) as scores\n")
    shop.replace("models/kept.sql", "where score >=", "where true or score >=")
    shop.write("models/kept.sql", (shop.dir / "models/kept.sql").read_text() + "group by user_id\n")
    shop.replace("models/models.yml", "      - name: score\n", "      - name: scores\n")
    shop.replace(
        "models/models.yml",
        "          - accepted_range: {min_value: 0, max_value: 1}\n",
        "          - not_null\n",
    )
    shown = shop.run("compile", "-s", "kept scored", "--target", "cluster")
    assert shown.returncode == 0, shown.stderr
    assert "ARRAY_SORT(" in shown.stdout
    assert "CAST(c0 AS STRING) AS `user_id`" in shown.stdout
    assert "-- __call_1: score, arguments" in shown.stdout
    assert "ARRAY_SORT" not in shop.run("compile", "-s", "kept").stdout


def test_what_cannot_be_carried_is_named_with_its_place(shop: ShopProject) -> None:
    add_target(shop)
    shop.replace("models/kept.sql", "    score\n", "    score,\n    hash(user_id) as bucket\n")
    shop.replace("models/events.sql", "    item_id,\n", "    item_id,\n    uuid() as id,\n")
    failed = shop.run("build", "--target", "cluster")
    assert failed.returncode == 2
    assert "kept: hash(...) cannot be carried to Spark" in failed.stderr
    assert "models/kept.sql:4" in failed.stderr
    assert "random_number" in failed.stderr
    assert "events: uuid(...) cannot be carried to Spark" in failed.stderr
    assert "models/events.sql:5" in failed.stderr
    assert shop.run("compile").returncode == 0


def test_a_server_that_is_not_there_is_named(shop: ShopProject) -> None:
    add_target(shop)
    failed = shop.run("build", "-s", "events", "--target", "cluster", timeout=120)
    assert failed.returncode != 0
    assert "Spark Connect does not answer" in failed.stderr
    assert "sc://127.0.0.1:9" in failed.stderr


def test_engines_share_store_calls_and_fingerprints(shop: ShopProject, sail_url: str) -> None:
    add_target(shop, sail_url, ", local_bytes: 0")
    on_spark = Project.load(shop.dir, target="cluster").build()
    assert {node.status for node in on_spark.nodes} == {"OK"}, [n.error for n in on_spark.nodes]
    assert {check.status for check in on_spark.checks} == {"PASS"}
    assert sum(node.calls.made for node in on_spark.nodes if node.calls) == len(shop.calls()) > 0
    project = Project.load(shop.dir)
    _, on_cluster = project.rows("from kept order by all")
    again = project.build()
    assert {node.status for node in again.nodes} == {"REUSED"}
    here = Project.load(shop.dir, env="other", target_path="elsewhere")
    here.build()
    _, on_duckdb = here.rows("from kept order by all")
    assert on_cluster == on_duckdb
    stored = {s.node.name: s.fingerprint for s in here.plan().steps}
    assert stored == {s.node.name: s.fingerprint for s in project.plan().steps}
    manifest = json.loads((shop.dir / "target" / "manifest.json").read_text())
    assert manifest
    shop.calls()
    Project.load(shop.dir, target="cluster", vars={"threshold": 0.7}).build()
    assert not shop.calls()
