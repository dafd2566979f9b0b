"""Apache Spark through Spark Connect: queries run on the cluster, results are Parquet folders of the same store.

DuckDB in this process stays beside it, with the same relations: it binds queries and names types, so that both engines agree on every
column. Paths are read and written by driver and executors alike, so the project and its target folder lie on a filesystem that they share.
"""

from __future__ import annotations

import contextlib
import glob
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from llm_i2i.engine.base import Columns, Engine, Outcome
from llm_i2i.errors import EngineError, LlmI2iError, ProjectError, ProjectErrors
from llm_i2i.names import CHANGED, DOT_PRODUCT, FOUND, quote_identifier

if TYPE_CHECKING:
    import pyarrow as pa

    from llm_i2i.udf.signature import Signature

PORT = 15002  # Spark Connect's own
SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",  # an overflow stops the query, as in DuckDB, and does not wrap around
    "spark.sql.parquet.compression.codec": "zstd",
}


class Translate(Protocol):
    """DuckDB SQL -> Spark SQL; see `llm_i2i.sql.portable.translate`."""

    def __call__(
        self,
        sql: str,
        relations: Mapping[str, Columns],
        columns: Columns,
        binder: Any,
        udfs: Sequence[str],
    ) -> str: ...


class Rounds(Protocol):
    """A query that is run in rounds, over the relations `FOUND` and `CHANGED`; see `llm_i2i.sql.portable.rounds`."""

    @property
    def first(self) -> str: ...
    @property
    def again(self) -> str: ...
    @property
    def merged(self) -> str: ...
    @property
    def result(self) -> str: ...


