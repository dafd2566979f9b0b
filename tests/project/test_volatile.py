"""Models whose result may be another tomorrow although no input changed: refused, built anew each time, or kept by their author's word."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from llm_i2i.errors import LlmI2iError
from llm_i2i.sql.tokens import what_changes
from tests.project.conftest import ShopProject

Build = Callable[..., dict[str, str]]


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("select now() as t", ("now()",)),
        ("select NOW ( ) as t, random()", ("now()", "random()")),
        ("select current_date as t, current_timestamp", ("current_date", "current_timestamp")),
        ("select uuid() as id from t", ("uuid()",)),
        ("select * from t using sample 10", ("a sample without repeatable (seed)",)),
        ("select * from t tablesample 10%", ("a sample without repeatable (seed)",)),
        ("select * from t using sample reservoir(10 rows) repeatable (42)", ()),
        ("select * from read_csv('x.csv')", ("read_csv(...)",)),
        ("select * from t join read_parquet('x/*.parquet') using (a)", ("read_parquet(...)",)),
        ("select * from 'x.parquet'", ("from 'x.parquet'",)),
        ('select * from "x.csv" as t', ("from 'x.csv'",)),
        ("select * from 's3://b/x'", ("from 's3://b/x'",)),
        ("select * from glob('*')", ("glob(...)",)),
        ("select a is distinct from 'NULL', extract(year from '2024-01-01'::date) from t", ()),
        ("select 'now()', \"random\" from t -- now()", ()),
        ("select random, now from t", ()),
        ("select t.sample, t.glob from t", ()),
    ],
)
def test_what_changes_by_itself(sql: str, found: tuple[str, ...]) -> None:
    assert what_changes(sql) == found


def test_a_model_that_reads_the_clock_is_refused(shop: ShopProject, build: Build) -> None:
    shop.replace("models/kept.sql", "score\n", "score, now() as at\n")
    with pytest.raises(LlmI2iError, match="'kept' gives another answer each time") as error:
        build()
    assert error.value.found == "now()"
    assert error.value.where.startswith("models/kept.sql")
    assert "volatile=true" in error.value.fix


def test_a_model_that_reads_a_file_is_refused(shop: ShopProject, build: Build) -> None:
    shop.write("models/kept.sql", f"select * from read_csv('{shop.dir}/data/log.csv')")
    shop.write("models/models.yml", "models: []")
    with pytest.raises(LlmI2iError, match="'kept' reads files that are no source") as error:
        build()
    assert "source('raw', 'events')" in error.value.fix


def test_a_volatile_model_is_built_by_each_build(shop: ShopProject, build: Build) -> None:
    shop.write(
        "models/clock.sql",
        "{{ config(volatile=true) }} select now() as now_at, count(*) as n from {{ ref('events') }}",
    )
    shop.write("models/late.sql", "select now_at from {{ ref('clock') }}")
    assert build()["clock"] == "OK"
    again = build()
    assert again["clock"] == again["late"] == "OK"
    assert again["kept"] == again["events"] == "REUSED"
    assert "clock" not in build(select="kept")
    assert shop.run("test").returncode == 0, "tests are of what was built last"


def test_a_result_may_be_kept_by_its_authors_word(shop: ShopProject, build: Build) -> None:
    shop.write("models/clock.sql", "{{ config(volatile=false) }} select now() as at")
    assert build()["clock"] == "OK"
    assert build()["clock"] == "REUSED"
    shop.write("models/clock.sql", "select now() as at")
    with pytest.raises(LlmI2iError, match="gives another answer"):
        build()


def test_a_byte_order_mark_is_no_sql(shop: ShopProject, build: Build) -> None:
    for name in ("models/kept.sql", "udfs/functions.py", "project/prompts/hello.jinja"):
        path = shop.dir / name
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert build()["kept"] == "OK"
    assert not any("\ufeff" in call for call in shop.calls())
