"""Read-only queries on a published environment."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_i2i.errors import ProjectError, closest
from llm_i2i.names import quote_identifier, quote_literal
from llm_i2i.store.environment import Environment
from llm_i2i.store.store import Store

if TYPE_CHECKING:
    import duckdb


def open_catalogue(environment: Environment, store: Store) -> duckdb.DuckDBPyConnection:
    """A connection to an environment's catalogue that can read the store and nothing else, and write nothing.

    Raises:
        ProjectError: The environment was never published.
    """
    import duckdb

    if not environment.catalogue.exists():
        raise ProjectError(
            f"environment {environment.name!r} has nothing to query yet",
            where=str(environment.catalogue),
            found="no such file",
            fix="run `llmi2i build` first"
            + (f" with --env {environment.name}" if environment.name != "dev" else ""),
        )
    # a session of its own: DuckDB would share one that this process has open on the same path, an older state's too.
    connection = duckdb.connect()
    try:
        attach(connection, environment.catalogue, environment.name)
        connection.execute(f"use {quote_identifier(environment.name)}")
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
    if connection.execute("select current_setting('lock_configuration')").fetchall() == [(True,)]:
        return connection  # the catalogue is open in this process already, so guarded already
    connection.execute(
        f"set allowed_directories = ['{str(store.root.resolve()).replace(chr(39), chr(39) * 2)}/']"
    )
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
        statements = connection.extract_statements(sql)
        if len(statements) != 1 or statements[0].type not in (
            duckdb.StatementType.SELECT,
            duckdb.StatementType.EXPLAIN,
        ):
            raise ProjectError(
                "query takes one reading statement",
                found=sql.strip()[:120],
                fix="write one select, from, describe or show",
            )
        return connection.sql(statements[0].query)
    except duckdb.Error as error:
        text = str(error).strip()
        missing = re.search(r"Table with name (\S+) does not exist", text)
        near = closest(missing.group(1), known) if missing else ""
        if damaged := _damaged(text):
            raise damaged from error
        raise ProjectError(
            text.splitlines()[0],
            found=" ".join(line for line in text.splitlines() if line.startswith("Candidate")),
            fix=f"did you mean {near}?"
            if near
            else "see `llmi2i ls` for the tables"
            if missing
            else "correct the query",
        ) from error


def _damaged(text: str) -> ProjectError | None:
    """The error for a result that the catalogue names and the store no longer has."""
    if not re.search(r"/store/[^']+/data\.parquet", text):
        return None
    return ProjectError(
        "a published result cannot be read",
        found=text.splitlines()[0],
        fix="run `llmi2i build`: it rebuilds what is missing and writes the catalogue for this folder",
    )


def fetch_rows(
    relation: duckdb.DuckDBPyRelation, limit: int = -1
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows of a relation, at most `limit` of them (-1: all)."""
    import duckdb

    try:
        limited = relation if limit < 0 else relation.limit(limit)
        return list(relation.columns), limited.fetchall()
    except duckdb.Error as error:
        text = str(error).strip()
        raise _damaged(text) or ProjectError(
            text.splitlines()[0], fix="correct the query"
        ) from error