class SparkEngine:
    """One Connect session. Tables of the session are Parquet folders below `scratch`, removed by `close`.

    Args:
        url: sc://host:port.
        local: DuckDB in this process.
        scratch: A folder that the cluster can write to.
        conf: Spark SQL settings over ours.
        driver_rows: Most rows that `table` brings to this process.
        rounds: The rounds of a query, None where it takes none.
    """

    def __init__(
        self,
        url: str,
        *,
        translate: Translate,
        local: Engine,
        scratch: Path,
        conf: Mapping[str, str] | None = None,
        driver_rows: int = 50_000_000,
        rounds: Callable[[str], Rounds | None] = lambda sql: None,
    ) -> None:
        self._session = connect(url, {**SETTINGS, **(conf or {})})
        self._translate = translate
        self._local = local
        self._scratch = scratch / uuid.uuid4().hex
        self._driver_rows = driver_rows
        self._rounds = rounds
        self._relations: dict[str, Columns] = {}
        self._tables: dict[str, Path] = {}
        self._udfs: list[str] = []
        self._functions: set[str] = set()

    # -- binding: DuckDB does it ---------------------------------------------------------------------------------------

    def columns(self, sql: str) -> Columns:
        return self._local.columns(sql)

    def arrow_schema(self, columns: Columns) -> pa.Schema:
        return self._local.arrow_schema(columns)

    def declare(self, name: str, columns: Columns) -> None:
        self._local.declare(name, columns)
        self._relations[name] = columns

    def declare_macro(self, signature: Signature) -> None:
        self._local.declare_macro(signature)
        self._udfs.append(signature.name.lower())

    # -- relations -----------------------------------------------------------------------------------------------------

    def declare_parquet(self, name: str, paths: Sequence[Path]) -> None:
        self._local.declare_parquet(name, paths)
        columns = self._relations[name] = self._local.columns(f"from {quote_identifier(name)}")
        with _named_errors():
            reader = self._session.read
            schema = _spark_schema(self.arrow_schema(columns))
            if schema is not None:  # saves the job that would look for it in the files
                reader = reader.schema(schema)
            frame = reader.parquet(*(file.as_uri() for path in paths for file in _listed(path)))
            frame.createOrReplaceTempView(name)

    def declare_files(self, name: str, scan: str, copy: Path) -> None:
        if (
            not copy.exists()
        ):  # DuckDB reads text files here, once, so that both engines see the same values
            copy.parent.mkdir(parents=True, exist_ok=True)
            beside = copy.with_name(f".{uuid.uuid4().hex}.tmp")
            self._local.write_parquet(scan, beside)
            beside.replace(copy)
        self.declare_parquet(name, [copy])

    def declare_query(self, name: str, sql: str) -> None:
        with _named_errors():
            self._session.sql(self._carried(sql)).createOrReplaceTempView(name)
        self._local.declare_query(name, sql)
        self._relations[name] = self._local.columns(f"from {quote_identifier(name)}")

    def declare_scalar(self, signature: Signature, function: Callable[..., Any]) -> None:
        self._local.declare_scalar(signature, function)
        self._udfs.append(signature.name.lower())
        with _named_errors():
            ship(function)
            from pyspark.sql.pandas.types import from_arrow_type

            result = self.arrow_schema((("result", str(signature.returns)),)).field(0).type
            self._session.udf.register(signature.name, function, from_arrow_type(result))

    def create_table(self, name: str, sql: str) -> int:
        path = self._table_path(name)
        n_rows = self.write_parquet(sql, path)
        self.declare_parquet(name, [path])
        return n_rows

    def load(self, name: str, table: pa.Table) -> None:
        import pyarrow.parquet as pq

        path = self._table_path(name)
        path.mkdir(parents=True)
        pq.write_table(table, path / "part.parquet")
        self.declare_parquet(name, [path])

    def _table_path(self, name: str) -> Path:
        """A new folder for a table: what replaces a table may read the one it replaces."""
        self._tables[name] = self._scratch / f"{name}-{uuid.uuid4().hex[:8]}"
        return self._tables[name]

    # -- results -------------------------------------------------------------------------------------------------------

    def run(self, sql: str) -> None:
        """A statement of DuckDB, run in this process over the same files: a hook that checks or copies rows."""
        self._local.run(sql)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        columns = [column.to_pylist() for column in self._collected(sql).columns]
        return list(zip(*columns, strict=True))

    def local_rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._local.rows(sql)

    def table(self, sql: str) -> pa.Table:
        """In the query's order.

        Raises:
            EngineError: More than `driver_rows` rows; they are counted before any is fetched.
        """
        with _named_errors():
            frame = self._session.sql(self._carried(sql))
            n_rows = frame.count()
        if n_rows > self._driver_rows:
            raise EngineError(
                f"{n_rows:,} rows are too many for one machine: a table UDF runs in this process",
                found=f"driver_rows: {self._driver_rows:,}",
                fix="sample or aggregate its input in a model; or raise driver_rows of the target where memory allows",
            )
        with _named_errors():
            return frame.toArrow().cast(self.arrow_schema(self.columns(sql)))

    def batches(self, sql: str, size: int) -> Iterator[pa.RecordBatch]:
        yield from self._collected(sql).combine_chunks().to_batches(max_chunksize=size)

    def map_batches(
        self,
        relation: str,
        size: int,
        work: Callable[[pa.RecordBatch], Outcome],
        by_value: Sequence[Callable[..., Any]] = (),
        next_size: Callable[[], int] | None = None,
    ) -> Iterator[Outcome]:
        from llm_i2i.engine.spark_batches import run_on_executors

        for function in by_value:
            ship(function)
        yield from run_on_executors(self._session, self._tables[relation], size, work)

    def write_parquet(self, sql: str, path: Path) -> int:
        import pyarrow.parquet as pq

        sql = self._after_rounds(sql)
        with _named_errors():
            frame = self._session.sql(self._carried(sql))
            frame.write.mode("overwrite").parquet(path.resolve().as_uri())
        for extra in [*path.glob("_*"), *path.glob(".*")]:  # marks of the job, checksums
            extra.unlink() if extra.is_file() else shutil.rmtree(extra)
        files = sorted(path.glob("*.parquet"))
        if not files:
            path.mkdir(parents=True, exist_ok=True)
            pq.write_table(
                self.arrow_schema(self.columns(sql)).empty_table(), path / "part.parquet"
            )
        return sum(pq.read_metadata(file).num_rows for file in files)

    def _after_rounds(self, sql: str) -> str:
        """Run the rounds of a recursive query, each a table of this session; the query that is left."""
        parts = self._rounds(sql)
        if parts is None:
            return sql
        self.create_table(FOUND, parts.first)
        while self.create_table(CHANGED, parts.again):
            old = [self._tables[FOUND], self._tables[CHANGED]]
            self.create_table(FOUND, parts.merged)
            for folder in old:
                shutil.rmtree(folder, ignore_errors=True)
        return parts.result

    def close(self) -> None:
        with _named_errors():
            self._session.stop()
        self._local.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _carried(self, sql: str) -> str:
        columns = self.columns(sql)
        try:
            carried = self._translate(sql, self._relations, columns, self._local, self._udfs)
        except ProjectError as error:
            first = error.errors[0] if isinstance(error, ProjectErrors) else error
            raise EngineError(first.what, found=first.found, fix=first.fix) from error
        register_functions(self._session, carried, self._functions)
        return carried

    def _collected(self, sql: str) -> pa.Table:
        with _named_errors():
            table: pa.Table = self._session.sql(self._carried(sql)).toArrow()
            return table


