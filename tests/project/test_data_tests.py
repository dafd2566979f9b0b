"""Data tests: thresholds, stored failures, singular tests, own generic tests, tests on sources."""

from __future__ import annotations

import duckdb
import pytest

from llm_i2i.errors import ProjectError
from llm_i2i.runner.build.events import BuildResult, CheckOutcome
from llm_i2i.runner.project import Project
from tests.project.conftest import ShopProject


def build(shop: ShopProject, select: str = "events") -> BuildResult:
    return Project.load(shop.dir).build(select)


def with_test(shop: ShopProject, config: str, test: str = "accepted_range", more: str = "") -> None:
    """One data test of `events` that 20 of its 60 rows break: those of position 2."""
    arguments = "max_value: 1, " if test == "accepted_range" else ""
    shop.write(
        "models/models.yml",
        f"""
        models:
          - name: events
            columns:
              - name: position
                data_tests:
                  - {test}: {{{arguments}name: last, config: {{{config}}}{more}}}
        """,
    )


def outcome(shop: ShopProject, config: str) -> CheckOutcome:
    with_test(shop, config)
    (found,) = build(shop).checks
    return found


THRESHOLDS = [
    ("", "FAIL", 20),
    ("severity: warn", "WARN", 20),
    ("error_if: '> 20'", "WARN", 20),
    ("error_if: '> 20', warn_if: '> 20'", "PASS", 20),
    ("error_if: '>= 20', warn_if: '> 100'", "FAIL", 20),
    ("severity: warn, error_if: '> 1', warn_if: 'between 1 and 19'", "PASS", 20),
    ("limit: 3", "FAIL", 3),
    ("where: user_id < 'u11'", "FAIL", 3),
    ("where: 1 = 0", "PASS", 0),
    ("fail_calc: count(distinct position)", "FAIL", 1),
    ("fail_calc: max(position), error_if: '> 2'", "WARN", 2),
]


def test_thresholds(shop: ShopProject) -> None:
    tests = [
        f"accepted_range: {{max_value: 1, column_name: position, name: t{n}, config: {{{config}}}}}"
        for n, (config, _, _) in enumerate(THRESHOLDS)
    ]
    shop.write(
        "models/models.yml", f"models: [{{name: events, data_tests: [{', '.join(tests)}]}}]\n"
    )
    found = build(shop).checks
    assert [c.error for c in found if c.error] == []
    assert [(c.status, c.failures) for c in found] == [row[1:] for row in THRESHOLDS]


def test_a_threshold_that_is_no_condition(shop: ShopProject) -> None:
    found = outcome(shop, "error_if: more than 3")
    assert found.status == "ERROR"
    assert found.error is not None
    assert found.error.where == "models/models.yml:6"


def test_a_changed_threshold_is_judged_again(shop: ShopProject) -> None:
    assert outcome(shop, "error_if: '> 20', warn_if: '> 20'").status == "PASS"
    assert outcome(shop, "error_if: '> 20', warn_if: '> 20'").reused
    assert outcome(shop, "error_if: '> 19'").status == "FAIL"


def test_store_failures(shop: ShopProject) -> None:
    stored = outcome(shop, "store_failures: true").failures_rows
    assert duckdb.sql(f"select count(*), min(position) from '{stored}'").fetchall() == [(20, 2)]
    assert outcome(shop, "").failures_rows.endswith("last.csv")
    for file in (shop.dir / "target/failures").iterdir():
        file.unlink()
    assert Project.load(shop.dir).build("events", store_failures=True).checks[0].failures_rows == (
        f"{shop.dir}/target/failures/last.parquet"
    )
    (shop.dir / "target/failures/last.parquet").unlink()
    (shop.dir / "target/failures/last.sql").unlink()
    none = outcome(shop, "store_failures: false")
    assert none.failures_rows == ""
    assert [f.name for f in (shop.dir / "target/failures").iterdir()] == ["last.sql"]


def test_a_singular_test_is_a_file(shop: ShopProject) -> None:
    shop.write(
        "project/tests/nobody_is_missing.sql",
        """
        {{ config(severity='warn', tags=['people']) }}
        select prompts.user_id
        from {{ ref('prompts') }} as prompts
        left join {{ ref('events') }} as events on events.user_id = prompts.user_id
        where events.user_id is null or prompts.user_id = 'u3'
        """,
    )
    project = Project.load(shop.dir)
    result = project.build("prompts events")
    found = {c.check.name: c for c in result.checks}["nobody_is_missing"]
    assert found.status == "WARN"
    assert found.failures == 3  # one user, three events
    assert found.check.where == "project/tests/nobody_is_missing.sql"
    names = {check.name for check in project.select_tests("test_type:singular")}
    assert names == {"nobody_is_missing"}
    for words in ("events", "prompts", "tag:people", "nobody_is_missing"):
        assert "nobody_is_missing" in {check.name for check in project.select_tests(words)}
    shop.replace("project/tests/nobody_is_missing.sql", "severity='warn', ", "")
    assert not build(shop, "prompts events").published


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("select 1", "reads no model"),
        ("select * from {{ ref('event') }}", "ref('event') does not name any model"),
        ("{{ config(sevrity='warn') }} select * from {{ ref('events') }}", "unknown key 'sevrity'"),
    ],
)
def test_a_singular_test_with_a_mistake(shop: ShopProject, sql: str, what: str) -> None:
    shop.write("project/tests/t.sql", sql)
    with pytest.raises(ProjectError) as caught:
        build(shop)
    assert what in caught.value.what
    assert caught.value.where.startswith("project/tests/t.sql")


@pytest.mark.parametrize("file", ["project/macros/tests.sql", "project/tests/generic/below.sql"])
def test_an_own_generic_test(shop: ShopProject, file: str) -> None:
    shop.write(
        file,
        """
        {% test below(model, column_name, most=1) %}
        select *, {{ column_name }} || ' is too late' as message from {{ model }} where {{ column_name }} > {{ most }}
        {% endtest %}
        """,
    )
    with_test(shop, "limit: 1", "below")
    (found,) = build(shop).checks
    assert found.status == "FAIL"
    assert found.messages == ("2 is too late",)


def test_a_source_is_tested_before_what_reads_it(shop: ShopProject) -> None:
    shop.replace(
        "models/sources.yml",
        "columns: [{name: user_id},",
        "columns: [{name: user_id, data_tests: [unique]},",
    )
    shop.replace(
        "models/sources.yml",
        "var('order_column') }}\"}",
        "var('order_column') }}\", data_tests: [not_null]}",
    )
    result = build(shop)
    assert [c.check.name for c in result.checks if c.status == "FAIL"] == [
        "unique_log__events_user_id"
    ]
    assert "not_null_log__events_position" in {c.check.name for c in result.checks}
    assert [n.status for n in result.nodes] == ["SKIP"]
