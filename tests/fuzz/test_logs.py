"""Logs: whatever stands in one, each row is counted or refused, and an index is a ranking."""

from __future__ import annotations

import csv
import datetime
import gzip
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import strategies as st

from llm_i2i.runner.project import Project
from tests.fuzz.harness import UTF8, fuzz, profiles, spoilt
from tests.project.conftest import ShopProject
from tests.project.test_reference_project import ROOT, write_log

# What a parser may trip over, and ids that are numbers, nearly numbers, or huge.
IDS = ["u1", "u2", "i'1", 'i"2', "a,b", "a;b", "a\tb", "new\nline", "\x00", "é", "鮨", "👩‍👩‍👧", "007", "1e5", "NaN", "null", "NULL", "", " ", " u1 ", "9" * 30, "18446744073709551616", "-1", "True", "x" * 3000, "{}", "[1]", "#", "\\", "\\N", "‮", "u1\r", "2024-01-01"]  # fmt: skip
ids = st.sampled_from(IDS) | st.text(UTF8, max_size=8)
times = st.one_of(
    st.integers(-5, 5), st.integers(), st.floats(), st.just(0), st.none(),
    st.datetimes(), st.sampled_from(["2024-01-01", "x", "", "2024-01-01 10:00:00+02"]),
)  # fmt: skip
rows_of_logs = st.lists(st.tuples(ids, ids, times), max_size=12)
CSV_TEXT = 'user_id,item_id,position\nu1,i1,0\nu1,i2,1\nu2,"i,1",0\nu3,i3,\n,i4,2\n'
JSON_TEXT = "".join(
    json.dumps({"user_id": u, "item_id": f"i{u}", "position": u}) + "\n" for u in range(4)
)


def compile_and_read(project_dir: Path, log: Path) -> Any:
    """All rows of model `events` over a log, as a build reads them."""
    project = Project.load(project_dir, vars={"log": str(log)})
    model = project.compile(["events"])["events"]
    engine = project.new_engine()
    try:
        node = project.manifest.nodes["log__events"]
        engine.declare_query("log__events", project.sources.scan(node))
        names = [name for name, _ in model.columns]
        return [dict(zip(names, row, strict=True)) for row in engine.rows(model.sql)]
    finally:
        engine.close()


@profiles(short=12, long=1000)
def test_bytes(inputs: int, tmp_path: Path) -> None:
    """Files that are spoilt, cut short or no such file at all."""
    shop = ShopProject(tmp_path)
    parquet = tmp_path / "good.parquet"
    pq.write_table(
        pa.table({"user_id": ["a", "b"], "item_id": ["x", "y"], "position": [1, 2]}), parquet
    )
    blob = parquet.read_bytes()
    cut = st.tuples(
        st.integers(0, len(blob)), st.binary(max_size=4), st.integers(0, len(blob))
    ).map(lambda t: blob[: t[0]] + t[1] + blob[t[2] :])
    written = st.one_of(
        st.tuples(st.just("csv"), spoilt([CSV_TEXT]).map(str.encode) | st.binary(max_size=40)),
        st.tuples(
            st.sampled_from(["json", "jsonl"]),
            spoilt([JSON_TEXT]).map(str.encode) | st.binary(max_size=40),
        ),
        st.tuples(st.just("parquet"), cut | st.binary(max_size=40)),
        st.tuples(
            st.just("csv.gz"),
            st.binary(max_size=20)
            | spoilt([CSV_TEXT]).map(lambda t: gzip.compress(t.encode())[:-3]),
        ),
        st.tuples(
            st.sampled_from(["txt", "tsv", "xyz", "csv.zst", "parquet.gz"]),
            spoilt([CSV_TEXT]).map(str.encode),
        ),
    )

    def read(case: tuple[str, bytes]) -> None:
        suffix, content = case
        path = tmp_path / f"log.{suffix}"
        path.write_bytes(content)
        compile_and_read(shop.dir, path)

    fuzz("log bytes", inputs, written, read)


@profiles(short=10, long=400)
def test_rows(inputs: int, tmp_path: Path) -> None:
    """What is written as Parquet, CSV or JSON is read row by row: no row appears, vanishes or changes its ids."""
    shop = ShopProject(tmp_path)

    def read(case: tuple[str, list[tuple[str, str, Any]]]) -> None:
        kind, rows = case
        rows = [(u, i, n if isinstance(n, int) and abs(n) < 2**63 else 0) for u, i, n in rows]
        path = tmp_path / f"log.{kind}"
        columns = {
            "user_id": [r[0] for r in rows],
            "item_id": [r[1] for r in rows],
            "position": [r[2] for r in rows],
        }
        if kind == "parquet":
            types = {"user_id": pa.string(), "item_id": pa.string(), "position": pa.int64()}
            pq.write_table(pa.table({n: pa.array(v, types[n]) for n, v in columns.items()}), path)
        elif kind == "json":
            path.write_text(
                "".join(
                    json.dumps({n: v[r] for n, v in columns.items()}) + "\n"
                    for r in range(len(rows))
                )
            )
        else:
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)
                writer.writerow(columns)
                writer.writerows(rows)
        found = compile_and_read(shop.dir, path)
        assert len(found) == len(rows)
        if kind == "parquet":
            assert Counter((r["user_id"], r["item_id"], r["position"]) for r in found) == Counter(
                rows
            )

    fuzz(
        "log rows",
        inputs,
        st.tuples(st.sampled_from(["parquet", "json", "csv"]), rows_of_logs),
        read,
    )


