"""Where the columns of a query come from: sqlglot's column lineage, carried through the UDF calls that were lifted out.

A lifted call is an edge like any other: its result depends on the columns of its arguments and on its constants, such as the
checkpoint that answers. What a table UDF does with its rows nobody can see, so each of its columns depends on all it was given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llm_i2i.names import CALL_PREFIX
from llm_i2i.sql.steps import CallStep, Columns

if TYPE_CHECKING:
    from sqlglot import exp

LINEAGE_VERSION = 1  # part of the cache's key; raise it when the answers change
ROWS = "*"  # in place of a column: which rows there are


@dataclass(frozen=True, order=True)
class ColumnSource:
    """One column that a column is made from.

    Attributes:
        relation: The node, or the relation of a lifted call while lineage is being put together.
        column: Its column; `*` for which rows it has, as count(*) depends on.
        via: UDFs on the way, ` > ` between them; empty for plain SQL.
        guessed: The query could not be followed here; the column may or may not matter.
    """

    relation: str
    column: str
    via: str = ""
    guessed: bool = False


Lineage = dict[str, tuple[ColumnSource, ...]]  # column -> what it is made from


def query_lineage(
    sql: str, steps: Sequence[CallStep], columns: Columns, inputs: Mapping[str, Columns]
) -> Lineage:
    """What each column of a compiled model is made from; under `*`, what decides which rows it has.

    Args:
        sql: The query with its calls lifted out.
        columns: Its columns, as the engine binds them.
        inputs: Columns of every node it reads.
    """
    relations: dict[str, Columns] = {**inputs, **{step.relation: step.columns for step in steps}}
    calls: dict[str, Lineage] = {}
    for step in steps:
        calls[step.relation] = {
            column: tuple(sorted(set(sources)))
            for column, sources in _call_lineage(step, relations, calls).items()
        }
    found = _plain_lineage(sql, [name for name, _ in columns], relations)
    return {name: tuple(sorted(set(_through(sources, calls)))) for name, sources in found.items()}


def _through(
    sources: Sequence[ColumnSource], calls: Mapping[str, Lineage], via: str = ""
) -> Iterator[ColumnSource]:
    """Sources with the columns of lifted calls replaced by what these depend on."""
    for source in sources:
        if source.relation not in calls:
            yield _behind(source, via, source.guessed)
            continue
        for one in calls[source.relation].get(source.column, ()):
            yield _behind(one, via, source.guessed)


def _behind(source: ColumnSource, via: str, guessed: bool) -> ColumnSource:
    path = " > ".join(part for part in (source.via, via) if part)
    return ColumnSource(source.relation, source.column, path, source.guessed or guessed)


def _call_lineage(
    step: CallStep, relations: Mapping[str, Columns], calls: Mapping[str, Lineage]
) -> dict[str, list[ColumnSource]]:
    """Columns of a lifted call: arguments come from their own query, results from all the call was given.

    A row of a batch call depends on its own arguments alone, those of a table UDF also on which rows it was given.
    """
    is_table = step.kind == "table"
    arguments: dict[str, list[ColumnSource]] = {}
    given: list[ColumnSource] = []
    for query in [*step.inputs.values(), *step.constants.values()]:
        for column, sources in _plain_lineage(query, None, relations).items():
            if column != ROWS or (is_table and query in step.inputs.values()):
                arguments[column] = list(_through(sources, calls))
                given += _through(sources, calls, step.udf.lower())
    result = {name: given for name, _ in step.columns}
    return {**result, ROWS: given} if is_table else {**result, **arguments}


def _plain_lineage(
    sql: str, columns: Sequence[str] | None, relations: Mapping[str, Columns]
) -> Lineage:
    """Lineage of one query over relations, its rows last; what sqlglot cannot follow is guessed by name.

    Args:
        columns: Its columns; None for those that sqlglot finds.
    """
    from sqlglot import parse_one
    from sqlglot.errors import SqlglotError
    from sqlglot.optimizer import build_scope
    from sqlglot.optimizer.qualify import qualify
    from sqlglot.schema import MappingSchema

    schema = MappingSchema(
        {name: {column: "text" for column, _ in found} for name, found in relations.items()},
        dialect="duckdb",
    )
    found: Lineage = {}
    try:
        tree = qualify(
            parse_one(sql, dialect="duckdb"),
            dialect="duckdb",
            schema=schema,
            validate_qualify_columns=False,
            quote_identifiers=False,
        )
        _align_unions_by_name(tree)
        scope = build_scope(tree)
        found = _Reader(scope, schema, relations).columns() if scope is not None else {}
    except (SqlglotError, ValueError, KeyError, RecursionError):
        found = {}
    names = [*columns, ROWS] if columns is not None else [*found] or [ROWS]
    return {
        name: found[name.lower()]
        if name.lower() in found
        else tuple(_guesses(sql, name, relations))
        for name in names
    }


def _guesses(sql: str, name: str, relations: Mapping[str, Columns]) -> Iterator[ColumnSource]:
    """The columns of that name, or all columns and rows where none is called so, of the relations that the text mentions."""
    from llm_i2i.sql.tokens import words

    mentioned = words(sql)
    read = {r: columns for r, columns in relations.items() if r.lower() in mentioned}
    every = [(r, c) for r, columns in read.items() for c, _ in (*columns, (ROWS, ""))]
    same = [(r, c) for r, c in every if c.lower() == name.lower() != ROWS]
    for relation, column in same or every:
        yield ColumnSource(relation, column, guessed=True)


def _align_unions_by_name(tree: exp.Expression) -> None:
    """Give both sides of `union by name` the same columns in one order, which is what it means: sqlglot goes by position."""
    from sqlglot import exp

    for union in reversed(list(tree.find_all(exp.SetOperation))):
        sides = (union.this.unnest(), union.expression.unnest())
        if not union.args.get("by_name") or not all(isinstance(s, exp.Select) for s in sides):
            continue
        names = list(
            dict.fromkeys(select.alias_or_name for side in sides for select in side.selects)
        )
        for side in sides:
            own = {select.alias_or_name: select for select in side.selects}
            side.set("expressions", [own.get(n) or exp.alias_(exp.null(), n) for n in names])
        union.set("by_name", None)


class _Reader:
    """Reads the scopes of one qualified query: what its columns are made from, and what decides on its rows."""

    def __init__(self, top: Any, schema: Any, relations: Mapping[str, Columns]) -> None:
        self.top = top
        self.schema = schema
        self.known = {name.lower(): (name, columns) for name, columns in relations.items()}
        self.scopes = {id(scope.expression): scope for scope in top.traverse()}
        self._nodes: dict[Any, Any] = {}
        self._selects: dict[int, Any] = {}
        self._rows: dict[int, set[ColumnSource]] = {}

    def columns(self) -> dict[str, tuple[ColumnSource, ...]]:
        """Each column of the query, in lower case; and its rows."""
        found = {
            select.alias_or_name.lower(): tuple(
                sorted(self._sources(select.alias_or_name, self.top))
            )
            for select in self.top.expression.selects
        }
        return {**found, ROWS: tuple(sorted(self._rows_of(self.top)))}

    def _sources(self, column: str, scope: Any) -> set[ColumnSource]:
        """The columns at the ends of a column's lineage, and the rows that are counted on the way."""
        from sqlglot import exp
        from sqlglot.lineage import to_node

        node = to_node(
            column, scope, "duckdb", self.schema, trim_selects=False, _cache=self._nodes, _scope_meta=self._selects
        )  # fmt: skip
        steps = list(node.walk())
        found: set[ColumnSource] = set()
        for step in steps:
            if isinstance(step.expression, exp.Table):
                found |= set(self._end(step.expression, step.name.rpartition(".")[2].strip('"')))
            elif self._counts_rows(step.expression):
                found |= self._rows_of(self.scopes.get(id(step.source)))
        if not found:  # sum(1), max('x'): constants, but of the rows there are
            for step in steps:
                if step.expression.find(exp.AggFunc, exp.Window):
                    found |= self._rows_of(self.scopes.get(id(step.source)))
        return found

    def _end(self, table: exp.Table, column: str) -> Iterator[ColumnSource]:
        relation, columns = self.known.get(table.name.lower(), ("", ()))
        exact = [name for name, _ in columns if name.lower() == column.lower()]
        if exact:
            yield ColumnSource(relation, exact[0])
        elif column == ROWS:
            yield from (ColumnSource(relation, name, guessed=True) for name, _ in columns)

    def _counts_rows(self, select: exp.Expression) -> bool:
        """Whether a value depends on nothing but how many rows there are: count(*)."""
        from sqlglot import exp

        return isinstance(select, (exp.Alias, exp.Func, exp.Window)) and any(
            isinstance(count.this, exp.Star) for count in select.find_all(exp.Count)
        )

    def _rows_of(self, scope: Any) -> set[ColumnSource]:
        """What decides which rows a query has: the rows of what it reads, and the columns of its conditions and groups."""
        from sqlglot.optimizer import Scope

        if scope is None:
            return set()
        if id(scope) not in self._rows:
            found = self._rows[id(scope)] = set()  # a recursive CTE reads itself
            for part in scope.set_operation_scopes:
                found |= self._rows_of(part)
            for _, source in scope.selected_sources.values():
                if isinstance(source, Scope):
                    found |= self._rows_of(source)
                elif source.name.lower() in self.known:
                    found.add(ColumnSource(self.known[source.name.lower()][0], ROWS))
            for condition in self._conditions(scope.expression):
                found |= self._condition_sources(condition, scope)
        return self._rows[id(scope)]

    def _conditions(self, query: exp.Expression) -> Iterator[exp.Expression]:
        keys = ["where", "group", "having", "qualify"] + ["order"] * bool(query.args.get("limit"))
        yield from (query.args[key] for key in keys if query.args.get(key) is not None)
        for join in query.args.get("joins") or ():
            # the join back to a lifted call finds its one row; it neither adds nor removes any.
            if join.args.get("on") is not None and not join.alias_or_name.startswith(CALL_PREFIX):
                yield join.args["on"]

    def _source(self, name: str, scope: Any) -> Any:
        """What a name stands for in a scope, or around it where it is correlated."""
        while scope is not None and name not in scope.sources:
            scope = scope.parent
        source = scope.sources[name] if scope is not None else None
        # in a recursive CTE sqlglot has a stand-in for the CTE itself, which knows no sources.
        return self.scopes.get(id(source.expression), source) if source is not None else None

    def _condition_sources(self, condition: exp.Expression, scope: Any) -> set[ColumnSource]:
        from sqlglot import exp
        from sqlglot.optimizer import Scope, find_all_in_scope

        found: set[ColumnSource] = set()
        for column in find_all_in_scope(condition, exp.Column):
            source = self._source(column.table, scope)
            if isinstance(source, Scope):
                found |= self._sources(column.name, source)
            elif isinstance(source, exp.Table):
                found |= set(self._end(source, column.name))
        inside = {id(node) for node in condition.walk()}
        for inner in scope.subquery_scopes:
            if id(inner.expression) in inside:  # in (select ...), exists (select ...)
                found |= self._rows_of(inner)
                for name in inner.expression.named_selects:
                    found |= self._sources(name, inner)
        return found
