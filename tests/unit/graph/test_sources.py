from __future__ import annotations

import json
import os
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from llm_i2i.cli.main import cli
from llm_i2i.errors import ProjectError
from llm_i2i.runner.inspection.freshness import check_freshness

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
YAML = """
    sources:
      - name: log
        freshness: {warn_after: {count: 1, period: hour}, error_after: {count: 1, period: day}}
        loaded_at_field: seen_at
        tables:
          - {name: events, path: data/log.csv%s}
          - {name: items, path: data/items.csv, loaded_at_field: "cast('2026-01-02 11:30:00' as timestamp)"}
"""


def ages(tiny, more="", *select):
    tiny.write("models/sources.yml", YAML % more)
    return {age.node.name: age for age in check_freshness(tiny.project(), select, (), NOW)}


def test_freshness_of_rows(tiny):
    found = ages(tiny)
    assert {name: age.status for name, age in found.items()} == {
        "log__events": "warn",
        "log__items": "pass",
    }
    assert found["log__events"].loaded_at == datetime(2026, 1, 2, 10, tzinfo=UTC)
    assert found["log__events"].age.total_seconds() == 2 * 3600


def test_a_table_overrides_one_threshold(tiny):
    found = ages(tiny, ", freshness: {error_after: {count: 90, period: minute}}")
    assert found["log__events"].status == "error"


def test_a_threshold_under_config(tiny):
    found = ages(
        tiny, ", config: {freshness: {error_after: {count: 90, period: minute}}, tags: [t]}"
    )
    assert found["log__events"].status == "error"
    assert tiny.keys("tag:t") == ["log__events"]
    with pytest.raises(ProjectError, match="reads 'log__events', which is disabled"):
        ages(tiny, ", config: {enabled: false}")


def test_filter_and_no_rows(tiny):
    assert ages(tiny, ", freshness: {filter: user_id = 1}")["log__events"].status == "error"
    none = ages(tiny, ", freshness: {filter: user_id = 9}")["log__events"]
    assert (none.status, none.loaded_at, none.age) == ("error", None, None)


def test_text_and_wrong_fields(tiny):
    assert ages(tiny, ", loaded_at_field: cast(seen_at as varchar)")["log__events"].status == "warn"
    wrong = ages(tiny, ", loaded_at_field: seenat")["log__events"]
    assert wrong.status == "runtime error"
    assert "seen_at" in wrong.error.found


def test_without_a_field_the_files_own_time(tiny):
    tiny.write(
        "models/sources.yml",
        """
        sources:
          - name: log
            freshness: {error_after: {count: 1, period: day}}
            tables: [{name: events, path: data/log.csv}, {name: items, path: data/items.csv}]
        """,
    )
    hours = {"log": 23, "items": 25}
    for name, old in hours.items():
        at = NOW.timestamp() - old * 3600
        os.utime(tiny.dir / f"data/{name}.csv", (at, at))
    found = {a.node.name: a.status for a in check_freshness(tiny.project(), now=NOW)}
    assert found == {"log__events": "pass", "log__items": "error"}


def test_nothing_declares_freshness(tiny):
    with pytest.raises(ProjectError, match="nothing selected"):
        list(check_freshness(tiny.project()))


def test_thresholds_in_order(tiny):
    with pytest.raises(ProjectError, match="errs before it warns"):
        ages(tiny, ", freshness: {warn_after: {count: 2, period: day}, error_after: {count: 1, period: day}}")  # fmt: skip


def test_the_command(tiny):
    tiny.write("models/sources.yml", YAML % "")
    done = CliRunner().invoke(
        cli,
        ["source", "freshness", "--project-dir", str(tiny.dir), "--output", "json", "-s", "source:log.events", "named"],
    )  # fmt: skip
    assert done.exit_code == 1
    assert json.loads(done.stdout)["status"] == "error", "the rows are of January"
    assert "ERROR STALE freshness of log.events" in done.stderr
    written = json.loads((tiny.dir / "target/sources.json").read_text())
    (result,) = written["results"]
    assert result["unique_id"] == "source.tiny.log.events"
    assert result["max_loaded_at"] == "2026-01-02T10:00:00.000000Z"
    assert result["criteria"]["error_after"] == {"count": 1, "period": "day"}


