from __future__ import annotations

import pytest

from llm_i2i.render.lines import LineMap
from llm_i2i.render.renderer import MacroLibrary, Renderer

MACROS = (
    "{% macro many() %}a\nb\nc{% endmacro %}{% macro around() %}(\n{{ caller() }}\n){% endmacro %}"
)

CASES = {
    "plain": ("select\n  1,\n  2", [1, 2, 3]),
    "config over several lines": (
        "{{ config(\n  materialized='table',\n  tags=['a'],\n) }}\nselect 1\nfrom t",
        [5, 6],
    ),
    "comments and statements go away": ("{# a\nb #}\n{% set x = 1 %}\nselect {{ x }}", [4]),
    "for loop": ("with\n{% for i in [1, 2] %}\nt{{ i }},\n{% endfor %}\nx", [1, 2, 3, 4, 3, 4, 5]),
    "for loop, trimmed": ("with\n{% for i in [1, 2] -%}\nt{{ i }},\n{% endfor %}x", [1, 3, 3, 4]),
    "if and else": (
        "{% if false %}\na\n{% elif true %}\nb\n{% else %}\nc\n{% endif %}\nd",
        [4, 5, 8],
    ),
    "a macro of many lines": ("x\n{{ many() }}\ny", [1, 2, 2, 2, 3]),
    "many lines inside a line": ("x {{ many() }} y\nz", [1, 1, 1, 2]),
    "call block": ("x\n{% call around() %}\n  y\n{% endcall %}\nz", [1, 2, 2, 2, 2, 2, 5]),
    "filter block": ("{% filter upper %}\na\n{% endfilter %}\nb", [1, 1, 4]),
    "set block": ("{% set x %}\na\nb\n{% endset %}\n{{ x }}\nc", [5, 5, 5, 6]),
    "a macro of the model": ("{% macro m() %}\na\n{% endmacro %}\n{{ m() }}\nb", [4, 4, 5]),
    "with block": ("{% with x = 1 %}\n{{ x }}\n{% endwith %}\nb", [2, 3, 4]),
    "expression over several lines": ("a {{\n  many()\n}}\nb", [1, 2, 2, 4]),
    "raw": ("{% raw %}\n{{ a }}\n{% endraw %}\nb", [2, 3, 4]),
    "first thing on the line counts": ("  {{ '' }}{{ many() }}", [1, 1, 1]),
    "carriage returns": ("a\r\nb\r\n{{ many() }}", [1, 2, 3, 3, 3]),
}


@pytest.mark.parametrize("case", CASES)
def test_lines(case):
    text, expected = CASES[case]
    rendered = Renderer(vars={}, macros=MacroLibrary.parse(MACROS)).render_model(
        "m.sql", text, name="m"
    )
    lines = rendered.sql.split("\n")
    found = [rendered.line_map.source_line(i + 1) for i in range(len(lines))]
    kept = [(line, source) for line, source in zip(lines, found, strict=True) if line.strip()]
    wanted = [(line, source) for line, source in zip(lines, expected, strict=False) if line.strip()]
    assert kept == wanted
    assert "\ue000" not in rendered.sql
    assert "\ue001" not in rendered.sql


def test_nothing_rendered():
    rendered = Renderer(vars={}).render_model("m.sql", "{{ config() }}\n\n", name="m")
    assert rendered.sql == ""
    assert rendered.line_map.source_line(1) == 0


def test_out_of_range():
    lines = LineMap((3, 5))
    assert [lines.source_line(i) for i in (-1, 0, 1, 2, 3)] == [0, 0, 3, 5, 5]
    assert LineMap().source_line(1) == 0
