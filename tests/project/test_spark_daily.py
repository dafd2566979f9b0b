"""A log that grows by a day, on Spark (Sail): partitioned and frozen models, and the two engines in turn over one store."""

from __future__ import annotations

from llm_i2i.runner.build.events import BuildResult
from llm_i2i.runner.project import Project
from llm_i2i.store.store import PARTITIONS
from tests.project.conftest import ShopProject
from tests.project.test_frozen import freeze
from tests.project.test_partitions import PARTITIONED, days, write_day
from tests.project.test_spark_target import add_target

ROWS = "select position, count(*), count(distinct user_id) from events group by 1 order by 1"


def build(shop: ShopProject, target: str | None = "cluster", **settings: object) -> BuildResult:
    result = Project.load(shop.dir, target=target).build(**settings)  # type: ignore[arg-type]
    assert not [f"{n.step.node.name}: {n.error}" for n in result.nodes if n.error]
    assert {c.status for c in result.checks} <= {"PASS"}
    return result


def files(shop: ShopProject, node: str = "events") -> dict[str, set[int]]:
    """Partition -> inodes of its files: the same inodes are the same files, not computed again."""
    project = Project.load(shop.dir)
    folder = project.store.folder(node, project.environment.pointers()[node].fingerprint)
    return {
        part.name[6:16]: {
            file.stat().st_ino for file in (part.iterdir() if part.is_dir() else [part])
        }
        for part in (folder / PARTITIONS).iterdir()
    }


def changed(old: dict[str, set[int]], new: dict[str, set[int]]) -> set[str]:
    return {day for day in new if new[day] != old.get(day)}


def test_only_new_and_changed_days_are_computed_on_spark(shop: ShopProject, sail_url: str) -> None:
    add_target(days(shop), sail_url)
    by_day = "select position, count(*) as n from {{ ref('events') }} group by position"
    shop.write("models/by_day.sql", PARTITIONED + by_day)
    build(shop, select="by_day+ +kept")
    first, of_parts = files(shop), files(shop, "by_day")
    assert sorted(first) == ["2026-01-01", "2026-01-02", "2026-01-03"]
    write_day(shop, 4)
    write_day(shop, 2, users=5)
    build(shop)
    assert changed(first, files(shop)) == {"2026-01-02", "2026-01-04"}
    assert changed(of_parts, files(shop, "by_day")) == {"2026-01-02", "2026-01-04"}
    rows = [(1, 3, 3), (2, 5, 5), (3, 3, 3), (4, 3, 3)]
    assert Project.load(shop.dir).query(ROWS).fetchall() == rows
    assert Project.load(shop.dir).query("select sum(n) from by_day").fetchall() == [(14,)]


def test_a_day_of_one_engine_is_linked_by_the_other(shop: ShopProject, sail_url: str) -> None:
    add_target(days(shop), sail_url)
    build(shop, select="events")
    on_spark = files(shop)
    write_day(shop, 4)
    build(shop, target=None, select="events")
    both = files(shop)
    assert changed(on_spark, both) == {"2026-01-04"}
    write_day(shop, 5)
    build(shop)
    assert changed(both, files(shop)) == {"2026-01-05"}
    assert len(Project.load(shop.dir).query(ROWS).fetchall()) == 5


def test_lines_are_read_file_by_file(shop: ShopProject, sail_url: str) -> None:
    """Text is read by DuckDB, once a file, so a day more reads a day."""
    add_target(shop, sail_url)
    shop.replace("project/project.yml", "data/log.csv", "data/day-*.txt")
    shop.replace("models/sources.yml", "path:", "format: lines\n        path:")
    columns = "columns: [{name: user_id}, {name: item_id}, {name: \"{{ var('order_column') }}\"}]"
    shop.replace("models/sources.yml", columns, "columns: [{name: line}]")
    sql = (
        "select line as user_id, line as item_id, 1 as position from {{ source('log', 'events') }}"
    )
    shop.write("models/events.sql", PARTITIONED + sql)
    shop.write("data/day-1.txt", "a\nb\n")
    build(shop, select="events")
    first = files(shop)
    shop.write("data/day-2.txt", "c\n")
    build(shop, select="events")
    assert len(changed(first, files(shop))) == 1
    copies = list((shop.dir / "target/cache/sources").glob("log__events-*.parquet"))
    assert len(copies) == 2
    found = Project.load(shop.dir).query("select user_id from events order by 1").fetchall()
    assert found == [("a",), ("b",), ("c",)]


def test_a_frozen_checkpoint_stays_on_spark_and_costs_calls_of_new_users(
    shop: ShopProject, sail_url: str
) -> None:
    add_target(shop, sail_url)
    freeze(shop)
    build(shop)
    assert len(shop.calls()) == 20
    shop.write_log(22)
    result = build(shop)
    status = {n.step.node.name: n.status for n in result.nodes}
    assert status["trained"] == "REUSED"
    assert status["scored"] == "OK"
    assert sorted(shop.calls()) == ["Hello u20 of Earth", "Hello u21 of Earth"]
    again = build(shop, target=None)
    assert {n.status for n in again.nodes} == {"REUSED"}, "frozen results are one store's"
