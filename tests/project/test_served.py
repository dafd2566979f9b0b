"""A project's UDFs in a DuckDB connection of one's own: no call is ever made twice."""

from __future__ import annotations

import duckdb
import pytest

from llm_i2i.errors import ProjectError
from llm_i2i.runner.inspection.served import register_udfs
from llm_i2i.runner.project import Project
from tests.project.conftest import ShopProject

CHECKPOINT = "select any_value(checkpoint) from trained"
QUERY = "select user_id, score(prompt, (select any_value(checkpoint) from trained)) as score from prompts"


@pytest.fixture
def built(shop: ShopProject) -> ShopProject:
    assert Project.load(shop.dir).build().success
    shop.calls()
    return shop


def connect(shop: ShopProject, **options: object) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(str(shop.dir / "target" / "dev.duckdb"), read_only=True)
    register_udfs(connection, Project.load(shop.dir), **options)  # type: ignore[arg-type]
    return connection


def test_what_a_build_called_is_served(built: ShopProject) -> None:
    connection = connect(built, only_cached=True)
    served = connection.sql(f"{QUERY} order by all").fetchall()
    assert served == connection.sql("select user_id, score from scored order by all").fetchall()
    assert built.calls() == []


def test_a_new_call_is_made_once_and_kept(built: ShopProject) -> None:
    query = f"select score('new ' || (i % 5), ({CHECKPOINT})) from range(5000) as t(i)"
    values = connect(built).sql(query).fetchall()
    assert sorted(built.calls()) == [f"new {i}" for i in range(5)]
    assert len(set(values)) == 5
    assert connect(built, only_cached=True).sql(query).fetchall() == values
    assert built.calls() == []


def test_a_build_finds_what_a_query_called(built: ShopProject) -> None:
    query = f"select score(replace(prompt, 'Earth', 'Mars'), ({CHECKPOINT})) from prompts"
    connect(built).sql(query).fetchall()
    assert len(built.calls()) == 20
    assert Project.load(built.dir, vars={"planet": "Mars"}).build().success
    assert built.calls() == []


def test_a_call_that_is_not_cached_can_be_refused(built: ShopProject) -> None:
    query = f"select score('never', ({CHECKPOINT}))"
    with pytest.raises(duckdb.Error, match="score was asked for 1 calls that are not cached"):
        connect(built, only_cached=True).sql(query).fetchall()
    assert built.calls() == []


def test_null_asks_nothing(built: ShopProject) -> None:
    assert connect(built).sql(f"select score(null, ({CHECKPOINT}))").fetchall() == [(None,)]
    assert built.calls() == []


def test_named_arguments_can_be_fixed(built: ShopProject) -> None:
    ((checkpoint,),) = Project.load(built.dir).rows(CHECKPOINT)[1]
    connection = connect(built, constants={"score": {"model": checkpoint}}, only_cached=True)
    assert len(connection.sql("select score(prompt) from prompts").fetchall()) == 20


def test_structs_lists_and_scalar_functions(shop: ShopProject) -> None:
    shop.write(
        "udfs/more.py",
        '''
        """More kinds of UDFs."""

        from llm_i2i.udf import batch_udf, scalar_udf


        @scalar_udf(returns="BIGINT")
        def twice(x: int) -> int:
            return 2 * x


        @batch_udf(returns="STRUCT(item VARCHAR, p DOUBLE)[]")
        def pick(items: list[list[str]], *, n: int = 1) -> list[list[dict[str, object]]]:
            return [[{"item": one, "p": 0.5} for one in row[:n]] for row in items]
        ''',
    )
    connection = duckdb.connect()
    names = register_udfs(connection, Project.load(shop.dir), constants={"pick": {"n": 2}})
    assert names == ["pick(items)", "score(prompt, model)", "twice(x)"]
    (row,) = connection.sql("select twice(21), pick(['a', 'b', 'c'])").fetchall()
    assert row == (42, [{"item": "a", "p": 0.5}, {"item": "b", "p": 0.5}])


def test_wrong_names_are_refused(built: ShopProject) -> None:
    with pytest.raises(ProjectError, match="no UDF 'scor'") as error:
        connect(built, constants={"scor": {}})
    assert error.value.fix == "did you mean 'score'?"
    with pytest.raises(ProjectError, match="no named argument 'modle'"):
        connect(built, constants={"score": {"modle": "x"}})
