"""Work on batches of a table in the executors' Python workers: one batch is one Spark task.

Each task reads its rows from the table's Parquet files by place, so a task that runs again after its worker was lost works on the same
rows, and Spark never has to compute the rows again by which a batch was cut.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_i2i.engine.base import Outcome

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Piece:
    """`rows` rows of a Parquet file from row `start` on."""

    file: Path
    start: int
    rows: int

    def read(self) -> pa.Table:
        """The rows; of the file's row groups only those that hold them are read."""
        import pyarrow.parquet as pq

        parquet = pq.ParquetFile(self.file)
        groups, first, offset = [], None, 0
        for index in range(parquet.num_row_groups):
            size = parquet.metadata.row_group(index).num_rows
            if offset < self.start + self.rows and offset + size > self.start:
                groups.append(index)
                first = offset if first is None else first
            offset += size
        return parquet.read_row_groups(groups).slice(self.start - (first or 0), self.rows)


@dataclass(frozen=True)
class Cut:
    """A batch: rows of one or more files, one after the other."""

    pieces: tuple[Piece, ...]

    def read(self) -> pa.RecordBatch:
        import pyarrow as pa

        table = pa.concat_tables([piece.read() for piece in self.pieces])
        return table.combine_chunks().to_batches()[0]


def cuts(folder: Path, size: int) -> list[Cut]:
    """The batches of a table, of `size` rows each but the last, in the order of its files.

    An ordered table's files are in order, so its batches are those that DuckDB cuts: a language model's last digits depend on what
    else is in a batch.
    """
    import pyarrow.parquet as pq

    found: list[Cut] = []
    pieces: list[Piece] = []
    room = size
    for file in sorted(folder.glob("*.parquet")):
        start, n_rows = 0, pq.read_metadata(file).num_rows
        while start < n_rows:
            piece = Piece(file, start, min(room, n_rows - start))
            pieces.append(piece)
            start += piece.rows
            room -= piece.rows
            if not room:
                found.append(Cut(tuple(pieces)))
                pieces, room = [], size
    return [*found, Cut(tuple(pieces))] if pieces else found


def run_on_executors(
    session: Any, folder: Path, size: int, work: Callable[[pa.RecordBatch], Outcome]
) -> Iterator[Outcome]:
    """See `Engine.map_batches`; outcomes come as their tasks are done."""
    todo = cuts(folder, size)
    if not todo:
        return

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for batch in batches:
            outcomes = [work(todo[index].read()) for index in batch.column(0).to_pylist()]
            pickled = [pickle.dumps(outcome) for outcome in outcomes]
            yield pa.RecordBatch.from_arrays([pa.array(pickled, pa.binary())], names=["outcome"])

    numbers = session.range(0, len(todo), 1, len(todo))
    for row in numbers.mapInArrow(run, "outcome binary").toLocalIterator():
        yield pickle.loads(bytes(row.outcome))  # written by `run` above
