"""Rules for text, times and what names a type."""

from __future__ import annotations

import re

from sqlglot import exp

from llm_i2i.errors import ProjectError
from llm_i2i.sql.portable.types import FLOATS
from llm_i2i.sql.portable.walk import has_type, unknown

_FIELD = re.compile(r"\{(?::(\+?\.\d+f|,))?\}")
_T = exp.DataType.Type


def whole_match(node: exp.Expression) -> exp.Expression:
    """regexp_extract_all without a group gives whole matches; Spark's default is the first group.

    Before:
        select regexp_extract_all(s, '[a-z]+')
    After:
        select regexp_extract_all(s, '[a-z]+', 0)
    """
    if not isinstance(node, exp.RegexpExtractAll):
        return node
    group = node.args.get("group") or exp.Literal.number(0)
    return exp.Anonymous(
        this="REGEXP_EXTRACT_ALL",
        expressions=[node.this.copy(), node.expression.copy(), group.copy()],
    )


def named_type(node: exp.Expression) -> exp.Expression:
    """typeof(x) is known before anything runs, and is called the same on both engines.

    Before:
        select typeof(order_value) = 'VARCHAR'
    After:
        select 'BIGINT' = 'VARCHAR'
    """
    if not isinstance(node, exp.Typeof):
        return node
    if unknown(node.this):
        raise ProjectError(
            "typeof(...) cannot be carried to Spark: the type of its argument is not known",
            found=node.this.sql("duckdb")[:120],
            fix="take typeof of a plain column",
        )
    return exp.Literal.string(duckdb_name(node.this.type))


def duckdb_name(kind: exp.DataType) -> str:
    """A type as DuckDB's typeof calls it."""
    names = {"TEXT": "VARCHAR", "INT": "INTEGER", "REAL": "FLOAT", "INT128": "HUGEINT"}
    text: str = kind.sql("duckdb")
    return names.get(text, text)


def printed_float(node: exp.Expression) -> exp.Expression:
    """A float as text has other digits on each engine, so the cast is refused.

    Before:
        select cast(x as varchar)
    After:
        an error: round it and cast it to DECIMAL first
    """
    is_text = isinstance(node, exp.Cast) and node.to.this in (_T.VARCHAR, _T.TEXT)
    if is_text and has_type(node.this, FLOATS):
        raise ProjectError(
            f"{node.sql('duckdb')[:120]} cannot be carried to Spark: it prints a float, and 1e-05 here is 1.0E-5 there",
            found=node.this.sql("duckdb")[:120],
            fix="fix the digits: cast(cast(x as DECIMAL(18, 6)) as VARCHAR)",
        )
    return node


def formatted_text(node: exp.Expression) -> exp.Expression:
    """format() with {}, {:.2f}, {:+.2f} and {:,} of integers in printf's notation; a NULL makes all of it NULL.

    Before:
        select format('{:.2f} of {}', x, n)
    After:
        select case when not x is null and not n is null then format_string('%.2f of %s', x, cast(n as string)) end
    """
    if not isinstance(node, exp.Format):
        return node
    template, values = node.this, [value.copy() for value in node.expressions]
    fields = _FIELD.findall(template.name)
    plain = _FIELD.sub("", template.name)
    if not template.is_string or len(fields) != len(values) or "{" in plain or "}" in plain:
        raise ProjectError(
            f"{node.sql('duckdb')[:120]} cannot be carried to Spark",
            found="a placeholder other than {}, {:.2f}, {:+.2f} or {:,}",
            fix="write the text with || and round(...)",
        )
    printf, kinds = {"": "s", ",": ",d"}, {"": "TEXT", ",": "BIGINT"}
    written = _FIELD.sub(
        lambda field: "%" + printf.get(field[1] or "", field[1]), template.name.replace("%", "%%")
    )
    for place, field in enumerate(fields):
        values[place] = exp.cast(values[place], kinds.get(field, "DOUBLE"))
    text = exp.Anonymous(this="FORMAT_STRING", expressions=[exp.Literal.string(written), *values])
    known = [exp.Not(this=exp.Is(this=v.copy(), expression=exp.Null())) for v in values]
    return exp.Case(ifs=[exp.If(this=exp.and_(*known, copy=False), true=text)]) if known else text


def distinct_tuples(node: exp.Expression) -> exp.Expression:
    """count(distinct (a, b)) counts pairs, those with a NULL too.

    Before:
        select count(distinct (a, b))
    After:
        select count(distinct struct(a, b))
    """
    if not isinstance(node, exp.Tuple) or not isinstance(node.parent, exp.Distinct):
        return node
    return exp.Anonymous(this="STRUCT", expressions=[e.copy() for e in node.expressions])


def truncated_time(node: exp.Expression) -> exp.Expression:
    """date_trunc gives a TIMESTAMP without a time zone; Spark would give one in the session's.

    Before:
        select date_trunc('day', ts)
    After:
        select cast(date_trunc('DAY', ts) as timestamp_ntz)
    """
    if not isinstance(node, (exp.TimestampTrunc, exp.DateTrunc)):
        return node
    unit = exp.Literal.string(node.args["unit"].name.upper())
    plain = exp.Anonymous(this="DATE_TRUNC", expressions=[unit, node.this.copy()])
    return exp.cast(plain, "TIMESTAMPNTZ" if not has_type(node.this, {_T.DATE}) else "DATE")
