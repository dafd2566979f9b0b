from __future__ import annotations

import pytest

from llm_i2i.config import properties
from llm_i2i.config.loader import load_properties
from llm_i2i.config.properties import merge_model_config, parse_model_config
from llm_i2i.config.yaml_text import Place
from llm_i2i.errors import ProjectError, ProjectErrors


def load(tmp_path, text, **more):
    (tmp_path / "models").mkdir(exist_ok=True)
    for name, content in {"x": text, **more}.items():
        (tmp_path / f"models/{name}.yml").write_text(content)
    return load_properties(tmp_path, ["models"])


def failures(tmp_path, text, **more):
    with pytest.raises(ProjectError) as caught:
        load(tmp_path, text, **more)
    error = caught.value
    return error.errors if isinstance(error, ProjectErrors) else [error]


def failure(tmp_path, text, **more):
    found = failures(tmp_path, text, **more)
    assert len(found) == 1, "\n".join(map(str, found))
    return found[0]


FULL = """
version: 2
models:
  - name: items
    description: One row an item.
    grain: item_id
    contract: {enforced: true}
    config: {materialized: view, tags: [a, b], max_error_ratio: 0.1, meta: {owner: me}}
    data_tests:
      - not_empty
      - expression_is_true:
          expression: n > 0
    columns:
      - name: item_id
        data_type: BIGINT
        tags: key
        data_tests:
          - not_null
          - relationships:
              name: known_items
              description: why
              arguments: {to: "ref('items')", field: item_id}
              config: {severity: warn, where: "item_id > 0", limit: 5, error_if: ">10"}
      - name: kind
        tests: [{accepted_values: {values: [a, b]}}]
sources:
  - name: log
    tables:
      - name: events
        path: "{{ var('interactions') }}"
        format: csv
        columns: [{name: user_id, data_tests: [not_null]}]
macros:
  - name: split_at
    arguments: [{name: n, type: int}]
"""


def test_a_full_file(tmp_path):
    loaded = load(tmp_path, FULL)
    model = loaded.models["items"]
    assert model.location == "models/x.yml:4"
    assert model.column("item_id").location == "models/x.yml:14"
    assert model.column("none") is None
    layer = model.config_layer
    assert (layer.grain, layer.materialized, layer.tags) == (["item_id"], "view", ["a", "b"])
    assert layer.contract.enforced
    assert layer.model_fields_set == {
        "grain",
        "contract",
        "materialized",
        "tags",
        "max_error_ratio",
        "meta",
    }
    source = loaded.sources["log"]
    assert source.table("events").path == "{{ var('interactions') }}"
    assert source.table("none") is None
    assert [t.column for t in source.table("events").all_data_tests()] == ["user_id"]
    assert loaded.macros["split_at"].arguments[0].type == "int"
    assert loaded.files == ("models/x.yml",)


def test_data_tests_are_normalised(tmp_path):
    tests = list(load(tmp_path, FULL).models["items"].all_data_tests())
    assert [(t.test, t.column) for t in tests] == [
        ("not_empty", None),
        ("expression_is_true", None),
        ("not_null", "item_id"),
        ("relationships", "item_id"),
        ("accepted_values", "kind"),
    ]
    relationships = tests[3]
    assert relationships.arguments == {"to": "ref('items')", "field": "item_id"}
    assert (relationships.name, relationships.severity) == ("known_items", "warn")
    assert (relationships.where, relationships.limit) == ("item_id > 0", 5)
    assert (relationships.error_if, relationships.warn_if) == (">10", "!= 0")
    assert relationships.line == "models/x.yml:19"
    assert tests[4].arguments == {"values": ["a", "b"]}
    assert type(tests[4].arguments["values"]) is list


def test_no_files_and_empty_files(tmp_path):
    assert load_properties(tmp_path, ["models"]).models == {}
    assert load(tmp_path, "").files == ("models/x.yml",)
    assert load(tmp_path, "models:\nsources:\n").models == {}


def test_hidden_files_are_left_out_and_folders_searched(tmp_path):
    (tmp_path / "models/a/.hidden").mkdir(parents=True)
    (tmp_path / "models/a/.hidden/x.yml").write_text("nonsense")
    (tmp_path / "models/a/y.yaml").write_text("models: [{name: m}]")
    assert list(load_properties(tmp_path, ["models"]).models) == ["m"]


MODEL = "models:\n  - name: m\n"


