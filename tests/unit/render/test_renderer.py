from __future__ import annotations

import pytest

from llm_i2i.errors import ProjectError
from llm_i2i.render.relations import Reference, SourceReference, relation_name
from llm_i2i.render.renderer import MacroLibrary, Renderer

MACROS = """{% macro top(n) %}
limit {{ n }}
  -- {{ var('fraction') }}
{% endmacro %}

{% macro first(model) -%}
select * from {{ ref(model) }} {{ top(3) }}
{%- endmacro %}

{% macro broken() %}

{{ nothing_here }}
{% endmacro %}

{% macro around() %}<{{ caller() }}>{% endmacro %}
"""


@pytest.fixture
def renderer(tmp_path):
    (tmp_path / "generator.jinja").write_text("It's: {{ history }}\nNext:\n")
    return Renderer(
        vars={
            "fraction": 0.2,
            "flag": True,
            "none": None,
            "names": ["a", "b'c"],
            "rate": 5e-5,
            "path": "data/*.csv",
        },
        language_models={"small": {"layers": 2, "name": "it's"}},
        macros=MacroLibrary.parse(MACROS, "project/macros/m.sql"),
        prompts=tmp_path,
        env={"HOME_DIR": "/data"},
        target={"name": "dev", "type": "duckdb"},
        root=tmp_path,
    )


@pytest.fixture
def sql(renderer):
    return lambda text: renderer.render_model("models/m.sql", text, name="m").sql


def failure(action, *arguments, **named):
    with pytest.raises(ProjectError) as caught:
        action(*arguments, **named)
    return caught.value


# -- functions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ ref('items') }}", "items"),
        ("{{ ref('package', 'items') }}", "items"),
        ("{{ ref('Items') }}", '"Items"'),
        ("{{ ref('order') }}", '"order"'),
        ("{{ source('log', 'events') }}", "log__events"),
        ("{{ this }}", "m"),
        ("{{ var('fraction') }}", "0.2"),
        ("{{ var('rate') }}", "5e-05"),
        ("{{ var('flag') }} {{ var('none') }}", "true null"),
        ("'{{ var('path') }}'", "'data/*.csv'"),
        ("{{ var('names') }}", "['a', 'b''c']"),
        ("{% for n in var('names') %}{{ n }},{% endfor %}", "a,b'c,"),
        ("{{ var('missing', 3) }}", "3"),
        ("{{ var('missing', none) }}", "null"),
        ("{{ env_var('HOME_DIR') }}", "/data"),
        ("{{ env_var('NONE', 'x') }}", "x"),
        ("{{ target.name }} {{ target.type }}", "dev duckdb"),
        ("{{ language_model('small') }}", """'{"layers":2,"name":"it''s"}'"""),
        ('{{ quote_literal("it\'s") }}', "'it''s'"),
        ("{{ quote_literal([1, none, {'a': 2.5}]) }}", "[1, null, {'a': 2.5}]"),
        ("a{{ log('hello') }}b", "ab"),
        ("{% do var('names').append(1) %}{{ var('names') | length }}", "2"),
        (
            "{{ prompt('generator', history='h') }}",
            "('It''s: ' || cast(h as varchar) || '\nNext:')",
        ),
        ("{{ first('items') }}", "select * from items \nlimit 3\n  -- 0.2"),
        ("{% call around() %}x{% endcall %}", "<x>"),
        ("{% macro own(x) %}[{{ x }}]{% endmacro %}{{ own(1) }}", "[1]"),
        ("{{ missing | default('d') }}", "d"),
        ("{# a comment #}\n\nselect 1\n\n", "select 1"),
        ("select '{{ \"1e400\" | float }}'", "select 'cast('inf' as double)'"),
    ],
)
def test_functions(sql, text, expected):
    assert sql(text) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a_1", "a_1"), ("A", '"A"'), ("1a", '"1a"'), ('a"b', '"a""b"'), ("select", '"select"')],
)
def test_relation_name(name, expected):
    assert relation_name(name) == expected


