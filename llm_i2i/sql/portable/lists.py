"""Rules for lists: their order, their numbering from 1, what is outside them."""

from __future__ import annotations

from sqlglot import exp

from llm_i2i.errors import ProjectError
from llm_i2i.names import DOT_PRODUCT
from llm_i2i.sql.portable.types import FLOATS, INTEGERS
from llm_i2i.sql.portable.walk import is_array, unknown

_T = exp.DataType.Type


def ordered_list(node: exp.Expression) -> exp.Expression:
    """list(x order by k) sorts what was collected; stock translation drops the order. No rows give NULL, as in DuckDB.

    The keys should be unique within a group: equal keys keep no order on either engine. NULL keys come last.

    Before:
        select list(x order by k desc) from t group by g
    After:
        select transform(array_sort(collect_list(struct(k as k0, x as x)),
            (a, b) -> case when a.k0 > b.k0 then -1 when a.k0 < b.k0 then 1 ... else 0 end), s -> s.x) from t group by g
    """
    aggregate = node.this if isinstance(node, exp.Filter) else node
    if not isinstance(aggregate, exp.ArrayAgg) or isinstance(node.parent, (exp.Filter, exp.Window)):
        return node
    ordered = aggregate.this
    if not isinstance(ordered, exp.Order) or isinstance(ordered.this, exp.Distinct):
        raise _unordered(aggregate)
    keys = ordered.expressions
    name = ordered.this.name if isinstance(ordered.this, exp.Column) else "v"
    fields = [_field(key.this, f"k{i}") for i, key in enumerate(keys)]
    pairs = exp.Struct(expressions=[*fields, _field(ordered.this, name)])
    collected: exp.Expression = exp.Anonymous(this="COLLECT_LIST", expressions=[pairs])
    if isinstance(node, exp.Filter):
        collected = exp.Filter(this=collected, expression=node.expression.copy())
    compare = exp.Lambda(this=_comparison(keys), expressions=[_name("a"), _name("b")])
    arranged = exp.Anonymous(this="ARRAY_SORT", expressions=[collected, compare])
    values = _values(arranged, name)
    grouped = node.find_ancestor(exp.Select)
    if isinstance(node, exp.Filter) or grouped is None or not grouped.args.get("group"):
        return exp.Case(ifs=[exp.If(this=_counted(node), true=values)])
    return values


def window_list(node: exp.Expression) -> exp.Expression:
    """list(x) over (order by k) collects in the window's order, NULLs too; no rows in the frame give NULL.

    Before:
        select list(x) over (partition by g order by k)
    After:
        select case when count(*) over (...) > 0 then transform(collect_list(struct(x as x)) over (...), s -> s.x) end
    """
    if not isinstance(node, exp.Window) or not isinstance(node.this, exp.ArrayAgg):
        return node
    value = node.this.this
    if not node.args.get("order") or isinstance(value, (exp.Order, exp.Distinct)):
        raise _unordered(node)
    name = value.name if isinstance(value, exp.Column) else "v"
    pairs = exp.Struct(expressions=[_field(value, name)])
    collected, count = node.copy(), node.copy()
    collected.set("this", exp.Anonymous(this="COLLECT_LIST", expressions=[pairs]))
    count.set("this", exp.Count(this=exp.Star()))
    some = exp.GT(this=count, expression=exp.Literal.number(0))
    return exp.Case(ifs=[exp.If(this=some, true=_values(collected, name))])


def _values(pairs: exp.Expression, name: str) -> exp.Expression:
    """Of a list of structs the list of one field."""
    field = exp.column(exp.to_identifier(name, quoted=True), table="s")
    taken = exp.Lambda(this=field, expressions=[_name("s")])
    return exp.Anonymous(this="TRANSFORM", expressions=[pairs, taken])


def _unordered(node: exp.Expression) -> ProjectError:
    return ProjectError(
        f"{node.sql('duckdb')[:120]} cannot be carried to Spark: its order is left to chance there",
        found="list() without ORDER BY, or over DISTINCT",
        fix="write list(x order by k) with a unique k; for distinct values list_sort(list_distinct(list(x order by k)))",
    )