def write_parquet(
    folder: Path, rows: list[tuple[Any, Any, Any]], kind: pa.DataType
) -> dict[str, Any]:
    given = write_log(folder)
    path = folder / "log.parquet"
    columns = [
        pa.array([r[0] for r in rows], pa.string()),
        pa.array([r[1] for r in rows], pa.string()),
    ]
    table = pa.table(
        [*columns, pa.array([r[2] for r in rows], kind)], ["user_id", "item_id", "timestamp"]
    )
    pq.write_table(table, path)
    return {**given, "interactions": str(path)}


def build_index(folder: Path, given: dict[str, Any], rows: int) -> Project:
    """Build from the log to an index without language models, and hold it against what must be true of any log."""
    project = Project.load(ROOT, vars=given, target_path=folder / "target", env="fuzz")
    result = project.build(select="+index_swing_plain +log_report")
    for node in result.nodes:
        assert node.error is None or node.error.what, node
    if not result.published:
        failed = [c for c in result.checks if c.status in ("FAIL", "ERROR")]
        errors = [n for n in result.nodes if n.status == "ERROR"]
        assert failed or errors, "not published, and nobody says why"
        return project
    assert project.rows("select count(*) from log_events")[1] == [(rows,)]
    index = project.rows(
        "select trigger_item_id, related_item_id, score, rank from index_swing_plain"
    )[1]
    assert all(a != b and math.isfinite(s) and r >= 1 for a, b, s, r in index)
    assert len({(a, r) for a, _, _, r in index}) == len(index)
    known = {row[0] for row in project.rows("select item_id from items")[1]}
    assert {a for a, *_ in index} | {b for _, b, *_ in index} <= known
    return project


KINDS = [pa.int64(), pa.float64(), pa.timestamp("us"), pa.timestamp("ns", "UTC"), pa.date32(), pa.string(), pa.decimal128(20, 3), pa.bool_()]  # fmt: skip


@profiles(short=1, long=25)
def test_reference_project(inputs: int, tmp_path: Path) -> None:
    """The reference project on small logs of any ids and times."""
    some = st.lists(st.tuples(ids | st.none(), st.sampled_from([*"abcdefgh", "i'1", "\x00", ""]) | st.none(), st.integers(-3, 3) | st.none()), max_size=60)  # fmt: skip

    def run(case: tuple[list[tuple[Any, Any, Any]], pa.DataType, dict[str, Any]]) -> None:
        rows, kind, more = case
        rows = [(u, i, moment(t, kind)) for u, i, t in rows]
        given = write_parquet(tmp_path, rows, kind) | {
            "order_column": "timestamp",
            "max_rejected_share": 1.0,
        }
        build_index(tmp_path, given | more, len(rows))

    more = st.fixed_dictionaries({}, optional={"protocol": st.sampled_from(["paper", "standard", "standard_val"]), "min_events": st.sampled_from([0, 1, 5])})  # fmt: skip
    fuzz("reference project", inputs, st.tuples(some, st.sampled_from(KINDS), more), run)


def moment(number: int | None, kind: pa.DataType) -> Any:
    if number is None:
        return None
    day = datetime.datetime(2024, 1, 5) + datetime.timedelta(days=number)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return day
    if pa.types.is_floating(kind) and number == 3:
        return math.nan
    return (
        str(number)
        if pa.types.is_string(kind)
        else bool(number)
        if pa.types.is_boolean(kind)
        else number
    )


EDGES: dict[str, list[tuple[Any, Any, Any]]] = {
    "empty": [],
    "one_event": [("u", "i", 1)],
    "one_user": [("u", f"i{n}", n) for n in range(40)],
    "one_item": [(f"u{n}", "i", n) for n in range(40)],
    "all_equal_times": [(f"u{n % 9}", f"i{n % 7}", 0) for n in range(120)],
    "duplicates": [(f"u{n % 5}", f"i{n % 3}", n % 2) for n in range(300)],
    "no_ids": [(None, None, None)] * 20,
    "nobody_twice": [(f"u{n}", f"i{n}", n) for n in range(50)],
    "huge_ids": [("u" * 70_000 + str(n % 6), "i" * 70_000 + str(n % 5), n) for n in range(60)],
    "nul_and_unicode": [(IDS[n % len(IDS)], IDS[(n * 7) % len(IDS)], n) for n in range(200)],
    "infinite_times": [
        (f"u{n % 9}", f"i{n % 7}", [math.inf, -math.inf, math.nan][n % 3]) for n in range(60)
    ],
}


@pytest.mark.fuzz
@pytest.mark.parametrize("edge", EDGES)
def test_edges(edge: str, tmp_path: Path) -> None:
    rows = EDGES[edge]
    kind = pa.float64() if edge == "infinite_times" else pa.int64()
    given = write_parquet(tmp_path, rows, kind)
    build_index(
        tmp_path, given | {"order_column": "timestamp", "max_rejected_share": 1.0}, len(rows)
    )


@pytest.mark.fuzz
def test_a_user_of_a_million_events(tmp_path: Path) -> None:
    given = write_log(tmp_path)
    n = 1_000_000
    users = pa.array(["robot"] * n + [f"u{k % 300}" for k in range(3000)])
    items = pa.array(
        [f"i{(k * 7919) % 5000}" for k in range(n)] + [f"i{(k * 13) % 5000}" for k in range(3000)]
    )
    table = pa.table({"user_id": users, "item_id": items, "timestamp": pa.array(range(n + 3000))})
    pq.write_table(table, tmp_path / "big.parquet")
    given |= {"interactions": str(tmp_path / "big.parquet"), "order_column": "timestamp"}
    project = build_index(tmp_path, given, n + 3000)
    assert project.rows(
        "select max(n) from (select count(*) as n from interactions group by user_id)"
    )[1] == [(5000,)]
