"""Hoisting changes where a call runs, never what a query returns."""

from __future__ import annotations

from collections import Counter

import pytest

from llm_i2i.engine.duckdb import DuckDBEngine
from llm_i2i.errors import ProjectError
from llm_i2i.names import argument_column, key_column, result_column
from llm_i2i.sql.hoist import hoist
from llm_i2i.udf.signature import Signature, signature_of

TABLES = """
create table t as select * from (values (1, 'a', 'x'), (2, 'b', 'x'), (3, 'b', 'y'), (4, null, 'y')) v(id, word, part);
create table s as select * from (values ('a', 10), ('b', 20), ('zz', 30)) v(word, n);
"""


def double(text: list[str]) -> list[str]: ...
def size(text: list[str], *, plus: int = 0) -> list[int]: ...
def letters(text: list[str]) -> list[list[str]]: ...


SIGNATURES: dict[str, Signature] = {
    "double": signature_of(double, "batch", "VARCHAR", 10),
    "size": signature_of(size, "batch", "BIGINT", 10),
    "letters": signature_of(letters, "batch", "VARCHAR[]", 10),
}
# The same functions inside the engine: what a query would return if calls were evaluated in place.
INLINE = """
create macro double(x) as x || x;
create macro size(x, plus := 0) as cast(length(x) + plus as bigint);
create macro letters(x) as string_split(x || '-' || x, '-');
"""
BODY = {
    "double": "{0} || {0}",
    "size": "cast(length({0}) + coalesce(({1}), 0) as bigint)",
    "letters": "string_split({0} || '-' || {0}, '-')",
}


def run_hoisted(sql: str) -> tuple[list[tuple], list[str]]:
    """Rows of a query after hoisting, and the UDF of each step; the steps are run by SQL look-alikes."""
    engine = DuckDBEngine(threads=1)
    engine.run(TABLES)
    hoisted = hoist(sql, SIGNATURES, engine)
    for step in hoisted.steps:
        plus = step.constants.get("plus", "select 0")
        column = argument_column(step.relation, 0)
        engine.declare_query(
            step.relation,
            f"select {column}, {BODY[step.udf].format(column, plus)} as {result_column(step.relation)},"
            f" 'key of ' || {column} as {key_column(step.relation)}"
            f" from ({step.inputs['arguments']}) where {column} is not null",
        )
    for step in hoisted.steps:
        rows = engine.rows(step.inputs["arguments"])
        assert len(rows) == len(set(rows))
    return engine.rows(hoisted.sql), [step.udf for step in hoisted.steps]


EQUAL = {
    "projection": "select id, double(word) as d from t",
    "unaliased": "select id, double(word) from t",
    "named argument": "select id, size(word, plus := 5) as d from t",
    "scalar subquery argument": "select id, size(word, plus := (select max(n) from s)) as d from t",
    "argument from a cte": "with m as (select 3 as k) select id, size(word, plus := (select k from m)) as d from t",
    "where": "select id from t where size(word) = 1",
    "where and projection": "select id, double(word) as d from t where size(double(word)) = 2 and part = 'x'",
    "nested": "select id, double(double(word)) as d from t",
    "unnest in projection": "select id, unnest(letters(word)) as l from t",
    "unnest in from": "select t.id, u.l from t, unnest(letters(t.word)) as u(l) where t.id > 1 and u.l = 'b'",
    "cross join unnest": "select t.id, u.l from t cross join unnest(letters(t.word)) as u(l)",
    "nulls": "select id, coalesce(double(word), 'none') as d from t",
    "cte": "with a as (select id, double(word) as d from t where id < 4) select d, count(*) as c from a group by d",
    "cte chain": "with a as (select id, double(word) as d from t), b as (select id, size(d) as n from a) select * from b",
    "aggregate around": "select part, sum(size(word)) as n from t group by part",
    "group by the call": "select double(word) as d, count(*) as c from t group by double(word)",
    "group by position": "select double(word) as d, count(*) as c from t group by 1",
    "group by all": "select double(word) as d, count(*) as c from t group by all",
    "group by the argument": "select word, double(word) as d, count(*) as c from t group by word",
    "having": "select word, count(*) as c from t group by word having size(word) = 1",
    "order and limit": "select id, double(word) as d from t order by double(word) nulls last, id limit 2",
    "case": "select id, case when part = 'x' then double(word) else 'other' end as d from t",
    "star": "select *, double(word) as d from t",
    "star of an alias": "select p.*, double(p.word) as d from t as p",
    "star exclude": "select * exclude (part), double(word) as d from t",
    "inner join": "select t.id, double(s.word) as d from t join s on t.word = s.word where s.n >= 10",
    "left join": "select t.id, double(s.word) as d from t left join s on t.word = s.word",
    "comma join": "select t.id, s.n, double(s.word) as d from t, s where t.word = s.word",
    "inner join on a call": "select t.id, s.n from t join s on double(t.word) = s.word || s.word and s.n > 0",
    "using": "select id, n, double(word) as d from t join s using (word)",
    "in subquery": "select id from t where word in (select word from s where size(word) = 1)",
    "derived table": "select d from (select double(word) as d, id from t) q where id > 1",
    "union": "select double(word) as d from t union all select double(word) from s",
    "qualify": "select id, double(word) as d from t qualify row_number() over (partition by part order by size(word), id) = 1",
    "window order": "select id, row_number() over (order by double(word) nulls last, id) as r from t",
    "lateral alias": "select id, word || '!' as p, double(p) as d from t",
    "no from": "select double('q') as d",
    "distinct": "select distinct double(word) as d from t",
    "expression argument": "select id, double(word || part) as d from t",
    "same call twice": "select double(word) as d, double(word) || '?' as e from t",
    "quoted text": "select double('it''s \"ü\"') as d from t",
}  # fmt: skip


