"""Lift batch and table UDF calls out of a query, so that they run once, in large batches, behind a cache.

`select user_id, f(prompt) from t where n > 1` becomes a step and a query without the call:

    __call_1:  select distinct prompt as __call_1_arg_0 from t where n > 1      -- run f on these rows
    query:     select user_id, __call_1.__call_1_result from t
               left join __call_1 on prompt = __call_1_arg_0 where n > 1

Calls are lifted one at a time, arguments before the calls that use them, CTEs before the queries that read them. Whether an
extracted piece stands on its own is not guessed: the engine binds it. A row with a NULL argument is not called; its result is NULL.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from sqlglot import exp, parse_one
from sqlglot.errors import ParseError, SqlglotError

from llm_i2i.errors import EngineError, ProjectError
from llm_i2i.names import (
    CALL_PREFIX,
    TABLE_PREFIX,
    argument_column,
    key_column,
    result_column,
)
from llm_i2i.sql.steps import CallStep, Columns, Hoisted
from llm_i2i.udf.signature import Signature

CALL_KEY = "call_key"
VOLATILE = ("RANDOM", "RAND", "UUID", "GEN_RANDOM_UUID", "SETSEED")


class Binder(Protocol):
    """The engine's binder: what are the columns of this query, given these relations."""

    def columns(self, sql: str) -> Columns: ...

    def declare(self, name: str, columns: Columns) -> None: ...


def hoist(sql: str, signatures: Mapping[str, Signature], binder: Binder) -> Hoisted:
    """Lift every call of a batch or table UDF out of `sql`.

    Args:
        sql: One select in DuckDB SQL, its relations known to `binder`.
        signatures: Batch and table UDFs by lower-case name.

    Raises:
        ProjectError: A syntax error, or a call in a place it cannot be lifted from; says how to rewrite it.
    """
    try:
        hoister = _Hoister(parse_one(sql, dialect="duckdb"), signatures, binder)
        hoister.run()
        return Hoisted(tuple(hoister.steps), hoister.tree.sql(dialect="duckdb", pretty=True))
    except RecursionError as error:
        raise ProjectError(
            "the SQL is nested too deeply", fix="split it into CTEs, or into several models"
        ) from error
    except SqlglotError as error:
        detail = error.errors[0] if isinstance(error, ParseError) and error.errors else {}
        raise ProjectError(
            f"SQL syntax error: {detail.get('description', error)}",
            found=str(detail.get("highlight", "")),
        ) from error


