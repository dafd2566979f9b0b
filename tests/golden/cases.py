"""How the small project is spoilt, and the command that then complains: one case an error class."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.project.conftest import ShopProject
from tests.project.test_gates import DIFFERENCES, GATE

Undo = Callable[[], object] | None
Spoil = Callable[[ShopProject, pytest.MonkeyPatch], Undo]


@dataclass(frozen=True)
class Case:
    """One error: `spoil` changes the project, and may give what to do at the end."""

    name: str
    title: str
    arguments: list[str]
    spoil: Spoil | None = None
    exit_code: int = 2
    environment: dict[str, str] = field(default_factory=dict)


def replaced(name: str, old: str, new: str) -> Spoil:
    return lambda shop, _: shop.replace(name, old, new)


def written(name: str, text: str) -> Spoil:
    def write(shop: ShopProject, _: Any) -> None:
        shop.write(name, text)

    return write


def contracted(shop: ShopProject, _: Any) -> None:
    shop.write("models/contract.yml", CONTRACT)
    properties = (shop.dir / "models/models.yml").read_text()
    shop.write("models/models.yml", properties[: properties.index("  - name: kept")])


def both(*steps: Spoil) -> Spoil:
    def do(shop: ShopProject, patch: pytest.MonkeyPatch) -> None:
        for step in steps:
            step(shop, patch)

    return do


def gated(shop: ShopProject, _: Any) -> None:
    shop.write(
        "models/models.yml",
        f"models: [{{name: ranking_metrics, data_tests: [ranking_metric_at_least: {GATE}]}}]\n",
    )
    shop.replace("project/project.yml", "threshold: 0.5", "threshold: 0.5, recall: 0.22")
    shop.write("models/paired_differences.sql", DIFFERENCES)
    select = "select recommender, augmentation, split, segment, metric, k, value"
    shop.write(
        "models/ranking_metrics.sql",
        select + " from {{ ref('paired_differences') }} where against = 'none'",
    )


def without(*modules: str) -> Spoil:
    def hide(_: ShopProject, patch: pytest.MonkeyPatch) -> None:
        import llm_i2i.cli.serve as serve

        found = serve.find_spec
        patch.setattr(serve, "find_spec", lambda name: None if name in modules else found(name))

    return hide


HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


def held(shop: ShopProject, _: Any) -> Undo:
    """Another process has the catalogue open for writing."""
    path = str((shop.dir / "target/dev.duckdb").resolve())
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    return lambda: holder.communicate(b"", timeout=20)


def defect(_: ShopProject, patch: pytest.MonkeyPatch) -> None:
    from llm_i2i.runner.project import Project

    def fail(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("division by zero")

    patch.setattr(Project, "rows", fail)


def unreadable_result(shop: ShopProject, _: Any) -> None:
    for path in (shop.dir / "target/store/kept").glob("*/data.parquet"):
        path.unlink()


def udf(body: str) -> Spoil:
    """The batch UDF does something else first."""
    return replaced("udfs/functions.py", "    return [int(", f"    {body}\n    return [int(")


UNIT = """
    unit_tests:
      - name: keeps_the_good
        model: kept
        given:
          - input: ref('scored')
            rows:
              - {user_id: ann, score: 0.4}
              - {user_id: bob, score: 0.7}
              - {user_id: cid, score: 0.9}
        expect:
          rows:
            - {user_id: ann, score: 0.4}
            - {user_id: cid, score: 0.8}
"""
CONTRACT = """
    models:
      - name: kept
        contract: {enforced: true}
        columns:
          - {name: user_id, data_type: bigint}
          - {name: score, data_type: double}
          - {name: rank, data_type: integer}
