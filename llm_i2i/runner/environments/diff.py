"""How two environments differ: tables, columns, rows by grain, and for indices what a shop would notice."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_i2i.errors import ProjectError, closest
from llm_i2i.fingerprint import file_digest
from llm_i2i.names import quote_identifier
from llm_i2i.runner.base.definition import named_environment
from llm_i2i.runner.environments.move import explain_move, open_environment
from llm_i2i.runner.environments.query import attach, open_catalogue

if TYPE_CHECKING:
    import duckdb

    from llm_i2i.runner.environments.index_diff import IndexDifference
    from llm_i2i.store.environment import Pointer
    from llm_i2i.store.store import Store

HERE, THERE = "here", "there"  # names of the two catalogues in a session
SAMPLE = 3
NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "FLOAT", "DOUBLE", "DECIMAL")  # fmt: skip


@dataclass(frozen=True)
class ColumnDifference:
    """Values of one column that differ in rows that both have; `largest` absolute difference of numbers."""

    column: str
    rows: int
    largest: float | None = None


@dataclass(frozen=True)
class TableDifference:
    """A table that both environments have, with different fingerprints.

    Attributes:
        reason: Why its result is another one.
        columns_here: (name, type) of columns that only here has; `columns_there` likewise.
        types: (name, type here, type there) of columns of other types.
        rows_here: Number of rows; `rows_there` likewise.
        grain: Columns that name a row in both; without them rows are compared as a whole, and none counts as changed.
        only_here: Rows that only here has; `only_there` likewise; `changed`: rows of one name with other values.
        values: The columns that changed.
        samples: `only_here`, `only_there` (rows), `changed` (the grain, and for each changed column [there, here]).
        index: What differs where the table is an item-to-item index.
        note: What is to be said of the comparison.
    """

    table: str
    reason: str
    columns_here: list[tuple[str, str]]
    columns_there: list[tuple[str, str]]
    types: list[tuple[str, str, str]]
    rows_here: int
    rows_there: int
    grain: list[str]
    only_here: int = 0
    only_there: int = 0
    changed: int = 0
    values: list[ColumnDifference] = field(default_factory=list)
    samples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    index: IndexDifference | None = None
    note: str = ""

    @property
    def is_equal(self) -> bool:
        """Whether both hold the same columns and rows, made in another way."""
        return not (
            self.columns_here or self.columns_there or self.types
            or self.only_here or self.only_there or self.changed
        )  # fmt: skip


@dataclass(frozen=True)
class Difference:
    """What differs between environment `here` and environment `there`."""

    here: str
    there: str
    only_here: list[str]
    only_there: list[str]
    same: list[str]
    tables: list[TableDifference]


@dataclass(frozen=True)
class Sides:
    """What comparing needs of the project whose environments are compared.

    Attributes:
        grain_of: The columns that name a row of a node; none where the project has no such node.
        threads: Of the session that compares, None for DuckDB's own number; likewise `memory_limit`.
    """

    target_dir: Path
    store: Store
    grain_of: Callable[[str], Sequence[str]]
    threads: int | None = None
    memory_limit: str | None = None


def diff(
    sides: Sides,
    here: str,
    there: str,
    *,
    select: Callable[[], Iterable[str]] | None = None,
    ks: Sequence[int] = (10,),
    sample: int = SAMPLE,
) -> Difference:
    """Compare what two environments point to.

    Tables of one fingerprint hold the same rows and are not read.

    Args:
        select: Gives the only nodes to compare; asked once both environments are open. None: all.
        ks: List lengths at which indices are compared.
        sample: Rows shown of each kind.

    Raises:
        ProjectError: An environment is not there, or nothing of it is selected.
    """
    nodes_here = all_here = open_environment(sides.target_dir, here).pointers()
    nodes_there = all_there = open_environment(sides.target_dir, there).pointers()
    if select is not None:
        chosen = set(select())
        nodes_here = {n: p for n, p in nodes_here.items() if n in chosen}
        nodes_there = {n: p for n, p in nodes_there.items() if n in chosen}
        if not nodes_here and not nodes_there:
            raise ProjectError(
                "nothing selected",
                found=f"none of the selected nodes is in {here!r} or {there!r}",
                fix="run `llmi2i build`, or select others",
            )
    reasons = {c.node: c.reason for c in explain_move(sides.store, nodes_there, nodes_here)}
    both = [name for name in nodes_here if name in nodes_there]
    differing = [name for name in both if nodes_here[name] != nodes_there[name]]
    with open_session(sides, here, there) as connection:
        tables = [
            _compare(sides, connection, name, reasons[name], all_here, all_there, ks, sample)
            for name in differing
        ]
    return Difference(
        here,
        there,
        [n for n in nodes_here if n not in nodes_there],
        [n for n in nodes_there if n not in nodes_here],
        [n for n in both if n not in differing],
        tables,
    )


@contextmanager
def open_session(sides: Sides, here: str, there: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A session in which the tables of two environments are `here.x` and `there.x`."""
    import duckdb

    config: dict[str, Any] = {"threads": sides.threads} if sides.threads else {}
    if sides.memory_limit:
        config["memory_limit"] = sides.memory_limit
    config["temp_directory"] = str(sides.target_dir / "tmp" / str(os.getpid()))
    environments = [named_environment(sides.target_dir, name) for name in (here, there)]
    for environment in environments:
        open_catalogue(environment, sides.store).close()  # its errors say what to do
    with duckdb.connect(config=config) as connection:
        for environment, name in zip(environments, (HERE, THERE), strict=True):
            attach(connection, environment.catalogue, name)
        yield connection


