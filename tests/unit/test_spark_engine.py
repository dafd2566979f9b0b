"""The Spark engine on Sail: what `Engine` promises, and nothing left behind."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llm_i2i.engine.duckdb import DuckDBEngine
from llm_i2i.engine.spark import SparkEngine
from llm_i2i.engine.spark_batches import cuts
from llm_i2i.errors import EngineError, LlmI2iError
from llm_i2i.sql.portable.translate import translate
from llm_i2i.store.calls import CallCache
from llm_i2i.udf.batch import BatchCall, run_batch_call
from llm_i2i.udf.context import UdfContext
from llm_i2i.udf.signature import signature_of


@pytest.fixture
def engine(sail_url: str, tmp_path: Path) -> SparkEngine:
    engine = SparkEngine(
        sail_url,
        translate=translate,
        local=DuckDBEngine(threads=1),
        scratch=tmp_path / "scratch",
        driver_rows=1000,
    )
    yield engine
    engine.close()
    assert not list((tmp_path / "scratch").glob("*"))


def words(n: int) -> pa.Table:
    return pa.table({"id": pa.array(range(n), pa.int64()), "word": [f"w{i % 7}" for i in range(n)]})


def test_a_result_is_a_folder_of_parquet_that_duckdb_reads(
    engine: SparkEngine, tmp_path: Path
) -> None:
    engine.load("words", words(50))
    sql = "select word, list(id order by id desc) as ids, sum(id) as total from words group by word"
    assert engine.write_parquet(sql, tmp_path / "data.parquet") == 7
    local = DuckDBEngine(threads=1)
    local.declare_parquet("found", [tmp_path / "data.parquet"])
    local.load("words", words(50))
    assert local.columns("from found") == (
        ("word", "VARCHAR"),
        ("ids", "BIGINT[]"),
        ("total", "DOUBLE"),
    )
    assert local.rows("from found order by word") == local.rows(f"from ({sql}) order by word")
    assert all(path.suffix == ".parquet" for path in (tmp_path / "data.parquet").iterdir())


def test_an_empty_result_still_has_its_columns(engine: SparkEngine, tmp_path: Path) -> None:
    engine.load("words", words(3))
    assert engine.write_parquet("select id, word from words where id > 9", tmp_path / "d") == 0
    assert pq.read_table(tmp_path / "d").schema.names == ["id", "word"]
    assert engine.rows("select id from words where id > 9") == []


def test_order_by_holds_through_a_parquet_folder(engine: SparkEngine) -> None:
    engine.load("words", words(500))
    sql = "select id, word from words order by word desc, id"
    local = DuckDBEngine(threads=1)
    local.load("words", words(500))
    assert engine.rows(sql) == local.rows(sql)
    assert engine.table(sql).to_pylist() == local.table(sql).to_pylist()


def test_tables_views_and_files_can_be_read(engine: SparkEngine, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("user,n\na,1\nb,2\n")
    scan = f"select * from read_csv(['{tmp_path / 'log.csv'}'])"
    engine.declare_files("log", scan, tmp_path / "cache" / "log-1.parquet")
    engine.declare_query("big", "select user, n * 2 as twice from log where n > 1")
    engine.create_table("kept", "select * from big")
    engine.create_table("kept", "select user, twice + 1 as more from kept")
    assert engine.rows("from kept") == [("b", 5)]
    assert engine.table("select n from log").schema == pa.schema({"n": pa.int64()})


def test_messages_are_ours(engine: SparkEngine) -> None:
    engine.load("words", words(3))
    with pytest.raises(EngineError, match="too few"):
        engine.run("select error('too few') from words")
    with pytest.raises(EngineError, match="hash"):
        engine.rows("select hash(word) as h from words")
    engine.load("many", words(1001))
    with pytest.raises(EngineError, match="1,001 rows are too many for one machine"):
        engine.table("from many")


def test_an_absent_server_is_named(tmp_path: Path) -> None:
    with pytest.raises(LlmI2iError) as caught:
        SparkEngine(
            "sc://127.0.0.1:9/;token=secret",
            translate=translate,
            local=DuckDBEngine(threads=1),
            scratch=tmp_path,
        )
    assert caught.value.what == "Spark Connect does not answer"
    assert "secret" not in str(caught.value)


def test_batches_are_those_of_duckdb_whatever_the_files(tmp_path: Path) -> None:
    """A language model's last digits depend on what else is in a batch."""
    table = words(21)
    for part, (start, end) in enumerate(((0, 7), (7, 7), (7, 19), (19, 21))):
        rows = table.slice(start, end - start)
        pq.write_table(rows, tmp_path / f"part-{part}.parquet", row_group_size=4)
    found = [cut.read().column("id").to_pylist() for cut in cuts(tmp_path, 5)]
    local = DuckDBEngine(threads=1)
    local.load("words", table)
    expected = [b.column("id").to_pylist() for b in local.batches("select * from words", 5)]
    assert found == expected
    assert [len(batch) for batch in found] == [5, 5, 5, 5, 1]
    assert cuts(tmp_path / "nothing", 5) == []


