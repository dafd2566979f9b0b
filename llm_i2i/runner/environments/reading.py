"""Whether a statement only reads.

DuckDB 2.0 has selects that write: `with x as (copy ... to 'file') ...`, DML in a CTE, and functions that run text. So a
statement's kind is not enough: its syntax tree is read, as DuckDB itself parsed it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from llm_i2i.errors import ProjectError

if TYPE_CHECKING:
    import duckdb

READING_NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
# Functions that run a text as SQL, which no tree shows, and functions with an effect.
REFUSED_FUNCTIONS = frozenset(
    """
    query json_execute_serialized_sql write_log truncate_duckdb_logs checkpoint force_checkpoint setval nextval
    enable_logging disable_logging enable_profiling disable_profiling create_external_resource destroy_external_resource
    register_external_resource deregister_external_resource register_external_resource_type
    """.split()
)
# No comment may stand in it: they nest in DuckDB, and what follows would be read wrongly.
_EXPLAIN = re.compile(
    r"\s*explain\b(\s+analyze\b|\s*\(\s*(analyze|format)\b[^()]*\))?", re.IGNORECASE
)
SHOWN = 120  # characters of a refused statement


def check_reads(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Let one statement pass that reads: a select, from, values, describe, show, summarize, or explain of such.

    Raises:
        ProjectError: It is anything else.
        duckdb.Error: DuckDB cannot parse it.
    """
    kind = _only_statement(connection, sql)
    if kind == "EXPLAIN":
        explained = _EXPLAIN.match(sql)
        sql = sql[explained.end() :] if explained else ""
        kind = _only_statement(connection, sql)
    if kind == "MULTI":
        raise _refusal(sql, "of a pivot name the values: pivot t on c in ('a', 'b') using count(*)")
    if kind != "SELECT":
        raise _refusal(sql)
    text = connection.execute("select json_serialize_sql(?)", [sql]).fetchall()[0][0]
    tree = json.loads(text)
    if tree["error"]:
        raise _refusal(sql)
    for part in _dicts(tree):
        node, function = str(part.get("type", "")), str(part.get("function_name", "")).lower()
        if node.endswith("_NODE") and node not in READING_NODES:
            raise _refusal(sql)
        if function in REFUSED_FUNCTIONS:
            raise _refusal(sql, f"leave out {function}(): it has an effect, or runs text as SQL")


def _only_statement(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """The kind of the one statement in a text; empty if there is none, several, or DuckDB's Python has no word for it."""
    try:
        sql.encode()
        kinds = [statement.type.name for statement in connection.extract_statements(sql)]
    except ValueError:
        return ""
    return kinds[0] if len(kinds) == 1 else ""


def _refusal(sql: str, fix: str = "write one select, from, describe or show") -> ProjectError:
    shown = " ".join(sql.encode(errors="replace").decode().split())
    found = shown if len(shown) <= SHOWN else shown[: SHOWN - 3] + "..."
    return ProjectError("query takes one reading statement", found=found or "nothing", fix=fix)


def _dicts(tree: Any) -> Iterator[dict[str, Any]]:
    pending = [tree]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            yield part
            pending += part.values()
        elif isinstance(part, list):
            pending += part