def _compare(
    sides: Sides,
    connection: duckdb.DuckDBPyConnection,
    name: str,
    reason: str,
    nodes_here: Mapping[str, Pointer],
    nodes_there: Mapping[str, Pointer],
    ks: Sequence[int],
    sample: int,
) -> TableDifference:
    import duckdb

    from llm_i2i.runner.environments.index_diff import compare_indices, is_index

    grain = sides.grain_of(name)
    try:
        here, there = (_columns(connection, side, name) for side in (HERE, THERE))
        found = _Rows(connection, name, here, there, grain, sample).difference(
            reason, _is_same_file(sides.store, name, nodes_here[name], nodes_there[name])
        )
        if is_index(here) and is_index(there) and not found.is_equal:
            index = compare_indices(
                sides.store, connection, name, nodes_here, nodes_there, ks, sample
            )
            found = TableDifference(**{**vars(found), "index": index})
        return found
    except duckdb.Error as error:
        note = f"cannot be read: {str(error).splitlines()[0]}"
        return TableDifference(name, reason, [], [], [], 0, 0, [], note=note)


def _columns(connection: duckdb.DuckDBPyConnection, side: str, name: str) -> dict[str, str]:
    described = connection.execute(f"describe from {side}.{quote_identifier(name)}").fetchall()
    return {row[0]: row[1] for row in described}


def _is_same_file(store: Store, name: str, here: Pointer, there: Pointer) -> bool:
    """Whether two results are equal to the byte, which is much cheaper to see than that their rows are."""
    if here.sql or there.sql:
        return False
    paths = [store.data_path(name, pointer.fingerprint) for pointer in (here, there)]
    if not all(path.exists() for path in paths):
        return False
    if paths[0].stat().st_size != paths[1].stat().st_size:
        return False
    return file_digest(paths[0]) == file_digest(paths[1])


