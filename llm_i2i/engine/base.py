"""What an engine must do: bind SQL, run it, and move rows as Arrow or Parquet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

    from llm_i2i.udf.signature import Signature

Columns = tuple[tuple[str, str], ...]  # (name, SQL type) in order


class Engine(Protocol):
    """One session: relations registered here live until `close` and are visible to this session only."""

    def columns(self, sql: str) -> Columns:
        """Names and types of a query's result, without running it. Raises EngineError."""

    def declare(self, name: str, columns: Columns) -> None:
        """An empty relation with these columns, to bind queries before their inputs exist."""

    def declare_parquet(self, name: str, paths: Sequence[Path]) -> None:
        """A relation over Parquet files; replaces a relation of the same name."""

    def declare_query(self, name: str, sql: str) -> None:
        """A view, evaluated at each use; replaces a relation of the same name."""

    def declare_macro(self, signature: Signature) -> None:
        """A stand-in for a scalar UDF that has its types and no code, to bind queries with."""

    def declare_scalar(self, signature: Signature, function: Callable[..., Any]) -> None:
        """A scalar UDF."""

    def run(self, sql: str) -> None:
        """A statement without a result."""

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows of a small result, as Python values."""

    def table(self, sql: str) -> pa.Table:
        """A whole result in memory."""

    def batches(self, sql: str, size: int) -> Iterator[pa.RecordBatch]:
        """A result in batches of exactly `size` rows (the last may be smaller)."""

    def write_parquet(self, sql: str, path: Path) -> int:
        """Write a result as one Parquet file; returns the number of rows."""

    def close(self) -> None:
        """Free the session."""
