"""Tables where they are served: one version or the other, whatever is killed; the same again does nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from llm_i2i.errors import ProjectError
from llm_i2i.runner.project import Project
from llm_i2i.runner.remote.databases import Database
from llm_i2i.runner.remote.publish import NOTES, Publication, publish_to_database, publish_to_delta
from tests.project.conftest import ShopProject
from tests.sources.conftest import ObjectStore, Postgres

pytestmark = pytest.mark.sources

# Publishes one version and ends by itself, as a killed process does, before its step number `at`.
VICTIM = """
import json, os, sys
import pyarrow as pa
from llm_i2i.runner.remote import publish
from llm_i2i.runner.remote.databases import Database

kind, address, number, at = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
steps = 0
for writer in (publish._PostgresWriter, publish._DuckWriter):
    for name in ("run", "load", "commit"):
        def dying(self, *arguments, act=getattr(writer, name)):
            global steps
            if steps == at:
                os._exit(9)
            steps += 1
            return act(self, *arguments)
        setattr(writer, name, dying)
table = pa.table({"trigger_item_id": ["a", "b"], "version": [number, number]})
told = publish.Publication("i2i_index", f"digest{number}", table.to_reader())
print(publish.publish_to_database(Database("shop", kind, address), sys.argv[5], told))
"""


class Place:
    """A database to publish to, and what its readers see."""

    def __init__(self, database: Database, view: str, ask: Callable[[str], list[Any]]) -> None:
        self.database, self.view, self.ask = database, view, ask

    def publish(self, number: int, table: pa.Table | None = None) -> bool:
        table = table or rows_of(number)
        told = Publication("i2i_index", f"digest{number}", table.to_reader())
        return publish_to_database(self.database, self.view, told).is_new

    def killed(self, number: int, at: int) -> int:
        place = [self.database.kind, self.database.address, str(number), str(at), self.view]
        return subprocess.run([sys.executable, "-c", VICTIM, *place], capture_output=True, check=False).returncode  # fmt: skip

    def shown(self) -> list[Any]:
        return self.ask(f"select trigger_item_id, version from {self.view} order by 1")

    def versions(self) -> int:
        return int(self.ask(f"select count(*) from {self.view.replace('i2i_index', NOTES)}")[0][0])


def rows_of(number: int) -> pa.Table:
    return pa.table({"trigger_item_id": ["a", "b"], "version": [number, number]})


def seen(number: int) -> list[tuple[str, int]]:
    return [("a", number), ("b", number)]


@pytest.fixture(params=["postgres", "duckdb"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        server.sql("drop schema if exists served cascade", "create schema served")
        return Place(Database("shop", "postgres", server.url), "served.i2i_index", server.sql)
    file = tmp_path / "served.duckdb"

    def ask(sql: str) -> list[Any]:
        with duckdb.connect(str(file)) as connection:
            return connection.execute(sql).fetchall()

    return Place(Database("shop", "duckdb", str(file)), "main.i2i_index", ask)


def test_versions(place: Place) -> None:
    assert place.publish(1)
    assert place.shown() == seen(1)
    assert not place.publish(1)
    for number in (2, 3, 4):
        assert place.publish(number)
        assert place.shown() == seen(number)
    assert place.versions() == 2  # the one before stays for who has just read the view
    assert place.publish(1)  # a rollback
    assert place.shown() == seen(1)


def test_columns_may_change(place: Place) -> None:
    place.publish(1)
    place.publish(2, rows_of(2).append_column("rank", pa.array([1, 2])))
    assert place.ask(f"select version, rank from {place.view} order by rank") == [(2, 1), (2, 2)]


def test_killed_at_every_step(place: Place) -> None:
    place.publish(1)
    killed = 0
    while place.killed(2, killed) != 0:
        assert place.shown() == seen(1), killed
        killed += 1
    assert killed >= 8
    assert place.shown() == seen(2)
    assert place.versions() == 2


def test_grants_stay(postgres: Postgres) -> None:
    postgres.sql("drop schema if exists served cascade", "create schema served")
    place = Place(Database("shop", "postgres", postgres.url), "served.i2i_index", postgres.sql)
    place.publish(1)
    postgres.sql("drop role if exists reader", "create role reader", "grant select on served.i2i_index to reader")  # fmt: skip
    place.publish(2)
    assert postgres.sql("select has_table_privilege('reader', 'served.i2i_index', 'select')") == [(True,)]  # fmt: skip
    postgres.sql("drop owned by reader", "drop role reader")


def test_a_table_of_somebody_else_stays(place: Place) -> None:
    place.ask(f"create table {place.view} (x int)")
    with pytest.raises(ProjectError, match="is a table, not a view"):
        place.publish(1)
    assert place.ask(f"select count(*) from {place.view}") == [(0,)]


def test_postgres_that_is_not_there(postgres: Postgres) -> None:
    place = Place(Database("shop", "postgres", "postgresql://u:hunter22@127.0.0.1:1/x"), "i2i_index", postgres.sql)  # fmt: skip
    with pytest.raises(ProjectError, match="could not be written") as error:
        place.publish(1)
    assert "hunter22" not in error.value.render()


def test_delta(tmp_path: Path) -> None:
    deltalake = pytest.importorskip("deltalake", reason="needs the extra lakes")
    address = str(tmp_path / "served")
    for number, is_new in ((1, True), (1, False), (2, True)):
        told = Publication("i2i_index", f"digest{number}", rows_of(number).to_reader())
        assert publish_to_delta(address, told).is_new == is_new
    table = deltalake.DeltaTable(address)
    assert table.version() == 1
    assert table.to_pyarrow_table().to_pylist() == rows_of(2).to_pylist()


@pytest.fixture
def shop(tmp_path: Path) -> ShopProject:
    made = ShopProject(tmp_path)
    made.replace("project/project.yml", "memory_limit: 1GB}", "memory_limit: 1GB, attach: [{alias: served, path: served.duckdb}]}")  # fmt: skip
    assert Project.load(made.dir).build(select="events").success
    return made


def test_the_command(shop: ShopProject) -> None:
    first = shop.run("publish", "events", "served:i2i_events")
    assert first.returncode == 0, first.stderr
    assert "60 rows" in first.stderr
    again = shop.run("publish", "events", "served:i2i_events")
    assert "it is there already" in again.stderr
    with duckdb.connect(str(shop.dir / "served.duckdb")) as connection:
        assert connection.execute("select count(*) from i2i_events").fetchall() == [(60,)]
    wrong = shop.run("publish", "evnets", "served:i2i_events")
    assert "did you mean 'events'?" in wrong.stderr
    nobody = shop.run("publish", "events", "nobody:i2i_events")
    assert "attaches no database 'nobody'" in nobody.stderr


def test_an_object_store(shop: ShopProject, object_store: ObjectStore) -> None:
    def pointer() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(object_store.files().cat_file("shop/served/current.json"))  # fmt: skip
        return found

    assert "60 rows" in shop.run("export", "events", "s3://shop/served").stderr
    first = pointer()
    assert "it is there already" in shop.run("export", "events", "s3://shop/served").stderr
    shop.write_log(21)
    assert Project.load(shop.dir).build(select="events").success
    assert "63 rows" in shop.run("export", "events", "s3://shop/served").stderr
    now = pointer()
    assert now["digest"] != first["digest"]
    files = object_store.files()
    assert files.exists(f"shop/served/{first['file']}")  # for who has just read the pointer
    assert files.size(f"shop/served/{now['file']}") == now["bytes"]
    manifest = json.loads(files.cat_file(f"shop/served/{now['digest']}/manifest.json"))
    assert manifest == now
    assert now["rows"] == 63