@pytest.mark.parametrize(
    ("text", "what", "where", "found", "fix"),
    [
        ("modles: []", "unknown key 'modles' in a properties file", "1:1", "models", "'models'"),
        (MODEL + "    colums: []", "unknown key 'colums' in a model", "3:5", "", "mean 'columns'?"),
        (
            MODEL + "    columns: [{name: c, type: x}]",
            "unknown key 'type' in a column",
            "3:25",
            "data_type",
            "'data_type'",
        ),
        (
            MODEL + "    columns: [{description: c}]",
            "missing key 'name'",
            "3:15",
            "description",
            "name:",
        ),
        (
            MODEL + "    columns: c",
            "'models[0].columns' must be a list",
            "3:14",
            "'c'",
            "write [c]",
        ),
        (MODEL + "    columns: {a: 1}", "must be a list", "3:14", "keys a", "begin each item"),
        (MODEL + "    columns: [c]", "must be a mapping", "3:15", "'c' (text)", "mapping"),
        ("models: [{name: 5}]", "'models[0].name' must be text", "1:17", "5 (a number)", "'5'"),
        ("models: [{name: true}]", "must be text", "1:17", "true", "quote it: 'true'"),
        (
            "models: [{name: m, config: {enabled: 'x'}}]",
            "true or false",
            "1:38",
            "'x'",
            "{{ var(",
        ),
        (
            "models: [{name: m, config: {materialized: tabel}}]",
            "'models[0].config.materialized' must be 'table', 'view' or 'ephemeral'",
            "1:43",
            "'tabel'",
            "did you mean 'table'?",
        ),
        (
            "models: [{name: m, config: {materialized: zzz}}]",
            "materialized",
            "1:43",
            "'zzz'",
            "write one of: table, view, ephemeral",
        ),
        (
            "models: [{name: m, config: {materialized: incremental}}]",
            "cannot be 'incremental'",
            "1:43",
            "incremental",
            "write 'table'",
        ),
        (
            "models: [{name: m, config: {max_error_ratio: 2}}]",
            "must be less than or equal to 1",
            "1:46",
            "2 (a number)",
            "correct the value",
        ),
        (
            "models: [{name: m, config: {schema: x}}]",
            "unknown key 'schema' in a model's config",
            "1:29",
            "",
            "--env",
        ),
        (
            "models: [{name: m, grain: a, config: {grain: b}}]",
            "gives 'grain' twice",
            "1:10",
            "",
            "remove the one under config:",
        ),
        (
            "models: [{name: m, tests: [unique], data_tests: [unique]}]",
            "has both 'tests' and 'data_tests'",
            "1:10",
            "",
            "under data_tests:",
        ),
        ("- a", "a properties file must be a mapping", "1:1", "a list of 1", "models"),
        ("models: [m]", "'models[0]' must be a mapping", "1:10", "'m'", "mapping"),
        (
            "sources: [{name: s, tables: [{name: t}]}]",
            "must say where it is",
            "1:30",
            "name",
            "path:",
        ),
        (
            "sources: [{name: s, tables: [{name: t, path: x, format: cvs}]}]",
            "'sources[0].tables[0].format' must be",
            "1:57",
            "'cvs'",
            "'csv'",
        ),
        ("sources: [{name: s, database: x}]", "unknown key 'database'", "1:21", "", "path"),
        ("vars: {}", "unknown key 'vars'", "1:1", "", "project.yml"),
    ],
)
def test_errors(tmp_path, text, what, where, found, fix):
    error = failure(tmp_path, text)
    assert what in error.what
    assert error.where == f"models/x.yml:{where}"
    assert found in error.found
    assert fix in error.fix


