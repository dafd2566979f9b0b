"""Delta and Iceberg tables, made by their own libraries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from llm_i2i.errors import ProjectError
from llm_i2i.runner.remote.databases import Database
from tests.sources.conftest import ObjectStore, Reader, node

pytestmark = pytest.mark.sources


def events(first: int, last: int, day: str = "2024-01-01") -> pa.Table:
    numbers = list(range(first, last))
    return pa.table({"user_id": numbers, "item_id": [f"i{n}" for n in numbers], "day": [day] * len(numbers)})  # fmt: skip


def write_delta(address: str, table: pa.Table, **options: Any) -> None:
    deltalake = pytest.importorskip("deltalake", reason="needs the extra lakes")
    deltalake.write_deltalake(address, table, mode="append", **options)


def test_a_delta_table_follows_its_files(reader: Reader, tmp_path: Path) -> None:
    write_delta(str(tmp_path / "log"), events(0, 3), partition_by=["day"])
    source = node("log")
    assert reader.rows(source)[0] == (0, "i0", "2024-01-01")
    before = reader.sources().file_digests(source)
    assert reader.reads() == 1
    write_delta(str(tmp_path / "log"), events(3, 5, "2024-01-02"), partition_by=["day"])
    assert len(reader.rows(source)) == 5
    assert reader.reads() == 1  # the new file alone
    assert set(before) < set(reader.sources().file_digests(source))
    assert len(reader.rows(source)) == 5
    assert reader.reads() == 0


def test_rows_that_were_deleted_and_columns_that_came_later(reader: Reader, tmp_path: Path) -> None:
    from deltalake import DeltaTable

    write_delta(str(tmp_path / "log"), events(0, 3))
    DeltaTable(tmp_path / "log").delete("user_id = 1")
    later = events(7, 8).append_column("price", pa.array([1.5]))
    write_delta(str(tmp_path / "log"), later, schema_mode="merge")
    rows = reader.rows(node("log"), "user_id, price")
    assert rows == [(0, None), (2, None), (7, 1.5)]


def test_a_delta_table_in_an_object_store(reader: Reader, object_store: ObjectStore) -> None:
    write_delta("s3://shop/delta", events(0, 3))
    assert len(reader.rows(node("s3://shop/delta"))) == 3
    assert reader.reads() == 1


@pytest.fixture
def catalogue(tmp_path: Path) -> Any:
    pytest.importorskip("pyiceberg", reason="needs the extra lakes")
    pytest.importorskip("sqlalchemy", reason="needs pyiceberg[sql-sqlite]")
    from pyiceberg.catalog.sql import SqlCatalog

    place = {"uri": f"sqlite:///{tmp_path}/catalogue.db", "warehouse": f"file://{tmp_path}/lake"}
    catalogue = SqlCatalog("shop", **place)
    catalogue.create_namespace("db")
    yield catalogue
    catalogue.engine.dispose()


def test_an_iceberg_table_by_its_folder(reader: Reader, catalogue: Any, tmp_path: Path) -> None:
    table = catalogue.create_table("db.events", schema=events(0, 1).schema)
    table.append(events(0, 3))
    folder = str(Path(table.location().removeprefix("file://")).relative_to(tmp_path))
    assert len(reader.rows(node(folder))) == 3
    table.append(events(3, 5))
    assert reader.reads() == 1
    assert len(reader.rows(node(folder))) == 5
    assert reader.reads() == 1
    table.delete("user_id = 4")
    assert [row[0] for row in reader.rows(node(folder))] == [0, 1, 2, 3]


def test_an_iceberg_table_of_a_catalogue(reader: Reader, catalogue: Any, tmp_path: Path) -> None:
    table = catalogue.create_table("db.events", schema=events(0, 1).schema)
    properties = {"type": "sql", "warehouse": f"file://{tmp_path}/lake"}
    shop = Database("shop", "iceberg", f"sqlite:///{tmp_path}/catalogue.db", properties)
    reader._database = lambda alias: shop
    source = node(table="db.events")
    assert reader.rows(source) == []
    table.append(events(0, 3))
    assert len(reader.rows(source)) == 3


def test_a_table_that_is_none(reader: Reader, tmp_path: Path) -> None:
    pytest.importorskip("deltalake", reason="needs the extra lakes")
    (tmp_path / "log" / "_delta_log").mkdir(parents=True)
    with pytest.raises(ProjectError, match="the Delta table cannot be read"):
        reader.rows(node("log"))
