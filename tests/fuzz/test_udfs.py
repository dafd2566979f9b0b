"""UDFs: what their files declare, and what they return."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from llm_i2i.engine.duckdb import DuckDBEngine
from llm_i2i.runner.project import Project
from llm_i2i.store.calls import CallCache
from llm_i2i.udf.batch import BatchCall, run_batch_call
from llm_i2i.udf.context import RowError, UdfContext
from llm_i2i.udf.registry import UdfRegistry
from llm_i2i.udf.signature import signature_of
from tests.fuzz.harness import fuzz, profiles, spoilt, texts, values
from tests.project.conftest import FILES

HEAD = "from __future__ import annotations\nimport pyarrow as pa\nfrom llm_i2i.udf import UdfContext, batch_udf, scalar_udf, table_udf\n"
ANNOTATIONS = ["str", "int", "float", "bool", "list[str]", "list[int]", "list[list[float]]", "list[str | None]", "str | None", "pa.Table", "UdfContext", "dict", "list", "[str]", "'str'", "object", "None", "Missing", "tuple[int, ...]", "int | str", "", "list[Missing]"]  # fmt: skip
RETURNS = ["VARCHAR", "double", "STRUCT(a DOUBLE, b VARCHAR[])", "BIGINT[]", "", "DUBLE", "DECIMAL(99, 1)", "x'); drop table t; --", "ENUM('a')", "NULL", "MAP(VARCHAR, INTEGER)"]  # fmt: skip


@st.composite
def udf_files(draw: st.DrawFn) -> str:
    """A Python file with one UDF of any shape."""
    parameters = []
    for name in draw(st.lists(st.sampled_from(["a", "b", "*", "context", "*args", "**more", "select", "model"]), max_size=4, unique=True)):  # fmt: skip
        hint = draw(st.sampled_from(ANNOTATIONS)) if name != "*" else ""
        default = (
            draw(st.sampled_from(["", "", " = None", " = 1", " = 'x'"])) if name.isalpha() else ""
        )
        parameters.append(f"{name}{': ' + hint if hint else ''}{default}")
    kind = draw(st.sampled_from(["batch_udf", "scalar_udf", "table_udf"]))
    returns: Any = draw(st.sampled_from(RETURNS) | texts)
    if kind == "table_udf":
        returns = draw(
            st.dictionaries(
                st.sampled_from(["a", "A", "b", "", 'x"y']) | texts, st.just(returns), max_size=3
            )
        )
    size = draw(
        st.sampled_from(
            ["", "", ", batch_size=0", ", batch_size=-1", ", batch_size='x'", ", batch_size=10**30"]
        )
    )
    options = f"returns={returns!r}{size if kind == 'batch_udf' else ''}"
    name = draw(st.sampled_from(["f", "count", "Ünï", "CALL_KEY", "read_csv", "_x"]))
    return f"{HEAD}\n@{kind}({options})\ndef {name}({', '.join(parameters)}):\n    return []\n"


@profiles(short=12, long=1500)
def test_files(inputs: int, tmp_path: Path) -> None:
    """A file of UDFs loads and each is bound in the engine, or the error names the file."""
    path = tmp_path / "functions.py"
    exits = ["import sys\nsys.exit(0)\n", "raise SystemExit\n", "raise KeyboardInterrupt\n"][:2]

    def load(text: str) -> None:
        path.write_bytes(text.encode())
        registry = UdfRegistry.load([tmp_path])
        binder, engine = DuckDBEngine(threads=1), DuckDBEngine(threads=1)
        try:
            for signature in registry.of_kind("scalar").values():
                binder.declare_macro(signature)
                engine.declare_scalar(signature, registry.function(signature.name))
        finally:
            binder.close()
            engine.close()

    files = [FILES["udfs/functions.py"], *exits]
    fuzz("udf files", inputs, udf_files() | spoilt(files) | st.sampled_from(exits), load)


def score(text: list[str], *, plus: float = 0.0) -> list[float]: ...


TYPES = [
    "DOUBLE",
    "BIGINT",
    "VARCHAR",
    "BOOLEAN",
    "VARCHAR[]",
    "STRUCT(a DOUBLE, b VARCHAR)",
    "STRUCT(a INTEGER)[]",
]
CELLS = st.one_of(
    values,
    st.just(RowError("no")),
    st.just({"a": 1.0, "b": "x"}),
    st.just([{"a": 1}]),
    st.just("\ud800"),
)
ANSWERS = st.one_of(
    st.lists(CELLS, min_size=3, max_size=3), values, st.lists(st.floats(), min_size=3, max_size=3),
    st.just(object()), st.builds(lambda: (i / 0 for i in range(3))), st.builds(iter, st.lists(st.floats(), max_size=4)),
)  # fmt: skip


@profiles(short=10, long=1200)
def test_answers(inputs: int, tmp_path: Path) -> None:
    """What a batch UDF returns is stored as it is, or refused with its name."""
    cases = st.tuples(ANSWERS, st.sampled_from(TYPES), st.floats() | st.just(0.5))
    engine = DuckDBEngine(threads=1)

    def run(case: tuple[Any, str, float]) -> None:
        answer, returns, plus = case
        counter = len(list(tmp_path.iterdir()))
        cache = CallCache(tmp_path / str(counter))
        signature = signature_of(score, "batch", returns, 10)
        call = BatchCall(
            "called", signature, lambda text, plus: answer, "select unnest(['a', 'b', 'c']) as called_arg_0",
            {"plus": plus}, Path(__file__), max_error_ratio=1.0,
        )  # fmt: skip
        context = UdfContext(tmp_path, tmp_path, tmp_path, "")
        run_batch_call(call, engine, cache, context)
        rows = dict(engine.rows("select called_arg_0, called_result from called"))
        if returns == "DOUBLE" and isinstance(answer, list):
            for name, value in zip("abc", answer, strict=True):
                if isinstance(value, float):  # a row whose answer is NaN has failed
                    assert name not in rows if math.isnan(value) else rows[name] == value

    fuzz("udf answers", inputs, cases, run)
    engine.close()


@profiles(short=8, long=800)
def test_arguments(inputs: int, tmp_path: Path) -> None:
    """Any text is a call of its own, found again in the cache; no two share a key."""
    cache = CallCache(tmp_path)
    signature = signature_of(score, "batch", "VARCHAR", 10)
    engine = DuckDBEngine(threads=1)

    def run(rows: list[str]) -> None:
        import pyarrow as pa

        engine._connection.register(
            "given", pa.table({"called_arg_0": pa.array(rows, pa.string())})
        )
        for again in (False, True):
            call = BatchCall(
                "called", signature, lambda text, plus=0.0: [t[::-1] for t in text], "select distinct called_arg_0 from given",
                {}, Path(__file__),
            )  # fmt: skip
            counts = run_batch_call(
                call, engine, cache, UdfContext(tmp_path, tmp_path, tmp_path, "")
            )
            found = engine.rows("select called_arg_0, called_result, called_key from called")
            assert {a: b for a, b, _ in found} == {t: t[::-1] for t in rows}
            assert len({key for *_, key in found}) == len(set(rows))
            assert counts.distinct == len(set(rows))
            assert not again or counts.made == 0

    fuzz(
        "udf arguments",
        inputs,
        st.lists(texts.filter(lambda t: "\ud800" not in t), max_size=5),
        run,
    )
    engine.close()


@profiles(short=5, long=600)
def test_served_calls(inputs: int, project: Project) -> None:
    """UDFs inside somebody's own DuckDB connection."""
    import duckdb

    from llm_i2i.runner.inspection.served import register_udfs

    connection = duckdb.connect()
    register_udfs(connection, project, only_cached=True)
    prompts = [row[0] for row in project.rows("select prompt from prompts limit 3")[1]]

    def call(value: Any) -> None:
        try:
            found = connection.execute(
                "select score(?, ?)", [value, "no such checkpoint"]
            ).fetchall()
            assert value is None
            assert found == [(None,)]
        except duckdb.Error as error:
            assert "score was asked for 1 calls that are not cached" in str(error)  # noqa: PT017

    fuzz("served udfs", inputs, st.none() | st.sampled_from(prompts) | texts, call)