def _field(value: exp.Expression, name: str) -> exp.Expression:
    return exp.PropertyEQ(this=exp.to_identifier(name, quoted=True), expression=value.copy())


def _name(name: str) -> exp.Expression:
    return exp.to_identifier(name)


def _counted(node: exp.Expression) -> exp.Expression:
    count: exp.Expression = exp.Count(this=exp.Star())
    if isinstance(node, exp.Filter):
        count = exp.Filter(this=count, expression=node.expression.copy())
    return exp.GT(this=count, expression=exp.Literal.number(0))


def _comparison(keys: list[exp.Expression]) -> exp.Expression:
    """-1, 0 or 1 for the elements a and b of a list of structs with fields k0, k1, ..."""
    branches = []
    for i, key in enumerate(keys):
        left, right = f"a.k{i}", f"b.k{i}"
        less, more = (">", "<") if key.args.get("desc") else ("<", ">")
        null, other = (left, right) if key.args.get("nulls_first") else (right, left)
        branches += [
            f"when {left} {less} {right} then -1 when {left} {more} {right} then 1",
            f"when {null} is null and {other} is not null then -1",
            f"when {other} is null and {null} is not null then 1",
        ]
    return exp.maybe_parse(f"case {' '.join(branches)} else 0 end", dialect="spark")


def element(node: exp.Expression) -> exp.Expression:
    """l[i] counts from 1, from the end where i is negative, and is NULL outside; l[a:b] is a slice with both ends.

    Before:
        select l[i], l[2:3]
    After:
        select try_element_at(l, nullif(cast(i as int), 0)), slice(l, 2, 2)
    """
    if not isinstance(node, exp.Bracket) or len(node.expressions) != 1:
        return node
    index = node.expressions[0]
    if isinstance(index, exp.Slice):
        return _slice(node, index)
    if not is_array(node.this) and not unknown(node.this):
        raise ProjectError(
            f"{node.sql('duckdb')[:120]} cannot be carried to Spark",
            found="square brackets on what is not known to be a list",
            fix="for a struct write s.field; for a string substring(s, i, 1); for a list cast(l as VARCHAR[])[i]",
        )
    place = _integer(index)
    if isinstance(place, exp.Cast):  # at 0 DuckDB has NULL, Spark an error
        place = exp.Nullif(this=place, expression=exp.Literal.number(0))
    return exp.Anonymous(this="TRY_ELEMENT_AT", expressions=[node.this.copy(), place])


def _slice(node: exp.Bracket, index: exp.Slice) -> exp.Expression:
    first, last = index.this or exp.Literal.number(1), index.expression
    if not last or index.args.get("step") or any(isinstance(end, exp.Neg) for end in (first, last)):
        raise ProjectError(
            f"{node.sql('duckdb')[:120]} cannot be carried to Spark",
            found="a slice without an end, with a step, or counted from the end",
            fix="write l[a:b] with positive ends; b may be len(l)",
        )
    size = exp.Add(
        this=exp.Sub(this=exp.paren(last.copy()), expression=exp.paren(first.copy())),
        expression=exp.Literal.number(1),
    )
    if isinstance(first, exp.Literal) and first.this == "1":
        size = last.copy()
    length = exp.Greatest(this=_integer(size), expressions=[exp.Literal.number(0)])
    return exp.Anonymous(this="SLICE", expressions=[node.this.copy(), _integer(first), length])


def _integer(node: exp.Expression) -> exp.Expression:
    literal = node.this if isinstance(node, exp.Neg) else node
    return node.copy() if isinstance(literal, exp.Literal) else exp.cast(node.copy(), "INT")


def length(node: exp.Expression) -> exp.Expression:
    """len() of a list is its size; stock translation takes it for the length of a string.

    Before:
        select len(l)
    After:
        select array_size(l)
    """
    if isinstance(node, exp.Length) and is_array(node.this):
        return exp.Anonymous(this="ARRAY_SIZE", expressions=[node.this.copy()])
    return node


