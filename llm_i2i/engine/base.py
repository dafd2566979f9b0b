"""What an engine must do: bind SQL, run it, and move rows as Arrow or Parquet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    import pyarrow as pa

    from llm_i2i.udf.signature import Signature

Outcome = TypeVar("Outcome")
Columns = tuple[tuple[str, str], ...]  # (name, SQL type) in order


class Engine(Protocol):
    """One session: relations registered here live until `close` and are visible to this session only."""

    def columns(self, sql: str) -> Columns:
        """Names and types of a query's result, without running it. Raises EngineError."""

    def declare(self, name: str, columns: Columns) -> None:
        """An empty relation with these columns, to bind queries before their inputs exist."""

    def declare_parquet(self, name: str, paths: Sequence[Path]) -> None:
        """A relation over Parquet files, or folders of them; replaces a relation of the same name."""

    def declare_files(self, name: str, scan: str, copy: Path) -> None:
        """A relation over files of any kind that DuckDB reads.

        Args:
            scan: DuckDB's query over the files.
            copy: Where an engine that does not read them itself keeps them as Parquet; its name changes with their content.
        """

    def declare_query(self, name: str, sql: str) -> None:
        """A view, evaluated at each use; replaces a relation of the same name."""

    def declare_macro(self, signature: Signature) -> None:
        """A stand-in for a scalar UDF that has its types and no code, to bind queries with."""

    def declare_scalar(self, signature: Signature, function: Callable[..., Any]) -> None:
        """A scalar UDF."""

    def run(self, sql: str) -> None:
        """A statement without a result."""

    def create_table(self, name: str, sql: str) -> int:
        """A query's result, evaluated now, as a relation of this session; replaces one of the same name. Returns its rows."""

    def load(self, name: str, table: pa.Table) -> None:
        """Rows from memory as a relation of this session; replaces one of the same name."""

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows of a small result, as Python values."""

    def local_rows(self, sql: str) -> list[tuple[Any, ...]]:
        """As `rows`, computed in this process whatever the engine: for a value or two, such as a checkpoint's name."""

    def table(self, sql: str) -> pa.Table:
        """A whole result in memory."""

    def arrow_schema(self, columns: Columns) -> pa.Schema:
        """Arrow's types for columns of these SQL types."""

    def batches(self, sql: str, size: int) -> Iterator[pa.RecordBatch]:
        """A result in batches of exactly `size` rows (the last may be smaller)."""

    def map_batches(
        self,
        relation: str,
        size: int,
        work: Callable[[pa.RecordBatch], Outcome],
        by_value: Sequence[Callable[..., Any]] = (),
        next_size: Callable[[], int] | None = None,
    ) -> Iterator[Outcome]:
        """What `work` returns for each batch of at most `size` rows of a table that `create_table` made.

        On a cluster it runs beside the data, in other processes: `work` is pickled, and so is what it returns. A batch whose
        worker was lost is worked on again.

        Args:
            by_value: Functions in `work` whose modules only this process has.
            next_size: Asked before each batch how many rows it has, at most `size`. On a cluster all have `size`: which rows are a batch must
                not depend on time there, or work that was committed would not be known again.
        """

    def write_parquet(self, sql: str, path: Path) -> int:
        """Write a result as a Parquet file, or a folder of them; returns the number of rows."""

    def close(self) -> None:
        """Free the session."""