@pytest.mark.parametrize("sql", EQUAL.values(), ids=EQUAL.keys())
def test_hoisted_query_returns_what_the_inline_query_returns(sql: str) -> None:
    engine = DuckDBEngine(threads=1)
    engine.run(TABLES + INLINE)
    rows, steps = run_hoisted(sql)
    assert Counter(map(repr, rows)) == Counter(map(repr, engine.rows(sql)))
    assert steps


def test_identical_calls_become_one_step() -> None:
    _, steps = run_hoisted(
        "select double(word) as d, double(word) || '?' as e from t where double(word) is not null"
    )
    assert steps == ["double"]


def test_call_key_names_the_call() -> None:
    rows, steps = run_hoisted(
        "select id, double(word) as d, call_key(double(word)) as k from t order by id"
    )
    assert rows[0] == (1, "aa", "key of a")
    assert steps == ["double"]


def test_where_limits_what_is_called() -> None:
    engine = DuckDBEngine(threads=1)
    engine.run(TABLES)
    hoisted = hoist("select double(word) as d from t where part = 'x'", SIGNATURES, engine)
    assert sorted(engine.rows(hoisted.steps[0].inputs["arguments"])) == [("a",), ("b",)]


REFUSED = {
    "aggregate": ("select double(max(word)) as d from t", "aggregate in a CTE"),
    "window": ("select double(lag(word) over (order by id)) as d from t", "window function in a CTE"),
    "lambda": ("select list_transform(['a'], x -> double(x)) as d", "unnest the list"),
    "outer join on": ("select t.id from t left join s on double(t.word) = s.word", "column in a CTE"),
    "correlated": ("select id, (select max(double(t.word)) from s) as d from t", "correlated"),
    "union order": ("select word from t union select word from s order by double(word)", "CTE"),
    "random": ("select double(cast(random() as varchar)) as d from t", "model of its own"),
    "unknown column": ("select double(wrod) as d from t", "column names"),
    "unknown parameter": ("select size(word, minus := 1) as d from t", "text, plus"),
    "too many": ("select size(word, 1) as d from t", "name the others"),
    "missing argument": ("select double() as d from t", "text"),
    "column as constant": ("select size(word, plus := id) as d from t", "columns go first"),
    "recursive": ("with recursive r as (select double('a') as w union all select w from r where false) select * from r", "recursion"),
}  # fmt: skip


@pytest.mark.parametrize(("sql", "fix"), REFUSED.values(), ids=REFUSED.keys())
def test_a_call_that_cannot_be_lifted_says_how_to_rewrite_it(sql: str, fix: str) -> None:
    with pytest.raises(ProjectError) as caught:
        run_hoisted(sql)
    assert fix in caught.value.fix
    assert caught.value.found


def test_syntax_error_is_ours() -> None:
    with pytest.raises(ProjectError, match="syntax error"):
        run_hoisted("select double(word from t")
