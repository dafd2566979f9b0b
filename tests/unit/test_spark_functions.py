"""Functions that Spark gets from us, against DuckDB's own."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from llm_i2i.engine.duckdb import DuckDBEngine
from llm_i2i.engine.spark_functions import dot_product


def test_a_dot_product_is_duckdbs() -> None:
    rng = np.random.default_rng(0)
    lists = [rng.normal(size=n).astype(np.float32).tolist() for n in (128, 0, 3, 1, 128)]
    first = pa.array([*lists, None, [1.0]], pa.list_(pa.float32()))
    second = pa.array([*[x[::-1] for x in lists], [1.0], None], pa.list_(pa.float32()))
    local = DuckDBEngine(threads=1)
    local.load("t", pa.table({"n": range(7), "a": first, "b": second}))
    sql = "select list_dot_product(cast(a as double[]), cast(b as double[])) from t order by n"
    expected = [value for (value,) in local.rows(sql)]
    found = dot_product(first, second).to_pylist()
    assert found[:5] == pytest.approx(expected[:5], rel=1e-12)
    assert found[5:] == expected[5:] == [None, None]
    part = dot_product(first.slice(2, 2), second.slice(2, 2)).to_pylist()
    assert part == pytest.approx(expected[2:4], rel=1e-12)
    integers = dot_product(pa.array([[1, 2]]), pa.array([[3.0, 4.5]]))
    assert integers.to_pylist() == [12.0]
    assert dot_product(first.slice(0, 0), second.slice(0, 0)).to_pylist() == []


def test_lists_of_different_lengths_are_an_error_as_in_duckdb() -> None:
    with pytest.raises(ValueError, match="different lengths"):
        dot_product(pa.array([[1.0, 2.0]]), pa.array([[1.0]]))
