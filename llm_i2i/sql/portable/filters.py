"""QUALIFY, which Spark has not."""

from __future__ import annotations

from sqlglot import exp

KEEP, KEPT, ORDER = "__keep", "__kept", "__order_"


def filter_by_window(node: exp.Expression) -> exp.Expression:
    """The whole condition is a column of a subquery; DISTINCT, ORDER BY and LIMIT, which come after QUALIFY, are outside.

    sqlglot carries the parts of the condition one by one: it loses the table of a column that is no part of a window, takes a column for
    an output of the same name, and makes rows distinct before their windows.

    Before:
        select distinct t.s from t qualify t.n > 1 and row_number() over (partition by t.s order by t.n desc) = 1 order by t.s limit 2
    After:
        select distinct k.s from (select t.s, t.n > 1 and row_number() over (...) = 1 as keep from t) as k where keep order by k.s limit 2
    """
    if not isinstance(node, exp.Select) or node.args.get("qualify") is None:
        return node
    inner = node.copy()
    condition = inner.args["qualify"].pop().this
    outer = exp.Select()
    for clause in ("with_", "distinct", "order", "limit", "offset"):
        outer.set(clause, inner.args.get(clause))
        inner.set(clause, None)
    outer.set("expressions", [_output(one.alias_or_name) for one in inner.expressions])
    if order := outer.args.get("order"):
        for index, item in enumerate(order.expressions):
            item.set("this", _ordered_by(item.this, inner, f"{ORDER}{index}"))
    inner.append("expressions", exp.alias_(condition, KEEP, quoted=True))
    return outer.from_(inner.subquery(exp.to_identifier(KEPT, quoted=True))).where(
        exp.column(KEEP, KEPT, quoted=True)
    )


def _output(name: str) -> exp.Expression:
    return exp.alias_(exp.column(name, KEPT, quoted=True), name, quoted=True)


def _ordered_by(value: exp.Expression, inner: exp.Select, name: str) -> exp.Expression:
    """What the outer query sorts by: an output of the inner one, a new one if need be."""
    for one in inner.expressions:
        if value == one.unalias() or (
            isinstance(value, exp.Column)
            and not value.table
            and value.name.lower() == one.alias_or_name.lower()
        ):
            return exp.column(one.alias_or_name, KEPT, quoted=True)
    inner.append("expressions", exp.alias_(value, name, quoted=True))
    return exp.column(name, KEPT, quoted=True)