class _Rows:
    """Rows of one table in two catalogues."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, name: str, here: Mapping[str, str],
        there: Mapping[str, str], grain: Sequence[str], sample: int,
    ) -> None:  # fmt: skip
        self.connection = connection
        self.name = name
        self.here, self.there = here, there
        self.grain = list(grain)
        self.sample = sample
        self.common = [column for column in here if column in there]

    def difference(self, reason: str, is_same_file: bool) -> TableDifference:
        rows = {side: self._count(f"from {self._table(side)}") for side in (HERE, THERE)}
        note = self._grain_problem(rows)
        grain = [] if note else self.grain
        counts: dict[str, Any] = {}
        if not is_same_file:
            counts = self._by_grain() if grain else self._as_a_whole()
        return TableDifference(
            self.name,
            reason,
            [(c, t) for c, t in self.here.items() if c not in self.there],
            [(c, t) for c, t in self.there.items() if c not in self.here],
            [(c, self.here[c], self.there[c]) for c in self.common if self._is_cast(c)],
            rows[HERE],
            rows[THERE],
            grain,
            note=note if counts and any(counts[k] for k in ("only_here", "only_there")) else "",
            **counts,
        )

    def _table(self, side: str) -> str:
        return f"{side}.{quote_identifier(self.name)}"

    def _is_cast(self, column: str) -> bool:
        return self.here[column] != self.there[column]

    def _value(self, side: str, column: str) -> str:
        """A column, as text where its type is another one on the other side."""
        quoted = f"{side}_rows.{quote_identifier(column)}"
        return f"cast({quoted} as varchar)" if self._is_cast(column) else quoted

    def _grain_problem(self, rows: Mapping[str, int]) -> str:
        if not self.grain:
            return "no grain is declared: rows are compared as a whole"
        lost = [column for column in self.grain if column not in self.common]
        if lost:
            near = closest(lost[0], self.common)
            return f"grain column {lost[0]} is not in both: rows are compared as a whole" + (
                f" (closest {near})" if near else ""
            )
        columns = ", ".join(map(quote_identifier, self.grain))
        for side in (HERE, THERE):
            if self._count(f"from (select distinct {columns} from {self._table(side)})") != rows[side]:  # fmt: skip
                return "the grain does not name one row: rows are compared as a whole"
        return ""

    def _by_grain(self) -> dict[str, Any]:
        compared = [c for c in self.common if c not in self.grain]
        differs = {c: f"{self._value(HERE, c)} is distinct from {self._value(THERE, c)}" for c in compared}  # fmt: skip
        is_changed = f"is_here and is_there and ({' or '.join(differs.values()) or 'false'})"
        measures = ["count(*) filter (is_there is null)", "count(*) filter (is_here is null)", f"count(*) filter ({is_changed})"]  # fmt: skip
        for column, condition in differs.items():
            measures.append(f"count(*) filter (is_here and is_there and {condition})")
            measures.append(self._largest(column))
        row = self._fetch(f"select {', '.join(measures)} {self._join()}")[0]
        values = [
            ColumnDifference(column, row[3 + 2 * i], row[4 + 2 * i])
            for i, column in enumerate(compared)
            if row[3 + 2 * i]
        ]
        samples = {}
        order = ", ".join(f"coalesce({self._value(HERE, c)}, {self._value(THERE, c)})" for c in self.grain)  # fmt: skip
        for kind, side, condition, n in (
            ("only_here", HERE, "is_there is null", row[0]),
            ("only_there", THERE, "is_here is null", row[1]),
        ):
            if n and self.sample:
                samples[kind] = self._dicts(
                    f"select {side}_rows.* exclude (is_{side}) {self._join()} where {condition} order by {order} limit {self.sample}"
                )
        if row[2] and self.sample:
            samples["changed"] = self._changed_sample(is_changed, order, [v.column for v in values])
        return {
            "only_here": row[0],
            "only_there": row[1],
            "changed": row[2],
            "values": values,
            "samples": samples,
        }

    def _changed_sample(
        self, condition: str, order: str, columns: Sequence[str]
    ) -> list[dict[str, Any]]:
        names = [f"{self._value(HERE, c)} as {quote_identifier(c)}" for c in self.grain]
        pairs = [f"{self._value(side, c)} as {quote_identifier(f'{side} {c}')}" for c in columns for side in (THERE, HERE)]  # fmt: skip
        rows = self._dicts(
            f"select {', '.join(names + pairs)} {self._join()} where {condition} order by {order} limit {self.sample}"
        )
        return [
            {c: row[c] for c in self.grain}
            | {
                c: [row[f"{THERE} {c}"], row[f"{HERE} {c}"]]
                for c in columns
                if row[f"{THERE} {c}"] != row[f"{HERE} {c}"]
            }
            for row in rows
        ]

    def _join(self) -> str:
        keys = " and ".join(
            f"{self._value(HERE, c)} is not distinct from {self._value(THERE, c)}"
            for c in self.grain
        )
        return (
            f"from (select *, true as is_here from {self._table(HERE)}) as here_rows"
            f" full outer join (select *, true as is_there from {self._table(THERE)}) as there_rows on {keys}"
        )

    def _largest(self, column: str) -> str:
        sql_type = self.here[column]
        if not sql_type.startswith(NUMBERS) or "[" in sql_type or self._is_cast(column):
            return "null"
        here, there = (
            f"cast({side}_rows.{quote_identifier(column)} as double)" for side in (HERE, THERE)
        )
        return f"max(abs({here} - {there}))"

    def _as_a_whole(self) -> dict[str, Any]:
        """Rows of the common columns as a multiset."""
        lists = {
            side: ", ".join(self._value(side, c) for c in self.common) for side in (HERE, THERE)
        }
        if not self.common:
            return {"only_here": 0, "only_there": 0}
        query = {side: f"select {lists[side]} from {self._table(side)} as {side}_rows" for side in (HERE, THERE)}  # fmt: skip
        counts: dict[str, Any] = {}
        samples = {}
        for kind, one, other in (("only_here", HERE, THERE), ("only_there", THERE, HERE)):
            rest = f"({query[one]} except all {query[other]})"
            counts[kind] = self._count(f"from {rest}")
            if counts[kind] and self.sample:
                samples[kind] = self._dicts(f"from {rest} order by all limit {self.sample}")
        return counts | {"samples": samples}

    def _count(self, source: str) -> int:
        return int(self._fetch(f"select count(*) {source}")[0][0])

    def _fetch(self, sql: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self.connection.execute(sql).fetchall()
        return rows

    def _dicts(self, sql: str) -> list[dict[str, Any]]:
        relation = self.connection.sql(sql)
        return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
