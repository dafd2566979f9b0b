"""A published table written where it is served: see `runner.remote.publish`."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from llm_i2i.errors import ProjectError, closest
from llm_i2i.fingerprint import fingerprint
from llm_i2i.names import quote_identifier
from llm_i2i.runner.remote.databases import Database
from llm_i2i.runner.remote.publish import (
    Publication,
    Published,
    current_digest,
    publish_to_database,
    publish_to_delta,
    publish_to_store,
)

if TYPE_CHECKING:
    import duckdb

    from llm_i2i.store.environment import Environment
    from llm_i2i.store.store import Store

BATCH_ROWS = 65_536


def publish_table(
    environment: Environment,
    store: Store,
    table: str,
    place: str,
    database: Callable[[str], Database],
) -> Published:
    """Write a table of an environment to `connection:table`, or to the Delta table at a path or address.

    Raises:
        ProjectError: There is no such table or connection, or it cannot be written.
    """
    digest = _digest(environment, table)
    connected = re.fullmatch(r"([A-Za-z_][\w-]*):([^/].*)", place)
    with _published(environment, store) as connection:
        relation = connection.sql(f"select * from published.{quote_identifier(table)}")
        publication = Publication(table, digest, relation.to_arrow_reader(BATCH_ROWS))
        if connected:
            return publish_to_database(database(connected[1]), connected[2], publication)
        return publish_to_delta(place, publication)


def export_to_store(environment: Environment, store: Store, table: str, address: str) -> Published:
    """Write a table of an environment to an object store, as Parquet with a manifest and a pointer; nothing if it is there."""
    from llm_i2i.runner.environments.export import write_relation

    digest = _digest(environment, table)
    if current_digest(address) == digest:
        return Published(address, digest, is_new=False)
    with _published(environment, store) as connection, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{table}.parquet"
        sql = f"select * from published.{quote_identifier(table)}"
        rows = write_relation(connection, sql, file, table, force=False)
        return publish_to_store(address, file, table, digest, rows)


def _digest(environment: Environment, table: str) -> str:
    """What names the version of a table: the fingerprint of its result, and its name."""
    pointers = environment.pointers()
    if table not in pointers:
        near = closest(table, pointers)
        raise ProjectError(
            f"environment {environment.name!r} has no table {table!r}",
            found=f"{len(pointers)} tables" + (f", closest {near}" if near else ""),
            fix=f"did you mean {near}?" if near else "run `llmi2i build` first",
        )
    return fingerprint([table, pointers[table].fingerprint])


@contextmanager
def _published(environment: Environment, store: Store) -> Iterator[duckdb.DuckDBPyConnection]:
    """A session that has an environment's tables in the catalogue `published`."""
    import duckdb

    from llm_i2i.runner.environments.query import attach, open_catalogue

    open_catalogue(environment, store).close()
    with duckdb.connect() as connection:
        attach(connection, environment.catalogue, "published")
        yield connection
