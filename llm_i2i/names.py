"""How things are called: identifiers, SQL quoting, generated columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def quote_identifier(name: str) -> str:
    """An SQL identifier in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def quote_literal(text: str | Path) -> str:
    """A string as an SQL literal."""
    return "'" + str(text).replace("'", "''") + "'"


def parquet_scan(paths: Sequence[Path]) -> str:
    """A `read_parquet` call over files, quoted; a folder stands for the Parquet files in it."""
    files = [path / "*.parquet" if path.is_dir() else path for path in paths]
    return f"read_parquet([{', '.join(quote_literal(p) for p in files)}])"


# Columns of the relation a hoisted batch call becomes. The prefix keeps them apart from anybody's own.
def argument_column(call: str, index: int) -> str:
    """Column of the call's argument number `index`."""
    return f"{call}_arg_{index}"


def result_column(call: str) -> str:
    """Column of the call's result."""
    return f"{call}_result"


def key_column(call: str) -> str:
    """Column of the call's name in the call cache."""
    return f"{call}_key"


CALL_PREFIX = "__call_"
TABLE_PREFIX = "__table_"

# What a query carried to Spark may read and call besides what the project names: see sql/portable/rounds.py, engine/spark_functions.py.
FOUND, CHANGED = "__rounds_found", "__rounds_changed"
DOT_PRODUCT = "__dot_product"
