"""Unit tests: given rows, mocked UDFs, what is said when a model gives something else."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest

from llm_i2i.errors import LlmI2iError, ProjectError
from llm_i2i.runner.build.events import UnitOutcome
from llm_i2i.runner.project import Project
from tests.project.conftest import ShopProject

SCORED = """
    unit_tests:
      - name: scored_asks_the_model
        model: scored
        given:
          - input: ref('prompts')
            rows:
              - {user_id: ann, prompt: a kite}
              - {user_id: bob, prompt: a drum}
              - {user_id: cid, prompt: null}
          - {input: ref('trained'), rows: [{checkpoint: c1}]}
          - input: udf('score')
            rows:
              - {prompt: a kite, model: c1, returns: 0.25}
              - {prompt: a drum, returns: 0.5}
        expect:
          rows:
            - {user_id: bob, score: 0.5}
            - {user_id: ann, score: 0.25}
            - {user_id: cid, score: null}
"""


def write(shop: ShopProject, text: str) -> None:
    shop.write("models/unit.yml", textwrap.dedent(text))


def kept(shop: ShopProject, given: str, expect: str, more: str = "") -> UnitOutcome:
    """The outcome of one unit test of `kept`, in YAML flow style."""
    write(
        shop,
        f"unit_tests:\n  - {{name: t, model: kept, given: {given}, expect: {expect}{more}}}\n",
    )
    (outcome,) = run(shop)
    return outcome


def run(shop: ShopProject, select: str = "test_type:unit", **settings: Any) -> list[UnitOutcome]:
    outcomes = Project.load(shop.dir, **settings).test(select)
    assert all(isinstance(outcome, UnitOutcome) for outcome in outcomes)
    return outcomes  # type: ignore[return-value]


def problem(outcome: UnitOutcome) -> LlmI2iError:
    assert outcome.error is not None, outcome.diff
    return outcome.error


def test_a_mocked_udf_answers_and_nothing_is_called(shop: ShopProject) -> None:
    write(shop, SCORED)
    (outcome,) = run(shop)
    assert outcome.status == "PASS", outcome.error or outcome.diff
    assert shop.calls() == []


def test_a_call_without_an_answer_shows_its_arguments(shop: ShopProject) -> None:
    write(shop, SCORED.replace("{prompt: a drum, returns: 0.5}", "{prompt: drum, returns: 0.5}"))
    error = problem(run(shop)[0])
    assert "1 call of score has no answer" in error.what
    assert error.found == "score(prompt: 'a drum', model := 'c1')"
    assert "{prompt: 'a drum', returns: ...}" in error.fix
    assert error.where.startswith("models/unit.yml:")


def test_a_mock_for_another_model_is_no_answer(shop: ShopProject) -> None:
    write(shop, SCORED.replace("checkpoint: c1", "checkpoint: c2"))
    assert "model := 'c2'" in problem(run(shop)[0]).found


def test_an_argument_that_is_left_out_fits_any_and_the_first_row_wins(shop: ShopProject) -> None:
    write(shop, SCORED.replace("{prompt: a drum, returns: 0.5}", "{returns: 0.5}"))
    assert run(shop)[0].status == "PASS"


def test_keys_of_calls_are_the_rows_of_the_mock_unless_given(shop: ShopProject) -> None:
    model = "score(prompt, model := (select any_value(checkpoint) from {{ ref('trained') }}))"
    shop.write(
        "models/scored.sql",
        f"select user_id, prompt, {model} as score, call_key({model}) as key from {{{{ ref('prompts') }}}}",
    )
    text = SCORED.replace("model: c1, returns: 0.25", "returns: 0.25, call_key: k")
    write(
        shop,
        text.replace("score: 0.25}", "score: 0.25, key: k}").replace(
            "score: 0.5}", "score: 0.5, key: 'score:2'}"
        ),
    )
    (outcome,) = run(shop)
    assert outcome.status == "PASS", outcome.error or outcome.diff


@pytest.mark.parametrize(
    ("old", "new", "what", "fix"),
    [
        ("returns: 0.25", "answer: 0.25", "there is no column 'answer'", ""),
        ("prompt: a drum, returns", "promt: a drum, returns", "no column 'promt'", "'prompt'"),
        ("returns: 0.25", "returns: high", "'returns' is no DOUBLE", "DOUBLE"),
        ("udf('score')", "udf('scores')", "no UDF 'scores'", "'score'"),
        ("udf('score')", "udf('train')", "does not call UDF 'train'", "remove"),
        ("{user_id: ann,", "{usr_id: ann,", "no column 'usr_id'", "'user_id'"),
        ("user_id: bob, score: 0.5", "user_id: bob, score: half", "'score' is no DOUBLE", "DOUBLE"),
        ("{user_id: bob, score", "{user_id: bob, scre", "no column 'scre'", "'score'"),
    ],
)
def test_mistakes_in_rows(shop: ShopProject, old: str, new: str, what: str, fix: str) -> None:
    write(shop, SCORED.replace(old, new))
    error = problem(run(shop)[0])
    assert what in error.what
    assert fix in error.fix
    assert error.where.startswith("models/unit.yml:")


def test_a_call_that_is_not_mocked(shop: ShopProject) -> None:
    write(
        shop,
        SCORED[: SCORED.index("          - input: udf")] + SCORED[SCORED.index("        expect") :],
    )
    error = problem(run(shop)[0])
    assert "calls score(...), which is not mocked" in error.what
    assert "{prompt: ..., returns: ...}" in error.fix
    assert shop.calls() == []


def test_a_table_udf_is_mocked_by_its_rows(shop: ShopProject) -> None:
    write(
        shop,
        """
        unit_tests:
          - name: t
            model: trained
            given:
              - {input: ref('events'), rows: []}
              - {input: udf('train'), rows: [{step: 3, checkpoint: c}]}
            expect: {rows: [{step: 3, checkpoint: c}]}
        """,
    )
    assert run(shop)[0].status == "PASS"
    assert not (shop.dir / "target/store/trained").exists()


@pytest.mark.parametrize(
    ("given", "expect"),
    [
        ("[{input: ref('scored'), rows: [{user_id: a, score: .4}, {score: .5, user_id: b}]}]", "{rows: [{user_id: b}]}"),
        ("[{input: ref('scored'), format: csv, rows: \"user_id,score\\na,0.4\\nb,\\nc,0.5\"}]", "{format: csv, rows: \"user_id\\nc\"}"),
        ("[{input: ref('scored'), format: sql, rows: \"select 'a' as user_id, 1 as score\"}]", "{format: sql, rows: \"select 1.0 as score\"}"),
        ("[{input: ref('scored'), format: csv, fixture: scores}]", "{format: sql, fixture: above}"),
        ("[{input: ref('scored'), rows: [{user_id: a}]}]", "{rows: []}"),
    ],
)  # fmt: skip
def test_formats(shop: ShopProject, given: str, expect: str) -> None:
    shop.write("project/tests/fixtures/scores.csv", 'user_id,score\n"a, b",0.9\nc,0.1\n')
    shop.write("project/tests/fixtures/deep/above.sql", "select 'a, b' as user_id, 0.9 as score;")
    outcome = kept(shop, given, expect)
    assert outcome.status == "PASS", outcome.error or outcome.diff


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ('format: csv, rows: "user_id,score\\na,1,2"', "not as many fields"),
        ('format: csv, rows: "user_id,scor\\na,1"', "no column 'scor'"),
        ('format: csv, rows: "user_id,score\\na,much"', "is no DOUBLE"),
        ("format: sql, rows: select 1 as scor", "no column 'scor'"),
        ("format: sql, rows: select a from nowhere", "its SQL is refused"),
        ("format: sql, rows: \"select 'much' as score\"", "much"),
    ],
)
def test_mistakes_in_csv_and_sql(shop: ShopProject, given: str, what: str) -> None:
    try:
        message = problem(kept(shop, f"[{{input: ref('scored'), {given}}}]", "{rows: []}")).render()
    except ProjectError as error:
        message = error.render()
    assert what in message
    assert "models/unit.yml:2" in message


def test_a_disabled_model_is_not_tested(shop: ShopProject) -> None:
    write(shop, SCORED)
    shop.replace("models/scored.sql", "select", "{{ config(enabled=var('threshold') > 0) }} select")
    shop.replace("models/kept.sql", "select", "{{ config(enabled=var('threshold') > 0) }} select")
    assert len(Project.load(shop.dir).manifest.unit_checks) == 1
    assert Project.load(shop.dir, vars={"threshold": 0}).manifest.unit_checks == ()


def test_sources_are_given_too_and_typed_by_their_files(shop: ShopProject) -> None:
    write(
        shop,
        """
        unit_tests:
          - name: t
            model: events
            given: [{input: "source('log', 'events')", rows: [{user_id: u, position: "7"}]}]
            expect: {rows: [{user_id: u, item_id: null, position: 7}]}
        """,
    )
    outcome = run(shop)[0]
    assert outcome.status == "PASS", outcome.error or outcome.diff


def test_overrides(shop: ShopProject) -> None:
    given = "[{input: ref('scored'), rows: [{user_id: a, score: .4}]}]"
    assert kept(shop, given, "{rows: []}").status == "PASS"
    vars = ", overrides: {vars: {threshold: 0.3}}"
    assert kept(shop, given, "{rows: [{user_id: a}]}", vars).status == "PASS"
    shop.write("project/macros/least.sql", "{% macro least_score() %}0.9{% endmacro %}")
    shop.replace("models/kept.sql", "{{ var('threshold') }}", "{{ least_score() }}")
    macros = ", overrides: {macros: {least_score: 0.3}}"
    assert kept(shop, given, "{rows: [{user_id: a}]}", macros).status == "PASS"
    shop.replace("models/kept.sql", "{{ least_score() }}", "{{ env_var('LEAST', '0.9') }}")
    env = ", overrides: {env_vars: {LEAST: 0.3}}"
    assert kept(shop, given, "{rows: [{user_id: a}]}", env).status == "PASS"
    error = problem(kept(shop, given, "{rows: []}", ", overrides: {macros: {least_scor: 1}}"))
    assert "'least_scor' that does not exist" in error.what


def test_the_difference_is_shown_cell_by_cell(shop: ShopProject) -> None:
    shop.replace("models/models.yml", "  - name: kept\n", "  - name: kept\n    grain: [user_id]\n")
    outcome = kept(
        shop,
        "[{input: ref('scored'), rows: [{user_id: a, score: .6}, {user_id: b, score: .7}]}]",
        "{rows: [{user_id: a, score: .9}, {user_id: c, score: .7}]}",
    )
    assert outcome.status == "FAIL"
    assert outcome.failures == 3
    assert outcome.diff.splitlines() == [
        "expected 2 rows, got 2: 1 differs, 1 missing, 1 unexpected",
        "            user_id  score",
        "expected    a        0.9",
        "actual               0.6",
        "missing     c        0.7",
        "unexpected  b        0.7",
    ]


def test_the_order_counts_where_the_model_orders(shop: ShopProject) -> None:
    given = "[{input: ref('scored'), rows: [{user_id: a, score: .6}, {user_id: b, score: .7}]}]"
    expect = "{rows: [{user_id: a}, {user_id: b}]}"
    assert kept(shop, given, expect).status == "PASS"
    assert kept(shop, given, "{rows: [{user_id: b}, {user_id: a}]}").status == "PASS"
    text = (shop.dir / "models/kept.sql").read_text()
    shop.write("models/kept.sql", text + "order by score desc\n")
    outcome = kept(shop, given, expect)
    assert outcome.status == "FAIL"
    assert "another order" in outcome.diff


@pytest.mark.parametrize(
    ("old", "new", "what", "fix"),
    [
        ("model: scored", "model: scord", "a model 'scord' that does not exist", "'scored'"),
        ("ref('trained')", "ref('traned')", "ref('traned') does not name any model", "ref('trained')"),
        ("ref('trained')", "trained", "input of a unit test cannot be read", "ref('model')"),
        ("ref('trained')", "ref('prompts')", "gives ref('prompts') twice", ""),
        ("model: scored", "model: scored\n        overrides: {vars: {treshold: 1}}", "var 'treshold' is not declared", ""),
        ("expect:", "expct:", "unknown key 'expct'", "'expect'"),
        ("rows: [{checkpoint: c1}]", "fixture: nope, format: csv", "fixture 'nope' does not exist", "project/tests/fixtures/nope.csv"),
        ("rows: [{checkpoint: c1}]", "format: csv", "needs either 'rows' or 'fixture'", ""),
        ("rows: [{checkpoint: c1}]", "rows: c1", "not of format dict", ""),
    ],
)  # fmt: skip
def test_mistakes_in_yaml_stop_at_once(
    shop: ShopProject, old: str, new: str, what: str, fix: str
) -> None:
    write(shop, SCORED.replace(old, new))
    with pytest.raises(ProjectError) as caught:
        run(shop)
    message = caught.value.render()
    assert what in message
    assert fix in message
    assert "models/unit.yml:" in message


def test_an_input_that_is_not_given(shop: ShopProject) -> None:
    error = problem(kept(shop, "[]", "{rows: []}"))
    assert "does not give ref('scored')" in error.what
    assert "ref('scored')" in error.fix


def test_build_runs_them_before_the_model_and_publishes_nothing_when_one_fails(
    shop: ShopProject,
) -> None:
    write(shop, SCORED.replace("score: 0.25}", "score: 0.75}"))
    result = Project.load(shop.dir).build()
    statuses = {n.step.node.name: n.status for n in result.nodes}
    assert statuses["scored"] == "SKIP"
    assert statuses["kept"] == "SKIP"
    assert statuses["prompts"] == "OK"
    assert [u.status for u in result.units] == ["FAIL"]
    assert shop.calls() == []
    assert result.exit_code == 1
    assert not result.published
    without = Project.load(shop.dir).build(exclude="test_type:unit")
    assert without.published
    assert without.units == []
    assert Project.load(shop.dir).plan(exclude="unit_test:scored*").steps
    by_name = Project.load(shop.dir).build(exclude="scored_asks_the_model not_empty_events")
    assert by_name.units == []
    assert "not_empty_events" not in {outcome.check.name for outcome in by_name.checks}
    with pytest.raises(ProjectError, match="a build selects models"):
        Project.load(shop.dir).build("test_type:unit")


def test_what_passed_is_not_run_again_until_something_changes(shop: ShopProject) -> None:
    write(shop, SCORED)

    def reused() -> bool:
        (unit,) = Project.load(shop.dir).build().units
        assert unit.status == "PASS"
        return unit.reused

    assert not reused()
    assert reused()
    shop.replace("udfs/functions.py", "0xFFFFFF", "0xFFFFFE")
    assert not reused()
    shop.replace("models/unit.yml", "returns: 0.5", "returns: 0.50000001")
    assert not reused()
    assert not run(shop)[0].reused  # `test` always runs


def test_selection(shop: ShopProject) -> None:
    write(shop, SCORED)
    project = Project.load(shop.dir)

    def names(*select: str, exclude: str = "") -> set[str]:
        return {check.name for check in project.select_tests(select, exclude)}

    unit = {"scored_asks_the_model"}
    assert names("test_type:unit") == unit
    assert names("unit_test:scored*") == unit
    assert names("scored_asks_the_model") == unit
    assert names("scored") == unit
    assert names("+kept,test_type:unit") == unit
    assert names("test_name:not_null") == {"not_null_events_user_id", "not_null_kept_user_id"}
    assert names("test_type:data", exclude="kept test_name:grain") == {
        "not_null_events_user_id",
        "not_empty_events",
    }
    assert unit < names()
    assert names("resource_type:unit_test") == unit  # dbt's words for the same
    assert names("resource_type:test") == names("test_type:data")
    assert names("kept,resource_type:test") == {c for c in names("kept") if c not in unit}
    with pytest.raises(ProjectError, match="nothing selected"):
        names("unit_test:nope")
    with pytest.raises(ProjectError, match="scored_asks_the_model"):
        names("scored_asks_the_modl")


def test_on_the_command_line(shop: ShopProject) -> None:
    write(shop, SCORED.replace("score: 0.25}", "score: 0.75}"))
    done = shop.run("test", "-s", "test_type:unit")
    assert done.returncode == 1
    assert "FAIL unit test scored_asks_the_model" in done.stderr
    assert "  at:    models/unit.yml:2\n" in done.stderr
    assert "expected  ann      0.75\n" in done.stderr
    assert "actual             0.25\n" in done.stderr
    assert "Done. PASS=0 WARN=0 FAIL=1 ERROR=0 TOTAL=1\n" in done.stderr
    assert max(map(len, done.stderr.splitlines())) <= 80
    write(shop, SCORED.replace("score: 0.25}", "score: often}"))
    assert "FAIL=0 ERROR=1 TOTAL=1\n" in shop.run("test", "-s", "test_type:unit").stderr
    listed = shop.run("ls", "-s", "test_type:unit")
    assert listed.stdout == "scored_asks_the_model\n", listed.stderr
    listed = shop.run("ls", "-s", "resource_type:test")
    assert "not_null_kept_user_id" in listed.stdout.split(), listed.stderr
    for command, fix in (("build", "llmi2i test -s"), ("compile", "llmi2i test -s")):
        refused = shop.run(command, "-s", "resource_type:test")
        assert refused.returncode == 2
        assert f"{fix} resource_type:test" in refused.stderr
    listed = shop.run("ls", "--resource-type", "unit_test")
    assert listed.stdout.split() == ["scored_asks_the_model"]
