"""Tables of a real PostgreSQL: types, versions, a server that goes away while its rows are read."""

from __future__ import annotations

import datetime
import decimal
import uuid

import pytest

from llm_i2i.errors import ProjectError
from llm_i2i.runner.remote import rows as remote_rows
from tests.sources.conftest import PASSWORD, Postgres, Reader, node

pytestmark = pytest.mark.sources
VERSION = "select max(id) from events"


@pytest.fixture
def events(postgres: Postgres) -> Postgres:
    postgres.sql(
        "drop table if exists events",
        "create table events (id serial primary key, user_id int, item_id text, seen timestamptz)",
        "insert into events (user_id, item_id, seen) values (1, '007', '2024-01-01 10:00:00+02'), (1, 'b', '2024-01-02'), (2, null, null)",
    )
    return postgres


def test_a_version_is_read_once(events: Postgres, reader: Reader) -> None:
    source = node(table="public.events", version=VERSION)
    expected = [(1, 1, "007"), (2, 1, "b"), (3, 2, None)]
    assert reader.rows(source, "id, user_id, item_id") == expected
    assert reader.reads() == 1
    before = reader.sources().fingerprint(source)
    assert reader.sources().fingerprint(source) == before
    assert reader.reads() == 0
    events.sql("insert into events (user_id, item_id) values (3, 'c')")
    assert reader.sources().fingerprint(source) != before
    assert len(reader.rows(source)) == 4
    assert reader.reads() == 1


def test_types(postgres: Postgres, reader: Reader) -> None:
    one = uuid.UUID(int=7)
    postgres.sql(
        "drop table if exists things",
        "create table things (u uuid, n numeric(10, 2), m numeric, t timestamptz, w timestamp, d date, j jsonb, a int[], c char(4), b bigint, o boolean, f double precision)",
        f"insert into things values ('{one}', 12.50, 1e30, '2024-01-01 10:00+02', '2024-01-01 10:00', '2024-02-03', '{{\"k\": 1}}', '{{1,2}}', 'ab', 9007199254740993, true, 0.1)",
    )
    ((u, n, m, t, w, d, j, a, c, b, o, f),) = reader.rows(node(table="things", version="select 1"))
    assert (u, n, m) == (one, decimal.Decimal("12.50"), "1" + "0" * 30)
    assert (w, d) == (datetime.datetime(2024, 1, 1, 10), datetime.date(2024, 2, 3))
    assert (j, a, c, b, o, f) == ('{"k": 1}', [1, 2], "ab", 9007199254740993, True, 0.1)
    assert t == datetime.datetime(2024, 1, 1, 8)


@pytest.mark.parametrize("key", ["id", ""])
def test_a_server_that_goes_away(
    postgres: Postgres, reader: Reader, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    postgres.sql(
        "drop table if exists many",
        "create table many as select g as id, 'user ' || g % 1000 as user_id, repeat('x', 200) as filler from generate_series(1, 400000) g",
        "alter table many add primary key (id)",
    )
    monkeypatch.setattr(remote_rows, "GROUP_ROWS", 5_000)
    monkeypatch.setattr(remote_rows, "SAY_SECONDS", 0.0)
    source = node(table="many", version="select max(id) from many", **({"key": key} if key else {}))

    def kill(text: str) -> None:
        if text.startswith("log.events: 50,000 rows"):
            postgres.kill()

    reader.say = kill
    with pytest.raises(ProjectError) as error:
        reader.sources().files(source)
    assert "broke off" in error.value.what
    assert PASSWORD not in error.value.render()
    assert ("rows that are read" if key else "begins anew") in error.value.fix

    with pytest.raises(ProjectError, match="cannot be reached"):
        reader.sources().files(source)
    postgres.start()
    reader.say = reader.said.append
    assert reader.rows(source, "count(*), count(distinct id), sum(id)") == [(400_000, 400_000, 80_000_200_000)]  # fmt: skip
    assert any("going on after" in text for text in reader.said) == bool(key)


def test_errors_name_no_password(events: Postgres, reader: Reader) -> None:
    with pytest.raises(ProjectError) as error:
        reader.rows(node(table="evnets", version=VERSION))
    assert "evnets" in error.value.found
    assert PASSWORD not in error.value.render()
    with pytest.raises(ProjectError, match="needs a version"):
        reader.rows(node(table="events"))