"""
FRESH = "    tables:\n      - name: events\n        loaded_at_field: position\n        freshness: {error_after: {count: 1, period: day}}"

CASES = [
    # -- YAML
    Case("yaml_key", "A key that is not known", ["build"], replaced("models/models.yml", "description:", "descripton:")),
    Case("yaml_syntax", "Text that is no YAML", ["build"], replaced("models/models.yml", "description: The log.", "description: The log: all of it")),
    Case("yaml_type", "A value of another type", ["build"], replaced("models/models.yml", "tags: [log]", "tags: {log: 1}")),
    Case("yaml_twice", "A key given twice", ["build"], replaced("models/models.yml", "    description: The log.", "    description: The log.\n    description: Again.")),
    Case("yaml_model", "Properties of a model that does not exist", ["build"], replaced("models/models.yml", "name: kept", "name: ketp")),
    Case("yaml_test", "A data test that does not exist", ["build"], replaced("models/models.yml", "not_empty", "not_emtpy")),
    Case("yaml_test_argument", "An argument that a data test does not take", ["build"], replaced("models/models.yml", "max_value: 1", "max: 1")),
    Case("no_project", "A folder without a project", ["build", "--project-dir", "data"]),
    Case("no_folder", "A folder that does not exist", ["build", "--project-dir", "nowhere"]),
    Case("target", "A target that does not exist", ["build", "-t", "prd"]),
    Case("target_path", "A folder for results that is a file", ["build", "--target-path", "data/log.csv"]),
    # -- Jinja
    Case("jinja_open", "Jinja that is not closed", ["build"], replaced("models/kept.sql", "where", "{% if true %} where")),
    Case("jinja_tag", "A tag that does not exist", ["build"], replaced("models/kept.sql", "where", "{% iff true %} where")),
    Case("jinja_name", "A name that is not defined", ["build"], replaced("models/kept.sql", "var('threshold')", "threshold")),
    Case("jinja_dbt", "A name that dbt has", ["build"], replaced("models/kept.sql", "var('threshold')", "run_query('select 1')")),
    Case("jinja_escape", "A way out of the sandbox", ["build"], replaced("models/kept.sql", "var('threshold')", "''.__class__.__mro__")),
    Case("macro_twice", "A macro defined twice", ["build"], both(written("project/macros/a.sql", "{% macro half(x) %}{{ x }} / 2{% endmacro %}"), written("project/macros/b.sql", "{% macro half(x) %}{{ x }} / 2{% endmacro %}"))),
    Case("macro_argument", "A macro called with what it does not take", ["build"], both(written("project/macros/a.sql", "{% macro half(x) %}{{ x }} / 2{% endmacro %}"), replaced("models/kept.sql", "var('threshold')", "half(y=1)"))),
    Case("prompt", "A prompt that does not exist", ["build"], replaced("models/prompts.sql", "prompt('hello'", "prompt('helo'")),
    Case("prompt_key", "A prompt without one of its keys", ["build"], replaced("models/prompts.sql", "name='user_id'", "nam='user_id'")),
    Case("language_model", "A language model that does not exist", ["build"], replaced("models/trained.sql", "language_model('small')", "language_model('smal')")),
    # -- vars and environment
    Case("var", "A var that is not defined", ["build"], replaced("models/kept.sql", "var('threshold')", "var('treshold')")),
    Case("var_option", "A var on the command line that the project does not declare", ["build", "--vars", "{treshold: 1}"]),
    Case("vars_text", "--vars that is no mapping", ["build", "--vars", "threshold=1"]),
    Case("var_rule", "A var with a value that its rule forbids", ["build", "--vars", "{planet: Pluto}"], replaced("project/project.yml", "target: dev\n", "declare: {planet: {values: [Earth, Mars]}}\ntarget: dev\n")),
    Case("env_var", "An environment variable that is not set", ["build"], replaced("models/kept.sql", "var('threshold')", "env_var('SHOP_THRESHOLD')")),
    # -- graph
    Case("ref", "A ref to no model", ["build"], replaced("models/kept.sql", "ref('scored')", "ref('scord')")),
    Case("source", "A source that is not declared", ["build"], replaced("models/events.sql", "'log', 'events'", "'log', 'event'")),
    Case("cycle", "Models that read each other", ["build"], replaced("models/events.sql", "{{ source('log', 'events') }}", "{{ ref('kept') }}")),
    Case("model_twice", "Two models of one name", ["build"], written("models/more/kept.sql", "select 1 as user_id")),
    Case("several", "Several mistakes at once", ["build"], both(replaced("models/kept.sql", "ref('scored')", "ref('scord')"), replaced("models/prompts.sql", "var('planet')", "var('planets')"))),
    # -- selection
    Case("selector", "A selection that names nothing", ["build", "-s", "kpet"]),
    Case("selector_method", "A method of selection that does not exist", ["build", "-s", "tagg:log"]),
    Case("selector_tag", "A tag that no model has", ["ls", "-s", "tag:lgo"]),
    Case("selector_named", "A selector that is not in selectors.yml", ["build", "--selector", "nightly"]),
    Case("selector_source", "Only a source selected", ["build", "-s", "source:log"]),
    Case("selector_state", "state: without a state", ["build", "-s", "state:modified"]),
    # -- SQL
    Case("sql_syntax", "SQL that cannot be parsed", ["build"], replaced("models/kept.sql", "where score", "were score")),
    Case("sql_column", "A column that does not exist", ["build"], replaced("models/kept.sql", "    score\n", "    scre\n")),
    Case("sql_table", "A table that no ref names", ["build"], replaced("models/kept.sql", "{{ ref('scored') }}", "scored")),
    Case("sql_function", "A function that does not exist", ["build"], replaced("models/kept.sql", "    score\n", "    ruond(score, 2) as score\n")),
    Case("sql_empty", "A model without SQL", ["build"], written("models/kept.sql", "-- nothing yet\n")),
    Case("sql_statement", "A model that is no select", ["build"], written("models/kept.sql", "drop table events\n")),
    Case("sql_two_columns", "Two columns of one name", ["build"], replaced("models/kept.sql", "    score\n", "    score,\n    1 as SCORE\n")),
    Case("sql_runs", "SQL that fails while it runs", ["build"], replaced("models/kept.sql", "    score\n", "    cast(user_id as integer) as score\n"), 1),
    Case("contract", "A contract that the query does not keep", ["build"], contracted),
    # -- UDFs
    Case("udf", "A UDF that does not exist", ["build"], replaced("models/scored.sql", "score(prompt", "scoer(prompt")),
    Case("udf_argument", "A UDF without its argument", ["build"], replaced("models/scored.sql", "model :=", "modle :=")),
    Case("udf_place", "A UDF where it cannot be called", ["build"], replaced("models/scored.sql", "score(prompt,", "score(max(prompt) over (),")),
    Case("udf_import", "A file of UDFs that does not import", ["build"], written("udfs/other.py", "import nosuchmodule\n")),
    Case("udf_syntax", "A file of UDFs that is no Python", ["build"], written("udfs/other.py", "def f(:\n")),
    Case("udf_exits", "A file of UDFs that ends the process", ["build"], written("udfs/other.py", "import sys\nsys.exit(0)\n")),
    Case("udf_annotation", "A UDF whose parameter has no type", ["build"], written("udfs/other.py", "from llm_i2i.udf import batch_udf\n\n\n@batch_udf(returns='DOUBLE')\ndef f(text): ...\n")),
    Case("udf_batch_size", "A UDF with an impossible batch size", ["build"], replaced("udfs/functions.py", "batch_size=7", "batch_size=0")),
    Case("udf_raises", "A UDF that raises", ["build"], udf("raise ValueError('no model')"), 1),
    Case("udf_rows", "A UDF that returns too few rows", ["build"], replaced("udfs/functions.py", "for p in prompt]", "for p in prompt[1:]]"), 1),
    Case("udf_type", "A UDF that returns another type", ["build"], udf("return ['x' for p in prompt]"), 1),
    Case("max_calls", "More calls than --max-calls", ["build", "--max-calls", "5", "--vars", "{planet: Mars}"], None, 1),
    # -- logs
    Case("log_missing", "A log that is not there", ["build", "--vars", "{log: data/lgo.csv}"]),
    Case("log_line", "A broken line", ["build"], written("data/log.csv", "user_id,item_id,position\nu1,i1,0\nu1,i2\nu2,i1,0\n")),
    Case("log_json", "A line that is no JSON", ["build", "--vars", "{log: data/log.jsonl}"], written("data/log.jsonl", '{"user_id": "a", "item_id": "x", "position": 1}\n{"user_id": "b", "item_id\n')),
    Case("log_empty", "An empty file", ["build"], written("data/log.csv", "")),
    Case("log_parquet", "A file that is no Parquet", ["build", "--vars", "{log: data/log.parquet}"], written("data/log.parquet", "not parquet")),
    Case("log_column", "A log without the order column", ["build", "--vars", "{order_column: timestamp}"]),
    Case("log_format", "A file of an unknown format", ["build", "--vars", "{log: data/log.xyz}"], written("data/log.xyz", "a")),
    Case("freshness", "A source that cannot be asked for its age", ["source", "freshness"], replaced("models/sources.yml", "    tables:\n      - name: events", FRESH), 1),
    # -- tests
    Case("data_test", "A data test that fails", ["build"], written("data/log.csv", "user_id,item_id,position\nu1,i1,0\n,i2,1\n"), 1),
    Case("gate", "A gate that fails: the environment is not moved", ["build", "-s", "ranking_metrics paired_differences"], gated, 1),
    Case("unit_test", "A unit test that gets other rows", ["test", "-s", "test_type:unit"], written("models/unit.yml", UNIT), 1),
    Case("unit_test_input", "A unit test of an input that the model does not read", ["test", "-s", "test_type:unit"], written("models/unit.yml", UNIT.replace("ref('scored')", "ref('prompts')")), 1),
    # -- reading
    Case("query_unbuilt", "A query before the first build", ["query", "from kept", "--env", "prod"]),
    Case("query_table", "A query of a table that is not there", ["query", "from kpet"]),
    Case("query_column", "A query of a column that is not there", ["query", "select scre from kept"]),
    Case("query_syntax", "A query that cannot be parsed", ["query", "selec 1"]),
    Case("query_writes", "A query that writes", ["query", "copy (select 1) to 'x.csv'"]),
    Case("query_writes_in_a_cte", "A select that writes", ["query", "with x as (copy (select 1) to 'x.csv') from x"]),
    Case("query_file", "A query of a file", ["query", "from 'data/log.csv'"]),
    Case("query_locked", "A catalogue that another process has open", ["query", "from kept"], held),
    Case("query_damaged", "A published result that is gone", ["query", "from kept"], unreadable_result),
    Case("show_nothing", "show without a model", ["show"]),
    Case("lineage", "Lineage of a column that is not there", ["lineage", "kept.scre"]),
    Case("export_table", "An export of a table that is not there", ["export", "kpet", "out.csv"]),
    Case("export_exists", "An export over a file", ["export", "kept", "data/log.csv"]),
    Case("export_format", "An export in an unknown format", ["export", "kept", "out.xlsx"]),
    Case("export_into_target", "An export into the folder of results", ["export", "kept", "target/store/out.csv"]),
    Case("environment_name", "An environment that is no name", ["build", "--env", "../prod"]),
    Case("promote", "A promotion of an environment that was never built", ["promote", "stage", "prod"]),
    Case("rollback", "A rollback where there is nothing before", ["rollback", "dev"]),
    Case("diff", "A comparison with an environment that does not exist", ["diff", "dev", "prod"]),
    Case("calls_where", "A condition on calls that is none", ["calls", "inspect", "--where", "reslt > 1"]),
    Case("calls_where_writes", "A condition on calls that writes", ["calls", "inspect", "--where", "true; copy (select 1) to 'x.csv'"]),
    Case("experiment", "Experiments where there are none", ["experiment", "table2"]),
    # -- the command line itself
    Case("option", "An option that does not exist", ["build", "--slect", "kept"]),
    Case("option_value", "A value that an option does not take", ["query", "from kept", "--output", "xml"]),
    Case("command", "A command that does not exist", ["biuld"]),
    Case("argument", "An argument that is missing", ["query"]),
    Case("init_full", "A new project where there are files", ["init", "data"]),
    Case("extra_serve", "serve without its extra", ["serve"], without("starlette", "uvicorn", "httptools", "msgspec")),
    Case("extra_redis", "publish-redis without its extra", ["publish-redis", "redis://127.0.0.1:1"], without("redis")),
    Case("serve_index", "An index to serve that is not there", ["publish-redis", "redis://127.0.0.1:1"]),
    Case("defect", "A defect of ours", ["query", "from kept"], defect, 1),
]  # fmt: skip