def connect(url: str, conf: Mapping[str, str]) -> Any:
    """A Connect session of its own: what is declared in it nobody else sees."""
    import warnings

    _knock(url)
    try:
        with warnings.catch_warnings(), _a_main_file():
            warnings.simplefilter("ignore")  # of pyspark on a newer pandas, which is not used here
            from pyspark.sql import SparkSession

            builder = SparkSession.builder.remote(url)
            for key, value in conf.items():
                builder = builder.config(key, value)
            session = builder.create()
            session.version  # noqa: B018 - asks the server
    except ImportError as error:
        raise ProjectError(
            "a spark target needs the spark extra",
            found=str(error),
            fix="pip install 'llm_i2i[spark]'",
        ) from error
    except Exception as error:
        raise _no_answer(url, error) from error
    return session


@contextlib.contextmanager
def _a_main_file() -> Iterator[None]:
    """Let the main module name a file: without one (`python -c`, a worker of pytest-xdist) pyspark takes itself for under test, and exits."""
    main = sys.modules["__main__"]
    if hasattr(main, "__file__"):
        yield
        return
    main.__file__ = "-c"
    try:
        yield
    finally:
        del main.__file__


def _knock(url: str) -> None:
    """See whether anybody listens: the client itself would try for ten minutes.

    Raises:
        ProjectError: Nobody does.
    """
    import socket

    host, _, port = url.removeprefix("sc://").partition("/")[0].partition(";")[0].partition(":")
    try:
        socket.create_connection((host, int(port or PORT)), timeout=10).close()
    except (OSError, ValueError) as error:
        raise _no_answer(url, error) from error


def _no_answer(url: str, error: Exception) -> ProjectError:
    said = str(error).splitlines()[0][:200] if str(error) else ""
    return ProjectError(
        "Spark Connect does not answer",
        where=url.partition("/;")[0],  # what follows may be a token
        found=f"{type(error).__name__}: {said}",
        fix="is the server running, and does the url of the target name it? `--target dev` runs here",
    )


class _named_errors:
    """Spark's exceptions as ours, the first line of the message."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is None or isinstance(error, (LlmI2iError, KeyboardInterrupt, GeneratorExit)):
            return
        if not isinstance(error, Exception):
            return
        text = str(error).strip()
        raise EngineError(
            text.splitlines()[0][:300] if text else type(error).__name__,
            found=" ".join(text.splitlines()[1:4])[:300],
        ) from error


def register_functions(session: Any, sql: str, known: set[str]) -> None:
    """Register the functions of ours that a query calls; `known` are those that the session has, and is added to."""
    if DOT_PRODUCT not in sql.lower() or DOT_PRODUCT in known:
        return
    from pyspark.sql.functions import arrow_udf

    from llm_i2i.engine.spark_functions import dot_product

    session.udf.register(DOT_PRODUCT, arrow_udf(dot_product, "double"))
    known.add(DOT_PRODUCT)


def ship(function: Callable[..., Any]) -> None:
    """Let a function of a project's udfs/ travel by its code: the module's file need not be on the executors."""
    import sys

    from pyspark import cloudpickle

    module = sys.modules.get(function.__module__)
    if module is not None and not function.__module__.startswith("llm_i2i."):
        cloudpickle.register_pickle_by_value(module)


def _listed(path: Path) -> list[Path]:
    """A file or folder itself, absolute; the files of a pattern."""
    if "*" not in path.name:
        return [path.resolve()]
    return [
        Path(found).resolve()
        for found in sorted(glob.glob(str(path), recursive=True))
        if Path(found).is_file()
    ]


def _spark_schema(schema: pa.Schema) -> Any:
    """The same columns for Spark; None where a type is not Spark's own, such as an unsigned integer."""
    import pyarrow as pa
    from pyspark.errors import PySparkException
    from pyspark.sql.pandas.types import from_arrow_type
    from pyspark.sql.types import StructField, StructType

    if any(pa.types.is_unsigned_integer(field.type) for field in schema):
        return None
    try:
        return StructType(
            [
                StructField(f.name, from_arrow_type(f.type, prefer_timestamp_ntz=True))
                for f in schema
            ]
        )
    except PySparkException:
        return None
