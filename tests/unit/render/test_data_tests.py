from __future__ import annotations

import duckdb
import pytest

from llm_i2i.errors import ProjectError
from llm_i2i.render.relations import Reference, SourceReference
from llm_i2i.render.renderer import MacroLibrary, Renderer


@pytest.fixture
def renderer():
    return Renderer(
        vars={"kinds": ["a", "b"], "least": 2},
        macros=MacroLibrary.parse(
            "{% test flexible(model, column_name) %}{{ kwargs.x }}{% endtest %}"
        ),
    )


@pytest.fixture
def failing(renderer):
    """Runs a data test on `m`, and gives the number of failing rows."""
    connection = duckdb.connect()
    connection.execute(
        "create table m as select * from (values (1, 'a'), (2, 'b'), (2, 'c'), (null, null)) t(n, kind)"
    )
    connection.execute("create table parents as select 1 as id")
    connection.execute("create table empty as select * from m where false")

    def run(test, column=None, arguments=None, model="m", **more):
        rendered = renderer.render_data_test(test, model, column, arguments, **more)
        return len(connection.execute(rendered.sql).fetchall())

    return run


@pytest.mark.parametrize(
    ("test", "column", "arguments", "rows"),
    [
        ("not_null", "n", {}, 1),
        ("unique", "n", {}, 1),
        ("unique", "kind", {}, 0),
        ("relationships", "n", {"to": "ref('parents')", "field": "id"}, 2),
        ("accepted_values", "kind", {"values": ["a", "b"]}, 1),
        ("accepted_values", "kind", {"values": "{{ var('kinds') }}"}, 1),
        ("accepted_values", "n", {"values": [1, 2]}, 0),
        ("accepted_values", "n", {"values": ["1 + 1", "0 + 1"], "quote": False}, 0),
        ("accepted_range", "n", {"min_value": 2}, 1),
        ("accepted_range", "n", {"min_value": "{{ var('least') }}"}, 1),
        ("accepted_range", "n", {"max_value": 2, "inclusive": False}, 2),
        ("accepted_range", "n", {"min_value": 2, "max_value": 1}, 3),
        ("grain", None, {"columns": ["n"]}, 2),
        ("grain", None, {"columns": "n"}, 2),
        ("grain", None, {"columns": ["n", "kind"]}, 1),
        ("not_empty", None, {}, 0),
        ("expression_is_true", None, {"expression": "n > 1"}, 1),
        ("expression_is_true", "n", {"expression": "> 1"}, 1),
    ],
)
def test_built_in_tests_find_the_failing_rows(failing, test, column, arguments, rows):
    assert failing(test, column, arguments) == rows


def test_not_empty(failing):
    assert failing("not_empty", model="empty") == 1


def test_condition_limits_the_rows(failing):
    assert failing("not_null", "n", condition="kind is not null") == 0
    assert failing("unique", "n", condition="n < {{ var('least') }}") == 0


def test_what_was_read_is_recorded(renderer):
    rendered = renderer.render_data_test(
        "relationships",
        "m",
        "n",
        {"to": "ref('parents')", "field": "id"},
        condition="n > {{ var('least') }}",
    )
    assert rendered.refs == (Reference("m"), Reference("parents"))
    assert rendered.macros == ("test_relationships",)
    assert rendered.vars == {"least": 2}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ref('parents')", "parents"),
        ('ref("p", "parents")', "parents"),
        (" ref( 'parents' ) ", "parents"),
        ("{{ ref('parents') }}", "parents"),
        ("ref('par' ~ 'ents')", "parents"),
        ("other.parents", "other.parents"),
        ("source('s', 't')", "s__t"),
    ],
)
def test_relations_as_arguments(renderer, text, name):
    rendered = renderer.render_data_test("relationships", "m", "n", {"to": text, "field": "id"})
    assert f"from {name})" in rendered.sql


def test_a_source_can_be_tested(renderer):
    rendered = renderer.render_data_test("unique", "source('s', 't')", "n")
    assert rendered.sources == (SourceReference("s", "t"),)
    assert rendered.refs == ()
    assert "from s__t" in rendered.sql


def test_open_tests_take_any_argument(renderer):
    assert renderer.render_data_test("flexible", "m", "n", {"x": 3}).sql == "3"


@pytest.mark.parametrize(
    ("test", "column", "arguments", "what", "where", "found", "fix"),
    [
        ("not_nul", "n", {}, "data test 'not_nul' does not exist", "x.yml:3", "accepted_range", "did you mean 'not_null'?"),
        ("zzzzz", "n", {}, "data test 'zzzzz' does not exist", "x.yml:3", "unique", "{% test zzzzz(model) %}"),
        ("not_null", None, {}, "data test 'not_null' is for a column", "x.yml:3", "test_not_null(model, column_name) at", "column_name"),
        ("not_null", "n", {"colum": 1}, "takes no argument 'colum'", "x.yml:3", "test_not_null(", "did you mean 'column_name'?"),
        ("not_empty", "n", {}, "takes no argument 'column_name'", "x.yml:3", "test_not_empty(model)", "remove it"),
        ("relationships", "n", {"to": "a"}, "lacks its argument 'field'", "x.yml:3", "test_relationships(", "add field: ..."),
        ("accepted_range", "n", {}, "accepted_range needs min_value", "generic_tests.sql:", "called from x.yml:3", ""),
        ("accepted_values", "n", {"values": []}, "accepted_values needs at least one", "generic_tests.sql:", "called from x.yml:3", ""),
        ("relationships", "n", {"to": "ref(3)", "field": "id"}, "ref() takes the name", "x.yml:3", "ref(3)", ""),
        ("accepted_range", "n", {"min_value": "{{ var('laest') }}"}, "var 'laest' is not defined", "x.yml:3", "closest 'least'", ""),
        ("accepted_range", "n", {"min_value": "a{{ laest"}, "not valid Jinja", "x.yml:3", "a{{ laest", ""),
    ],
)  # fmt: skip
def test_errors(renderer, test, column, arguments, what, where, found, fix):
    with pytest.raises(ProjectError) as caught:
        renderer.render_data_test(test, "m", column, arguments, location="x.yml:3")
    error = caught.value
    assert what in error.what
    assert where in error.where
    assert found in error.found
    assert fix in error.fix