class _Hoister:
    def __init__(
        self, tree: exp.Expression, signatures: Mapping[str, Signature], binder: Binder
    ) -> None:
        self.tree = tree
        self.signatures = signatures
        self.binder = binder
        self.steps: list[CallStep] = []

    def run(self) -> None:
        while (call := next(self._calls(self.tree), None)) is not None:
            if self._signature(call).kind == "table":
                self._lift_table_call(call)
            else:
                self._lift_batch_call(call)

    # -- finding calls ---------------------------------------------------------------------------------------------

    def _signature(self, call: exp.Expression) -> Signature:
        return self.signatures[call.name.lower()]

    def _is_call(self, node: exp.Expression) -> bool:
        return isinstance(node, exp.Anonymous) and node.name.lower() in self.signatures

    def _calls(self, node: exp.Expression) -> Iterator[exp.Anonymous]:
        """Calls in the order they can be lifted: inner before outer, WITH and FROM before WHERE before the rest."""
        order = {"with_": 0, "from_": 1, "joins": 2, "where": 3}
        children = sorted(
            node.iter_expressions(), key=lambda child: order.get(child.arg_key or "", 4)
        )
        for child in children:
            yield from self._calls(child)
        if self._is_call(node):
            assert isinstance(node, exp.Anonymous)
            yield node

    # -- table UDFs ------------------------------------------------------------------------------------------------

    def _lift_table_call(self, call: exp.Anonymous) -> None:
        signature = self._signature(call)
        table = call.parent
        if not isinstance(table, exp.Table):
            raise self._refused(
                call,
                "a table UDF stands in FROM",
                f"write: select ... from {signature.name}((select ...))",
            )
        relation = f"{TABLE_PREFIX}{len(self.steps) + 1}"
        arguments = self._arguments(call)
        inputs: dict[str, str] = {}
        constants: dict[str, str] = {}
        for parameter in signature.parameters:
            value = arguments.get(parameter.name)
            if value is None:
                continue
            if parameter.role == "relation":
                if not isinstance(value, exp.Subquery):
                    fix = f"write {parameter.name} := (select ... from {value.sql('duckdb')})"
                    raise self._refused(call, f"parameter {parameter.name!r} takes a subquery", fix)
                inputs[parameter.name] = self._standalone(call, value.this)
                self._bind(call, inputs[parameter.name])
            else:
                constants[parameter.name] = self._constant(call, value)
        columns = tuple(signature.returns) if not isinstance(signature.returns, str) else ()
        self.binder.declare(relation, columns)
        self.steps.append(CallStep(relation, signature.name, "table", inputs, constants, columns))
        call.replace(exp.to_identifier(relation))
        if not table.alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(signature.name)))

    # -- batch UDFs ------------------------------------------------------------------------------------------------

    def _lift_batch_call(self, call: exp.Anonymous) -> None:
        signature = self._signature(call)
        select = self._enclosing_select(call)
        self._refuse_unliftable(call, select)
        self._move_inner_join_condition(call, select)
        relation = f"{CALL_PREFIX}{len(self.steps) + 1}"
        arguments = self._arguments(call)
        rows = [arguments[p.name] for p in signature.columns]
        constants = {
            p.name: self._constant(call, arguments[p.name])
            for p in signature.constants
            if p.name in arguments
        }
        carrier = self._lateral_carrier(call, select)
        query = self._argument_query(call, select, rows, relation, carrier)
        self._bind(call, query)
        columns = (
            *((argument_column(relation, i), p.sql_type) for i, p in enumerate(signature.columns)),
            (result_column(relation), str(signature.returns)),
            (key_column(relation), "VARCHAR"),
        )
        self._declare(call, relation, columns)
        self.steps.append(
            CallStep(relation, signature.name, "batch", {"arguments": query}, constants, columns)
        )
        self._join_back(call, select, rows, relation, columns, carrier)

    def _declare(self, call: exp.Anonymous, relation: str, columns: Columns) -> None:
        try:
            self.binder.declare(relation, columns)
        except EngineError as error:
            signature = self._signature(call)
            raise ProjectError(
                f"UDF {signature.name!r} declares a type that DuckDB does not know",
                found=f"returns={signature.returns!r} ({error.what})",
                fix="correct `returns` in the decorator of the UDF",
            ) from error

    def _enclosing_select(self, call: exp.Anonymous) -> exp.Select:
        node: exp.Expression | None = call.parent
        while node is not None and not isinstance(node, exp.Select):
            if isinstance(node, exp.Lambda):
                raise self._refused(
                    call,
                    "a call inside a lambda",
                    "unnest the list in a CTE, call it there, collect with list()",
                )
            if isinstance(node, exp.SetOperation):
                break
            node = node.parent
        if not isinstance(node, exp.Select):
            raise self._refused(
                call,
                "a call outside a SELECT (in a union's ORDER BY?)",
                "compute it as a column in a CTE and use that column",
            )
        return node

    def _refuse_unliftable(self, call: exp.Anonymous, select: exp.Select) -> None:
        own = [
            n
            for argument in call.expressions
            if not isinstance(argument, exp.PropertyEQ)
            for n in argument.walk()
        ]
        if any(isinstance(n, exp.Window) for n in own):
            raise self._refused(
                call,
                "a call over a window function",
                "compute the window function in a CTE, call the UDF on its column",
            )
        if any(isinstance(n, exp.AggFunc) for n in own):
            raise self._refused(
                call, "a call over an aggregate", "aggregate in a CTE, call the UDF on its column"
            )
        if any(
            n.sql("duckdb").upper().startswith(VOLATILE) for n in own if isinstance(n, exp.Func)
        ):
            raise self._refused(
                call,
                "a call over a random value",
                "materialise the random column in a model of its own",
            )
        for ancestor in self._path(call, select):
            join = ancestor if isinstance(ancestor, exp.Join) else None
            if (
                join is not None
                and (join.side or join.kind in ("SEMI", "ANTI"))
                and join.args.get("on") is not None
            ):
                raise self._refused(
                    call,
                    "a call in the ON of an outer join",
                    "compute it as a column in a CTE and join on that column",
                )
        node: exp.Expression | None = select
        while node is not None:
            if isinstance(node, exp.With) and node.recursive:
                raise self._refused(
                    call, "a call in a recursive CTE", "call the UDF on the result of the recursion"
                )
            node = node.parent

    def _move_inner_join_condition(self, call: exp.Anonymous, select: exp.Select) -> None:
        """A call in an inner join's ON means the same in WHERE, from where it can be lifted."""
        join = next((n for n in self._path(call, select) if isinstance(n, exp.Join)), None)
        if join is None or join.args.get("on") is None or not self._within(call, join.args["on"]):
            return
        conjuncts = list(
            join.args["on"].flatten() if isinstance(join.args["on"], exp.And) else [join.args["on"]]
        )
        kept = [c for c in conjuncts if not self._has_call(c)]
        moved = [c for c in conjuncts if self._has_call(c)]
        join.set("on", exp.and_(*kept, copy=False) if kept else None)
        if not kept:
            join.set("kind", "CROSS")
        where = select.args.get("where")
        everything = [*([where.this] if where else []), *moved]
        select.set("where", exp.Where(this=exp.and_(*everything, copy=False)))

    def _lateral_carrier(self, call: exp.Anonymous, select: exp.Select) -> exp.Expression | None:
        """The lateral UNNEST join that holds the call, if one does: the new join must come before it."""
        for node in self._path(call, select):
            if isinstance(node, (exp.Join, exp.Lateral)) and node.parent is select:
                return node
            if isinstance(node, exp.From):
                raise self._refused(
                    call,
                    "a call in the first item of FROM",
                    "put the table first: from t, unnest(f(t.x)) as u(item)",
                )
        return None

    def _argument_query(
        self,
        call: exp.Anonymous,
        select: exp.Select,
        rows: list[exp.Expression],
        relation: str,
        carrier: exp.Expression | None,
    ) -> str:
        """`select distinct <arguments>` over the same FROM, joins and call-free WHERE conjuncts."""
        query = exp.Select(distinct=exp.Distinct())
        aliased = [
            exp.alias_(
                exp.cast(self._expand_aliases(row, select), p.sql_type, dialect="duckdb"),
                argument_column(relation, i),
            )
            for i, (row, p) in enumerate(zip(rows, self._signature(call).columns, strict=True))
        ]
        query.set("expressions", aliased)
        if source := select.args.get("from_"):
            query.set("from_", source.copy())
        joins = select.args.get("joins") or []
        if carrier is not None:
            joins = joins[: next(i for i, join in enumerate(joins) if join is carrier)]
        query.set("joins", [join.copy() for join in joins])
        where = select.args.get("where")
        conjuncts = (
            []
            if where is None
            else list(where.this.flatten() if isinstance(where.this, exp.And) else [where.this])
        )
        kept: list[exp.Expression] = []
        for conjunct in conjuncts:
            if not self._has_call(conjunct) and (
                carrier is None or self._binds(call, query, [*kept, conjunct])
            ):
                kept.append(conjunct)
        if kept:
            query.set("where", exp.Where(this=exp.and_(*[k.copy() for k in kept])))
        return self._standalone(call, query)

    def _binds(
        self, call: exp.Anonymous, query: exp.Select, conjuncts: list[exp.Expression]
    ) -> bool:
        trial = query.copy()
        trial.set("where", exp.Where(this=exp.and_(*[c.copy() for c in conjuncts])))
        try:
            self.binder.columns(self._standalone(call, trial))
        except EngineError:
            return False
        return True

    def _expand_aliases(self, row: exp.Expression, select: exp.Select) -> exp.Expression:
        """Replace DuckDB's lateral column aliases (`select a || b as p, f(p)`) by what they stand for."""
        aliases = {e.alias.lower(): e.this for e in select.expressions if isinstance(e, exp.Alias)}
        source = self._source_columns(select)

        def expand(node: exp.Expression) -> exp.Expression:
            name = node.name.lower() if isinstance(node, exp.Column) and not node.table else ""
            if name in aliases and name not in source and not self._has_call(aliases[name]):
                return exp.paren(aliases[name].copy())
            return node

        return row.copy().transform(expand)

    def _source_columns(self, select: exp.Select) -> set[str]:
        """Lower-case names of the columns FROM offers (they win over aliases); empty if they cannot be told."""
        probe = exp.Select(expressions=[exp.Star()])
        for key in ("from_", "joins"):
            value = select.args.get(key)
            if value:
                kept = (
                    [j.copy() for j in value if not self._has_call(j)]
                    if key == "joins"
                    else value.copy()
                )
                probe.set(key, kept)
        try:
            return {
                name.lower() for name, _ in self.binder.columns(self._standalone(select, probe))
            }
        except EngineError:
            return set()

    def _join_back(
        self,
        call: exp.Anonymous,
        select: exp.Select,
        rows: list[exp.Expression],
        relation: str,
        columns: Columns,
        carrier: exp.Expression | None,
    ) -> None:
        conditions = [
            exp.EQ(
                this=exp.cast(self._expand_aliases(row, select), p.sql_type, dialect="duckdb"),
                expression=exp.column(argument_column(relation, i), table=relation),
            )
            for i, (row, p) in enumerate(zip(rows, self._signature(call).columns, strict=True))
        ]
        self._replace_calls(call, select, relation)
        joins = list(select.args.get("joins") or [])
        for join in joins:  # a comma binds looser than JOIN: `a, b left join c` could not see a
            if not any(join.args.get(k) for k in ("on", "using", "kind", "side", "method")):
                join.set("kind", "CROSS")
        position = (
            len(joins) if carrier is None else next(i for i, j in enumerate(joins) if j is carrier)
        )
        new = exp.Join(this=exp.to_table(relation), side="LEFT", on=exp.and_(*conditions))
        select.set("joins", [*joins[:position], new, *joins[position:]])
        if not select.args.get("from_"):
            one = exp.Subquery(
                this=exp.select("1 AS __one"),
                alias=exp.TableAlias(this=exp.to_identifier("__one_row")),
            )
            select.set("from_", exp.From(this=one))
        hidden = [exp.column(name) for name, _ in columns]
        if not any(isinstance(e, exp.Star) for e in select.expressions):
            return
        for star in [e for e in select.expressions if isinstance(e, exp.Star)]:
            star.set("except_", [*(star.args.get("except_") or []), *[h.copy() for h in hidden]])

    def _replace_calls(self, call: exp.Anonymous, select: exp.Select, relation: str) -> None:
        """Put the result column in place of this call and of every identical one of the same SELECT."""
        text = call.sql("duckdb")
        same = [
            node
            for node in select.find_all(exp.Anonymous)
            if self._is_call(node)
            and node.sql("duckdb") == text
            and self._enclosing_select(node) is select
        ]
        grouping = select.args.get("group")
        for node in same:
            place: exp.Expression = node
            column = result_column(relation)
            if isinstance(node.parent, exp.Anonymous) and node.parent.name.lower() == CALL_KEY:
                place, column = node.parent, key_column(relation)
            value: exp.Expression = exp.column(column, table=relation)
            if (
                grouping is not None
                and grouping.expressions
                and self._needs_any_value(place, select)
            ):
                value = exp.AnyValue(
                    this=value
                )  # a function of the group's keys: one value in each group
            top = place.parent is select and place.arg_key == "expressions"
            place.replace(exp.alias_(value, self._signature(call).name) if top else value)

    def _needs_any_value(self, place: exp.Expression, select: exp.Select) -> bool:
        grouping = select.args["group"]
        if any(
            isinstance(node, (exp.AggFunc, exp.Group, exp.Where, exp.Join, exp.From))
            for node in self._path(place, select)
        ):
            return False
        keys = {e.sql("duckdb").lower() for e in grouping.expressions}
        for index, projection in enumerate(select.expressions, start=1):
            if (
                self._within(place, projection)
                and {str(index), projection.alias_or_name.lower()} & keys
            ):
                return False
        return place.sql("duckdb").lower() not in keys

    # -- shared ----------------------------------------------------------------------------------------------------

    def _arguments(self, call: exp.Anonymous) -> dict[str, exp.Expression]:
        """Parameter name -> expression, positional and named, checked against the signature."""
        signature = self._signature(call)
        names = [p.name for p in signature.parameters]
        positional = [a for a in call.expressions if not isinstance(a, exp.PropertyEQ)]
        allowed = signature.columns if signature.kind == "batch" else signature.parameters
        if len(positional) > len(allowed):
            raise self._refused(
                call,
                f"{signature.name} takes {len(allowed)} positional arguments",
                "name the others: parameter := value",
            )
        arguments = dict(zip([p.name for p in allowed], positional, strict=False))
        for named in (a for a in call.expressions if isinstance(a, exp.PropertyEQ)):
            name = named.this.name.lower()
            if name not in names:
                raise self._refused(
                    call,
                    f"{signature.name} has no parameter {name!r}",
                    f"its parameters are {', '.join(names)}",
                )
            arguments[name] = named.expression
        missing = [p.name for p in signature.parameters if p.required and p.name not in arguments]
        if missing:
            raise self._refused(
                call,
                f"{signature.name} lacks {', '.join(missing)}",
                f"its parameters are {', '.join(names)}",
            )
        return arguments

    def _constant(self, call: exp.Anonymous, value: exp.Expression) -> str:
        query = self._standalone(call, exp.select(exp.alias_(value.copy(), "value")))
        try:
            self.binder.columns(query)
        except EngineError as error:
            refusal = self._refused(
                call,
                "a named argument that is not a constant",
                "named arguments take a constant or a scalar subquery; columns go first",
            )
            refusal.found = f"{value.sql('duckdb')} ({error.what})"
            raise refusal from error
        return query

    def _standalone(self, inside: exp.Expression, query: exp.Expression) -> str:
        """`query` as text, with the CTEs that are visible where `inside` stands."""
        ctes: dict[str, exp.CTE] = {}
        child: exp.Expression = inside
        node: exp.Expression | None = inside
        while node is not None:
            if isinstance(node, exp.With):
                earlier = node.expressions[: child.index or 0] if isinstance(child, exp.CTE) else []
                for cte in reversed(earlier):
                    ctes.setdefault(cte.alias.lower(), cte)
            elif (own := node.args.get("with_")) is not None and child is not own:
                for cte in reversed(own.expressions):
                    ctes.setdefault(cte.alias.lower(), cte)
            child, node = node, node.parent
        result = query.copy()
        if ctes:
            inner = result.args.get("with_")
            outer = [cte.copy() for cte in reversed(list(ctes.values()))]
            merged = [*outer, *(inner.expressions if inner else [])]
            result.set("with_", exp.With(expressions=merged))
        text: str = result.sql(dialect="duckdb", pretty=True)
        return text

    def _bind(self, call: exp.Anonymous, query: str) -> Columns:
        try:
            return self.binder.columns(query)
        except EngineError as error:
            refusal = self._refused(
                call,
                "its arguments cannot be computed from the FROM of its own SELECT",
                "check the column names; a correlated call must be rewritten as a join in a CTE",
            )
            refusal.found = " ".join([error.what, error.found]).strip()
            raise refusal from error

    def _refused(self, call: exp.Expression, reason: str, fix: str) -> ProjectError:
        return ProjectError(
            f"{call.name.lower()}(...) cannot be called here: {reason}",
            found=call.sql("duckdb")[:200],
            fix=fix,
        )

    def _has_call(self, node: exp.Expression) -> bool:
        return any(self._is_call(n) for n in node.walk())

    def _path(self, node: exp.Expression, top: exp.Expression) -> Iterator[exp.Expression]:
        """Ancestors of `node`, itself excluded, up to but not including `top`."""
        parent = node.parent
        while parent is not None and parent is not top:
            yield parent
            parent = parent.parent

    def _within(self, node: exp.Expression, container: exp.Expression) -> bool:
        return node is container or any(
            ancestor is container for ancestor in self._path(node, container.parent or container)
        )
