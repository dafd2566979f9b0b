"""Tables of databases: one transaction that says their version and streams their rows.

PostgreSQL is read through ADBC, SQLite by Python itself, DuckDB by DuckDB, and MySQL by DuckDB's extension where that is installed:
nothing is downloaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from llm_i2i.errors import ProjectError
from llm_i2i.names import quote_identifier, quote_literal
from llm_i2i.runner.remote.failures import BrokenOff, first_lines, need_extra, without_passwords

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 65_536
FILES = ("duckdb", "sqlite")  # kinds whose databases are files of this machine


@dataclass(frozen=True)
class Database:
    """A database that a target attaches.

    Attributes:
        kind: duckdb, sqlite, postgres, mysql or iceberg.
        address: Where it is; may hold a password, so it reaches no message.
    """

    alias: str
    kind: str
    address: str
    options: dict[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """What tells it from another database: its address without users and passwords."""
        return re.sub(r"://[^/@\s]*@", "://", without_passwords(self.address))


class Session(Protocol):
    """A transaction, in which a table does not change."""

    def value(self, sql: str) -> str:
        """The one value of a query, as text."""

    def rows(self, table: str, key: str | None, after: Any) -> pa.RecordBatchReader:
        """The rows of a table; with a key in its order, and after a value of it unless that is None."""


def database_kind(path: str) -> str:
    """What a database is, by its address."""
    if re.match(r"postgres(ql)?:", path):
        return "postgres"
    if path.startswith("mysql:"):
        return "mysql"
    return "sqlite" if Path(path).suffix.lower() in (".sqlite", ".sqlite3") else "duckdb"


def quoted_table(name: str) -> str:
    """A name such as public.events, quoted."""
    parts = re.findall(r'"(?:[^"]|"")*"|[^.]+', name)
    return ".".join(part if part.startswith('"') else quote_identifier(part) for part in parts)


@contextmanager
def open_database(database: Database) -> Iterator[Session]:
    """A transaction of a database.

    Raises:
        ProjectError: It cannot be reached, or breaks off.
    """
    if database.kind in FILES and not Path(database.address).is_file():
        raise ProjectError(
            f"database {database.alias!r} has no file",
            found=f"nothing at {database.address}",
            fix="correct its path under attach:; relative paths start at the project's folder",
        )
    opened = {"postgres": _postgres, "sqlite": _sqlite}.get(database.kind, _duckdb)
    with opened(database) as session:
        yield session


def select_rows(table: str, key: str | None, after: Any, parameter: str) -> str:
    """The query of `Session.rows`."""
    sql = f"select * from {quoted_table(table)}"
    if key is None:
        return sql
    name = quote_identifier(key)
    condition = "" if after is None else f" where {name} > {parameter}"
    return f"{sql}{condition} order by {name}"


def _one_value(rows: list[Any], sql: str) -> str:
    if len(rows) != 1 or len(rows[0]) != 1:
        raise ProjectError(
            "version: is no query of one value",
            found=f"{len(rows)} rows from {sql}",
            fix="write for example version: select max(id) from public.events",
        )
    return str(rows[0][0])


def _broken(database: Database, error: BaseException, what: str) -> BrokenOff:
    return BrokenOff(
        f"database {database.alias!r} {what}",
        found=without_passwords(first_lines(error), database.address),
        fix="is it there, and are path: under attach:, the table and the version right? `llmi2i debug` looks at sources",
    )


# -- PostgreSQL ----------------------------------------------------------------------------------------------------


@contextmanager
def _postgres(database: Database) -> Iterator[Session]:
    need_extra("databases", "adbc_driver_manager", "adbc_driver_postgresql")
    import adbc_driver_manager
    import pyarrow as pa
    from adbc_driver_postgresql import dbapi

    errors = (adbc_driver_manager.Error, pa.ArrowException, OSError)
    try:
        connection = dbapi.connect(database.address)
    except errors as error:
        raise _broken(database, error, "cannot be reached") from error
    try:
        cursor = connection.cursor()
        cursor.execute("set transaction isolation level repeatable read, read only")
        cursor.execute("set synchronize_seqscans = off")  # rows in one order whoever else reads
        yield _PostgresSession(cursor)
    except errors as error:
        raise _broken(database, error, "broke off or refused a query") from error
    finally:
        for thing in (cursor, connection):
            try:
                thing.close()
            except errors:  # the server is gone, and with it what is to be closed
                continue


class _PostgresSession:
    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def value(self, sql: str) -> str:
        self._cursor.execute(sql)
        return _one_value(self._cursor.fetchall(), sql)

    def rows(self, table: str, key: str | None, after: Any) -> pa.RecordBatchReader:
        sql = select_rows(table, key, after, "$1")
        self._cursor.execute(sql, None if after is None else (after,))
        return _plain(self._cursor.fetch_record_batch())


def _plain(reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """Rows with the types that Parquet has: NUMERIC with a scale as decimals, without one as text, JSON as text."""
    import pyarrow as pa

    schema = pa.schema([pa.field(f.name, _plain_type(f)) for f in reader.schema])

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in reader:
            columns = [
                _plain_column(column, before, after.type)
                for column, before, after in zip(batch.columns, reader.schema, schema, strict=True)
            ]
            yield pa.record_batch(columns, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _plain_type(found: pa.Field) -> Any:
    import pyarrow as pa

    metadata = found.metadata or {}
    if metadata.get(b"POSTGRESQL:type") == b"numeric":
        modifier = int(metadata.get(b"POSTGRESQL:typmod", b"-1")) - 4
        precision, scale = modifier >> 16, modifier & 0xFFFF
        fits = modifier >= 0 and 0 < precision <= 38 and scale <= precision
        return pa.decimal128(precision, scale) if fits else pa.string()
    is_extension = isinstance(found.type, pa.BaseExtensionType)
    if is_extension and found.type.extension_name != "arrow.uuid":
        return found.type.storage_type
    return found.type


def _plain_column(column: pa.Array, before: pa.Field, plain: Any) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(column, pa.ExtensionArray) and column.type != plain:
        column = column.storage
    if (before.metadata or {}).get(b"POSTGRESQL:type") == b"bpchar":
        return pc.ascii_rtrim(column, " ")  # CHAR(n) is filled with blanks that are no part of it
    return column if column.type == plain else column.cast(plain)


# -- SQLite --------------------------------------------------------------------------------------------------------


@contextmanager
def _sqlite(database: Database) -> Iterator[Session]:
    import sqlite3
    from contextlib import closing

    address = f"{Path(database.address).resolve().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
            connection.execute("begin")
            yield _SqliteSession(connection)
    except sqlite3.Error as error:
        raise _broken(database, error, "cannot be read") from error


class _SqliteSession:
    """SQLite types values, not columns: a column has the one type of all its values, or is text."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def value(self, sql: str) -> str:
        return _one_value(self._connection.execute(sql).fetchall(), sql)

    def rows(self, table: str, key: str | None, after: Any) -> pa.RecordBatchReader:
        import pyarrow as pa

        columns = self._columns(table)
        schema = pa.schema([pa.field(name, kind) for name, kind, _ in columns])
        listed = ", ".join(f"{read} as {quote_identifier(name)}" for name, _, read in columns)
        sql = select_rows(table, key, after, "?").replace("select *", f"select {listed}", 1)
        cursor = self._connection.execute(sql, () if after is None else (after,))

        def batches() -> Iterator[pa.RecordBatch]:
            while found := cursor.fetchmany(BATCH_ROWS):
                values = [
                    pa.array(_as_times(column) if pa.types.is_timestamp(kind) else column, kind)
                    for column, kind in zip(zip(*found, strict=True), schema.types, strict=True)
                ]
                yield pa.record_batch(values, schema=schema)

        return pa.RecordBatchReader.from_batches(schema, batches())

    def _columns(self, table: str) -> list[tuple[str, Any, str]]:
        """Name, type and the expression that reads each column."""
        import pyarrow as pa

        name = quoted_table(table)
        declared = self._connection.execute(f"select * from {name} limit 0").description
        info = {row[1].lower(): str(row[2]).upper() for row in self._table_info(table)}
        found = []
        for column, *_ in declared:
            quoted = quote_identifier(column)
            kinds = {
                row[0]
                for row in self._connection.execute(f"select distinct typeof({quoted}) from {name}")
            } - {"null"}
            is_time = re.search("DATE|TIME", info.get(column.lower(), "")) is not None
            if kinds == {"integer"}:
                found.append((column, pa.int64(), quoted))
            elif kinds and kinds <= {"integer", "real"}:
                found.append((column, pa.float64(), f"cast({quoted} as real)"))
            elif kinds == {"blob"}:
                found.append((column, pa.binary(), quoted))
            elif kinds == {"text"} and is_time and self._are_times(name, quoted):
                found.append((column, pa.timestamp("us"), quoted))
            else:
                found.append((column, pa.string(), f"cast({quoted} as text)"))
        return found

    def _table_info(self, table: str) -> list[Any]:
        *schema, name = re.findall(r'"(?:[^"]|"")*"|[^.]+', table)
        prefix = f"{quoted_table(schema[0])}." if schema else ""
        rows: list[Any] = self._connection.execute(
            f"pragma {prefix}table_info({quoted_table(name)})"
        ).fetchall()
        return rows

    def _are_times(self, table: str, column: str) -> bool:
        """Whether every value is written as ISO 8601 without an offset."""
        iso = "____-__-__*"
        pattern = iso.replace("_", "[0-9]")
        wrong = f"{column} not glob '{pattern}' or length({column}) not in (10, 16, 19, 23, 26) or datetime({column}) is null"
        return not self._connection.execute(
            f"select exists(select 1 from {table} where {column} is not null and ({wrong}))"
        ).fetchone()[0]