@pytest.mark.parametrize(
    ("test", "what", "where", "found", "fix"),
    [
        ("[a]", "a data test must be a name", "3", "a list of 1", "- not_null"),
        ("{}", "a data test must be a name", "3", "an empty mapping", "- not_null"),
        ("{unique: 3}", "arguments of data test 'unique'", "12", "3 (a number)", "- not_null"),
        (
            "{accepted_values: , values: [a]}",
            "data test 'accepted_values' has keys beside it",
            "23",
            "accepted_values, values",
            "indent values under 'accepted_values:'",
        ),
        (
            "{unique: {severity: warn}}",
            "'severity' belongs under config:",
            "13",
            "among the arguments",
            "config: {severity: ...}",
        ),
        (
            "{unique: {config: {severity: wran}}}",
            "'severity' must be 'error' or 'warn'",
            "32",
            "'wran'",
            "did you mean 'warn'?",
        ),
        (
            "{unique: {config: {sverity: warn}}}",
            "unknown key 'sverity' in a data test's config",
            "22",
            "severity",
            "did you mean 'severity'?",
        ),
        ("{unique: {config: 1}}", "a data test's config must be a mapping", "21", "1", "severity"),
        ("{unique: {name: 1}}", "'name' must be text", "19", "1", "quote it"),
        (
            "{unique: {arguments: 1}}",
            "'arguments' of data test 'unique'",
            "24",
            "1",
            "arguments: {",
        ),
        (
            "{unique: {x: 1, arguments: {x: 2}}}",
            "argument 'x' of data test 'unique' is given twice",
            "13",
            "arguments:",
            "keep one",
        ),
    ],
)
def test_data_test_errors(tmp_path, test, what, where, found, fix):
    error = failure(
        tmp_path,
        f"models:\n- name: m\n  data_tests:\n- {test}\n".replace("\n- {", "\n  - {").replace(
            "\n- [", "\n  - ["
        ),
    )
    assert what in error.what
    assert error.where == f"models/x.yml:4:{int(where) + 2}"
    assert found in error.found
    assert fix in error.fix


def test_data_tests_must_be_a_list(tmp_path):
    error = failure(tmp_path, MODEL + "    data_tests: not_null\n")
    assert error.what == "'models[0].data_tests' must be a list"
    assert error.fix == "write [not_null]"


def test_described_twice_names_both_places(tmp_path):
    error = failure(tmp_path, MODEL, y="models:\n\n  - name: m\n")
    assert error.what == "model 'm' is described twice"
    assert error.where == "models/y.yml:3:5"
    assert error.found == "first described at models/x.yml:2"
    assert "merge" in error.fix


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("sources: [{name: s}, {name: s}]", "source 's'"),
        (
            "sources: [{name: s, tables: [{name: t, path: a}, {name: t, path: b}]}]",
            "source table 's.t'",
        ),
        ("models: [{name: m, columns: [{name: c}, {name: c}]}]", "column 'm.c'"),
        ("macros: [{name: m}, {name: m}]", "macro 'm'"),
    ],
)
def test_other_things_described_twice(tmp_path, text, what):
    assert failure(tmp_path, text).what == f"{what} is described twice"


def test_mistakes_of_all_files_come_together_in_order(tmp_path):
    found = failures(
        tmp_path, "models:\n  - nmae: a\n    columns: 3\n", b="a: b: c", y="models: [{name: 1}]"
    )
    assert [error.where for error in found] == [
        "models/b.yml:1:5",
        "models/x.yml:2:5",
        "models/x.yml:2:5",
        "models/x.yml:3:14",
        "models/y.yml:1:17",
    ]


# -- layers of config ------------------------------------------------------------------------------


def config(**values):
    return parse_model_config(values, Place("models/m.sql", 3))


def test_layers_merge_as_in_dbt():
    merged = merge_model_config(
        [
            config(materialized="view", tags=["a", "b"], meta={"x": 1, "y": 1}),
            config(tags="c", meta={"y": 2}, enabled=False),
            config(materialized="ephemeral", grain=["k"]),
        ]
    )
    assert merged.materialized == "ephemeral"
    assert merged.tags == ["a", "b", "c"]
    assert merged.meta == {"x": 1, "y": 2}
    assert merged.grain == ["k"]
    assert not merged.enabled


def test_defaults_without_layers():
    merged = merge_model_config([])
    assert (merged.materialized, merged.enabled, merged.tags) == ("table", True, [])


def test_inline_config_errors_are_placed_at_the_call():
    with pytest.raises(ProjectError) as caught:
        config(materialised="view")
    assert caught.value.what == "unknown key 'materialised' in a model's config"
    assert caught.value.where == "models/m.sql:3:0"
    assert caught.value.fix == "did you mean 'materialized'?"


def test_inline_config_knows_its_place():
    assert config(contract={"enforced": True}).location == "models/m.sql:3"


def test_json_schema_covers_every_key():
    schema = properties.json_schema()
    assert set(schema["properties"]) == {
        *("version", "models", "seeds", "sources", "macros", "exposures", "unit_tests")
    }
    assert schema["additionalProperties"] is False
    assert "data_tests" in schema["$defs"]["ModelProperties"]["properties"]