def test_seeds_are_tables_of_csv_files(tiny):
    project = tiny.project()
    assert project.build("+kinds_of_items").success
    assert project.query("from kinds order by item_id").fetchall() == [
        ("10", "toy"),
        ("11", "music"),
    ]
    tiny.write("seeds/kinds.csv", "item_id;kind\n10;toy\n11;noise\n")
    plan = {step.node.name: step.action for step in tiny.project().plan().steps}
    assert (plan["kinds"], plan["kinds_of_items"], plan["named"]) == ("build", "build", "reuse")


def test_seeds_of_wrong_columns_disabled_and_of_a_models_name(tiny):
    tiny.replace("seeds/properties.yml", "grain: item_id", "columns: [{name: sort}]")
    with pytest.raises(ProjectError, match=r"source seeds.kinds has no column 'sort'"):
        tiny.project().compile(["kinds"])
    tiny.replace("seeds/properties.yml", "columns: [{name: sort}]", "grain: item_id")
    tiny.replace("seeds/properties.yml", "config: {", "config: {enabled: false, ")
    with pytest.raises(ProjectError, match="reads 'kinds', which is disabled"):
        _ = tiny.project().manifest
    tiny.write("seeds/named.csv", "a\n1\n")
    with pytest.raises(ProjectError, match="model 'named' has the name of a seed"):
        _ = tiny.project().manifest


def test_folder_config_reaches_models_by_name_and_says_what_reaches_nothing(tiny):
    tiny.replace("project.yml", "events:", "items: {+tags: [one]}\n    events:")
    tiny.replace("project.yml", "models:", "seeds: {tiny: {+tags: [seeded]}}\nmodels:")
    nodes = tiny.project().manifest.nodes
    assert (nodes["items"].tags, nodes["events"].tags) == (("stg", "one"), ("stg",))
    assert nodes["kinds"].tags == ("seeded", "small")
    tiny.replace("project.yml", "  staging:", "  stagin:")
    with pytest.raises(ProjectError) as caught:
        _ = tiny.project().manifest
    errors = getattr(caught.value, "errors", [caught.value])
    assert {error.what for error in errors} == {
        f"config for 'stagin{part}' under models: reaches nothing" for part in ("", "/items", "/events")
    }  # fmt: skip
    assert errors[0].where.startswith("project.yml:")


def test_exposures_of_unknown_models_and_without_an_owner(tiny):
    tiny.replace("models/exposures.yml", "ref('named')", "ref('namd')")
    with pytest.raises(ProjectError, match=r"ref\('namd'\) does not name any model") as caught:
        _ = tiny.project().manifest
    assert caught.value.where == "models/exposures.yml:2"
    tiny.replace("models/exposures.yml", "{name: Ann, email: ann@shop.example}", "{}")
    with pytest.raises(ProjectError, match="names nobody"):
        tiny.project()


def test_macros_are_documented_as_they_are(tiny):
    tiny.write(
        "macros/m.sql", "{% macro least(column, n=1) %}{{ column }} >= {{ n }}{% endmacro %}"
    )
    tiny.write("macros/m.yml", "macros: [{name: least, arguments: [{name: column}, {name: m}]}]")
    with pytest.raises(ProjectError, match="macro 'least' has no argument 'm'") as caught:
        _ = tiny.project().manifest
    assert caught.value.found == "least(column, n) at macros/m.sql:1"
    tiny.write("macros/m.yml", "macros: [{name: lest}]")
    with pytest.raises(ProjectError, match="a macro 'lest' that does not exist"):
        _ = tiny.project().manifest
    tiny.write("macros/m.yml", "macros: [{name: least, arguments: [{name: n, type: int}]}]")
    assert tiny.project().render("{{ least('x') }}") == "x >= 1"
