"""A target of type spark: what compiles, what does not and why, and a whole build on Sail beside one on DuckDB."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from pathlib import Path

from llm_i2i.config.targets import SparkTarget
from llm_i2i.runner.build.data_tests import run_checks
from llm_i2i.runner.build.events import Reporter
from llm_i2i.runner.project import Project
from tests.project.conftest import ShopProject
from tests.project.spark_equality import difference_on, spark_engine
from tests.project.test_reference_project import ROOT, write_log

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
    text = (shop.dir / "models/events.sql").read_text()
    shop.write("models/events.sql", "{{ config(volatile=true) }}" + text.lstrip())
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


def test_a_k_core_is_the_same_on_spark(tmp_path: Path, sail_url: str) -> None:
    """min_events is a recursive CTE, which Spark runs in rounds."""
    vars = {**write_log(tmp_path, users=60), "min_events": 3}
    project = Project.load(ROOT, vars=vars, target_path=tmp_path / "target")
    project.build(select="+first_events")
    pairs = "select count(distinct (user_id, item_id)) from log_events"
    kept = "select count(*) from first_events"
    assert 0 < project.rows(kept)[1][0][0] < project.rows(pairs)[1][0][0]
    bench = project.planner.context(project.plan(select="+first_events"), Reporter())
    step = next(step for step in bench.plan.steps if step.node.name == "first_events")
    assert "ANTI JOIN" not in project.compiled_text(["first_events"])["first_events"]
    assert not difference_on(sail_url, project, bench, step, tmp_path)
    on_spark = dataclasses.replace(
        bench, new_engine=lambda: spark_engine(project, sail_url, tmp_path)
    )
    checks = [c for c in project.manifest.checks_of("first_events") if set(c.depends_on) <= {"first_events"}]  # fmt: skip
    assert any("k_core" in check.name for check in checks)
    assert {c.status for c in run_checks(checks, on_spark, force=True)} == {"PASS"}
    project.definition.target = SparkTarget(type="spark", url=sail_url)
    shown = project.compiled_text(["first_events"])["first_events"]
    assert "-- __rounds_changed, again until it is empty" in shown
    assert "ANTI JOIN" in shown


def test_hooks_run_in_this_process_over_the_same_tables(shop: ShopProject, sail_url: str) -> None:
    add_target(shop, sail_url)
    out = shop.dir / "out.csv"
    config = f"""
          - name: scored
            config:
              pre_hook: "select error('no prompt') from {{{{ ref('prompts') }}}} having count(*) = 0"
              post_hook: "copy (select user_id from {{{{ this }}}} order by 1) to '{out}'"
    """
    shop.write("models/hooks.yml", "models:" + textwrap.dedent(config))
    result = Project.load(shop.dir, target="cluster").build(select="+scored")
    assert not [n.error for n in result.nodes if n.error]
    assert len(out.read_text().splitlines()) == 21
    shop.replace("models/hooks.yml", "copy (", "select error('as I said') from (")
    shop.replace("models/hooks.yml", f" to '{out}'", "")
    failed = Project.load(shop.dir, target="cluster").build(select="scored", full_refresh=True)
    assert any("a hook failed" in n.error.what for n in failed.nodes if n.error)


def test_a_hook_that_changes_the_session_is_refused(shop: ShopProject) -> None:
    add_target(shop)
    hook = "set default_null_order = 'nulls_first'"
    shop.replace("models/models.yml", "{tags: [log]}", f'{{tags: [log], pre_hook: "{hook}"}}')
    failed = shop.run("build", "--target", "cluster")
    assert failed.returncode == 2
    assert "events: a hook that changes the session cannot be carried to Spark" in failed.stderr
    assert "models/events.sql" in failed.stderr
    assert "set default_null_order" in failed.stderr
    assert "conf:" in failed.stderr
