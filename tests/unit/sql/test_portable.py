"""DuckDB SQL carried to Spark: golden pairs, their rows on both engines, and what is refused.

`tests/golden/portable/<name>.sql` holds a query and, behind a line `-- spark:`, its translation. To write the translations anew:
`python -m tests.unit.sql.test_portable`; then read the difference.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from llm_i2i.engine.duckdb import DuckDBEngine
from llm_i2i.engine.spark import register_functions
from llm_i2i.errors import LlmI2iError
from llm_i2i.sql.portable.translate import RULES, translate

GOLDEN = Path(__file__).parents[2] / "golden" / "portable"
MARK = "-- spark:\n"
TABLE = """
select * from (values
    (1, 3, 0.5::double, 0.1::float, 'b c', true, [1, 2, 3], timestamp '2024-02-03 10:30:00'),
    (2, 0, 1.5, 2.5, 'a', false, [5], timestamp '2024-02-29 23:59:59'),
    (3, 1, 2.5, -1.5, null, true, [], timestamp '2023-12-31 00:00:00'),
    (4, 7, -2.5, 1e-3, 'a', null, [4, 4, 2], null),
    (5, 2, null, 3.75, 'b c', true, null, timestamp '2024-02-03 10:30:00')
) as v(id, n, x, f, s, b, l, ts)
"""
PAIRS = sorted(GOLDEN.glob("*.sql"))


@pytest.fixture
def engine() -> DuckDBEngine:
    engine = DuckDBEngine(threads=1)
    engine.run(f"create table t as {TABLE}")
    return engine


def carried(sql: str, engine: DuckDBEngine) -> str:
    return translate(sql, {"t": engine.columns("select * from t")}, engine.columns(sql), engine)


def parts(path: Path) -> tuple[str, str]:
    query, _, translation = path.read_text(encoding="utf-8").partition(MARK)
    return query.strip(), translation.strip()


@pytest.mark.parametrize("path", PAIRS, ids=lambda p: p.stem)
def test_golden_translation(path: Path, engine: DuckDBEngine) -> None:
    query, translation = parts(path)
    assert carried(query, engine) == translation


@pytest.mark.parametrize("path", PAIRS, ids=lambda p: p.stem)
def test_golden_rows_are_the_same_on_a_spark_dialect(
    path: Path, engine: DuckDBEngine, sail
) -> None:
    query, translation = parts(path)
    sail.createDataFrame(engine.table("select * from t")).createOrReplaceTempView("t")
    register_functions(sail, translation, set())
    found = sail.sql(translation).toArrow().to_pylist()
    expected = engine.table(query).to_pylist()
    assert sorted(map(repr, map(plain, found))) == sorted(map(repr, map(plain, expected)))


def plain(value: Any) -> Any:
    """A row with all its numbers as floats of ten digits: HUGEINT comes as Decimal."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    is_number = isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)
    return float(f"{value:.10g}") if is_number else value


def test_every_rule_shows_sql_before_and_after_and_has_a_golden_pair() -> None:
    for rule in RULES:
        assert "Before:" in (rule.__doc__ or ""), rule
        assert "After:" in (rule.__doc__ or ""), rule
        name = rule.__name__
        assert (GOLDEN / f"{name}.sql").exists() or name == "printed_float", name


@pytest.mark.parametrize(
    ("sql", "what", "fix"),
    [
        ("select hash(s) as h from t", "hash(...)", "random_number"),
        ("select random() as r from t", "random", "random_number"),
        ("select list(id) as l from t", "left to chance", "order by k"),
        ("select cast(x as varchar) as s from t", "prints a float", "DECIMAL"),
        ("select list_sum(l) as s from t", "list_sum", "unnest"),
        ("select id from t using sample 10%", "a sample", "random_number"),
        ("select a.id from t as a asof join t as b on a.n >= b.n", "ASOF", "row_number"),
        ("select max(columns(lambda c: c = 'n')) as n from t", "COLUMNS()", "name the columns"),
        ("select strftime(ts, '%d') as d from t", "cannot be carried", "date_trunc"),
        ("select unnest(l) + 1 as e from t", "unnest inside", "CTE"),
        ("select unnest(l) as e, unnest(l) as g from t", "two unnests", "range(1, len(l) + 1)"),
        ("select l[1:-1] as e from t", "[1:-1]", "positive ends"),
        ("with recursive r as (select 1 as i union all select i + 1 from r where i < 3) select i from r", "recursive", "unroll"),
        ("select list_dot_product(cast(l as float[]), cast(l as float[])) as d from t", "LIST_DOT_PRODUCT", "DOUBLE[]"),
        ("select distinct on (s) s, id from t qualify row_number() over (order by id) > 1", "DISTINCT ON with QUALIFY", "row_number()"),
        ("select jaccard(s, s) as j from t", "jaccard(...)", "docs/spark.md"),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_is_refused_with_the_portable_way(
    sql: str, what: str, fix: str, engine: DuckDBEngine
) -> None:
    with pytest.raises(LlmI2iError) as caught:
        carried(sql, engine)
    assert what in str(caught.value)
    assert fix in caught.value.fix


def test_outputs_have_the_declared_names_and_types(engine: DuckDBEngine, sail) -> None:
    sail.createDataFrame(engine.table("select * from t")).createOrReplaceTempView("t")
    sql = 'select sum(n) as "Total Sum", count(*) as n, avg(f) as mean, cast(1 as utinyint) as tiny from t'
    schema = sail.sql(carried(sql, engine)).toArrow().schema
    assert [(f.name, str(f.type)) for f in schema] == [
        ("Total Sum", "double"),  # HUGEINT, as DuckDB writes it to Parquet
        ("n", "int64"),
        ("mean", "double"),
        ("tiny", "int16"),
    ]


def rewrite_golden() -> None:
    engine = DuckDBEngine(threads=1)
    engine.run(f"create table t as {TABLE}")
    for path in PAIRS:
        query, _ = parts(path)
        path.write_text(f"{query}\n{MARK}{carried(query, engine)}\n", encoding="utf-8")


if __name__ == "__main__":
    rewrite_golden()