def test_what_was_read_is_recorded(renderer):
    rendered = renderer.render_model(
        "models/m.sql",
        "{{ config(materialized='table',\n  tags=['a']) }}{{ config({'grain': ['k']}) }}\n"
        "{{ first('items') }} {{ var('missing', 1) }} {{ env_var('HOME_DIR') }}\n"
        "{{ prompt('generator', history=quote_literal(language_model('small'))) }}\n"
        "{% if false %}{{ var('flag') }} {{ broken() }} {{ ref('other') }}{% endif %}",
        name="m",
    )
    assert rendered.config == {"materialized": "table", "tags": ["a"], "grain": ["k"]}
    assert rendered.config_line == 1
    assert rendered.vars == {"fraction": 0.2, "missing": 1}
    assert rendered.macros == ("first", "top")
    assert rendered.env_vars == ("HOME_DIR",)
    assert rendered.prompts == ("generator",)
    assert rendered.language_models == ("small",)
    assert rendered.refs == (Reference("items", 3, 0),)


def test_the_same_inputs_render_to_the_same_result(renderer):
    text = "{{ first('items') }}{{ var('names') }}{{ config(a=1) }}"
    first = renderer.render_model("m.sql", text, name="m")
    assert renderer.render_model("m.sql", text, name="m") == first


def test_templates_cannot_change_the_vars(renderer, sql):
    sql("{% do var('names').append('x') %}{% do target.update({'name': 'x'}) %}")
    assert sql("{{ var('names') | length }} {{ target.name }}") == "2 dev"


# -- places of references --------------------------------------------------------------------------


def refs(renderer, text):
    return renderer.render_model("models/m.sql", text, name="m").refs


def test_places_of_refs(renderer):
    text = """select *
from {{ ref('a') }}
join {{ ref( "b" ) }} join {{ ref('p', 'c') }}
{% set x = [
    ref('d'),
    ref('e'),
] %}
{% for name in ['f', 'g'] %}{{ ref(name) }}{% endfor %}
{% for i in range(3) %}{{ ref('h') }}{% endfor %}
{{ first('i') }}
"""
    assert refs(renderer, text) == (
        Reference("a", 2, 9),
        Reference("b", 3, 9),
        Reference("c", 3, 31),
        Reference("d", 5, 5),
        Reference("e", 6, 5),
        Reference("f", 8, 0),
        Reference("g", 8, 0),
        Reference("h", 9, 27),
        Reference("i", 10, 0),
    )


def test_place_of_a_source(renderer):
    rendered = renderer.render_model("m.sql", "\nfrom {{ source('s', 't') }}", name="m")
    assert rendered.sources == (SourceReference("s", "t", 2, 9),)


