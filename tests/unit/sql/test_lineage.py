"""Column lineage of one compiled query, compared with what the SQL says."""

from __future__ import annotations

import pytest

from llm_i2i.sql.lineage import query_lineage
from llm_i2i.sql.steps import CallStep, Columns

T: Columns = (("a", "BIGINT"), ("b", "BIGINT"), ("Text", "VARCHAR"))
U: Columns = (("a", "BIGINT"), ("c", "DOUBLE"))
INPUTS = {"t": T, "u": U, "s__raw": (("line", "VARCHAR"),)}


def found(sql: str, columns: str, steps: tuple[CallStep, ...] = ()) -> dict[str, set[str]]:
    """Column, or `*` for the rows -> `relation.column`, with ` via udf` and ` ?` for a guess."""
    types = tuple((name, "BIGINT") for name in columns.split())
    lineage = query_lineage(sql, steps, types, INPUTS)
    assert list(lineage) == [*columns.split(), "*"]
    return {
        column: {
            f"{s.relation}.{s.column}{f' via {s.via}' * bool(s.via)}{' ?' * s.guessed}"
            for s in sources
        }
        for column, sources in lineage.items()
    }


def columns_of(sql: str, columns: str, steps: tuple[CallStep, ...] = ()) -> dict[str, set[str]]:
    lineage = found(sql, columns, steps)
    return {column: sources for column, sources in lineage.items() if column != "*"}


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("select a, b + 1 as n, 7 as k from t", {"a": "t.a", "n": "t.b", "k": ""}),
        ("select * from t", {"a": "t.a", "b": "t.b", "Text": "t.Text"}),
        ("from t", {"a": "t.a", "b": "t.b", "Text": "t.Text"}),
        ("select * exclude (b) replace (a + b as a) from t", {"a": "t.a t.b", "Text": "t.Text"}),
        ("select x.a, c from t as x join u using (a)", {"a": "t.a", "c": "u.c"}),
        (
            "with one as (select a, TEXT as w from t), two as (select * from one) select w as v from two",
            {"v": "t.Text"},
        ),
        ("select a from t union all select c from u", {"a": "t.a u.c"}),
        (
            "select a, b from t union all by name select c as b, a from u",
            {"a": "t.a u.a", "b": "t.b u.c"},
        ),
        (
            "with all_of as (select null as c where false union all by name select * from t) select a, c from all_of",
            {"a": "t.a", "c": ""},
        ),
        ("select a, count(*) as n from t group by a", {"a": "t.a", "n": "t.* t.a"}),
        ("select count(*) as n from t", {"n": "t.*"}),
        ("with k as (select * from t, u) select count(*) as n from k", {"n": "t.* u.*"}),
        ("select sum(1) as n from t", {"n": "t.*"}),
        ("select a, row_number() over (order by b) as r from t", {"a": "t.a", "r": "t.b"}),
        ("select (select max(c) from u) as m, a from t", {"m": "u.c", "a": "t.a"}),
        ("select a + b as s, s * 2 as d from t", {"s": "t.a t.b", "d": "t.a t.b"}),
        ("select unnest([a, b]) as v from t", {"v": "t.a t.b"}),
        ("select list_transform([a], x -> x + b) as v from t", {"v": "t.a t.b"}),
        ("select word from t, unnest(string_split(text, ' ')) as w(word)", {"word": "t.Text"}),
        ("select line as l from s__raw", {"l": "s__raw.line"}),
        ("select {'x': a}.x as y from t", {"y": "t.a"}),
        ("select columns(c -> c = 'b') from t", {"b": "t.b ?"}),
        ("pivot t on b using sum(a)", {"one": "t.a ? t.b ? t.Text ? t.* ?"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_lineage_says_what_the_query_does(sql: str, wanted: dict[str, str]) -> None:
    expected = {c: set(text.replace(" ?", "?").split()) for c, text in wanted.items()}
    assert columns_of(sql, " ".join(wanted)) == {
        c: {s.replace("?", " ?") for s in sources} for c, sources in expected.items()
    }


BATCH = CallStep(
    "__call_1",
    "Score",
    "batch",
    {"arguments": "select distinct text || b as __call_1_arg_0 from t where a > 1"},
    {"model": "select (select any_value(c) from u) as value", "n": "select 3 as value"},
    (("__call_1_arg_0", "VARCHAR"), ("__call_1_result", "DOUBLE"), ("__call_1_key", "VARCHAR")),
)  # fmt: skip
JOINED = "left join __call_1 on cast(text || b as text) = __call_1.__call_1_arg_0"


def test_a_lifted_call_depends_on_its_arguments_and_its_checkpoint() -> None:
    sql = f"select a, __call_1.__call_1_result as score, __call_1.__call_1_key as call from t {JOINED}"
    answer = {"t.Text via score", "t.b via score", "u.c via score"}
    assert columns_of(sql, "a score call", (BATCH,)) == {
        "a": {"t.a"},
        "score": answer,
        "call": answer,
    }


def test_calls_of_calls_name_the_whole_way() -> None:
    second = CallStep(
        "__call_2",
        "judge",
        "batch",
        {
            "arguments": f"select distinct __call_1.__call_1_result as __call_2_arg_0 from t {JOINED}"
        },
        {},
        (("__call_2_arg_0", "DOUBLE"), ("__call_2_result", "DOUBLE"), ("__call_2_key", "VARCHAR")),
    )
    sql = f"select __call_2.__call_2_result as v from t {JOINED} left join __call_2 on __call_1.__call_1_result = __call_2.__call_2_arg_0"
    way = " via score > judge"
    assert columns_of(sql, "v", (BATCH, second)) == {
        "v": {f"t.Text{way}", f"t.b{way}", f"u.c{way}"}
    }


def test_a_table_udf_may_use_all_that_it_is_given() -> None:
    call = CallStep(
        "__table_1",
        "train",
        "table",
        {"rows": "select a, text from t"},
        {"initial": "select (select max(c) from u) as value"},
        (("step", "BIGINT"), ("checkpoint", "VARCHAR")),
    )
    given = {"t.a via train", "t.Text via train", "u.c via train", "t.* via train"}
    assert columns_of(
        "select step, checkpoint from __table_1 as train", "step checkpoint", (call,)
    ) == {
        "step": given,
        "checkpoint": given,
    }


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("select a from t", "t.*"),
        ("select a from t where b > 1 qualify row_number() over (partition by text order by a) = 1", "t.* t.b t.Text t.a"),
        ("select t.a from t left join u on u.a = t.b", "t.* u.* u.a t.b"),
        ("select a from t where exists (select 1 from u where u.c = t.b)", "t.* t.b u.* u.c"),
        ("select a from t where b in (select c from u)", "t.* t.b u.* u.c"),
        ("select a from t order by b", "t.*"),
        ("select a from t order by b limit 3", "t.* t.b"),
        ("select a from t group by a having max(b) > 1", "t.* t.a t.b"),
        ("with big as (select a as k from t where b > 1) select k as a from big union all select a from u", "t.* t.b u.*"),
        ("with recursive r as (select a from t union all select a + 1 from r where a < 9) select a from r", "t.* t.a"),
        (f"select a from t {JOINED} where __call_1.__call_1_result > 0.5", "t.* t.Text via score t.b via score u.c via score"),
    ],
)  # fmt: skip
def test_what_decides_on_the_rows(sql: str, wanted: str) -> None:
    expected = set(wanted.replace(" via ", "~via~").split())
    assert found(sql, "a", (BATCH,))["*"] == {s.replace("~", " ") for s in expected}


def test_a_count_depends_on_the_conditions_before_it() -> None:
    sql = "with ahead as (select a from t where b > 1) select count(*) as n from ahead"
    assert columns_of(sql, "n") == {"n": {"t.*", "t.b"}}