def number_range(node: exp.Expression) -> exp.Expression:
    """range(a, b) ends before b and may be empty; Spark's sequence counts backwards there.

    Before:
        select unnest(range(1, n))
    After:
        select explode(slice(sequence(1, greatest(n, 1 + 1) - 1), 1, greatest(n - 1, 0)))
    """
    if not isinstance(node, exp.GenerateSeries):
        return node
    start, end = _bigint(node.args["start"]), _bigint(node.args["end"])
    if node.args.get("step"):
        raise ProjectError(
            f"{node.sql('duckdb')[:120]} cannot be carried to Spark",
            found="a range with a step",
            fix="multiply the numbers of a range without a step",
        )
    one = exp.Literal.number(1)
    if not node.args.get("is_end_exclusive"):
        end = exp.Add(this=end, expression=one.copy())
    last = exp.Sub(
        this=exp.Greatest(
            this=end.copy(), expressions=[exp.Add(this=start.copy(), expression=one.copy())]
        ),
        expression=one.copy(),
    )
    size = exp.Greatest(
        this=exp.Sub(this=exp.paren(end.copy()), expression=exp.paren(start.copy())),
        expressions=[exp.Literal.number(0)],
    )
    numbers = exp.Anonymous(this="SEQUENCE", expressions=[start, last])
    return exp.Anonymous(this="SLICE", expressions=[numbers, one, exp.cast(size, "INT")])


def _bigint(node: exp.Expression) -> exp.Expression:
    return exp.cast(node.copy(), "BIGINT")


def concatenation(node: exp.Expression) -> exp.Expression:
    """list_concat takes NULL for an empty list; Spark's concat makes all of it NULL.

    Before:
        select list_concat(l, m)
    After:
        select concat(coalesce(l, array()), coalesce(m, array()))
    """
    if not isinstance(node, exp.ArrayConcat):
        return node
    parts = [_or_empty(part) for part in (node.this, *node.expressions)]
    return exp.Anonymous(this="CONCAT", expressions=parts)


def _or_empty(node: exp.Expression) -> exp.Expression:
    if isinstance(node, (exp.Array, exp.Coalesce)):
        return node.copy()
    return exp.Coalesce(this=node.copy(), expressions=[exp.Array(expressions=[])])


def distinct_values(node: exp.Expression) -> exp.Expression:
    """list_distinct leaves NULLs out.

    Before:
        select list_distinct(l)
    After:
        select array_compact(array_distinct(l))
    """
    if not isinstance(node, exp.ArrayDistinct):
        return node
    kept = exp.Anonymous(this="ARRAY_DISTINCT", expressions=[node.this.copy()])
    return exp.Anonymous(this="ARRAY_COMPACT", expressions=[kept])


def dot_product(node: exp.Expression) -> exp.Expression:
    """list_dot_product of DOUBLE lists as a function of ours; of FLOAT lists DuckDB adds in another precision, so these are refused.

    The function computes in DOUBLE whatever numbers the lists hold: what casts a list need not be done on Spark.

    Before:
        select list_dot_product(cast(v as double[]), w)
    After:
        select __dot_product(v, w)
    """
    names = ("list_dot_product", "list_inner_product")
    if not isinstance(node, exp.Anonymous) or node.name.lower() not in names:
        return node
    for side in node.expressions:
        if not is_array(side) or side.type.expressions[0].this is not _T.DOUBLE:
            raise ProjectError(
                f"{node.sql('duckdb')[:120]} cannot be carried to Spark",
                found=f"{side.sql('duckdb')[:60]} is {side.type.sql('duckdb') if side.type else 'of unknown type'}",
                fix="cast both lists: list_dot_product(cast(v as DOUBLE[]), cast(w as DOUBLE[]))",
            )
    lists = [
        side.this if isinstance(side, exp.Cast) and _has_numbers(side.this) else side
        for side in node.expressions
    ]
    return exp.Anonymous(this=DOT_PRODUCT, expressions=[side.copy() for side in lists])


def _has_numbers(node: exp.Expression) -> bool:
    return is_array(node) and node.type.expressions[0].this in INTEGERS | FLOATS
