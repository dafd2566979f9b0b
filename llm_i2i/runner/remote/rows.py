"""The rows of one version of a table, written as they stream in to Parquet files of a fixed number of rows.

`00000.parquet`, `00001.parquet`, ... are each whole; `done.json` says that they are all. Files depend on the rows and their order
alone, not on how the driver cut them into batches, so that a read that was resumed gives the same bytes as one that was not.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_i2i.errors import ProjectError
from llm_i2i.store.files import replace_file, replace_text, sync_file

if TYPE_CHECKING:
    import pyarrow as pa

GROUP_ROWS = 122_880  # of a row group, which is all that is held in memory
PART_GROUPS = 4  # row groups of a file; what a read that broke off may lose
DONE = "done.json"
SAY_SECONDS = 5.0

Say = Callable[[str], None]
OpenRows = Callable[[Any], "pa.RecordBatchReader"]


def whole_copy(folder: Path) -> list[Path]:
    """The files of a copy that is there to its last row; none of another."""
    try:
        known = json.loads((folder / DONE).read_text(encoding="utf-8"))
        files = [folder / name for name in known["files"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return files if all(path.is_file() for path in files) else []


def copy_rows(
    folder: Path, open_rows: OpenRows, key: str | None, say: Say, name: str
) -> list[Path]:
    """Write all rows, going on after those that an earlier try has written if they have a key.

    Args:
        open_rows: Gives the rows in the order of the key, after this value of it; all of them for None.
        name: Of the source, for messages.

    Raises:
        ProjectError: The key does not tell rows apart.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for rest in folder.glob(".*.tmp"):
        rest.unlink()
    parts = sorted(folder.glob("[0-9]*.parquet"))
    if key is None:
        for part in parts:
            part.unlink()
        parts = []
    after = _last_value(parts[-1], key) if parts and key else None
    rows = rows_of(parts)
    if rows:
        say(f"{name}: going on after the {rows:,} rows that are read")
    reader = _times_in_utc(open_rows(after))
    writer = _PartWriter(folder, len(parts), reader.schema)
    told = started = time.monotonic()
    try:
        for group in _groups(reader, key, after, name):
            writer.write(group)
            rows += group.num_rows
            if (now := time.monotonic()) - told >= SAY_SECONDS:
                told = now
                say(f"{name}: {rows:,} rows read, {now - started:.0f} s")
        files = writer.finish()
    finally:
        writer.abandon()
    files = [*parts, *files]
    replace_text(folder / DONE, json.dumps({"files": [path.name for path in files], "rows": rows}))
    say(f"{name}: {rows:,} rows read in {time.monotonic() - started:.1f} s")
    return files


def write_rows(path: Path, reader: pa.RecordBatchReader) -> None:
    """Write all rows to one file, which is there only once it is whole."""
    import pyarrow.parquet as pq

    reader = _times_in_utc(reader)

    def write(beside: Path) -> None:
        with pq.ParquetWriter(beside, reader.schema, compression="zstd") as writer:
            for group in _groups(reader, None, None, path.name):
                writer.write_table(group.combine_chunks(), row_group_size=GROUP_ROWS)

    replace_file(path, write)


def _times_in_utc(reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """Times with an offset as the same times in UTC without one, as those of text files are read."""
    import pyarrow as pa

    fields = [
        field.with_type(pa.timestamp(field.type.unit))
        if pa.types.is_timestamp(field.type) and field.type.tz
        else field
        for field in reader.schema
    ]
    schema = pa.schema(fields)
    if schema == reader.schema:
        return reader
    batches = (
        pa.record_batch([c.cast(t) for c, t in zip(b.columns, schema.types, strict=True)], schema)
        for b in reader
    )
    return pa.RecordBatchReader.from_batches(schema, batches)


def rows_of(files: list[Path]) -> int:
    """Rows of Parquet files."""
    import pyarrow.parquet as pq

    return sum(int(pq.read_metadata(path).num_rows) for path in files)


def _last_value(part: Path, key: str) -> Any:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(part)
    column = file.read_row_group(file.num_row_groups - 1, columns=[key]).column(0)
    return column[-1].as_py()


def _groups(
    reader: pa.RecordBatchReader, key: str | None, last: Any, name: str
) -> Iterator[pa.Table]:
    """The rows in tables of GROUP_ROWS each, the last of them shorter."""
    import pyarrow as pa

    pending: list[pa.RecordBatch] = []
    rows = 0
    for batch in reader:
        pending.append(batch)
        rows += batch.num_rows
        while rows >= GROUP_ROWS:
            table = pa.Table.from_batches(pending, reader.schema)
            group = table.slice(0, GROUP_ROWS)
            last = _check_key(group, key, last, name)
            yield group
            rest = table.slice(GROUP_ROWS)
            pending, rows = rest.to_batches(), rest.num_rows
    if rows:
        group = pa.Table.from_batches(pending, reader.schema)
        _check_key(group, key, last, name)
        yield group


def _check_key(group: pa.Table, key: str | None, last: Any, name: str) -> Any:
    """The last value of the key in rows that follow one with this value."""
    import pyarrow.compute as pc

    if key is None:
        return None
    column = group.column(key).combine_chunks()
    repeats = len(column) > 1 and not pc.all(pc.not_equal(column[1:], column[:-1])).as_py()
    if column.null_count or repeats or column[0].as_py() == last:
        raise ProjectError(
            f"{key!r} is no key of source {name}",
            found="rows without a value" if column.null_count else "several rows with one value",
            fix="name a column with another value in each row, or remove key:",
        )
    return column[-1].as_py()


class _PartWriter:
    """Writes row groups into files, each under its name only once it is whole."""

    def __init__(self, folder: Path, number: int, schema: pa.Schema) -> None:
        self._folder = folder
        self._number = number
        self._schema = schema
        self._beside = folder / f".{uuid.uuid4().hex}.tmp"
        self._writer: Any = None
        self._groups = 0
        self._files: list[Path] = []

    def write(self, group: pa.Table) -> None:
        import pyarrow.parquet as pq

        if self._writer is None:
            self._writer = pq.ParquetWriter(self._beside, self._schema, compression="zstd")
        self._writer.write_table(group.combine_chunks(), row_group_size=GROUP_ROWS)
        self._groups += 1
        if self._groups == PART_GROUPS:
            self._close()

    def finish(self) -> list[Path]:
        if self._writer is None and self._number == 0:
            self.write(self._schema.empty_table())  # a table without a row has columns still
        if self._writer is not None:
            self._close()
        return self._files

    def abandon(self) -> None:
        """Remove what is not whole."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._beside.unlink(missing_ok=True)

    def _close(self) -> None:
        self._writer.close()
        self._writer, self._groups = None, 0
        sync_file(self._beside)
        path = self._folder / f"{self._number:05}.parquet"
        self._beside.rename(path)
        sync_file(self._folder)
        self._files.append(path)
        self._number += 1
