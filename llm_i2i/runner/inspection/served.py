"""A project's UDFs inside any DuckDB connection: cached calls are served, others are made and cached.

DuckDB calls a function on at most 2,048 rows at a time, as often as it likes and from several threads. Here that costs nothing: a
call that was ever made, by a build or by a query, is looked up. Large work still belongs into a build, which sends large batches.
"""

from __future__ import annotations

import inspect
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from llm_i2i.config.base import unknown_fix
from llm_i2i.errors import NodeError, ProjectError
from llm_i2i.names import argument_column, result_column
from llm_i2i.runner.build.meter import call_meter
from llm_i2i.udf.batch import BatchCall, run_batch_call
from llm_i2i.udf.context import UdfContext
from llm_i2i.udf.signature import Parameter, Signature

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from llm_i2i.store.calls import CallCache
    from llm_i2i.store.store import Store
    from llm_i2i.udf.registry import UdfRegistry

RELATION, ARGUMENTS = "called", "arguments"
Row = tuple[Any, ...]


class HasUdfs(Protocol):
    """What is used of a project here: its UDFs, and what their calls need."""

    @property
    def dir(self) -> Path: ...
    @property
    def store(self) -> Store: ...
    @property
    def calls(self) -> CallCache: ...
    @property
    def udfs(self) -> UdfRegistry: ...
    @property
    def serving(self) -> Mapping[str, Any]: ...


def register_udfs(
    connection: duckdb.DuckDBPyConnection,
    project: HasUdfs,
    *,
    constants: Mapping[str, Mapping[str, Any]] | None = None,
    only_cached: bool = False,
) -> list[str]:
    """Make the scalar and batch UDFs of a project functions of a connection; their signatures, as SQL would call them.

    A batch UDF takes its columns, then its constants that have no default and are not fixed here, all by position.

    Args:
        constants: UDF -> values of its named arguments. The cache knows a call by them: fix what your models name.
        only_cached: Refuse calls that were never made, rather than make them.

    Raises:
        ProjectError: `constants` names a UDF or an argument that does not exist.
    """
    import duckdb

    given = dict(constants or {})
    _check_constants(given, project.udfs.signatures)
    registered = []
    for name, signature in sorted(project.udfs.of_kind("scalar", "batch").items()):
        fixed = dict(given.get(name, {}))
        parameters = [
            p
            for p in signature.parameters
            if p.role == "column" or (p.required and p.name not in fixed)
        ]
        if signature.kind == "scalar":
            function: Callable[..., Any] = project.udfs.function(name)
        else:
            function = _ServedUdf(project, signature, tuple(parameters), fixed, only_cached)
        connection.create_function(
            signature.name,
            function,
            [duckdb.sqltype(p.sql_type) for p in parameters],
            duckdb.sqltype(str(signature.returns)),
            type="arrow" if signature.kind == "batch" else "native",
        )
        registered.append(f"{signature.name}({', '.join(p.name for p in parameters)})")
    return registered


def _check_constants(given: Mapping[str, Any], signatures: Mapping[str, Signature]) -> None:
    for name, values in given.items():
        if name not in signatures:
            raise ProjectError(
                f"there is no UDF {name!r}",
                found=f"{len(signatures)} UDFs",
                fix=unknown_fix(name, signatures),
            )
        known = [p.name for p in signatures[name].constants]
        for argument in values:
            if argument not in known:
                raise ProjectError(
                    f"UDF {name!r} has no named argument {argument!r}",
                    found=f"named arguments: {', '.join(known) or '(none)'}",
                    fix=unknown_fix(argument, known),
                )


