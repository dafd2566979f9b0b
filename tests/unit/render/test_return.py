"""return(): a macro that gives a value, not text."""

from __future__ import annotations

from typing import Any

import pytest

from llm_i2i.errors import ProjectError
from llm_i2i.render.environment import MacroLibrary
from llm_i2i.render.renderer import Renderer

MACROS = """
{% macro inner(value) %}text before{% do return(value) %}text after{% endmacro %}
{% macro outer(value) %}{% set got = inner(value) %}{% do return(got) %}{% endmacro %}
{% macro first_of(values) %}
    {% for value in outer(values) %}{% if value > 1 %}{% do return(value) %}{% endif %}{% endfor %}
{% endmacro %}
{% macro plain() %}{{ inner(1) + 1 }} and more{% endmacro %}
{% macro nothing() %}{% do return(none) %}{% endmacro %}
"""


def rendered(text: str, macros: str = MACROS, **settings: Any) -> str:
    renderer = Renderer(vars={}, macros=MacroLibrary.parse(macros), **settings)
    return renderer.render_model("models/x.sql", text, name="x").sql.strip()


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("outer([1, 2, 3]) | length", "3"),
        ("outer([1, 2])[1] + 1", "3"),
        ("'yes' if outer(false) is false else 'no'", "yes"),
        ("outer(2.5) * 2", "5.0"),
        ("outer({'a': {'b': 7}}).a.b", "7"),
        ("first_of([1, 5, 9]) + 1", "6"),
        ("plain()", "2 and more"),
        ("'none' if nothing() is none else 'some'", "none"),
    ],
)
def test_values_keep_their_type_through_nested_macros(expression: str, value: str) -> None:
    assert rendered(f"{{{{ {expression} }}}}") == value


def test_the_value_of_a_macro_stands_in_an_if() -> None:
    assert rendered("{% if outer(false) %}wrong{% else %}right{% endif %}") == "right"


@pytest.mark.parametrize("text", ["select 1\n{% do return(1) %}", "select 1\n{{ return(1) }}"])
def test_return_outside_a_macro_names_its_line(text: str) -> None:
    with pytest.raises(ProjectError, match=r"return\(\) stands outside a macro") as caught:
        rendered(text)
    assert caught.value.where == "models/x.sql:2"


def test_return_in_a_yaml_expression_is_refused() -> None:
    renderer = Renderer(vars={}, macros=MacroLibrary.parse(MACROS))
    with pytest.raises(ProjectError, match="outside a macro") as caught:
        renderer.evaluated("{{ return(1) }}", "models/x.yml:3")
    assert caught.value.where == "models/x.yml:3"


def test_what_is_not_defined_is_not_returned() -> None:
    with pytest.raises(ProjectError, match="'lost' is not defined"):
        rendered("{{ lossy() }}", "{% macro lossy() %}{% do return(lost) %}{% endmacro %}")
