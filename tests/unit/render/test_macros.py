from __future__ import annotations

import pytest

from llm_i2i.errors import ProjectError, ProjectErrors
from llm_i2i.render.environment import RESERVED_NAMES, MacroLibrary
from llm_i2i.render.renderer import Renderer


def load(tmp_path, **files):
    folder = tmp_path / "project/macros/deep"
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / f"{name}.sql").write_bytes(text if isinstance(text, bytes) else text.encode())
    return MacroLibrary.load([tmp_path / "project/macros"], root=tmp_path)


def failures(tmp_path, **files):
    with pytest.raises(ProjectError) as caught:
        load(tmp_path, **files)
    error = caught.value
    return error.errors if isinstance(error, ProjectErrors) else [error]


def test_built_in_data_tests():
    assert MacroLibrary.load().data_tests == [
        "accepted_range",
        "accepted_values",
        "expected_calibration_error",
        "expression_is_true",
        "grain",
        "long_tail_share",
        "not_empty",
        "not_null",
        "popularity_drift",
        "ranking_metric_at_least",
        "relationships",
        "row_cap",
        "synthetic_pairs_are_new",
        "unique",
    ]


def test_reserved_names_are_the_functions_of_templates():
    from llm_i2i.render.context import Rendering, RenderInputs

    inputs = RenderInputs(
        vars={}, language_models={}, macros=MacroLibrary({}), prompts={}, env={}, target={}
    )
    assert set(Rendering(inputs, name="m").names) | {"instances"} == RESERVED_NAMES


def test_macros_of_all_files_call_each_other(tmp_path):
    library = load(
        tmp_path,
        a="Some words.\n{% macro a(x) %}a{{ _b(x) }}{% endmacro %}",
        b="{% macro _b(x) %}b{{ x }}{{ c() if x else '' }}{% endmacro %}",
        c="{% macro c() %}c{{ a(0) }}{% endmacro %}",
    )
    rendered = Renderer(vars={}, macros=library).render_model("m.sql", "{{ a(1) }}", name="m")
    assert rendered.sql == "ab1cab0"
    assert rendered.macros == ("_b", "a", "c")
    assert library["_b"].location == "project/macros/deep/b.sql:1"


def test_a_project_macro_overrides_a_built_in_one(tmp_path):
    library = load(tmp_path, a="{% test unique(model, column_name) %}mine{% endtest %}")
    renderer = Renderer(vars={}, macros=library)
    assert renderer.render_data_test("unique", "m", "c").sql == "mine"


def test_defaults_varargs_and_kwargs(tmp_path):
    library = load(
        tmp_path, a="{% macro f(a, b=2) %}{{ a }}{{ b }}{{ kwargs.c }}{{ varargs }}{% endmacro %}"
    )
    assert library["f"].arguments == ("a", "b")
    assert library["f"].required == ("a",)
    assert library["f"].is_open
    renderer = Renderer(vars={}, macros=library)
    assert renderer.render_model("m.sql", "{{ f(1, c=3) }}", name="m").sql == "123[]"


@pytest.mark.parametrize("tag", ["test", "data_test"])
def test_the_test_tag(tmp_path, tag):
    library = load(
        tmp_path,
        a=f"{{% {tag} cold(model, n=1) %}}select {{{{ n }}}} from {{{{ model }}}}{{% end{tag} %}}",
    )
    assert "cold" in library.data_tests
    renderer = Renderer(vars={}, macros=library)
    assert renderer.render_data_test("cold", "m").sql == "select 1 from m"


def test_all_mistakes_come_together(tmp_path):
    found = failures(
        tmp_path,
        a="{% macro x() %}{% endmacro %}\n{% macro ref() %}{% endmacro %}",
        b="\n{% macro x() %}{% endmacro %}",
        c="{% macro y() %}",
        d="\n{% macro z() %}{{ 1 | uper }}{% endmacro %}",
        e=b"\xff",
    )
    places = [(error.what, error.where.removeprefix("project/macros/deep/")) for error in found]
    assert places == [
        ("macro 'ref' has the name of a built-in function", "a.sql:2"),
        ("macro 'x' is defined twice", "b.sql:2"),
        (found[2].what, "c.sql:1"),
        ("not valid Jinja: no filter named 'uper'", "d.sql:2"),
        ("cannot read the macro file", "e.sql"),
    ]
    assert "not valid Jinja: unexpected end of template" in found[2].what
    assert "ref" in found[0].found
    assert found[0].fix == "give it another name"
    assert found[1].found == "first defined at project/macros/deep/a.sql:1"
    assert found[1].fix == "rename or remove one of the two"
    assert found[2].fix.startswith("close what is open")
    assert "UTF-8" in found[4].fix


def test_no_macro_folder(tmp_path):
    assert "test_unique" in MacroLibrary.load([tmp_path / "none"], root=tmp_path)
