"""part.yml: parts that a project lists or leaves out, their vars, presets, lists and config."""

from __future__ import annotations

import pytest

from llm_i2i.config.experiments import load_experiments
from llm_i2i.errors import LlmI2iError, ProjectError
from llm_i2i.experiment.variants import Choice, make_trials

PARTS = {
    "models/extra/part.yml": """
        optional: true
        config: {tags: [extra], enabled: "{{ var('is_on') }}"}
        vars:
          is_on: {default: true}
          protocol: {default: standard, values: [standard, paper], values_of: protocols}
          triggers: {default: 20, min: 1, preset: protocol}
        presets:
          protocol: {paper: {triggers: 1}}
        lists:
          protocols: [{name: leave_one_out}]
    """,
    "models/extra/asked.sql": "select {{ var('triggers') }} as triggers from {{ ref('items') }}",
    "models/extra/asked.yml": "models: [{name: asked, description: What is asked.}]",
    "models/extra/deeper/part.yml": "config: {tags: [deeper], enabled: true}",
    "models/extra/deeper/more.sql": "select 1 as x",
    "models/needy/part.yml": "{optional: true, requires: [extra]}",
    "models/needy/read.sql": "select triggers from {{ ref('asked') }}",
}


@pytest.fixture
def shop(tiny):
    for name, text in PARTS.items():
        tiny.write(name, text)
    tiny.replace("project.yml", "name: tiny", "name: tiny\nparts: [extra]")
    return tiny


def error_of(shop, **settings) -> str:
    with pytest.raises(LlmI2iError) as caught:
        _ = shop.project(**settings).manifest
    return str(caught.value)


def test_a_part_that_is_not_listed_is_invisible(shop):
    shop.replace("project.yml", "parts: [extra]", "parts: []")
    project = shop.project()
    assert not {"asked", "more", "read"} & project.manifest.nodes.keys()
    assert project.vars == {"least": 1}
    assert project.loaded.all_lists == {}
    assert "asked" not in project.manifest.properties
    text = error_of(shop, vars={"triggers": 2})
    assert "var 'triggers' is of part 'extra', which this project leaves out" in text


def test_config_of_a_folder_reaches_the_folders_in_it_which_win(shop):
    nodes = shop.project().manifest.nodes
    assert nodes["asked"].tags == ("extra",)
    assert nodes["more"].tags == ("extra", "deeper")
    assert set(shop.project(vars={"is_on": False}).manifest.nodes) & {"asked", "more"} == {"more"}


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ("[extras]", "there is no part 'extras'"),
        ("[needy]", "part 'needy' needs part 'extra'"),
    ],
)
def test_a_wrong_list_of_parts(shop, parts, message):
    shop.replace("project.yml", "parts: [extra]", f"parts: {parts}")
    assert message in error_of(shop)


def test_a_var_is_declared_once(shop):
    shop.write("models/staging/part.yml", "vars:\n  triggers: {default: 1}\n")
    text = error_of(shop)
    assert "var 'triggers' is declared twice" in text
    assert "first declared at models/extra/part.yml:6" in text


def test_a_misspelt_var_of_project_yml(shop):
    shop.replace("project.yml", "vars: {least: 1}", "vars: {least: 1, trigers: 3}")
    text = error_of(shop)
    assert "var 'trigers' is not declared" in text
    assert "did you mean triggers?" in text


def test_values_of_a_list_are_allowed(shop):
    assert shop.project(vars={"protocol": "leave_one_out"}).vars["triggers"] == 20
    text = error_of(shop, vars={"protocol": "papre"})
    assert "var 'protocol' must be one of standard, paper, leave_one_out" in text


@pytest.mark.parametrize("value", ["\"{{ var('protocol') }}\"", '"{{ 1 }}"'])
def test_enabled_must_become_true_or_false(shop, value):
    shop.replace("models/extra/part.yml", "\"{{ var('is_on') }}\"", value)
    text = error_of(shop)
    assert "the expression of 'enabled' gives no true or false" in text
    assert "models/extra/part.yml:2" in text


# -- presets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "vars", "value"),
    [
        ("least: 1", {}, 20),
        ("least: 1, protocol: paper", {}, 1),
        ("least: 1, protocol: paper, triggers: 5", {}, 5),
        ("least: 1, protocol: paper, triggers: null", {}, 1),
        ("least: 1, protocol: paper, triggers: 5", {"triggers": None}, 5),
        ("least: 1, protocol: paper", {"protocol": "standard"}, 20),
    ],
)
def test_where_the_value_comes_from(shop, given, vars, value):
    shop.replace("project.yml", "vars: {least: 1}", f"vars: {{{given}}}")
    assert shop.project(vars=vars).vars["triggers"] == value
    assert str(value) in shop.project(vars=vars).manifest.nodes["asked"].sql