@dataclass
class _ServedUdf:
    """A batch UDF as a function of Arrow columns."""

    project: HasUdfs
    signature: Signature
    parameters: tuple[Parameter, ...]
    fixed: dict[str, Any]
    only_cached: bool
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _known: dict[str, dict[Row, Any]] = field(default_factory=dict)  # call group -> results

    @property
    def __signature__(self) -> inspect.Signature:
        # DuckDB counts parameters and refuses a variable number of them.
        kind = inspect.Parameter.POSITIONAL_ONLY
        return inspect.Signature([inspect.Parameter(p.name, kind) for p in self.parameters])

    def __call__(self, *columns: pa.ChunkedArray) -> pa.Array:
        import pyarrow as pa

        rows = list(zip(*(column.to_pylist() for column in columns), strict=True))
        width = len(self.signature.columns)
        groups: dict[Row, list[int]] = {}
        for index, row in enumerate(rows):
            groups.setdefault(row[width:], []).append(index)
        results: list[Any] = [None] * len(rows)
        with self._lock:
            for values, members in groups.items():
                found = self._results(values, [rows[i][:width] for i in members])
                for index, result in zip(members, found, strict=True):
                    results[index] = result
        return pa.array(results, type=self._result_type())

    def _results(self, values: Row, rows: Sequence[Row]) -> list[Any]:
        """One result a row, for one set of constants."""
        names = [p.name for p in self.parameters if p.role == "constant"]
        call = self._call({**self.fixed, **dict(zip(names, values, strict=True))})
        known = self._known.get(call.group)
        if known is None:
            known = self._known[call.group] = self._cached(call)
        missing = list({key: row for row in rows if (key := _key(row)) not in known}.values())
        if missing and self.only_cached:
            raise NodeError(
                f"{self.signature.name} was asked for {len(missing):,} calls that are not cached",
                where=str(self.project.calls.root),
                found=f"the first: {str(missing[0])[:120]}",
                fix="run `llmi2i build` first, or let calls be made (calls: make)",
            )
        if missing:
            known.update(self._made(call, missing))
        return [known[_key(row)] for row in rows]

    def _call(self, constants: Mapping[str, Any]) -> BatchCall:
        name, project = self.signature.name, self.project
        return BatchCall(
            RELATION,
            self.signature,
            project.udfs.function(name),
            f"select distinct * from {ARGUMENTS}",
            constants,
            project.udfs.file(name),
            meter=call_meter(name.lower(), constants, project.store.root),
        )

    def _cached(self, call: BatchCall) -> dict[Row, Any]:
        """Every committed call of a group."""
        import pyarrow.parquet as pq

        known: dict[Row, Any] = {}
        names = [f"arg_{i}" for i in range(len(self.signature.columns))]
        for path in self.project.calls.segments(self.signature.name, call.group):
            known.update(_by_arguments(pq.read_table(path), names, "result"))
        return known

    def _made(self, call: BatchCall, rows: Iterable[Row]) -> dict[Row, Any]:
        """Make calls and commit them, as a build does."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        from llm_i2i.engine.duckdb import DuckDBEngine

        engine = DuckDBEngine(threads=1)
        names = [argument_column(RELATION, i) for i in range(len(self.signature.columns))]
        try:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "arguments.parquet"
                pq.write_table(pa.table([list(c) for c in zip(*rows, strict=True)], names), path)
                engine.declare_parquet(ARGUMENTS, [path])
                run_batch_call(call, engine, self.project.calls, self._context(Path(folder)))
            return _by_arguments(
                engine.table(f"select * from {RELATION}"), names, result_column(RELATION)
            )
        finally:
            engine.close()

    def _context(self, folder: Path) -> UdfContext:
        return UdfContext(
            project_dir=self.project.dir,
            store_dir=self.project.store.root,
            artifact_dir=folder,
            artifact_name="",
            serving=self.project.serving,
        )

    def _result_type(self) -> Any:
        from llm_i2i.engine.duckdb import DuckDBEngine

        engine = DuckDBEngine(threads=1)
        try:
            query = f"select cast(null as {self.signature.returns}) as result where false"
            return engine.table(query).schema.field(0).type
        finally:
            engine.close()


def _by_arguments(table: pa.Table, names: Sequence[str], result: str) -> dict[Row, Any]:
    columns = [table.column(name).to_pylist() for name in names]
    keys = map(_key, zip(*columns, strict=True))
    return dict(zip(keys, table.column(result).to_pylist(), strict=True))


def _key(row: Row) -> Row:
    """Arguments as a key: lists among them cannot be one."""
    return tuple(tuple(value) if isinstance(value, list) else value for value in row)
