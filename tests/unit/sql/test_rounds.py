"""Recursive CTEs with USING KEY, run in rounds: the same rows as DuckDB's own recursion."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_i2i.engine.duckdb import DuckDBEngine
from llm_i2i.engine.spark import SparkEngine
from llm_i2i.errors import EngineError
from llm_i2i.names import CHANGED, FOUND
from llm_i2i.sql.portable.rounds import Rounds, rounds
from llm_i2i.sql.portable.translate import translate

EDGES = "select * from (values (1, 2), (2, 3), (3, 1), (4, 5), (6, null)) as e(a, b)"
# The smallest number that each node can be reached from: rows are replaced, not only added.
REACHED = """
    with recursive both_ways as (select a, b from edges where b is not null union all select b, a from edges where b is not null),
    nodes as (select distinct a as node from both_ways),
    label(node, least) using key (node) as (
        select node, node from nodes
        union
        select l.node, least(l.least, min(r.least)) from recurring.label as l inner join both_ways as e on e.a = l.node
            inner join recurring.label as r on r.node = e.b
        group by l.node, l.least
    )
    select node, least from label where node > 0
"""


def run_here(parts: Rounds, engine: DuckDBEngine) -> list[tuple[object, ...]]:
    engine.create_table(FOUND, parts.first)
    for _ in range(20):
        if not engine.create_table(CHANGED, parts.again):
            break
        engine.create_table(FOUND, parts.merged)
    return sorted(engine.rows(parts.result))


def test_rounds_give_what_duckdb_gives() -> None:
    engine = DuckDBEngine(threads=1)
    engine.create_table("edges", EDGES)
    parts = rounds(REACHED)
    assert parts is not None
    assert "both_ways" not in parts.result
    expected = sorted(engine.rows(REACHED))
    assert expected == [(1, 1), (2, 1), (3, 1), (4, 4), (5, 4)]
    assert run_here(parts, engine) == expected


def test_rounds_run_on_a_spark_dialect_and_leave_nothing(sail_url: str, tmp_path: Path) -> None:
    local = DuckDBEngine(threads=1)
    engine = SparkEngine(
        sail_url, translate=translate, local=local, scratch=tmp_path / "scratch", rounds=rounds
    )
    engine.create_table("edges", EDGES)
    expected = sorted(local.rows(REACHED))
    assert engine.write_parquet(REACHED, tmp_path / "out") == len(expected)
    local.declare_parquet("found", [tmp_path / "out"])
    assert sorted(local.rows("from found")) == expected
    engine.close()
    assert not list((tmp_path / "scratch").glob("*"))


@pytest.mark.parametrize(
    "sql",
    [
        "with recursive n as (select 1 as i union all select i + 1 from n where i < 5) select i from n",
        REACHED.replace("recurring.label as l", "label as l"),
        REACHED.replace("        union\n", "        union all\n"),
    ],
    ids=["no key", "rows of the last round", "union all"],
)
def test_what_cannot_run_in_rounds_is_refused_on_spark(
    sql: str, sail_url: str, tmp_path: Path
) -> None:
    assert rounds(sql) is None
    local = DuckDBEngine(threads=1)
    engine = SparkEngine(
        sail_url, translate=translate, local=local, scratch=tmp_path / "scratch", rounds=rounds
    )
    engine.create_table("edges", EDGES)
    with pytest.raises(EngineError, match="recursive CTE cannot be carried") as caught:
        engine.write_parquet(sql, tmp_path / "out")
    assert "USING KEY" in caught.value.fix
    engine.close()
