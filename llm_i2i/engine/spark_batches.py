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
class Cut:
    """A batch: `rows` rows of a Parquet file from row `start` on."""

    file: Path
    start: int
    rows: int

    def read(self) -> pa.RecordBatch:
        """The rows; of the file's row groups only those that hold them are read."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        parquet = pq.ParquetFile(self.file)
        groups, first, offset = [], None, 0
        for index in range(parquet.num_row_groups):
            size = parquet.metadata.row_group(index).num_rows
            if offset < self.start + self.rows and offset + size > self.start:
                groups.append(index)
                first = offset if first is None else first
            offset += size
        table = parquet.read_row_groups(groups).slice(self.start - (first or 0), self.rows)
        batches = table.combine_chunks().to_batches()
        return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)


def cuts(folder: Path, size: int) -> list[Cut]:
    """The batches of a table: each file by itself, so the last of a file may be smaller."""
    import pyarrow.parquet as pq

    found = []
    for file in sorted(folder.glob("*.parquet")):
        n_rows = pq.read_metadata(file).num_rows
        found += [Cut(file, start, min(size, n_rows - start)) for start in range(0, n_rows, size)]
    return found


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
