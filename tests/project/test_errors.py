"""Bad input: what, where, found, fix, the right exit code, and never a traceback."""

from __future__ import annotations

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
