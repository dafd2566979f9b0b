"""DuckDB in process: an in-memory session that reads and writes the store's Parquet files."""

from __future__ import annotations

import functools
import inspect
import re
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from llm_i2i.engine.base import Columns, Outcome
from llm_i2i.engine.instances import Instance, shared_instance
from llm_i2i.errors import EngineError
from llm_i2i.names import parquet_scan, quote_identifier, quote_literal

if TYPE_CHECKING:
    import pyarrow as pa

    from llm_i2i.udf.signature import Signature

ROW_GROUP_ROWS = 122_880  # DuckDB's own; smaller groups would only cost space


class DuckDBEngine:
    """An in-memory DuckDB with the target's threads and memory limit; what does not fit spills to disk.

    Args:
        isolated: Open an instance for this session alone: for statements of users, which may change settings of the instance.
    """

    def __init__(
        self,
        *,
        threads: int | None = None,
        memory_limit: str | None = None,
        spill_dir: Path | None = None,
        isolated: bool = False,
    ) -> None:
        config: dict[str, str | int] = {
            "autoinstall_known_extensions": "false"
        }  # no network at run time
        if threads:
            config["threads"] = threads
        if memory_limit:
            config["memory_limit"] = memory_limit
        if spill_dir:
            spill_dir.mkdir(parents=True, exist_ok=True)
            config["temp_directory"] = str(spill_dir)
        self._instance = Instance(config) if isolated else shared_instance(config)
        self._name, self._connection = self._instance.open_session()
        # A session that nobody closes ends with its engine: an instance gets slower with each database that stays in it.
        self._end = weakref.finalize(
            self, _end_session, self._instance, self._name, self._connection, isolated
        )

    def columns(self, sql: str) -> Columns:
        described = self._execute(f"describe {sql}").fetchall()
        return tuple((row[0], row[1]) for row in described)

    def declare(self, name: str, columns: Columns) -> None:
        body = ", ".join(
            f"cast(null as {sql_type}) as {quote_identifier(column)}"
            for column, sql_type in columns
        )
        self.declare_query(name, f"select {body} where false")

    def declare_parquet(self, name: str, paths: Sequence[Path]) -> None:
        self.declare_query(name, f"select * from {parquet_scan(paths)}")

    def declare_files(self, name: str, scan: str, copy: Path) -> None:
        self.declare_query(name, scan)

    def declare_query(self, name: str, sql: str) -> None:
        self._execute(f"create or replace view {quote_identifier(name)} as {sql}")

    def declare_macro(self, signature: Signature) -> None:
        names = [p.name for p in signature.parameters]
        typed = (
            " and ".join(f"cast({p.name} as {p.sql_type}) is null" for p in signature.parameters)
            or "true"
        )
        self._execute(
            f"create or replace macro {signature.name}({', '.join(names)}) as"
            f" cast(case when {typed} then null end as {signature.returns})"
        )

    def declare_scalar(self, signature: Signature, function: Callable[..., Any]) -> None:
        arity = len(signature.parameters)
        if arity != len(inspect.signature(function).parameters):
            raise EngineError(f"scalar UDF {signature.name!r} may not take a context")
        guarded = _named_failure(signature.name, function)
        try:
            types = [duckdb.sqltype(p.sql_type) for p in signature.parameters]
            returns = duckdb.sqltype(str(signature.returns))
            self._instance.register(signature.name, guarded, types, returns, function)
        except (duckdb.Error, RuntimeError) as error:
            raise EngineError(
                f"scalar UDF {signature.name!r} cannot be registered: {str(error).splitlines()[0]}",
                fix="give it another name if DuckDB has a function of this one; check what it returns",
            ) from error

    def run(self, sql: str) -> None:
        self._execute(sql)

    def create_table(self, name: str, sql: str) -> int:
        made = self._execute(f"create or replace table {quote_identifier(name)} as {sql}")
        return int(made.fetchall()[0][0])

    def load(self, name: str, table: pa.Table) -> None:
        self._connection.register("__loaded", table)
        try:
            self.create_table(name, "select * from __loaded")
        finally:
            self._connection.unregister("__loaded")

    def arrow_schema(self, columns: Columns) -> pa.Schema:
        empty = ", ".join(f"cast(null as {t}) as {quote_identifier(n)}" for n, t in columns)
        return self.table(f"select {empty} where false").schema

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        fetched: list[tuple[Any, ...]] = self._execute(sql).fetchall()
        return fetched

    def local_rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.rows(sql)

    def table(self, sql: str) -> pa.Table:
        try:
            return self._connection.sql(sql).to_arrow_table()
        except (duckdb.Error, RuntimeError) as error:
            raise as_engine_error(error) from error

    def batches(self, sql: str, size: int) -> Iterator[pa.RecordBatch]:
        yield from self._batches(sql, size, lambda: size)

    def _batches(
        self, sql: str, size: int, next_size: Callable[[], int]
    ) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        # A cursor of its own: an open result owns its connection, and the caller runs queries meanwhile.
        cursor = self._instance.connect(self._name)
        try:
            pending: list[pa.RecordBatch] = []
            rows = 0
            for batch in cursor.sql(sql).to_arrow_reader(size):
                pending.append(batch)
                rows += batch.num_rows
                while rows >= (taken := next_size()):
                    table = pa.Table.from_batches(pending)
                    yield table.slice(0, taken).combine_chunks().to_batches()[0]
                    rest = table.slice(taken)
                    pending, rows = rest.to_batches(), rest.num_rows
            if rows:
                yield pa.Table.from_batches(pending).combine_chunks().to_batches()[0]
        except (duckdb.Error, RuntimeError) as error:
            raise as_engine_error(error) from error
        finally:
            cursor.close()

    def map_batches(
        self,
        relation: str,
        size: int,
        work: Callable[[pa.RecordBatch], Outcome],
        by_value: Sequence[Callable[..., Any]] = (),
        next_size: Callable[[], int] | None = None,
    ) -> Iterator[Outcome]:
        sql = f"select * from {quote_identifier(relation)}"
        for batch in self._batches(sql, size, next_size or (lambda: size)):
            yield work(batch)

    def write_parquet(self, sql: str, path: Path) -> int:
        options = f"format parquet, compression zstd, row_group_size {ROW_GROUP_ROWS}"
        written = self._execute(f"copy ({sql}\n) to {quote_literal(path)} ({options})").fetchall()
        return int(written[0][0])

    def close(self) -> None:
        self._end()

    def _execute(self, sql: str) -> duckdb.DuckDBPyConnection:
        try:
            return self._connection.execute(sql)
        except (duckdb.Error, RuntimeError) as error:
            raise as_engine_error(error) from error


def _end_session(
    instance: Instance, name: str, connection: duckdb.DuckDBPyConnection, is_alone: bool
) -> None:
    instance.close_session(name, connection)
    if is_alone:
        instance.close()


def as_engine_error(error: Exception) -> EngineError:
    """DuckDB's message as ours: first line says what, `LINE n` says where, candidates say what was found."""
    text = str(error).strip()
    if isinstance(error, duckdb.InterruptException) or "interrupted" in text.lower()[:40]:
        raise KeyboardInterrupt from error  # Ctrl-C inside a query
    head, *rest = text.splitlines()
    line = re.search(r"^LINE (\d+):", text, re.MULTILINE)
    candidates = [r for r in rest if r.startswith(("Candidate", "Did you mean"))]
    return EngineError(head, line=int(line.group(1)) if line else 0, found=" ".join(candidates))


def _named_failure(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Let an exception of a scalar UDF say which UDF raised it."""

    @functools.wraps(function)
    def call(*values: Any) -> Any:
        try:
            return function(*values)
        except Exception as error:
            raise RuntimeError(
                f"scalar UDF {name!r} raised {type(error).__name__}: {error}"
            ) from error

    return call
