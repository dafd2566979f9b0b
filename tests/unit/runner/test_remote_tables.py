"""Tables of databases that are files: read once per version, with the types of their values, and resumed by a key."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from llm_i2i.errors import ProjectError
from llm_i2i.graph.node import Node
from llm_i2i.runner.base.sources import JsonCache, SourceFiles
from llm_i2i.runner.remote import rows as remote_rows
from llm_i2i.runner.remote.databases import Database, database_kind, quoted_table
from llm_i2i.runner.remote.sources import RemoteSources

EVENTS = [(1, "a", "2024-01-01 10:00:00"), (1, "b", "2024-01-02 11:30:00"), (2, "a", None)]


def node(table: str = "events", **source: str) -> Node:
    given = {"connection": "shop", "table": table, **source}
    return Node("log__events", "models/log.yml", "source", file_path=f"shop:{table}", config={"source": given})  # fmt: skip


class Shop:
    """A database in a file, and the sources that read it, each time as a new command would."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.file = folder / name
        self.said: list[str] = []

    def run(self, *statements: str) -> None:
        connect: Callable[[str], Any] = sqlite3.connect if database_kind(self.file.name) == "sqlite" else duckdb.connect  # fmt: skip
        with closing(connect(str(self.file))) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit() if database_kind(self.file.name) == "sqlite" else None

    def sources(self) -> SourceFiles:
        def database(alias: str) -> Database:
            assert alias == "shop"
            return Database(alias, database_kind(self.file.name), str(self.file))

        remote = RemoteSources(self.folder, self.folder, database)
        remote.say = self.said.append
        return SourceFiles(self.folder, JsonCache(self.folder / "cache" / "files.json"), remote)

    def rows(self, source: Node) -> list[tuple[Any, ...]]:
        return duckdb.sql(self.sources().scan(source)).fetchall()

    def reads(self) -> int:
        """How often rows were read since the last look."""
        count = sum("rows read in" in text for text in self.said)
        self.said.clear()
        return count


