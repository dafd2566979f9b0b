"""What is in the call cache: by node and UDF, what it cost, out to a file, forgotten."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from llm_i2i.errors import LlmI2iError, ProjectError, closest
from llm_i2i.names import parquet_scan, quote_identifier, quote_literal
from llm_i2i.runner.environments.export import check_file, write_relation
from llm_i2i.runner.environments.reading import check_reads
from llm_i2i.store.calls import Segment
from llm_i2i.store.gc import calls_in_use, results_in_use

if TYPE_CHECKING:
    import duckdb

    from llm_i2i.store.calls import CallCache
    from llm_i2i.store.holds import Holds
    from llm_i2i.udf.registry import UdfRegistry

MODEL = "model"  # named argument that says which language model answered


class HasCalls(Protocol):
    """What is read of a project here. `udfs` loads its Python files: only what needs the names of arguments asks for it."""

    @property
    def target_dir(self) -> Path: ...
    @property
    def calls(self) -> CallCache: ...
    @property
    def holds(self) -> Holds: ...
    @property
    def udfs(self) -> UdfRegistry: ...


@dataclass(frozen=True)
class Filter:
    """Which calls; every condition that is given must hold.

    Attributes:
        udf: Name or pattern; `node`: of the model that made them, likewise.
        group: First characters of the call group.
        before: Made before this time (ISO 8601).
        where: SQL over the arguments (by their names, or arg_0 ...), `result` and `call_key`.
    """

    udf: str = ""
    node: str = ""
    group: str = ""
    before: str = ""
    where: str = ""

    @property
    def is_empty(self) -> bool:
        return not (self.udf or self.node or self.group or self.before or self.where)


@dataclass(frozen=True)
class CallSet:
    """Calls of one group that one node made.

    Attributes:
        node: Empty for calls made before nodes were noted.
        calls: Finished calls; `measured` of them are in `seconds`, `counted` in `tokens`.
        tokens: Of their prompts.
        made_at: When the last was made, ISO 8601 in UTC.
        in_use: Whether a result that an environment, its history or a build holds was made with the group.
    """

    udf: str
    group: str
    node: str
    constants: dict[str, Any]
    calls: int
    measured: int
    counted: int
    seconds: float
    tokens: int
    token_unit: str
    bytes: int
    made_at: str
    in_use: bool
    segments: list[Segment] = field(repr=False, compare=False, default_factory=list)

    @property
    def model(self) -> str:
        """The language model that answered; empty if the UDF takes none."""
        return str(self.constants.get(MODEL) or "")


def list_calls(project: HasCalls, wanted: Filter = Filter()) -> list[CallSet]:
    """The calls that are kept, by UDF, group and node (`where` does not count here).

    Raises:
        ProjectError: A filter matches nothing.
    """
    groups = project.calls.groups()
    used = calls_in_use(groups, results_in_use(project.target_dir))
    before = _moment(wanted.before)
    everything = [
        found
        for udf, group in groups
        for found in _sets(project, udf, group, f"{udf}/{group}" in used, before)
    ]
    found = [c for c in everything if _matches(c, wanted)]
    if not found and not wanted.is_empty:
        names = {c.udf for c in everything} | {c.node for c in everything if c.node}
        near = closest(wanted.udf or wanted.node, names) if wanted.udf or wanted.node else ""
        raise ProjectError(
            "no call matches",
            found=f"{sum(c.calls for c in everything):,} calls of {', '.join(sorted({c.udf for c in everything})) or 'nothing'}",
            fix=f"did you mean {near}?" if near else "see `llmi2i calls list`",
        )
    return found


def _sets(
    project: HasCalls, udf: str, group: str, in_use: bool, before: datetime | None
) -> Iterator[CallSet]:
    by_node: dict[str, list[Segment]] = {}
    for segment in project.calls.described(udf, group):
        if before is None or _made_at(segment) < before.timestamp():
            by_node.setdefault(segment.cost.node, []).append(segment)
    for node, segments in sorted(by_node.items()):
        timed = [s for s in segments if s.cost.seconds is not None]
        counted = [s for s in segments if s.cost.tokens is not None]
        last = max(map(_made_at, segments))
        yield CallSet(
            udf,
            group,
            node,
            segments[0].cost.constants,
            sum(s.rows for s in segments),
            sum(s.rows for s in timed),
            sum(s.rows for s in counted),
            sum(s.cost.seconds or 0.0 for s in timed),
            sum(s.cost.tokens or 0 for s in counted),
            next((s.cost.token_unit for s in counted), ""),
            sum(s.bytes for s in segments),
            datetime.fromtimestamp(last, UTC).isoformat(timespec="seconds"),
            in_use,
            segments,
        )


def _made_at(segment: Segment) -> float:
    return segment.cost.made_at or segment.path.stat().st_mtime


def _matches(found: CallSet, wanted: Filter) -> bool:
    return (
        (not wanted.udf or fnmatch.fnmatchcase(found.udf, wanted.udf))
        and (not wanted.node or fnmatch.fnmatchcase(found.node, wanted.node))
        and found.group.startswith(wanted.group)
    )


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError as error:
        raise ProjectError(
            f"{text!r} is no time",
            where="--before",
            fix="write --before 2026-01-31 or 2026-01-31T17:30",
        ) from error


# -- single calls ------------------------------------------------------------------------------------------------------


def calls_sql(project: HasCalls, found: CallSet, where: str = "") -> str:
    """A query of the calls of a set: its arguments by name, `result`, `call_key`."""
    paths = [segment.path for segment in found.segments]
    condition = f" where {where}" if where else ""
    columns = [
        f"arg_{i} as {quote_identifier(name)}" for i, name in enumerate(_arguments(project, found))
    ]
    both = f"select {', '.join(columns)}, * from {parquet_scan(paths)}"
    names = ", ".join(quote_identifier(name) for name in _arguments(project, found))
    return f"select {names}, result, call_key from ({both}){condition}"


def _arguments(project: HasCalls, found: CallSet) -> list[str]:
    """Names of the arguments; of a UDF that is gone or has changed its parameters, arg_0 ..."""
    import pyarrow.parquet as pq

    schema = pq.read_schema(found.segments[0].path)
    n = sum(name.startswith("arg_") for name in schema.names)
    signature = project.udfs.signatures.get(found.udf.lower())
    if signature is None or len(signature.columns) != n:
        return [f"arg_{i}" for i in range(n)]
    return [parameter.name for parameter in signature.columns]


def call_rows(
    project: HasCalls, found: CallSet, where: str = "", limit: int = -1
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Columns and rows of single calls, ordered by their arguments.

    Raises:
        ProjectError: `where` is no condition on these columns.
    """
    import duckdb

    end = f" order by all limit {limit}" if limit >= 0 else " order by all"
    with duckdb.connect() as connection:
        try:
            sql = calls_sql(project, found, where)
            _check_reads(connection, sql, where)
            relation = connection.sql(sql + end)
            return list(relation.columns), relation.fetchall()
        except duckdb.Error as error:
            raise _wrong_where(where, error) from error