# -- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "what", "line", "found", "fix"),
    [
        ("\n{{ var('fractoin') }}", "var 'fractoin' is not defined", 2, "6 vars, closest 'fraction'", "--vars"),
        ("{{ var('zzz') }}", "var 'zzz' is not defined", 1, "6 vars", "project.yml"),
        ("{{ vra('x') }}", "'vra' is not defined", 1, "names", "did you mean 'var'?"),
        ("{{ firts('x') }}", "'firts' is not defined", 1, "names", "did you mean 'first'?"),
        ("{{ qqqqqq }}", "'qqqqqq' is not defined", 1, "names", "add a macro"),
        ("{{ fraction }}", "'fraction' is not defined", 1, "a var", "write var('fraction')"),
        ("{{ is_incremental() }}", "'is_incremental' is not defined", 1, "not available", "reused"),
        ("{{ run_started_at }}", "'run_started_at' is not defined", 1, "not available", "clock"),
        ("{{ target.nmae }}", "has no attribute 'nmae'", 1, "{{ target.nmae }}", "check the name"),
        ("{{ ref(1) }}", "ref() takes the name", 1, "ref(1)", "ref('model_name')"),
        ("{{ ref('a', v=2) }}", "ref() takes the name", 1, "ref('a', v=2)", "ref('model_name')"),
        ("{{ ref(nothing) }}", "'nothing' is not defined", 1, "", ""),
        ("{{ source('a') }}", "source() takes", 1, "source('a')", "source('source_name'"),
        ("{{ config(1) }}", "config() takes keyword", 1, "config(1)", "config(materialized="),
        ("{{ config(a=nothing) }}", "'nothing' is not defined", 1, "", ""),
        ("{{ env_var('NONE') }}", "environment variable 'NONE' is not set", 1, "no default", "'default'"),
        (
            "{{ language_model('smal') }}",
            "language model 'smal' is not defined",
            1,
            "language models: small",
            "did you mean 'small'?",
        ),
        ("{{ prompt('genrator') }}", "prompt 'genrator' does not exist", 1, "prompts: generator", "did you mean 'generator'?"),
        ("{{ prompt('generator', history=3) }}", "prompt() needs an SQL expression for 'history'", 1, "3", "quote_literal"),
        ("{{ prompt('generator', history=' ') }}", "prompt() needs an SQL expression", 1, "' '", "column"),
        ("{{ prompt('generator') }}", "prompt(...) gives no value for 'history'", 1, "generator.jinja:1; keys given: none", "history='<SQL"),
        ("{{ prompt('generator', history='h', histry='h') }}", "gives 'histry', which the prompt does not use", 1, "generator.jinja uses: history", "did you mean 'history'?"),
        ("{{ exceptions.raise_compiler_error('too bad') }}", "too bad", 1, "", "correct"),
        ("{{ ref }}", "cannot be written into SQL: it is a function; call it", 1, "{{ ref }}", ""),
        ("{{ [1] | map('upper') }}", "it is a generator; use | list", 1, "", ""),
        ("a\nb {{ 1 / 0 }}", "division by zero", 2, "b {{ 1 / 0 }}", ""),
        ("{{ top(1, 2) }}", "macro 'top' takes not more than 1", 1, "top(n) at project/macros/m.sql:1", "call top(n)"),
        ("{{ top(m=1) }}", "macro 'top' takes no keyword argument 'm'", 1, "top(n)", "call top(n)"),
        ("{{ range(10 ** 9) }}", "Range too big", 1, "", ""),
        ("{% macro r() %}{{ r() }}{% endmacro %}{{ r() }}", "calls itself without end", 1, "", "stop"),
        ("{% import 'x' as y %}", "cannot include, import or extend", 1, "", "by its name"),
        ("{% include 'x' %}", "cannot include, import or extend", 1, "", "by its name"),
        ("\n{% if x %}", "not valid Jinja: unexpected end of template", 2, "{% if x %}", "endif"),
        ("{% fro x %}", "encountered unknown tag 'fro'", 1, "{% fro x %}", "did you mean 'for'?"),
        ("{% zzzzz %}", "encountered unknown tag 'zzzzz'", 1, "", "known tags:"),
        ("{{ 'a' | uper }}", "no filter named 'uper'", 1, "", "did you mean 'upper'?"),
        ("{{ a b }}", "not valid Jinja: expected token", 1, "{{ a b }}", "check the {{ }}"),
        ("{{ lipsum() }}", "'lipsum' is not defined", 1, "", ""),
        ("{{ [1] | random }}", "no filter named 'random'", 1, "", ""),
    ],
)  # fmt: skip
def test_errors(sql, text, what, line, found, fix):
    error = failure(sql, text)
    assert what in error.what
    assert error.where == f"models/m.sql:{line}"
    assert found in error.found
    assert fix in error.fix


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__ }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ ''['__class__'] }}",
        "{{ '' | attr('__class__') }}",
        "{{ ref.__self__ }}",
        "{{ ref.__func__.__globals__ }}",
        "{{ top._rendering }}",
        "{{ exceptions._rendering.inputs }}",
        "{{ '%s'.format.__globals__ }}",
        "{{ '{0.__class__}'.format(1) }}",
        "{{ self.__init__ }}",
        "{{ cycler.__init__.__globals__ }}",
    ],
)
def test_the_sandbox_holds(sql, text):
    error = failure(sql, text)
    assert "templates may not do this" in error.what
    assert error.where == "models/m.sql:1"
    assert error.fix == "use plain values, vars and macros"


