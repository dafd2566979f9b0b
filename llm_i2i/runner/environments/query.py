"""Read-only queries on a published environment."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_i2i.errors import ProjectError, closest
from llm_i2i.names import quote_identifier, quote_literal
from llm_i2i.runner.environments.reading import check_reads
from llm_i2i.sql.complaints import missing_name, sql_fix, suggestion
from llm_i2i.store.environment import Environment, environment_names
from llm_i2i.store.store import Store

if TYPE_CHECKING:
    import duckdb


ZONED = "TIMESTAMP WITH TIME ZONE"


def open_catalogue(environment: Environment, store: Store) -> duckdb.DuckDBPyConnection:
    """A connection to an environment's catalogue that can read the store and nothing else, and write nothing.

    Raises:
        ProjectError: The environment was never published.
    """
    import duckdb

    if not environment.catalogue.exists():
        others = ", ".join(environment_names(environment.catalogue.parent))
        raise ProjectError(
            f"environment {environment.name!r} has nothing to query yet",
            where=str(environment.catalogue),
            found="no such file",
            fix="run `llmi2i build` first"
            + (f" with --env {environment.name}" if environment.name != "dev" else "")
            + (f"; published: {others}" if others else ""),
        )
    # a session of its own: DuckDB would share one that this process has open on the same path, an older state's too.
    spill = store.root.parent / "tmp" / str(os.getpid())
    connection = duckdb.connect(
        config={"autoinstall_known_extensions": "false", "temp_directory": str(spill)}
    )
    try:
        attach(connection, environment.catalogue, environment.name)
        connection.execute(f"use {quote_identifier(environment.name)}")
        connection.execute("detach memory")  # the one database here that could be written
    except duckdb.Error as error:
        connection.close()
        locked = "lock" in str(error).lower()
        raise ProjectError(
            f"the catalogue of environment {environment.name!r} cannot be opened",
            where=str(environment.catalogue),
            found=str(error).splitlines()[0],
            fix="close the client that has it open for writing, or open it there with -readonly"
            if locked
            else "run `llmi2i build`: it writes a new catalogue, results are kept",
        ) from error
    connection.execute(f"set allowed_directories = [{quote_literal(f'{store.root.resolve()}/')}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    return connection


def attach(connection: duckdb.DuckDBPyConnection, catalogue: Path, name: str) -> None:
    """Make a catalogue readable under a name, as it is now: a move of the environment does not change it."""
    path = quote_literal(catalogue.resolve())
    connection.execute(f"attach {path} as {quote_identifier(name)} (read_only)")


def run_query(
    connection: duckdb.DuckDBPyConnection, sql: str, known: list[str]
) -> duckdb.DuckDBPyRelation:
    """The relation of one reading statement.

    Raises:
        ProjectError: It is no query, or DuckDB refuses it.
    """
    import duckdb

    try:
        check_reads(connection, sql)
        return connection.sql(sql)
    except duckdb.Error as error:
        raise _refused(str(error).strip(), known) from error


def _refused(text: str, known: Sequence[str] = ()) -> ProjectError:
    """DuckDB's complaint about a query, with the line it points at and what helps."""
    if damaged := _damaged(text):
        return damaged
    what, *rest = text.splitlines() or ["the query failed"]
    offered = " ".join(line for line in rest if line.startswith(("Candidate", "Did you mean")))
    kind, missing = missing_name(what)
    near = closest(missing, known) if kind == "table" else ""
    if near:
        fix = f"did you mean {near}?"
    elif kind == "table":
        fix = "see `llmi2i ls` for the tables"
    elif "file system operations are disabled" in what or "extension" in what:
        fix = "a query reads published tables alone: make the file a source, or open it with duckdb"
    else:
        fix = sql_fix(what, offered) or "correct the query"
    if kind == "function":  # DuckDB's guess is of its own functions
        guess = f"{fix} " if fix.startswith("did you mean") else ""
        fix = f"{guess}UDFs of the project are called in models, not in queries"
    line = next((line for line in rest if line.startswith("LINE ")), "")
    return ProjectError(what, found=("" if kind else suggestion(offered)) or line, fix=fix)


def _damaged(text: str) -> ProjectError | None:
    """The error for a result that the catalogue names and the store no longer has."""
    if not re.search(r"/store/[^']+/data\.parquet", text):
        return None
    return ProjectError(
        "a published result cannot be read",
        found=text.splitlines()[0],
        fix="run `llmi2i build`: it rebuilds what is missing and writes the catalogue for this folder",
    )


def _fetchable(column: str, sql_type: Any) -> str:
    name = quote_identifier(column)
    return f"cast({name} as varchar) as {name}" if str(sql_type) == ZONED else name


def fetch_rows(
    relation: duckdb.DuckDBPyRelation, limit: int = -1
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows of a relation, at most `limit` of them (-1: all); a time with a zone as text."""
    import duckdb

    try:
        limited = relation if limit < 0 else relation.limit(limit)
        columns = list(limited.columns)
        if ZONED in map(str, limited.types) and len(set(columns)) == len(columns):
            # DuckDB asks pytz for these, which nothing else here needs.
            limited = limited.project(", ".join(map(_fetchable, columns, limited.types)))
        return columns, limited.fetchall()
    except duckdb.Error as error:
        text = str(error).strip()
        if "'pytz'" in text:  # inside a list or struct, or of two columns of one name
            raise ProjectError(
                "a time with a time zone cannot be shown here",
                fix="cast it to text, cast(... as varchar), or: pip install pytz",
            ) from error
        raise _refused(text) from error
