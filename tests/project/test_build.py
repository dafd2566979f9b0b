"""What a build reuses, rebuilds, pays for and publishes."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from llm_i2i.errors import ProjectError
from llm_i2i.runner.project import Project
from tests.project.conftest import ShopProject

Build = Callable[..., dict[str, str]]


def test_first_build_makes_everything_and_publishes(shop: ShopProject, build: Build) -> None:
    assert set(build().values()) == {"OK"}
    assert len(shop.calls()) == 20
    with duckdb.connect(str(shop.dir / "target/dev.duckdb"), read_only=True) as client:
        assert client.sql("select count(*) from scored").fetchall() == [(20,)]


def test_second_build_reuses_everything(shop: ShopProject, build: Build) -> None:
    build()
    shop.calls()
    assert set(build().values()) == {"REUSED"}
    assert shop.calls() == []


def test_comments_and_layout_rebuild_nothing(shop: ShopProject, build: Build) -> None:
    build()
    shop.replace("models/kept.sql", "from", "  -- a comment\n   FROM")
    shop.replace("udfs/functions.py", "    with (context", "    # a comment\n    with (context")
    shop.replace("models/models.yml", "The log.", "The log, typed.")
    assert set(build().values()) == {"REUSED"}


def test_threshold_rebuilds_only_what_follows_scoring(shop: ShopProject, build: Build) -> None:
    build()
    shop.calls()
    outcome = build({"threshold": 0.7})
    assert {n for n, status in outcome.items() if status == "OK"} == {"kept"}
    assert shop.calls() == []
    assert set(build().values()) == {"REUSED"}  # the first result is still in the store


def test_a_bare_decimal_is_a_float_to_a_udf(shop: ShopProject, build: Build) -> None:
    shop.replace(
        "udfs/functions.py",
        "*, model: str, context: UdfContext) -> list[float]",
        "*, model: str, share: float, context: UdfContext) -> list[float]",
    )
    shop.replace(
        "udfs/functions.py",
        "return [int(",
        "assert type(share) is float and share == 0.25\n    return [int(",
    )
    shop.replace(
        "models/scored.sql",
        "from {{ ref('trained') }})) as score",
        "from {{ ref('trained') }}), share := 0.25) as score",
    )
    assert set(build().values()) == {"OK"}


def test_prompt_edit_rebuilds_prompts_and_pays_for_new_calls_only(
    shop: ShopProject, build: Build
) -> None:
    build()
    shop.calls()
    shop.replace("project/prompts/hello.jinja", "Hello", "Dear")
    outcome = build()
    assert {n for n, status in outcome.items() if status == "OK"} == {"prompts", "scored", "kept"}
    assert len(shop.calls()) == 20


def test_one_more_row_pays_for_the_new_user_only_when_the_model_is_the_same(
    shop: ShopProject, build: Build
) -> None:
    shop.replace("udfs/functions.py", "repr(rows.to_pylist())", "'constant'")
    build()
    shop.calls()
    shop.write_log(21)
    outcome = build()
    assert set(outcome.values()) == {"OK"}
    # The checkpoint's name holds its fingerprint, so a retrained model is asked again about everybody.
    assert len(shop.calls()) == 21


def test_new_prompts_of_an_unchanged_model_cost_only_themselves(
    shop: ShopProject, build: Build
) -> None:
    shop.replace("models/prompts.sql", "group by user_id", "where user_id < 'u15' group by user_id")
    build()
    first = shop.calls()
    shop.replace("models/prompts.sql", "where user_id < 'u15' ", "")
    build()
    second = shop.calls()
    assert len(first) + len(second) == 20
    assert not set(first) & set(second)


def test_full_refresh_builds_the_selected_node_again_and_what_follows(
    shop: ShopProject, build: Build
) -> None:
    build()
    outcome = build(select="kept", full_refresh=True)
    assert outcome == {"kept": "OK"}
    assert build()["kept"] == "REUSED"


def test_failing_data_test_publishes_nothing_and_skips_what_follows(
    shop: ShopProject, build: Build
) -> None:
    build()
    before = (shop.dir / "target/envs/dev.json").read_text()
    shop.write("data/log.csv", "user_id,item_id,position\nu1,i1,0\n,i2,1\n")
    project = Project.load(shop.dir)
    result = project.build()
    failed = {c.check.name for c in result.checks if c.status == "FAIL"}
    assert {"grain_events", "not_null_events_user_id"} <= failed
    assert {n.step.node.name: n.status for n in result.nodes}["scored"] == "SKIP"
    assert result.exit_code == 1
    assert (shop.dir / "target/envs/dev.json").read_text() == before


def test_warning_does_not_stop_the_build(shop: ShopProject) -> None:
    shop.write("data/log.csv", "user_id,item_id,position\nu1,i1,0\n,i2,1\n")
    shop.replace(
        "models/models.yml",
        "data_tests: [not_null]",
        "data_tests: [{not_null: {config: {severity: warn}}}]",
    )
    shop.replace("models/models.yml", "grain: [user_id, item_id]", "grain: [item_id]")
    shop.replace("models/models.yml", "          - not_null\n", "")
    result = Project.load(shop.dir).build(select="events")
    assert [c.status for c in result.checks if c.failures] == ["WARN"]
    assert result.exit_code == 0


def test_selected_model_without_its_parents_says_what_to_select(
    shop: ShopProject, build: Build
) -> None:
    result = shop.run("build", "--select", "kept")
    assert result.returncode == 2
    assert "--select +kept" in result.stderr


def test_environments_are_apart_and_share_the_store(shop: ShopProject, build: Build) -> None:
    build()
    shop.calls()
    result = Project.load(shop.dir, env="try", vars={"threshold": 0.9}).build()
    assert result.published
    assert shop.calls() == []
    dev = Project.load(shop.dir).query("select count(*) from kept").fetchall()
    other = Project.load(shop.dir, env="try").query("select count(*) from kept").fetchall()
    assert dev[0][0] > other[0][0]


def test_a_damaged_result_is_built_again(shop: ShopProject, build: Build) -> None:
    build()
    data = next((shop.dir / "target/store/kept").glob("*/data.parquet"))
    data.write_bytes(data.read_bytes()[:20])
    assert {n for n, s in build().items() if s == "OK"} == {"kept"}


def test_plan_says_why(shop: ShopProject, build: Build) -> None:
    build()
    project = Project.load(shop.dir, vars={"threshold": 0.7, "planet": "Mars"})
    plan = project.plan()
    reasons = {step.node.name: step.reason for step in plan.steps}
    assert reasons["prompts"] == "var planet changed"
    assert reasons["kept"] == "var threshold changed; input scored changed"
    assert reasons["events"].endswith("unchanged")
    steps = {step.node.name: step for step in plan.steps}
    assert project.calls_of(plan, steps["scored"]) is None  # its prompts are not built yet


def test_max_calls_stops_a_costly_node(shop: ShopProject) -> None:
    result = Project.load(shop.dir).build(max_calls=5)
    error = next(n.error for n in result.nodes if n.status == "ERROR")
    assert error is not None
    assert "20 new calls" in error.what
    assert shop.calls() == []


@pytest.mark.parametrize(
    "statement",
    [
        "create table x as select 1",
        "drop view kept",
        "copy (select 1) to '/tmp/x.csv'",
        "attach '/tmp/x.duckdb'",
        "install httpfs",
        "select * from read_csv('/etc/passwd')",
        "select 1; select 2",
        "set threads = 1",
        "pragma database_size",
    ],
)
def test_query_only_reads_the_environment(shop: ShopProject, build: Build, statement: str) -> None:
    build()
    result = shop.run("query", statement)
    assert result.returncode != 0
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.stderr


def test_query_and_show_give_rows_as_json(shop: ShopProject, build: Build) -> None:
    build()
    result = shop.run(
        "query",
        "select user_id, 1.5 as x, null as n from kept order by 1 limit 1",
        "--output",
        "json",
    )
    assert json.loads(result.stdout)[0].keys() == {"user_id", "x", "n"}
    shown = shop.run("show", "kept", "--limit", "2", "--output", "json")
    assert len(json.loads(shown.stdout)) == 2
    inline = shop.run(
        "show", "--inline", "select count(*) as c from {{ ref('events') }}", "--output", "json"
    )
    assert json.loads(inline.stdout) == [{"c": 60}]


def test_damaged_calls_are_made_again(shop: ShopProject, build: Build) -> None:
    build()
    shop.calls()
    segments = sorted((shop.dir / "target/calls/score").rglob("*.parquet"))
    segments[0].write_bytes(segments[0].read_bytes()[:-9])
    for result in (shop.dir / "target/store/scored").iterdir():
        (result / "meta.json").unlink()
    assert build()["scored"] == "OK"
    assert 0 < len(shop.calls()) <= 7


def test_a_moved_target_folder_is_published_again(shop: ShopProject, build: Build) -> None:
    build()
    (shop.dir / "target").rename(shop.dir / "moved")
    message = shop.run("query", "from kept", "--target-path", "moved")
    assert message.returncode == 2
    assert "llmi2i build" in message.stderr
    assert shop.run("build", "--target-path", "moved").returncode == 0
    assert shop.run("query", "from kept", "--target-path", "moved").returncode == 0


def test_a_catalogue_that_is_no_database(shop: ShopProject, build: Build) -> None:
    build()
    (shop.dir / "target/dev.duckdb").write_text("garbage" * 1000)
    message = shop.run("query", "from kept")
    assert message.returncode == 2
    assert "llmi2i build" in message.stderr


def test_columns_of_one_name_are_both_shown(shop: ShopProject, build: Build) -> None:
    build()
    result = shop.run("query", "select 1 as a, 2 as a", "--output", "json")
    assert sorted(json.loads(result.stdout)[0].values()) == [1, 2]


def test_a_project_in_a_folder_with_quotes_and_spaces(tmp_path: Path) -> None:
    shop = ShopProject(tmp_path / "o'neil's \"shop\" ü")
    result = shop.run("build")
    assert result.returncode == 0, result.stderr
    assert json.loads(
        shop.run("query", "select count(*) as n from kept", "--output", "json").stdout
    )


def test_the_rows_that_break_a_data_test_are_written_down(shop: ShopProject, build: Build) -> None:
    shop.replace("models/models.yml", "max_value: 1}", "max_value: 0.5}")
    result = shop.run("build")
    assert result.returncode == 1
    line = next(line for line in result.stderr.splitlines() if "look at them in" in line)
    written = Path(line.split("look at them in ")[1].split(";")[0])
    rows = list(csv.DictReader((shop.dir / written).read_text().splitlines()))
    found = int(result.stderr.split(" that break it")[0].rsplit(" row", 1)[0].rsplit(" ", 1)[1])
    assert len(rows) == found > 0
    assert all(float(row["score"]) > 0.5 for row in rows)
    assert written.with_suffix(".sql").name in {
        p.name for p in (shop.dir / written).parent.iterdir()
    }


@pytest.mark.parametrize("value", ["popularity", ["nope"], {"a": 1}])
def test_a_list_var_is_checked_before_anything_is_rendered(
    shop: ShopProject, build: Build, value: object
) -> None:
    shop.replace(
        "project/project.yml",
        "name: shop\n",
        "name: shop\ndeclare: {arms: {type: list, values: [popularity, random]}}\n",
    )
    shop.replace("project/project.yml", "vars: {", "vars: {arms: [random], ")
    assert set(build().values()) == {"OK"}
    with pytest.raises(ProjectError, match="arms"):
        build({"arms": value})
