"""Partitioned models: a day more of a log costs a day, not the log."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.runner.project import Project
from llm_i2i.store.store import PARTITIONS
from tests.project.conftest import ShopProject

PARTITIONED = "{{ config(partition_by='file') }}\n"


def write_day(shop: ShopProject, day: int, users: int = 3) -> Path:
    path = shop.dir / f"data/2026-01-{day:02}.parquet"
    rows = f"select 'u' || (range + {day}) as user_id, 'i' || range as item_id, {day} as position"
    duckdb.sql(f"copy ({rows} from range({users})) to '{path}'")
    return path


def days(shop: ShopProject) -> ShopProject:
    shop.replace("project/project.yml", "data/log.csv", "data/2026-*.parquet")
    text = (shop.dir / "models/events.sql").read_text()
    (shop.dir / "models/events.sql").write_text(PARTITIONED + text)
    for day in (1, 2, 3):
        write_day(shop, day)
    return shop


def parts(shop: ShopProject, node: str = "events") -> dict[str, int]:
    """Partition -> inode, of the published result: the same inode is the same file, not computed again."""
    project = Project.load(shop.dir)
    folder = project.store.folder(node, project.environment.pointers()[node].fingerprint)
    return {p.name[6:16]: p.stat().st_ino for p in (folder / PARTITIONS).iterdir()}


def test_only_new_and_changed_days_are_computed(shop: ShopProject, build) -> None:  # type: ignore[no-untyped-def]
    days(shop)
    build()
    first = parts(shop)
    assert sorted(first) == ["2026-01-01", "2026-01-02", "2026-01-03"]
    write_day(shop, 4)
    write_day(shop, 2, users=5)
    build()
    second = parts(shop)
    assert {day for day in second if second[day] != first.get(day)} == {"2026-01-02", "2026-01-04"}
    rows = "select position, count(*) from events group by 1 order by 1"
    assert Project.load(shop.dir).query(rows).fetchall() == [(1, 3), (2, 5), (3, 3), (4, 3)]
    (shop.dir / "data/2026-01-01.parquet").unlink()
    build()
    assert set(parts(shop)) == {"2026-01-02", "2026-01-03", "2026-01-04"}


def test_other_sql_is_other_partitions_and_gc_leaves_what_is_linked(shop: ShopProject, build) -> None:  # type: ignore[no-untyped-def]  # fmt: skip
    days(shop)
    build()
    first = parts(shop)
    shop.replace("models/events.sql", "select\n", "select distinct\n")
    build()
    assert not set(first.values()) & set(parts(shop).values())
    write_day(shop, 4)
    build()
    Project.load(shop.dir).gc(dry_run=False, keep_states=1)
    assert Project.load(shop.dir).query("select count(*) from events").fetchall() == [(12,)]


def test_partitions_of_partitions(shop: ShopProject, build) -> None:  # type: ignore[no-untyped-def]
    days(shop)
    by_day = "select position, count(*) as n from {{ ref('events') }} group by position"
    shop.write("models/by_day.sql", PARTITIONED + by_day)
    build()
    first = parts(shop, "by_day")
    write_day(shop, 4)
    build()
    second = parts(shop, "by_day")
    assert {day for day in second if second[day] != first.get(day)} == {"2026-01-04"}
    assert Project.load(shop.dir).query("select sum(n) from by_day").fetchall() == [(12,)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("models/kept.sql", "select\n", "{{ config(partition_by='file') }} select\n"), "exactly one source"),
        (("project/project.yml", "data/2026-*.parquet", "data/log.csv"), "file by file"),
    ],
)  # fmt: skip
def test_what_cannot_be_partitioned_says_so(
    shop: ShopProject, change: tuple[str, str, str], message: str
) -> None:
    days(shop).replace(*change)
    result = Project.load(shop.dir).build()
    errors = [o.error for o in result.nodes if o.status == "ERROR"]
    assert not result.success
    assert isinstance(errors[0], LlmI2iError)
    assert message in f"{errors[0].what}"
