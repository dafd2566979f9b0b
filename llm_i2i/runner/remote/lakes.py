"""Delta and Iceberg tables: the data files of their present version, each copied once as the rows that the table has of it.

The table's own library reads them: a file alone does not hold partition values, later columns or deletions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_i2i.errors import ProjectError
from llm_i2i.fingerprint import fingerprint
from llm_i2i.runner.remote.failures import BrokenOff, first_lines, need_extra, without_passwords

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class DataFile:
    """A data file of a table: a name for its copy, a digest of all that its rows depend on, and its rows."""

    name: str
    digest: str
    rows: Callable[[], pa.RecordBatchReader]


@dataclass(frozen=True)
class LakeTable:
    """The files of one version of a table; a table without any has a schema still."""

    version: str
    files: list[DataFile]
    empty: pa.Schema


def delta_table(address: str) -> LakeTable:
    """A Delta table as it is now."""
    need_extra("lakes", "deltalake")
    from deltalake import DeltaTable

    with reading("the Delta table"):
        table = DeltaTable(address)
        dataset = table.to_pyarrow_dataset()
        made_of = [address, str(dataset.schema)]
        fragments = sorted(dataset.get_fragments(), key=lambda one: str(one.path))
        return LakeTable(
            f"version {table.version()}",
            [_fragment(fragment, dataset.schema, made_of) for fragment in fragments],
            dataset.schema,
        )


def _fragment(fragment: Any, schema: pa.Schema, made_of: list[str]) -> DataFile:
    digest = fingerprint([*made_of, fragment.path, str(fragment.partition_expression)])
    return DataFile(
        _plain(fragment.path), digest, lambda: fragment.scanner(schema=schema).to_reader()
    )


def iceberg_table(address: str) -> LakeTable:
    """An Iceberg table in a folder, or by its metadata file."""
    need_extra("lakes", "pyiceberg")
    from pyiceberg.table import StaticTable

    with reading("the Iceberg table"):
        return _iceberg(StaticTable.from_metadata(_metadata_file(address)), address)


def catalogue_table(alias: str, address: str, options: Mapping[str, str], name: str) -> LakeTable:
    """An Iceberg table of a catalogue."""
    need_extra("lakes", "pyiceberg")
    from pyiceberg.catalog import load_catalog

    with reading("the Iceberg table"):
        catalogue = load_catalog(alias, **{"uri": address} if address else {}, **options)
        return _iceberg(catalogue.load_table(name), f"{alias}:{name}")


def _iceberg(table: Any, address: str) -> LakeTable:
    from pyiceberg.expressions import AlwaysTrue
    from pyiceberg.io.pyarrow import ArrowScan, schema_to_pyarrow

    schema = table.schema()
    arrow = schema_to_pyarrow(schema, include_field_ids=False)

    def rows(task: Any) -> Callable[[], pa.RecordBatchReader]:
        import pyarrow as pa

        def read() -> pa.RecordBatchReader:
            scan = ArrowScan(table.metadata, table.io, schema, AlwaysTrue())
            batches = (
                pa.RecordBatch.from_struct_array(b.to_struct_array()) if b.schema == arrow else _cast(b, arrow)
                for b in scan.to_record_batches([task])
            )  # fmt: skip
            return pa.RecordBatchReader.from_batches(arrow, batches)

        return read

    files = []
    for task in table.scan().plan_files():
        deleted = sorted(one.file_path for one in task.delete_files)
        digest = fingerprint([address, schema.schema_id, task.file.file_path, deleted])
        files.append(DataFile(_plain(task.file.file_path), digest, rows(task)))
    snapshot = table.current_snapshot()
    files.sort(key=lambda one: (one.name, one.digest))
    return LakeTable(f"snapshot {snapshot.snapshot_id if snapshot else 0}", files, arrow)


def _cast(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    columns = [batch.column(field.name).cast(field.type) for field in schema]
    return pa.record_batch(columns, schema=schema)


def _metadata_file(address: str) -> str:
    """The newest metadata file of an Iceberg table's folder."""
    if address.endswith(".metadata.json"):
        return address
    found = metadata_files(address)
    if not found:
        raise ProjectError(
            "there is no metadata of an Iceberg table",
            found=f"nothing at {address}/metadata/*.metadata.json",
            fix="name the table's folder, or one metadata file",
        )
    return max(found, key=lambda path: (_number(path), path))


def metadata_files(address: str) -> list[str]:
    """The metadata files in the folder of an Iceberg table."""
    if "://" not in address:
        return [str(path) for path in (Path(address) / "metadata").glob("*.metadata.json")]
    from llm_i2i.runner.remote.objects import FileStore

    store = FileStore(f"{address.rstrip('/')}/metadata/*.metadata.json")
    scheme = address.partition("://")[0]
    return [f"{scheme}://{file.path}" for file in store.listed()]


def _number(path: str) -> int:
    found = re.match(r"v?(\d+)", path.rsplit("/", 1)[-1])
    return int(found[1]) if found else -1


def _plain(path: str) -> str:
    """A file's name, fit for a file of this machine."""
    stem = path.rsplit("/", 1)[-1].split(".")[0]
    return re.sub(r"[^A-Za-z0-9_=-]", "_", stem)[:100] or "part"


@contextmanager
def reading(what: str, done: str = "read") -> Iterator[None]:
    """An exception of a table's library as one of ours."""
    try:
        yield
    except ProjectError:
        raise
    except Exception as error:  # each library has exceptions of its own, without a common base
        raise BrokenOff(
            f"{what} cannot be {done}",
            found=without_passwords(f"{type(error).__name__}: {first_lines(error)}"),
            fix="run the same command again: files that are copied are kept; credentials and endpoints are read from the environment"
            " (docs/databases.md)",
        ) from error