def shout(word: list[str], *, mark: str) -> list[str]:
    if "w6" in word and mark == "!":
        raise ValueError("no w6")
    return [w.upper() + mark for w in word]


def run_shout(engine, cache: CallCache, mark: str, tmp_path: Path, where: str = "true"):
    call = BatchCall(
        relation="__call_1",
        signature=signature_of(shout, "batch", "VARCHAR", 2),
        function=shout,
        arguments=f"select distinct word as __call_1_arg_0 from words where {where}",
        constants={"mark": mark},
        file=Path(__file__),
        node="loud",
    )
    context = UdfContext(tmp_path, tmp_path, tmp_path / "artifact", "a/b")
    return run_batch_call(call, engine, cache, context), call


def test_batch_calls_run_in_workers_and_share_the_cache_with_duckdb(
    engine: SparkEngine, tmp_path: Path
) -> None:
    cache = CallCache(tmp_path / "target")
    engine.load("words", words(50))
    counts, call = run_shout(engine, cache, "?", tmp_path, "word < 'w4'")
    assert (counts.distinct, counts.cached) == (4, 0)
    answers = engine.rows("select * exclude (__call_1_key) from __call_1 order by __call_1_arg_0")
    assert answers == [(f"w{i}", f"W{i}?") for i in range(4)]
    assert sum(s.rows for s in cache.described("shout", call.group)) == 4

    local = DuckDBEngine(threads=1)
    local.load("words", words(50))
    counts, call = run_shout(local, cache, "?", tmp_path)
    assert (counts.distinct, counts.cached) == (7, 4)


def test_an_error_in_a_worker_is_reported_once_and_keeps_what_is_done(
    engine: SparkEngine, tmp_path: Path
) -> None:
    cache = CallCache(tmp_path / "target")
    engine.load("words", words(50))
    with pytest.raises(LlmI2iError) as caught:
        run_shout(engine, cache, "!", tmp_path)
    assert "ValueError: no w6" in caught.value.what
    assert Path(__file__).name in caught.value.where
    counts, _ = run_shout(engine, cache, "!", tmp_path, "word <> 'w6'")
    assert counts.distinct == 6


def test_a_batch_that_is_committed_is_not_called_again(engine: SparkEngine, tmp_path: Path) -> None:
    """What Spark does when it loses a worker: the same batch comes again."""
    cache = CallCache(tmp_path / "target")
    engine.load("words", words(50))
    _, call = run_shout(engine, cache, "?", tmp_path)
    from llm_i2i.udf.batch import BatchWork

    work = BatchWork(call, cache, UdfContext(tmp_path, tmp_path, tmp_path, "a"), pa.string())
    batch = pa.RecordBatch.from_pydict({"__call_1_arg_0": ["w0", "x"]})
    first = work(batch)
    again = work(batch)
    assert (first.amount.calls, again.amount.calls) == (2, 2)
    assert first.amount.seconds > 0
    assert again.amount.seconds == 0
    assert not again.errors