@pytest.mark.parametrize(
    ("text", "what", "where"),
    [
        ("\n{{ broken() }}", "'nothing_here' is not defined", "project/macros/m.sql:12"),
        ("\n{{ top() }}", "parameter 'n' was not provided", "project/macros/m.sql:2"),
        ("\n{{ first(3) }}", "ref() takes the name of a model", "project/macros/m.sql:7"),
    ],
)
def test_errors_inside_macros_name_both_places(sql, text, what, where):
    error = failure(sql, text)
    assert error.what == what
    assert error.where == where
    assert error.found.endswith("called from models/m.sql:2")


def test_errors_in_prompt_files(sql, tmp_path):
    (tmp_path / "generator.jinja").write_text("a\n{{ history | upper }}\n")
    error = failure(sql, "{{ prompt('generator', history='h') }}")
    assert error.what == "a prompt template holds only text and {{ key }}"
    assert error.where == "generator.jinja:2"
    assert error.found == "{{ history | upper }}"


def test_unreadable_prompt_files(sql, tmp_path):
    (tmp_path / "generator.jinja").write_bytes(b"\xff")
    error = failure(sql, "{{ prompt('generator', history='h') }}")
    assert error.what == "cannot read prompt 'generator'"
    assert error.where == "models/m.sql:1"
    assert error.found.startswith("generator.jinja: ")


def test_files_are_named_relative_to_the_project(renderer, tmp_path):
    error = failure(renderer.render_model, tmp_path / "models/m.sql", "{{ x }}", name="m")
    assert error.where == "models/m.sql:1"


# -- expressions -----------------------------------------------------------------------------------


def test_expressions(renderer):
    rendered = renderer.render_expression("{{ var('path') }}/x", "models/x.yml:3")
    assert rendered.sql == "data/*.csv/x"
    assert rendered.vars == {"path": "data/*.csv"}
    assert renderer.render_expression("plain", "models/x.yml:3").sql == "plain"
    assert renderer.render_expression("{{ ref('a') }}", "x").refs == (Reference("a"),)


@pytest.mark.parametrize(
    ("text", "what", "where", "found"),
    [
        ("{{ var('zz') }}", "var 'zz' is not defined", "models/x.yml:3", ""),
        ("{{ zz }}", "'zz' is not defined", "models/x.yml:3", ""),
        ("{{ zz", "not valid Jinja", "models/x.yml:3", "{{ zz"),
        (
            "{{ broken() }}",
            "'nothing_here'",
            "project/macros/m.sql:12",
            "called from models/x.yml:3",
        ),
    ],
)
def test_errors_of_expressions(renderer, text, what, where, found):
    error = failure(renderer.render_expression, text, "models/x.yml:3")
    assert what in error.what
    assert error.where == where
    assert found in error.found


@pytest.mark.parametrize(
    ("spelling", "entry", "expected"),
    [
        ("semantic", {"pretrained": "x"}, '{"item_ids":"semantic","pretrained":"x"}'),
        ("title", {"pretrained": "x"}, '{"item_ids":"text","pretrained":"x"}'),
        (
            "title",
            {"pretrained": "x", "item_ids": "token"},
            '{"item_ids":"token","pretrained":"x"}',
        ),
        ("semantic", {"layers": 2}, '{"layers":2}'),
    ],
)
def test_a_model_with_a_tokenizer_spells_items_as_the_var_says(spelling, entry, expected, tmp_path):
    renderer = Renderer(
        vars={"item_ids": spelling},
        language_models={"large": entry},
        macros=MacroLibrary({}),
        prompts=tmp_path,
        env={},
        target={},
        root=tmp_path,
    )
    rendered = renderer.render_model("m.sql", "{{ language_model('large') }}", name="m")
    assert rendered.sql == f"'{expected}'"