def _check_reads(connection: duckdb.DuckDBPyConnection, sql: str, where: str) -> None:
    """Refuse a condition that ends the statement it stands in, or hides one that writes."""
    try:
        check_reads(connection, sql)
    except ProjectError as error:
        raise _wrong_where(where, "a condition only reads, and is one expression") from error


def _wrong_where(where: str, error: Exception | str) -> LlmI2iError:
    if not where:
        return LlmI2iError("calls cannot be read", found=str(error).splitlines()[0])
    return ProjectError(
        "--where is no condition on calls",
        where=where,
        found=str(error).splitlines()[0],
        fix="write SQL over the arguments, result and call_key: --where 'result < 0.1'",
    )


def export_calls(
    project: HasCalls, wanted: Filter, file: Path, *, force: bool = False
) -> int:  # fmt: skip
    """Write calls to a file, one row a call: udf, call_group, node, constants, arguments and result as JSON, call_key.

    Returns:
        The number of calls.
    """
    import json

    import duckdb

    check_file(file, force=force)
    selects, queries = [], []
    for found in list_calls(project, wanted):
        queries.append(calls_sql(project, found, wanted.where))
        names = ", ".join(
            f"{quote_identifier(n)} := {quote_identifier(n)}" for n in _arguments(project, found)
        )
        fixed = [found.udf, found.group, found.node, json.dumps(found.constants), found.made_at]
        udf, group, node, constants, made_at = (quote_literal(text) for text in fixed)
        selects.append(
            f"select {udf} as udf, {group} as call_group, {node} as node, {constants} as constants,"
            f" cast(to_json(struct_pack({names})) as varchar) as arguments,"
            f" cast(to_json(result) as varchar) as result, call_key, cast({made_at} as timestamptz) as made_at"
            f" from ({queries[-1]})"
        )
    if not selects:
        raise ProjectError("there are no calls to export", fix="run `llmi2i build` first")
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        try:
            for query in queries:
                _check_reads(connection, query, wanted.where)
            connection.sql(" union all ".join(selects))
        except duckdb.Error as error:
            raise _wrong_where(wanted.where, error) from error
        return write_relation(connection, " union all ".join(selects), file, "calls", force=force)