@pytest.fixture(params=["shop.sqlite", "shop.duckdb"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Shop:
    made = Shop(tmp_path, request.param)
    values = ", ".join(f"({u}, '{i}', {repr(t) if t else 'null'})" for u, i, t in EVENTS)
    made.run(
        "create table events (user_id integer, item_id varchar, seen timestamp)",
        f"insert into events values {values}",
    )
    return made


def test_rows_with_their_types(shop: Shop) -> None:
    scan = shop.sources().scan(node())
    types = duckdb.sql(f"describe {scan}").fetchall()
    assert [row[1] for row in types][1:] == ["VARCHAR", "TIMESTAMP"]
    assert [(u, i, str(t) if t else None) for u, i, t in shop.rows(node())] == EVENTS


def test_a_version_is_read_once(shop: Shop) -> None:
    source = node(version="select max(user_id) from events")
    before = shop.sources().fingerprint(source)
    assert shop.reads() == 1
    assert shop.sources().fingerprint(source) == before
    shop.run("insert into events values (2, 'c', null)")  # the version does not tell
    assert len(shop.rows(source)) == 3
    assert shop.reads() == 0
    shop.run("insert into events values (3, 'c', null)")
    assert len(shop.rows(source)) == 5
    assert shop.sources().fingerprint(source) != before


def test_a_file_is_its_own_version(shop: Shop) -> None:
    assert len(shop.rows(node())) == 3
    assert len(shop.rows(node())) == 3
    assert shop.reads() == 1
    shop.run("insert into events values (3, 'c', null)")
    assert len(shop.rows(node())) == 4
    assert shop.reads() == 1


def test_what_is_resumed_is_what_is_read_at_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_rows, "GROUP_ROWS", 10)
    numbers = "with recursive n(x) as (select 1 union all select x + 1 from n where x < 135)"
    shop.run(f"create table many as {numbers} select x as id, 'i' || x as item_id from n")
    source = node("many", key="id")
    whole = [path.read_bytes() for path in shop.sources().files(source)]
    assert len(whole) == 4
    (folder,) = (shop.folder / "sources" / "log__events").iterdir()
    for gone in ("done.json", "00003.parquet", "00002.parquet"):
        (folder / gone).unlink()
    assert [path.read_bytes() for path in shop.sources().files(source)] == whole
    assert "log.events: going on after the 80 rows that are read" in shop.said


def test_a_read_that_breaks_off_keeps_what_is_read(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_rows, "GROUP_ROWS", 10)
    numbers = "with recursive n(x) as (select 1 union all select x + 1 from n where x < 135)"
    shop.run(f"create table many as {numbers} select x as id from n")
    groups = remote_rows._groups

    def broken(*arguments: Any) -> Any:
        for number, group in enumerate(groups(*arguments)):
            if number == 6:
                raise sqlite3.OperationalError("gone") if shop.file.suffix == ".sqlite" else duckdb.IOException("gone")  # fmt: skip
            yield group

    source = node("many", key="id")
    monkeypatch.setattr(remote_rows, "_groups", broken)
    with pytest.raises(ProjectError) as error:
        shop.sources().files(source)
    monkeypatch.setattr(remote_rows, "_groups", groups)
    assert error.value.what.startswith("source log.events: database 'shop'")
    assert error.value.found == "gone"
    assert "after the 40 rows that are read" in error.value.fix
    assert len(shop.rows(source)) == 135


@pytest.mark.parametrize(
    ("values", "found"), [("(1), (1)", "several rows with one value"), ("(null), (2)", "rows without a value")],
)  # fmt: skip
def test_a_key_that_is_none(shop: Shop, values: str, found: str) -> None:
    shop.run("create table odd (id integer)", f"insert into odd values {values}")
    with pytest.raises(ProjectError, match="is no key") as error:
        shop.sources().files(node("odd", key="id"))
    assert error.value.found == found


def test_a_table_without_rows_has_columns(shop: Shop) -> None:
    shop.run("create table nobody (user_id integer, item_id varchar)")
    assert shop.rows(node("nobody")) == []


def test_errors_say_what_to_do(shop: Shop) -> None:
    with pytest.raises(ProjectError, match="cannot be read") as error:
        shop.sources().files(node("evnets"))
    assert "evnets" in error.value.found
    assert error.value.where == "models/log.yml"
    with pytest.raises(ProjectError, match="no query of one value"):
        shop.sources().files(node(version="select user_id from events"))
    shop.file.unlink()
    with pytest.raises(ProjectError, match="has no file"):
        shop.sources().files(node())


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("(7), ('007')", ["7", "007"]),
        ("(7), (8)", [7, 8]),
        ("(7), (null)", [7, None]),
        ("(7), (8.5)", [7.0, 8.5]),
        ("('2024-01-01'), ('01/02/2024')", ["2024-01-01", "01/02/2024"]),
        ("(x'00ff')", [b"\x00\xff"]),
    ],
)
def test_sqlite_types_values(tmp_path: Path, values: str, expected: list[Any]) -> None:
    shop = Shop(tmp_path, "shop.sqlite")
    shop.run("create table things (x)", f"insert into things values {values}")
    assert [row[0] for row in shop.rows(node("things"))] == expected


def test_a_server_needs_a_version() -> None:
    from llm_i2i.runner.remote.sources import _file_version

    with pytest.raises(ProjectError, match="needs a version"):
        _file_version(Database("shop", "postgres", "postgresql://localhost/shop"))


def test_the_identity_of_a_database_is_no_secret() -> None:
    one = Database("shop", "postgres", "postgresql://ann:hunter22@localhost/shop")
    assert one.identity == "postgresql://localhost/shop"
    assert replace(one, address="postgresql://bob@localhost/shop").identity == one.identity


def test_names_of_tables() -> None:
    assert quoted_table("public.events") == '"public"."events"'
    assert quoted_table('"a.b".c') == '"a.b"."c"'


def test_groups_do_not_depend_on_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_rows, "GROUP_ROWS", 4)
    column = pa.array(range(11))
    for cuts in ([11], [1] * 11, [5, 6], [4, 4, 3]):
        batches, at = [], 0
        for length in cuts:
            batches.append(pa.record_batch([column.slice(at, length)], ["id"]))
            at += length
        reader = pa.RecordBatchReader.from_batches(batches[0].schema, batches)
        assert [g.num_rows for g in remote_rows._groups(reader, "id", None, "log")] == [4, 4, 3]
