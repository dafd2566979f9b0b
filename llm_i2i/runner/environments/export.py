"""Tables written to files of other formats, by suffix; whole or not at all."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from llm_i2i.errors import LlmI2iError, ProjectError, closest
from llm_i2i.names import quote_identifier, quote_literal
from llm_i2i.store.files import sync_file

if TYPE_CHECKING:
    import duckdb

    from llm_i2i.store.environment import Environment
    from llm_i2i.store.store import Store

FORMATS = {
    ".parquet": "format parquet, compression zstd",
    ".csv": "format csv, header true",
    ".csv.gz": "format csv, header true, compression gzip",
    ".tsv": "format csv, header true, delimiter '\t'",
    ".json": "format json, array true",
    ".jsonl": "format json",
    ".ndjson": "format json",
}
DATABASES = (".duckdb", ".db")


def export_table(
    environment: Environment,
    store: Store,
    target_dir: Path,
    table: str,
    file: Path,
    *,
    force: bool = False,
) -> int:
    """Write a published table to a file in the format of its suffix; returns the number of rows.

    Args:
        force: Replace the file if it is there.

    Raises:
        ProjectError: No such table, an unknown suffix, or the file is there.
    """
    from llm_i2i.runner.environments.query import attach, open_catalogue

    known = list(environment.pointers())
    check_file(file, force=force)
    if file.resolve().is_relative_to(target_dir.resolve()):
        raise ProjectError(
            "an export may not go into the folder of results",
            where=str(file),
            fix="name a file elsewhere",
        )
    # the published environment, then its table: an error names what is missing first.
    open_catalogue(environment, store).close()
    if table not in known:
        near = closest(table, known)
        raise ProjectError(
            f"environment {environment.name!r} has no table {table!r}",
            found=f"{len(known)} tables" + (f", closest {near}" if near else ""),
            fix=f"did you mean {near}?" if near else "see `llmi2i ls --resource-type model`",
        )
    import duckdb

    with duckdb.connect() as connection:
        attach(connection, environment.catalogue, "published")
        return write_relation(
            connection,
            f"select * from published.{quote_identifier(table)}",
            file,
            table,
            force=force,
        )


def check_file(file: Path, *, force: bool) -> str:
    """The suffix of a file that may be written.

    Raises:
        ProjectError: It may not, or its suffix is not known.
    """
    name = file.name.lower()
    suffix = next((s for s in (".csv.gz", *FORMATS, *DATABASES) if name.endswith(s)), "")
    if not suffix:
        raise ProjectError(
            f"the format of {file.name!r} is not known",
            found=f"suffix {file.suffix!r}" if file.suffix else "no suffix",
            fix=f"use one of {' '.join([*FORMATS, *DATABASES])}",
        )
    if file.is_dir():
        raise ProjectError(
            "that is a folder", where=str(file), fix=f"name a file: {file / ('table' + suffix)}"
        )
    if not file.parent.is_dir():
        raise ProjectError(
            "there is no such folder", where=str(file.parent), fix=f"mkdir -p {file.parent}"
        )
    if file.exists() and not force:
        raise _exists(file)
    return suffix


def write_relation(
    connection: duckdb.DuckDBPyConnection, sql: str, file: Path, table: str, *, force: bool
) -> int:
    """Write a query's rows beside `file` and move them there in one step; returns their number.

    Args:
        table: Name of the table in a DuckDB file.

    Raises:
        LlmI2iError: It cannot be written; the file, if there was one, is as it was.
    """
    import duckdb

    suffix = check_file(file, force=force)
    file = file.resolve()
    # DuckDB compresses by suffix, too: the file beside ends as the file does.
    beside = file.with_name(f".{uuid.uuid4().hex[:8]}.{file.name}")
    try:
        if suffix in DATABASES:
            connection.execute(f"attach {quote_literal(beside)} as exported")
            name = f"exported.{quote_identifier(table)}"
            connection.execute(f"create table {name} as {sql}")
            rows = connection.execute(f"select count(*) from {name}").fetchall()[0][0]
            connection.execute("detach exported")
        else:
            options = FORMATS[suffix]
            rows = connection.execute(
                f"copy ({sql}) to {quote_literal(beside)} ({options})"
            ).fetchall()[0][0]
        sync_file(beside)
        _move(beside, file, force=force)
    except (duckdb.Error, OSError) as error:
        raise LlmI2iError(
            f"{table} cannot be written",
            where=str(file),
            found=str(error).splitlines()[0],
        ) from error
    finally:
        beside.unlink(missing_ok=True)
    return int(rows)


def _move(beside: Path, file: Path, *, force: bool) -> None:
    if force:
        beside.replace(file)
        return
    try:
        os.link(beside, file)  # unlike a rename it never replaces a file that came meanwhile
    except FileExistsError as error:
        raise _exists(file) from error
    except OSError as error:  # a file system without hard links
        if file.exists():
            raise _exists(file) from error
        beside.rename(file)


def _exists(file: Path) -> ProjectError:
    return ProjectError(
        "the file is there already",
        where=str(file),
        fix="name another file, or pass --force to replace it",
    )
