"""Rules for numbers: the same type and the same rounding on both engines."""

from __future__ import annotations

from sqlglot import exp

from llm_i2i.errors import ProjectError
from llm_i2i.sql.portable.types import FLOATS, INTEGERS
from llm_i2i.sql.portable.walk import has_type, unknown

_T = exp.DataType.Type
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div)


def double_literal(node: exp.Expression) -> exp.Expression:
    """A number with a point is DOUBLE: as DECIMAL the two engines give quotients and means different digits.

    Before:
        select 0.5 * x
    After:
        select cast(0.5 as double) * x
    """
    if not isinstance(node, exp.Literal) or node.is_string or node.this.lstrip("0123456789") == "":
        return node
    if isinstance(node.parent, exp.Cast) and node.parent.to.this in (_T.DECIMAL, *FLOATS):
        return node
    return _typed(exp.cast(node.copy(), "DOUBLE"), _T.DOUBLE)


def division(node: exp.Expression) -> exp.Expression:
    """Division by zero is infinity (0 / 0: not a number), as in DuckDB; Spark stops with an error.

    A divisor that is a literal is left alone. FLOAT / FLOAT is FLOAT, in Spark it would be DOUBLE (see `single_precision`).

    Before:
        select x / n
    After:
        select case when n = 0 then x * double('Infinity') else x / n end
    """
    if not isinstance(node, exp.Div):
        return node
    plain = node.copy()
    plain.set("typed", False)
    plain.set("safe", False)
    divisor = _constant(node.expression)
    if divisor is not None and float(divisor.this) != 0:
        return _changed(node, plain)
    infinite = exp.Mul(this=exp.paren(_double(node.this)), expression=_infinity())
    zero = exp.EQ(this=_wrapped(node.expression), expression=exp.Literal.number(0))
    return exp.paren(exp.Case(ifs=[exp.If(this=zero, true=infinite)], default=plain))


def single_precision(node: exp.Expression) -> exp.Expression:
    """Arithmetic of FLOAT with FLOAT, integers or literals stays FLOAT; Spark would widen it.

    Before:
        select f / 2
    After:
        select cast(f / 2 as float)
    """
    if not isinstance(node, _ARITHMETIC):
        return node
    sides = (node.this, node.expression)
    if not any(has_type(side, {_T.FLOAT}) for side in sides):
        return node
    if any(has_type(side, {_T.DOUBLE}) and not _is_decimal(side) for side in sides):
        return node
    if all(has_type(s, {_T.FLOAT}) for s in sides) and not isinstance(node, exp.Div):
        return node
    return _typed(exp.cast(exp.paren(node.copy()), "FLOAT", dialect="duckdb"), _T.FLOAT)


def rounding_cast(node: exp.Expression) -> exp.Expression:
    """A float cast to an integer is rounded, half to even; Spark would cut it off.

    Before:
        select cast(x as integer)
    After:
        select cast(bround(x, 0) as int)
    """
    if not isinstance(node, exp.Cast) or node.to.this not in INTEGERS:
        return node
    if unknown(node.this) and not isinstance(node.this, exp.Null):
        raise ProjectError(
            f"{_text(node)} cannot be carried to Spark: the type of what is cast is not known",
            found=_text(node.this),
            fix="compute it as a column in a CTE, or write floor(...) or round(...) around it",
        )
    if has_type(node.this, {_T.DECIMAL}):
        return _recast(node, exp.Anonymous(this="ROUND", expressions=[node.this.copy()]))
    if not has_type(node.this, FLOATS):
        return node
    value = _double(node.this) if has_type(node.this, {_T.FLOAT}) else node.this.copy()
    places = exp.Literal.number(0)
    return _recast(node, exp.Anonymous(this="BROUND", expressions=[value, places]))


def counted_booleans(node: exp.Expression) -> exp.Expression:
    """The sum of a boolean counts the true ones; Spark wants numbers.

    Before:
        select sum(is_hit)
    After:
        select sum(cast(is_hit as int))
    """
    if not isinstance(node, exp.Sum) or not has_type(node.this, {_T.BOOLEAN}):
        return node
    new = node.copy()
    new.set("this", exp.cast(node.this.copy(), "INT"))
    return new