# -- forgetting --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Forgotten:
    """Calls that are gone, or would be: how many, how many of these in groups that kept results were made with."""

    calls: int
    in_use: int
    bytes: int
    nodes: list[str]


def forget_calls(project: HasCalls, wanted: Filter, *, dry_run: bool = True) -> Forgotten:
    """Remove calls from the cache: the next build that needs them makes them again. Results stay.

    Raises:
        ProjectError: A build that may read them is running.
    """
    with project.holds.collecting():
        sets = list_calls(project, wanted)
        busy = {udf for held in project.holds.all() if held.is_running for udf in held.udfs}
        running = sorted({found.udf for found in sets if found.udf.lower() in busy})
        if running and not dry_run:
            raise ProjectError(
                f"a running build may read calls of {', '.join(running)}",
                fix="forget them when it is done",
            )
        calls = used = size = 0
        for found in sets:
            n, freed = _forget(project, found, wanted, dry_run)
            calls, size = calls + n, size + freed
            used += n if found.in_use else 0
    nodes = sorted({found.node for found in sets if found.node and found.in_use})
    return Forgotten(calls, used, size, nodes)


def _forget(project: HasCalls, found: CallSet, wanted: Filter, dry_run: bool) -> tuple[int, int]:
    """Calls and bytes of one set that go."""
    if wanted.where:
        return _forget_rows(project, found, wanted.where, dry_run)
    if not dry_run:
        for segment in found.segments:
            segment.path.unlink(missing_ok=True)
        if not project.calls.segments(found.udf, found.group):
            project.calls.forget(found.udf, found.group)
    return found.calls, found.bytes


def _forget_rows(project: HasCalls, found: CallSet, where: str, dry_run: bool) -> tuple[int, int]:
    import duckdb
    import pyarrow as pa
    import pyarrow.parquet as pq

    calls = freed = 0
    with duckdb.connect() as connection:
        for segment in found.segments:
            one = CallSet(**{**vars(found), "segments": [segment]})
            try:
                sql = calls_sql(project, one, where)
                _check_reads(connection, sql, where)
                gone = connection.sql(f"select call_key from ({sql})").to_arrow_table()
            except duckdb.Error as error:
                raise _wrong_where(where, error) from error
            if not gone.num_rows:
                continue
            calls += gone.num_rows
            table = pq.read_table(segment.path)
            keep = pa.compute.invert(pa.compute.is_in(table["call_key"], gone["call_key"]))
            rest = table.filter(keep)
            freed += round(segment.bytes * gone.num_rows / max(segment.rows, 1))
            if not dry_run:
                project.calls.keep_only(segment, rest)
    return calls, freed


def price(sets: Sequence[CallSet], per_million_tokens: float) -> float | None:
    """What the prompts of these calls cost at a price for a million tokens; None if none were counted in tokens."""
    counted = [c.tokens for c in sets if c.counted and c.token_unit == "tokens"]
    return sum(counted) * per_million_tokens / 1e6 if counted else None
