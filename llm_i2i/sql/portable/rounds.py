"""A recursive CTE with USING KEY as queries that are run in rounds: Spark's own recursion can neither replace rows nor count over all of them."""

from __future__ import annotations

from typing import NamedTuple

from sqlglot import exp, parse_one

from llm_i2i.names import CHANGED, FOUND


class Rounds(NamedTuple):
    """Queries in DuckDB SQL.

    Attributes:
        first: The rows to begin with, for `FOUND`.
        again: What a round adds or replaces, for `CHANGED`; reads `FOUND`. The rounds end when it has no row.
        merged: Both together, for `FOUND`.
        result: What was asked for; reads `FOUND`.
    """

    first: str
    again: str
    merged: str
    result: str


def rounds(sql: str) -> Rounds | None:
    """The rounds of a query; None where it is no such query.

    It begins with WITH RECURSIVE, one of its CTEs has USING KEY and is a UNION whose second part reads `recurring.<its name>`, all rows
    found so far, and not its plain name, those of the last round. As in DuckDB, a row that is found again unchanged counts for nothing.

    Before:
        with recursive a as (...), kept(id, n) using key (id) as (select ... from a union select ... from recurring.kept ...) select ... from kept
    After:
        first: with a as (...) select * from (select ... from a) as kept(id, n)
        again: with a as (...) select distinct c.* from (select ... from __rounds_found as kept ...) as c(id, n) anti join __rounds_found ...
        merged: select f.* from __rounds_found as f anti join __rounds_changed ... union all select * from __rounds_changed
        result: with a as (...) select ... from __rounds_found as kept
    """
    if "recursive" not in sql.lower():
        return None
    tree = parse_one(sql, dialect="duckdb")
    ctes = tree.args["with_"].expressions if tree.args.get("with_") else []
    keyed = [cte for cte in ctes if cte.args.get("key_expressions")]
    if len(keyed) != 1 or not isinstance(keyed[0].this, exp.Union):
        return None
    (cte,) = keyed
    name = cte.alias.lower()
    tables = list(cte.this.expression.find_all(exp.Table))
    if not cte.this.args.get("distinct") or any(t.name.lower() == name and t.db == "" for t in tables):  # fmt: skip
        return None
    others = [other for other in ctes if other is not cte]
    columns = cte.args["alias"].args.get("columns") or []
    names = [column.name for column in columns] or cte.this.this.named_selects
    keys = [key.name for key in cte.args["key_expressions"]]
    first = _select("*", cte.this.this, "f", names)
    step = _select("distinct c.*", cte.this.expression, "c", names)
    again = f"{step} anti join {FOUND} as f on {_same(names)}"
    merged = f"select f.* from {FOUND} as f anti join {CHANGED} as c on {_same(keys)} union all select * from {CHANGED}"
    final = tree.copy()
    final.set("with_", None)
    return Rounds(
        _with(others, first, name), _with(others, again, name), merged,
        _with(others, final.sql(dialect="duckdb"), name),
    )  # fmt: skip


def _select(what: str, query: exp.Expression, alias: str, names: list[str]) -> str:
    listed = ", ".join(f'"{name}"' for name in names)
    return f"select {what} from ({query.sql(dialect='duckdb')}) as {alias}({listed})"


def _same(names: list[str]) -> str:
    return " and ".join(f'f."{name}" is not distinct from c."{name}"' for name in names)


def _with(ctes: list[exp.CTE], sql: str, name: str) -> str:
    """The query below the CTEs that it reads, the keyed one read from `FOUND`."""
    tree = parse_one(sql, dialect="duckdb")
    tree.set("with_", exp.With(expressions=[c.copy() for c in ctes]) if ctes else None)
    for table in list(tree.find_all(exp.Table)):
        if table.name.lower() == name and table.db.lower() in ("", "recurring"):
            if not table.alias:
                table.set("alias", exp.TableAlias(this=table.this.copy()))
            table.set("this", exp.to_identifier(FOUND))
            table.set("db", None)
    text: str = _without_unread(tree).sql(dialect="duckdb")
    return text


def _without_unread(tree: exp.Expression) -> exp.Expression:
    """Leave out CTEs that nothing reads: each round would bind them again, and the result those that only the start needs."""
    block = tree.args.get("with_")
    while block is not None and block.expressions:
        read = {table.name.lower() for table in tree.find_all(exp.Table)}
        kept = [cte for cte in block.expressions if cte.alias.lower() in read]
        if len(kept) == len(block.expressions):
            return tree
        block.set("expressions", kept)
    tree.set("with_", None)
    return tree