def continuous_quantile(node: exp.Expression) -> exp.Expression:
    """quantile_cont and median by Spark's name.

    Before:
        select quantile_cont(x, 0.5)
    After:
        select percentile(x, 0.5)
    """
    if isinstance(node, exp.Median):
        return _percentile(node, exp.Literal.number("0.5"))
    if isinstance(node, exp.PercentileCont) and node.expression:
        return _percentile(node, node.expression)
    return node


def _percentile(node: exp.Expression, share: exp.Expression) -> exp.Expression:
    return exp.Anonymous(this="PERCENTILE", expressions=[node.this.copy(), share.copy()])


def discrete_quantile(node: exp.Expression) -> exp.Expression:
    """quantile_disc is the value at place ceil(share * count), in decimal arithmetic; Spark's own multiplies as DOUBLE and may be one off.

    Before:
        select quantile_disc(x, 0.3) filter (where is_hit)
    After:
        select try_element_at(array_sort(collect_list(x) filter (where is_hit)),
            cast(greatest(ceil(0.3 * count(x) filter (where is_hit)), 1) as int))
    """
    aggregate = node.this if isinstance(node, exp.Filter) else node
    is_quantile = isinstance(aggregate, exp.PercentileDisc) and aggregate.expression
    if not is_quantile or isinstance(node.parent, exp.Filter):
        return node

    def filtered(function: exp.Expression) -> exp.Expression:
        if not isinstance(node, exp.Filter):
            return function
        return exp.Filter(this=function, expression=node.expression.copy())

    values = exp.Anonymous(this="COLLECT_LIST", expressions=[aggregate.this.copy()])
    arranged = exp.Anonymous(this="ARRAY_SORT", expressions=[filtered(values)])
    count = filtered(exp.Count(this=aggregate.this.copy()))

    def value_at(share: exp.Expression) -> exp.Expression:
        exact = exp.cast(_number(share), "DECIMAL(17, 16)")
        place = exp.Anonymous(
            this="CEIL", expressions=[exp.Mul(this=exact, expression=count.copy())]
        )
        first = exp.Greatest(this=place, expressions=[exp.Literal.number(1)])
        return exp.Anonymous(
            this="TRY_ELEMENT_AT", expressions=[arranged.copy(), exp.cast(first, "INT")]
        )

    if not isinstance(aggregate.expression, exp.Array):
        return value_at(aggregate.expression)
    several = exp.Array(expressions=[value_at(e) for e in aggregate.expression.expressions])
    some = exp.GT(this=count.copy(), expression=exp.Literal.number(0))
    return exp.Case(ifs=[exp.If(this=some, true=several)])


def _number(share: exp.Expression) -> exp.Literal:
    literal = _constant(share)
    if literal is None or len(literal.this.partition(".")[2]) > 16 or "e" in literal.this.lower():
        raise ProjectError(
            "quantile_disc cannot be carried to Spark with this share",
            found=_text(share),
            fix="write the share as a number of at most 16 decimals",
        )
    return literal.copy()


def _typed(node: exp.Expression, kind: exp.DataType.Type) -> exp.Expression:
    node.type = kind
    return node


def _changed(old: exp.Expression, new: exp.Expression) -> exp.Expression:
    return old if old.args == new.args else new


def _recast(node: exp.Cast, value: exp.Expression) -> exp.Expression:
    new = node.copy()
    value.type = _T.DOUBLE
    new.set("this", value)
    new.type = node.type
    return new


def _is_decimal(node: exp.Expression) -> bool:
    """Whether it is a literal like 0.5, which DuckDB takes for a DECIMAL (and sqlglot for a DOUBLE)."""
    inner = node.this if isinstance(node, exp.Neg) else node
    return isinstance(inner, exp.Literal) and "e" not in inner.this.lower()


def _constant(node: exp.Expression) -> exp.Literal | None:
    """The number a divisor or factor is written as, if it is one, whatever its sign and casts."""
    while isinstance(node, (exp.Cast, exp.Paren, exp.Neg)):
        node = node.this
    return node if isinstance(node, exp.Literal) and not node.is_string else None


def _wrapped(node: exp.Expression) -> exp.Expression:
    return exp.paren(node.copy()) if isinstance(node, exp.Binary) else node.copy()


def _double(node: exp.Expression) -> exp.Expression:
    return exp.cast(node.copy(), "DOUBLE")


def _infinity() -> exp.Expression:
    return exp.cast(exp.Literal.string("Infinity"), "DOUBLE")


def _text(node: exp.Expression) -> str:
    text: str = node.sql("duckdb")
    return text[:120]
