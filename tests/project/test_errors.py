"""Bad input: what, where, found, fix, the right exit code, and never a traceback."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.project.conftest import ShopProject


def failed(shop: ShopProject, code: int, *arguments: str) -> str:
    """Standard error of a command that must fail with `code`."""
    done: subprocess.CompletedProcess[str] = shop.run(*(arguments or ("build",)))
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "nanobind" not in done.stderr
    assert "error: " in done.stderr
    return done.stderr


def test_unknown_ref(shop: ShopProject) -> None:
    shop.replace("models/kept.sql", "ref('scored')", "ref('scord')")
    message = failed(shop, 2)
    assert "ref('scord') does not name any model" in message
    assert "models/kept.sql:4:" in message
    assert "closest 'scored'" in message
    assert "write ref('scored')" in message


def test_unknown_source(shop: ShopProject) -> None:
    shop.replace("models/events.sql", "'log', 'events'", "'log', 'event'")
    message = failed(shop, 2)
    assert "models/events.sql:6:" in message
    assert "log.events" in message


def test_cycle(shop: ShopProject) -> None:
    shop.replace("models/events.sql", "{{ source('log', 'events') }}", "{{ ref('kept') }}")
    message = failed(shop, 2)
    assert "->" in message
    assert "events" in message


def test_unknown_var_in_a_model(shop: ShopProject) -> None:
    shop.replace("models/kept.sql", "var('threshold')", "var('treshold')")
    message = failed(shop, 2)
    assert "models/kept.sql:5" in message
    assert "'threshold'" in message


def test_unknown_var_on_the_command_line(shop: ShopProject) -> None:
    message = failed(shop, 2, "build", "--vars", "{treshold: 1}")
    assert "'threshold'" in message


def test_unknown_yaml_key(shop: ShopProject) -> None:
    shop.replace("models/models.yml", "description:", "descripton:")
    message = failed(shop, 2)
    assert "models/models.yml:3" in message
    assert "description" in message


def test_sql_syntax_error(shop: ShopProject) -> None:
    shop.replace("models/kept.sql", "where score", "were score")
    message = failed(shop, 2)
    assert "models/kept.sql:5" in message
    assert "syntax error" in message


def test_sql_syntax_error_in_a_model_with_a_udf(shop: ShopProject) -> None:
    shop.replace(
        "models/scored.sql", "from {{ ref('prompts') }}", "from {{ ref('prompts') }} where ("
    )
    message = failed(shop, 2)
    assert "models/scored.sql" in message


def test_unknown_column(shop: ShopProject) -> None:
    shop.replace("models/kept.sql", "    score\n", "    scre\n")
    message = failed(shop, 2)
    assert "models/kept.sql:3" in message
    assert '"scre"' in message
    assert "score" in message


def test_unknown_column_in_a_udf_argument(shop: ShopProject) -> None:
    shop.replace("models/scored.sql", "score(prompt,", "score(promt,")
    message = failed(shop, 2)
    assert "models/scored.sql:4" in message
    assert "prompt" in message


def test_missing_file(shop: ShopProject) -> None:
    message = failed(shop, 2, "build", "--vars", "{log: data/lgo.csv}")
    assert "data/lgo.csv" in message
    assert "log.csv" in message


def test_log_without_the_order_column(shop: ShopProject) -> None:
    message = failed(shop, 2, "build", "--vars", "{order_column: timestamp}")
    assert "no column 'timestamp'" in message
    assert "user_id, item_id, position" in message
    assert "order_column" in message


def test_a_file_that_is_no_parquet(shop: ShopProject) -> None:
    shop.write("data/log.parquet", "not parquet")
    message = failed(shop, 2, "build", "--vars", "{log: data/log.parquet}")
    assert "data/log.parquet" in message


def test_empty_log(shop: ShopProject) -> None:
    shop.write("data/log.csv", "user_id,item_id,position\n")
    message = failed(shop, 1)
    assert "not_empty_events" in message


def test_empty_file(shop: ShopProject) -> None:
    shop.write("data/log.csv", "")
    message = failed(shop, 2)
    assert "data/log.csv" in message


def test_null_ids(shop: ShopProject) -> None:
    shop.write("data/log.csv", "user_id,item_id,position\nu1,i1,0\n,i2,1\n")
    message = failed(shop, 1)
    assert "not_null_events_user_id" in message
    assert "models/models.yml" in message
    assert "1 rows" in message


def test_udf_that_raises(shop: ShopProject) -> None:
    shop.replace(
        "udfs/functions.py", "return [int(", "raise ValueError('no model')\n    return [int("
    )
    message = failed(shop, 1)
    assert "UDF 'score' raised ValueError: no model" in message
    assert "functions.py:" in message


def test_table_udf_that_raises(shop: ShopProject) -> None:
    shop.replace(
        "udfs/functions.py", "context.progress(", "raise KeyError('gone')\n    context.progress("
    )
    message = failed(shop, 1)
    assert "UDF 'train' raised KeyError" in message
    assert "'trained'" in message


def test_udf_with_the_wrong_number_of_rows(shop: ShopProject) -> None:
    shop.replace("udfs/functions.py", "for p in prompt]", "for p in prompt[1:]]")
    message = failed(shop, 1)
    assert "returned 6 values for 7 rows" in message


def test_udf_with_the_wrong_type(shop: ShopProject) -> None:
    shop.replace(
        "udfs/functions.py", "return [int(", "return ['x' for p in prompt]\n    return [int("
    )
    message = failed(shop, 1)
    assert "DOUBLE" in message


@pytest.mark.parametrize("returns", ["DOUBLE", "STRUCT(a DOUBLE)[]"])
def test_udf_that_answers_nan(shop: ShopProject, returns: str) -> None:
    """NaN is greater than any threshold in SQL: it must not pass as a score. Other rows are kept, a rerun asks for these alone."""
    answer = "float('nan') if 'u7' in p else 0.5"
    if returns != "DOUBLE":
        shop.replace("udfs/functions.py", 'returns="DOUBLE"', f'returns="{returns}"')
        shop.replace("models/kept.sql", "score >=", "score[1].a >=")
        shop.replace("models/kept.sql", "    score\n", "    score[1].a as score\n")
        answer = f"[{{'a': {answer}}}]"
    shop.replace("udfs/functions.py", "return [int(", f"return [{answer} for p in prompt]\n    return [int(")  # fmt: skip
    message = failed(shop, 1)
    assert "1 of 20 calls of UDF 'score' failed" in message
    assert "not a number" in message
    shop.calls()
    failed(shop, 1)
    assert shop.calls() == ["Hello u7 of Earth"]


def test_udf_file_that_does_not_import(shop: ShopProject) -> None:
    shop.write("udfs/other.py", "import nosuchmodule\n")
    message = failed(shop, 2)
    assert "udfs/other.py:1" in message
    assert "nosuchmodule" in message


def test_unknown_udf(shop: ShopProject) -> None:
    shop.replace("models/scored.sql", "score(prompt", "scoer(prompt")
    message = failed(shop, 2)
    assert "scoer" in message
    assert "models/scored.sql" in message


def test_nothing_selected(shop: ShopProject) -> None:
    message = failed(shop, 2, "build", "--select", "kpet")
    assert "nothing selected" in message
    assert "'kept'" in message


def test_several_mistakes_are_reported_together(shop: ShopProject) -> None:
    shop.replace("models/kept.sql", "ref('scored')", "ref('scord')")
    shop.replace("models/prompts.sql", "var('planet')", "var('planets')")
    message = failed(shop, 2)
    assert "scord" in message
    assert "planets" in message


def test_no_project(shop: ShopProject) -> None:
    (shop.dir / "project/project.yml").unlink()
    assert "project.yml" in failed(shop, 2)


def test_query_before_the_first_build(shop: ShopProject) -> None:
    assert "llmi2i build" in failed(shop, 2, "query", "select 1")


@pytest.mark.parametrize("text", ["{a: ", "[1]", "threshold=1"])
def test_bad_vars(shop: ShopProject, text: str) -> None:
    assert "--vars" in failed(shop, 2, "build", "--vars", text)


def test_unknown_target(shop: ShopProject) -> None:
    assert "target" in failed(shop, 2, "build", "--target", "prd")


def test_two_columns_of_one_name(shop: ShopProject) -> None:
    shop.replace("models/kept.sql", "    score\n", "    score,\n    1 as SCORE\n")
    assert "two columns" in failed(shop, 2)


def test_empty_model(shop: ShopProject) -> None:
    shop.write("models/kept.sql", "-- nothing yet\n")
    message = failed(shop, 2)
    assert "the model is empty" in message
    assert "models/kept.sql" in message


def test_model_of_two_statements(shop: ShopProject) -> None:
    shop.write("models/kept.sql", "select 1 as score, 'u' as user_id; select 2")
    assert "one statement" in failed(shop, 2)


def test_model_that_is_no_query(shop: ShopProject) -> None:
    shop.write("models/kept.sql", "drop table events")
    assert "one select" in failed(shop, 2)


def test_udf_that_exits(shop: ShopProject) -> None:
    shop.replace("udfs/functions.py", "return [int(", "raise SystemExit(0)\n    return [int(")
    message = failed(shop, 1)
    assert "SystemExit" in message
    assert re.search(r"functions\.py:[1-9]", message)


def test_udf_that_returns_one_value(shop: ShopProject) -> None:
    shop.replace("udfs/functions.py", "return [int(", "return 5\n    return [int(")
    assert "returned a single int" in failed(shop, 1)


def test_udf_with_wrong_fields(shop: ShopProject) -> None:
    shop.replace("udfs/functions.py", 'returns="DOUBLE"', 'returns="STRUCT(a DOUBLE, b DOUBLE)"')
    shop.replace(
        "udfs/functions.py",
        "return [int(",
        "return [{'a': 1.0, 'c': 2.0} for _ in prompt]\n    return [int(",
    )
    shop.replace("models/kept.sql", "where score >=", "where score.a >=")
    message = failed(shop, 1)
    assert "keys a, b" in message


def test_udf_with_an_unknown_type(shop: ShopProject) -> None:
    shop.replace("udfs/functions.py", 'returns="DOUBLE"', 'returns="DUBLE"')
    message = failed(shop, 2)
    assert "UDF 'score'" in message
    assert "DUBLE" in message


def test_source_that_is_a_folder(shop: ShopProject) -> None:
    assert "data/*.parquet" in failed(shop, 2, "build", "--vars", "{log: data}")


def test_target_path_that_is_a_file(shop: ShopProject) -> None:
    assert "--target-path" in failed(shop, 2, "build", "--target-path", "data/log.csv")


def test_only_a_source_selected(shop: ShopProject) -> None:
    assert "only sources" in failed(shop, 2, "build", "--select", "source:log")
    assert shop.run("ls", "--select", "source:log").stdout == "log__events\n"


@pytest.mark.parametrize(
    ("rule", "value", "wanted"),
    [
        ("{values: [Earth, Mars]}", "Pluto", "one of Earth, Mars"),
        ("{type: number, min: 0, max: 1}", "2", "at most 1"),
        ("{type: number}", ".nan", "a finite number"),
        ("{type: integer}", "1.5", "a whole number"),
        ("{type: boolean}", "1", "true or false"),
        ("{type: text}", "null", "not null"),
    ],
)
def test_a_var_against_its_rule(shop: ShopProject, rule: str, value: str, wanted: str) -> None:
    shop.replace(
        "project/project.yml", "target: dev\n", f"declare: {{planet: {rule}}}\ntarget: dev\n"
    )
    if "Earth" not in rule and "text" not in rule:
        shop.replace("project/project.yml", "planet: Earth", "planet: 0")
    message = failed(shop, 2, "build", "--vars", f"{{planet: {value}}}")
    assert wanted in message
    assert "var 'planet'" in message