def test_a_unit_test_that_overrides_the_chooser_asks_the_presets_again(shop):
    shop.write(
        "models/unit.yml",
        """
        unit_tests:
          - name: paper
            model: asked
            overrides: {vars: {protocol: paper}}
            given: [{input: ref('items'), rows: [{item_id: 1}]}]
            expect: {rows: [{triggers: 1}]}
        """,
    )
    (outcome,) = shop.project().test("test_type:unit")
    assert outcome.error is None
    assert not outcome.diff


def test_a_variant_that_overrides_the_chooser_asks_the_presets_again(shop):
    shop.write(
        "experiments.yml",
        "experiments:\n  protocols: {description: Both., grid: {protocol: [standard, paper]}}\n",
    )
    loaded = shop.project().loaded
    experiments = load_experiments(loaded.file, shop.dir)
    trials = make_trials("protocols", experiments, loaded.var_settings, Choice()).trials
    assert [shop.project(vars=dict(t.vars)).vars["triggers"] for t in trials] == [20, 1]


# -- lists -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("{{ var('nothing') }}", "var 'nothing' is not defined"),
        ("{{ 1 + }}", "not valid Jinja"),
        ("{{ unknown_name }}", "'unknown_name' is not defined"),
    ],
)
def test_a_broken_expression_names_the_line_of_its_entry(shop, value, message):
    shop.write(
        "models/staging/part.yml", f'lists:\n  logs:\n    - {{n: 1}}\n    - {{n: "{value}"}}\n'
    )
    shop.write("models/logs.sql", "{{ instances(entries('logs'), name='log_{n}') }}\nselect 1 as x")
    with pytest.raises(ProjectError, match=message) as caught:
        _ = shop.project().manifest
    assert caught.value.where.startswith("models/staging/part.yml:4")
    assert "__keep" not in str(caught.value)


def test_an_instance_is_enabled_or_not(shop):
    shop.write(
        "models/logs.sql",
        "{{ instances([{'n': 1, 'enabled': var('is_on')}, {'n': 2, 'enabled': not var('is_on')}], name='log_{n}') }}\nselect 1 as x",
    )
    project = shop.project()
    assert project.select("file:logs.sql") == ["log_1"]
    assert project.manifest.disabled["log_2"].inputs["vars"] == {"is_on": True}
    shop.replace("models/logs.sql", "var('is_on')}, ", "'yes'}, ")
    text = error_of(shop)
    assert "'enabled' of an instance of models/logs.sql is neither true nor false" in text


def test_names_of_instances_are_names_of_models(shop):
    shop.write("models/logs.sql", "{{ instances([{'n': '../x'}], name='log_{n}') }}\nselect 1 as x")
    assert "models/logs.sql:1" in error_of(shop)


# -- packages --------------------------------------------------------------------------------------


def test_a_package_brings_its_parts(tiny):
    for name, text in PARTS.items():
        tiny.write(f"../tools/{name}", text.replace("ref('items')", "ref('given')"))
    tiny.write("../tools/models/given.sql", "select 1 as item_id")
    tiny.write("../tools/project.yml", "{name: tools, parts: [extra]}")
    tiny.write("packages.yml", "packages: [{local: ../tools}]")
    tiny.write(
        "../tools/models/several.sql",
        "{{ instances(entries('protocols'), name='p_{name}') }}\nselect '{{ name }}' as x",
    )
    tiny.write(
        "../tools/models/several.yml",
        "models: [{name: several, description: 'About {{ name }}.'}]",
    )
    tiny.write("project.yml", (tiny.dir / "project.yml").read_text() + "lists: {protocols: [{name: mine}]}\n")  # fmt: skip
    project = tiny.project(vars={"protocol": "paper"})
    nodes = project.manifest.nodes
    assert nodes["asked"].tags == ("extra",)
    assert project.vars["triggers"] == 1
    assert nodes["p_leave_one_out"].description == "About leave_one_out."
    assert nodes["p_mine"].package == "tools"
    assert "read" not in nodes
    assert project.build("p_mine").success
    paths = {project.compiled_path(nodes[n]) for n in ("p_mine", "p_leave_one_out")}
    assert {path.name for path in paths} == {"p_mine.sql", "p_leave_one_out.sql"}
