"""Write out what DuckDB fills in from the columns it finds: COLUMNS(...), UNION BY NAME, GROUP BY ALL.

The columns are asked of DuckDB itself, which binds the piece against empty relations.
"""

from __future__ import annotations

from typing import Protocol

from sqlglot import exp

from llm_i2i.errors import EngineError
from llm_i2i.sql.steps import Columns


class Describer(Protocol):
    """DuckDB's binder, with the query's relations declared."""

    def columns(self, sql: str) -> Columns: ...


def expand(tree: exp.Expression, binder: Describer) -> exp.Expression:
    """The query with these three written out, innermost first."""
    for node in reversed(list(tree.bfs())):
        if isinstance(node, exp.Select):
            _expand_columns(node, binder)
            _expand_group_by_all(node)
        elif isinstance(node, exp.SetOperation) and node.args.get("by_name"):
            _align(node, binder)
    return tree


def _standalone(inside: exp.Expression, query: exp.Expression) -> str:
    """A piece of a query as text, with the CTEs it can see."""
    ctes: list[exp.CTE] = []
    node: exp.Expression | None = inside
    child: exp.Expression | None = None
    while node is not None:
        if isinstance(node, exp.With):
            ctes = [*node.expressions[: node.expressions.index(child)], *ctes]
        elif (own := node.args.get("with_")) is not None and own is not child:
            ctes = [*own.expressions, *ctes]
        child, node = node, node.parent
    query = query.copy()
    query.set("with_", exp.With(expressions=[c.copy() for c in ctes]) if ctes else None)
    text: str = query.sql(dialect="duckdb")
    return text


def _expand_columns(select: exp.Select, binder: Describer) -> None:
    """`select a, columns(x -> x <> 'a') from t` names the columns; inside an expression COLUMNS stays (and is refused)."""
    for item in [e for e in select.expressions if isinstance(e, exp.Columns)]:
        probe = exp.Select(expressions=[item.copy()])
        for key in ("from_", "joins"):
            value = select.args.get(key)
            probe.set(
                key,
                [v.copy() for v in value] if isinstance(value, list) else value and value.copy(),
            )
        try:
            names = [name for name, _ in binder.columns(_standalone(select, probe))]
        except EngineError:
            continue
        place = select.expressions.index(item)
        columns = [exp.column(exp.to_identifier(name, quoted=True)) for name in names]
        select.set(
            "expressions", [*select.expressions[:place], *columns, *select.expressions[place + 1 :]]
        )


def _expand_group_by_all(select: exp.Select) -> None:
    group = select.args.get("group")
    if group is None or not group.args.get("all"):
        return
    keys = [
        e.unalias().copy()
        for e in select.expressions
        if not any(
            isinstance(n, exp.AggFunc) and not isinstance(n.parent, exp.Window) for n in e.walk()
        )
    ]
    select.set("group", exp.Group(expressions=keys) if keys else None)


def _align(union: exp.SetOperation, binder: Describer) -> None:
    """UNION BY NAME as UNION of two sides with the same columns, NULL where a side lacks one."""
    whole = binder.columns(_standalone(union, union))
    sides = {}
    for key in ("this", "expression"):
        side = union.args[key]
        present = {n.lower() for n, _ in binder.columns(_standalone(union, side))}
        columns = [
            exp.column(exp.to_identifier(name, quoted=True))
            if name.lower() in present
            else exp.alias_(exp.cast(exp.Null(), sql_type, dialect="duckdb"), name, quoted=True)
            for name, sql_type in whole
        ]
        inner = exp.Subquery(
            this=side.copy(), alias=exp.TableAlias(this=exp.to_identifier("__side"))
        )
        sides[key] = exp.Select(expressions=columns, from_=exp.From(this=inner))
    for key, side in sides.items():
        union.set(key, side)
    union.set("by_name", False)
