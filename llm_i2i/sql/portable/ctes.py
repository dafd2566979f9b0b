"""Names of CTEs: each its own, none of them a relation's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from sqlglot import exp


def name_ctes(tree: exp.Expression, relations: Collection[str]) -> None:
    """Give nested CTEs names of their own, in place; drop MATERIALIZED, which Spark decides by itself.

    sqlglot writes nested CTEs at the top for Spark. Two of one name would become one there, silently, and one that is named like a
    relation would hide it.

    Before:
        select * from (with a as (select 1 as x) select * from a) union all select * from (with a as (select 2 as x) select * from a)
    After:
        with a_1 as (select 1 as x), a_2 as (select 2 as x) select * from a_1 union all select * from a_2
    """
    withs = [node for node in tree.bfs() if isinstance(node, exp.With)]
    names = Counter(cte.alias.lower() for node in withs for cte in node.expressions)
    names.update(name.lower() for name in relations)
    taken = set(names)
    for node in reversed(
        withs
    ):  # inner before outer: a rename outside must not catch what hides it inside
        for cte in node.expressions:
            cte.set("materialized", None)
            if names[cte.alias.lower()] > 1 and node.parent is not tree:
                _rename(cte, node, taken)


def _rename(cte: exp.CTE, node: exp.With, taken: set[str]) -> None:
    old = cte.alias
    new = next(f"{old}_{i}" for i in range(1, len(taken) + 2) if f"{old}_{i}".lower() not in taken)
    taken.add(new.lower())
    later = node.expressions[node.expressions.index(cte) + 1 :]
    body = [value for key, value in node.parent.args.items() if key != "with_"]
    for part in [*later, *body]:
        for piece in part if isinstance(part, list) else [part]:
            if not isinstance(piece, exp.Expression):
                continue
            for table in piece.find_all(exp.Table):
                if table.name.lower() == old.lower() and not table.args.get("db"):
                    if not table.alias:
                        table.set("alias", exp.TableAlias(this=table.this.copy()))
                    table.set("this", exp.to_identifier(new, quoted=True))
    cte.args["alias"].set("this", exp.to_identifier(new, quoted=True))