def _as_times(column: Any) -> list[Any]:
    from datetime import datetime

    return [None if value is None else datetime.fromisoformat(value) for value in column]


# -- DuckDB, and what its extensions read --------------------------------------------------------------------------


@contextmanager
def _duckdb(database: Database) -> Iterator[Session]:
    from contextlib import closing

    import duckdb
    import pyarrow as pa

    options = "read_only" if database.kind == "duckdb" else f"type {database.kind}, read_only"
    with closing(duckdb.connect(config={"autoinstall_known_extensions": "false"})) as connection:
        try:
            if database.kind != "duckdb":
                connection.execute(f"load {database.kind}")
        except duckdb.Error as error:
            raise ProjectError(
                f"DuckDB's extension for {database.kind} is not installed",
                found=first_lines(error),
                fix=f"where its server of extensions can be reached: python -c \"import duckdb; duckdb.sql('install {database.kind}')\"",
            ) from error
        try:
            address = quote_literal(database.address)
            connection.execute(f"attach {address} as attached ({options})")
            connection.execute("use attached")
            connection.execute("begin")
            yield _DuckSession(connection)
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise _broken(database, error, "cannot be read") from error


class _DuckSession:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def value(self, sql: str) -> str:
        return _one_value(self._connection.execute(sql).fetchall(), sql)

    def rows(self, table: str, key: str | None, after: Any) -> pa.RecordBatchReader:
        sql = select_rows(table, key, after, "?")
        relation = self._connection.sql(sql, params=[] if after is None else [after])
        return relation.to_arrow_reader(BATCH_ROWS)
