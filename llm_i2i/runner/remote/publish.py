"""Published tables where they are served: databases, Delta tables, object stores.

Each keeps the digest of what it holds, so publishing the same again does nothing. Readers see the version before or the one after:
PostgreSQL and DuckDB switch a view in the transaction that writes the table, Delta commits a version, an object store gets a pointer last.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from llm_i2i.errors import ProjectError
from llm_i2i.names import quote_identifier, quote_literal
from llm_i2i.runner.remote.databases import Database, quoted_table
from llm_i2i.runner.remote.failures import BrokenOff, first_lines, need_extra, without_passwords
from llm_i2i.runner.remote.lakes import reading

if TYPE_CHECKING:
    import pyarrow as pa

NOTES = "llmi2i_publications"  # the table that says which version each view shows
KEPT = 1  # versions before the present one that stay, for who has just read the view's definition
POINTER = "current.json"
DIGEST_KEY = "llmi2i_digest"


@dataclass(frozen=True)
class Publication:
    """What is published.

    Attributes:
        digest: Equal for equal results; names the version.
        rows: Opens the rows; the stream is read once.
    """

    table: str
    digest: str
    rows: pa.RecordBatchReader


@dataclass(frozen=True)
class Published:
    """What a publication did: where the version is, and whether it was there already."""

    place: str
    digest: str
    is_new: bool
    rows: int = 0


class _Writer(Protocol):
    """A transaction of a database, which is lost unless it is committed."""

    def run(self, sql: str) -> None: ...
    def rows(self, sql: str) -> list[tuple[Any, ...]]: ...
    def load(self, schema: str, name: str, rows: pa.RecordBatchReader) -> int: ...
    def commit(self) -> None: ...


# -- databases -----------------------------------------------------------------------------------------------------


def publish_to_database(database: Database, place: str, publication: Publication) -> Published:
    """Write a versioned table and let the view `place` show it, in one transaction.

    Raises:
        ProjectError: The database cannot be written; it is as it was.
    """
    opened = {"postgres": _postgres, "duckdb": _duckdb}.get(database.kind)
    if opened is None:
        raise ProjectError(
            f"an index cannot be published to {database.kind}",
            found=database.alias,
            fix="name a connection of type postgres or duckdb",
        )
    *schemas, view = place.split(".")
    schema = schemas[-1] if schemas else "public" if database.kind == "postgres" else "main"
    with opened(database, f"{schema}.{view}") as writer:
        return _publish(writer, schema, view, publication)


def _publish(writer: _Writer, schema: str, view: str, publication: Publication) -> Published:
    place = f"{schema}.{view}"
    name = f"{view}_{publication.digest}"
    notes, table, shown = (quoted_table(f"{schema}.{one}") for one in (NOTES, name, view))
    writer.run(
        f"create table if not exists {notes}"
        " (view_name varchar, digest varchar, table_name varchar, n_rows bigint, published_at double precision)"
    )
    ours = f"view_name = {quote_literal(view)}"
    known = writer.rows(f"select digest, table_name from {notes} where {ours} order by published_at desc")  # fmt: skip
    if known and known[0][0] == publication.digest:
        writer.commit()
        return Published(place, publication.digest, is_new=False)
    if _is_table(writer, schema, view):
        raise ProjectError(
            f"{place} is a table, not a view of llmi2i",
            found="a table of that name, which would be lost",
            fix="publish under another name, or rename the table",
        )
    writer.run(f"drop table if exists {table} cascade")
    rows = writer.load(schema, name, publication.rows)
    if "trigger_item_id" in publication.rows.schema.names:
        index = quote_identifier(f"{name}_trigger")
        writer.run(f"create index {index} on {table} (trigger_item_id)")
    if _columns(writer, schema, view) != _columns(writer, schema, name):
        writer.run(f"drop view if exists {shown}")
    # The same columns: what was granted on the view stays.
    writer.run(f"create or replace view {shown} as select * from {table}")
    writer.run(f"delete from {notes} where {ours} and digest = {quote_literal(publication.digest)}")
    noted = f"{quote_literal(view)}, {quote_literal(publication.digest)}, {quote_literal(name)}, {rows}, {time.time()}"
    writer.run(f"insert into {notes} values ({noted})")
    for digest, old in [one for one in known if one[0] != publication.digest][KEPT:]:
        writer.run(f"drop table if exists {quoted_table(f'{schema}.{old}')}")
        writer.run(f"delete from {notes} where {ours} and digest = {quote_literal(digest)}")
    writer.commit()
    return Published(place, publication.digest, is_new=True, rows=rows)


def _is_table(writer: _Writer, schema: str, name: str) -> bool:
    return bool(
        writer.rows(
            "select 1 from information_schema.tables where table_type = 'BASE TABLE'"
            f" and table_schema = {quote_literal(schema)} and table_name = {quote_literal(name)}"
        )
    )


def _columns(writer: _Writer, schema: str, name: str) -> list[tuple[Any, ...]]:
    return writer.rows(
        "select column_name, data_type from information_schema.columns"
        f" where table_schema = {quote_literal(schema)} and table_name = {quote_literal(name)} order by ordinal_position"
    )


def _not_written(database: Database, error: BaseException) -> BrokenOff:
    return BrokenOff(
        f"database {database.alias!r} could not be written; what it shows is what it was",
        found=without_passwords(first_lines(error), database.address),
        fix="run the same command again",
    )


@contextmanager
def _postgres(database: Database, place: str) -> Iterator[_Writer]:
    need_extra("databases", "adbc_driver_manager", "adbc_driver_postgresql")
    import adbc_driver_manager
    import pyarrow as pa
    from adbc_driver_postgresql import dbapi

    errors = (adbc_driver_manager.Error, pa.ArrowException, OSError)
    connection = None
    try:
        connection = dbapi.connect(database.address)
        writer = _PostgresWriter(connection)
        # Who publishes the same view at the same time waits.
        writer.rows(f"select 1 from (select pg_advisory_xact_lock(hashtext({quote_literal('llmi2i ' + place)}))) as held")  # fmt: skip
        yield writer
    except errors as error:
        raise _not_written(database, error) from error
    finally:
        if connection is not None:
            with contextlib.suppress(*errors):  # what was not committed is rolled back
                connection.close()


class _PostgresWriter:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def run(self, sql: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(sql)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found

    def load(self, schema: str, name: str, rows: pa.RecordBatchReader) -> int:
        with self._connection.cursor() as cursor:
            cursor.adbc_ingest(name, rows, mode="create", db_schema_name=schema)
        return int(self.rows(f"select count(*) from {quoted_table(f'{schema}.{name}')}")[0][0])

    def commit(self) -> None:
        self._connection.commit()


@contextmanager
def _duckdb(database: Database, place: str) -> Iterator[_Writer]:
    import duckdb

    connection = None
    try:
        connection = duckdb.connect(
            database.address, config={"autoinstall_known_extensions": "false"}
        )
        connection.execute("begin")
        yield _DuckWriter(connection)
    except (duckdb.Error, OSError) as error:
        raise _not_written(database, error) from error
    finally:
        if connection is not None:
            connection.close()


class _DuckWriter:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def run(self, sql: str) -> None:
        self._connection.execute(sql)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self._connection.execute(sql).fetchall()
        return found

    def load(self, schema: str, name: str, rows: pa.RecordBatchReader) -> int:
        self._connection.register("published_rows", rows)
        table = quoted_table(f"{schema}.{name}")
        self._connection.execute(f"create table {table} as select * from published_rows")
        self._connection.unregister("published_rows")
        return int(self.rows(f"select count(*) from {table}")[0][0])

    def commit(self) -> None:
        self._connection.execute("commit")


# -- Delta ---------------------------------------------------------------------------------------------------------


def publish_to_delta(address: str, publication: Publication) -> Published:
    """Overwrite a Delta table in one version, whose commit holds the digest."""
    need_extra("lakes", "deltalake")
    from deltalake import CommitProperties, DeltaTable, write_deltalake

    with reading("the Delta table", "written"):
        if DeltaTable.is_deltatable(address):
            last = DeltaTable(address).history(1)[0]
            if last.get(DIGEST_KEY) == publication.digest:
                return Published(address, publication.digest, is_new=False)
        write_deltalake(
            address,
            publication.rows,
            mode="overwrite",
            schema_mode="overwrite",
            commit_properties=CommitProperties(custom_metadata={DIGEST_KEY: publication.digest}),
        )
    return Published(address, publication.digest, is_new=True)


# -- object stores -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StoredVersion:
    """What the manifest of a version says, and, once it is whole, the pointer."""

    table: str
    digest: str
    file: str
    bytes: int
    rows: int


def current_digest(address: str) -> str:
    """The digest of the version that a store's pointer names; empty if there is none."""
    from llm_i2i.runner.remote.objects import FileStore

    store = FileStore(f"{address.rstrip('/')}/{POINTER}")
    try:
        return str(json.loads(store.read()).get("digest", ""))
    except FileNotFoundError:
        return ""


def publish_to_store(address: str, file: Path, table: str, digest: str, rows: int) -> Published:
    """Copy a Parquet file to `<address>/<digest>/`, a manifest beside it, and switch `<address>/current.json` to it."""
    from llm_i2i.runner.remote.objects import FileStore

    place = f"{address.rstrip('/')}/{digest}"
    name = f"{digest}/{table}.parquet"
    version = StoredVersion(table, digest, name, file.stat().st_size, rows)
    text = json.dumps(asdict(version), indent=1)
    FileStore(f"{place}/{table}.parquet").put(file)
    FileStore(f"{place}/manifest.json").write(text)
    FileStore(f"{address.rstrip('/')}/{POINTER}").write(text)
    return Published(place, digest, is_new=True, rows=rows)
