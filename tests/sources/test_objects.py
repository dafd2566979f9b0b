"""Files of an S3 server and of a web server: copied once per version, told apart by the listing."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from llm_i2i.errors import ProjectError
from tests.sources.conftest import PASSWORD, ObjectStore, Reader, node

pytestmark = pytest.mark.sources
CSV = "user_id,item_id\n1,a\n2,b\n"


@pytest.fixture
def store(object_store: ObjectStore) -> Iterator[ObjectStore]:
    yield object_store
    files = object_store.files()
    for path in files.find("shop"):
        files.rm(path)


def test_a_file_is_copied_once_per_version(store: ObjectStore, reader: Reader) -> None:
    files, source = store.files(), node("s3://shop/log/*.csv")
    files.pipe("shop/log/1.csv", CSV.encode())
    assert reader.rows(source) == [(1, "a"), (2, "b")]
    before = reader.sources().fingerprint(source)
    assert reader.reads() == 1
    files.pipe("shop/log/2.csv", CSV.replace("b", "c").encode())
    assert reader.rows(source) == [(1, "a"), (1, "a"), (2, "b"), (2, "c")]
    assert reader.reads() == 1  # the first is there
    files.pipe("shop/log/2.csv", CSV.replace("b", "d").encode())  # of the same size
    assert (2, "d") in reader.rows(source)
    files.rm("shop/log/2.csv")
    assert reader.sources().fingerprint(source) == before


def test_a_copy_has_the_fingerprint_of_the_file(store: ObjectStore, reader: Reader) -> None:
    store.files().pipe("shop/log.csv", CSV.encode())
    (reader.folder / "log.csv").write_text(CSV)
    here, there = node("log.csv"), node("s3://shop/log.csv")
    assert reader.sources().fingerprint(here) == reader.sources().fingerprint(there)


def test_hive_partitions(store: ObjectStore, reader: Reader, tmp_path: Path) -> None:
    for day in ("2024-01-01", "2024-01-02"):
        duckdb.sql(f"copy (select 'u' as user_id) to '{tmp_path}/x.parquet'")
        store.files().put_file(str(tmp_path / "x.parquet"), f"shop/log/day={day}/x.parquet")
    rows = reader.rows(node("s3://shop/log/*/*.parquet"), "user_id, day::varchar")
    assert rows == [("u", "2024-01-01"), ("u", "2024-01-02")]


def test_nothing_there(store: ObjectStore, reader: Reader) -> None:
    with pytest.raises(ProjectError, match="has no file") as error:
        reader.rows(node("s3://shop/none/*.csv"))
    assert error.value.found == "nothing at s3://shop/none/*.csv"
    with pytest.raises(ProjectError, match="has no file"):
        reader.rows(node("s3://shop/none.csv"))


def test_a_server_that_goes_away(store: ObjectStore, reader: Reader) -> None:
    def fill() -> None:
        for number in range(4):
            store.files().pipe(f"shop/log/{number}.csv", CSV.encode())

    fill()

    def stop(text: str) -> None:
        if "2 of 4 files" in text:
            store.stop()

    reader.say = stop
    source = node("s3://shop/log/*.csv")
    try:
        with pytest.raises(ProjectError, match="cannot be reached") as error:
            reader.sources().files(source)
        assert PASSWORD not in error.value.render()
    finally:
        store.start()
    fill()  # an ETag is the digest of an object: those of the first server
    reader.say = reader.said.append
    assert len(reader.rows(source)) == 8
    assert reader.reads() == 2


class _Tagged(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


def test_a_page_of_the_web(reader: Reader, tmp_path: Path) -> None:
    pytest.importorskip("aiohttp", reason="needs the extra object-stores")
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "log.csv").write_text(CSV)
    handler = functools.partial(_Tagged, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        source = node(f"http://127.0.0.1:{server.server_address[1]}/log.csv")
        assert reader.rows(source) == [(1, "a"), (2, "b")]
        assert reader.rows(source) == [(1, "a"), (2, "b")]
        assert reader.reads() == 1
        server.shutdown()


def test_a_scheme_nobody_knows(reader: Reader) -> None:
    pytest.importorskip("fsspec", reason="needs the extra object-stores")
    with pytest.raises(ProjectError, match="no filesystem reads this address"):
        reader.rows(node("nowhere://shop/log.csv"))
