"""Run a hoisted batch call: distinct arguments, minus the cache, in large batches, each committed before the next."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from llm_i2i.errors import LlmI2iError, NodeError
from llm_i2i.fingerprint import canonical_json, fingerprint
from llm_i2i.names import argument_column, key_column, result_column
from llm_i2i.udf.answers import judge
from llm_i2i.udf.context import RowError, UdfContext
from llm_i2i.udf.pace import Pace
from llm_i2i.udf.registry import raised
from llm_i2i.udf.signature import Signature
from llm_i2i.udf.speed import Amount, Meter, Stopwatch, estimate_seconds, seconds_per_call

if TYPE_CHECKING:
    import pyarrow as pa

    from llm_i2i.engine.base import Engine

CACHED = "__cached_calls"
COUNTED_AT_ONCE = 65_536  # rows of prompts in memory while a plan counts tokens


class Cache(Protocol):
    """What is needed of the call cache."""

    def segments(self, udf: str, group: str) -> list[Path]: ...

    def commit(
        self,
        udf: str,
        group: str,
        calls: pa.Table,
        cost: Mapping[str, Any] | None = None,
        name: str = "",
    ) -> Path: ...

    def committed(self, udf: str, group: str, name: str) -> int | None: ...

    def making(
        self, udf: str, group: str, waiting: Callable[[], None]
    ) -> AbstractContextManager[None]: ...

    def record_speed(self, udf: str, group: str, measurement: Mapping[str, Any]) -> None: ...

    def speeds(self, udf: str) -> list[dict[str, Any]]: ...


@dataclass(frozen=True)
class CallCounts:
    """Distinct calls a step needs, how many were in the cache, how many rows failed.

    Attributes:
        tokens: Tokens of the prompts of the calls to make, or made; None if not counted.
        token_unit: `tokens` of the checkpoint's vocabulary, or `words` between white space where there is no checkpoint yet.
        seconds: What the calls to make will take; None if nothing like them was measured.
    """

    distinct: int
    cached: int
    failed: int = 0
    tokens: int | None = None
    token_unit: str = ""
    seconds: float | None = None

    @property
    def made(self) -> int:
        return self.distinct - self.cached


@dataclass(frozen=True)
class BatchCall:
    """One hoisted call, ready to run.

    Attributes:
        relation: Name the result relation gets.
        arguments: Query of the distinct arguments.
        constants: Values of the named arguments.
        file: Where the function is defined, for messages.
        max_error_ratio: Share of rows that may fail before the node does.
        meter: What its work is measured in.
        node: Model that makes the call.
    """

    relation: str
    signature: Signature
    function: Callable[..., Any]
    arguments: str
    constants: Mapping[str, Any]
    file: Path
    max_error_ratio: float = 0.0
    meter: Meter | None = None
    node: str = ""

    @property
    def group(self) -> str:
        """Name of the call group: one version of the function with one set of constants."""
        return fingerprint([self.signature.name, self.signature.version, dict(self.constants)])


def call_key(group: str, arguments: Sequence[Any]) -> str:
    """Name of one call: its group and its arguments (32 hex characters)."""
    return hashlib.sha256(f"{group}{canonical_json(arguments)}".encode()).hexdigest()[:32]


def count_calls(call: BatchCall, engine: Engine, cache: Cache) -> CallCounts:
    """What `run_batch_call` would have to do, without doing it."""
    todo, distinct, cached = _prepare(call, engine, cache)
    missing = _missing(call, todo, cached)
    if call.meter is None:
        made = engine.rows(f"select count(*) from ({missing})")[0][0]
        return CallCounts(distinct, distinct - made)
    made = tokens = 0
    for batch in engine.batches(missing, COUNTED_AT_ONCE):
        made += batch.num_rows
        tokens += call.meter.tokens(_rows(batch))
    seconds = estimate_seconds(
        cache.speeds(call.signature.name), call.meter.subject, Amount(made, tokens)
    )
    return CallCounts(
        distinct, distinct - made, tokens=tokens, token_unit=call.meter.unit, seconds=seconds
    )


def run_batch_call(
    call: BatchCall, engine: Engine, cache: Cache, context: UdfContext, max_calls: int | None = None
) -> CallCounts:
    """Make the calls that are not cached yet and declare the relation with all results.

    Raises:
        NodeError: The function raised, returned something else than one value a row, or too many rows failed. Batches
            committed before stay.
    """
    todo, distinct, cached = _prepare(call, engine, cache)
    total = _write_missing(call, engine, todo, cached)
    errors, tokens = list[str](), 0
    if total:
        # Alone in the group: another build may be making the same calls for another node.
        with cache.making(call.signature.name, call.group, lambda: _say_waiting(context)):
            has_cache = _declare_cached(call, engine, cache)
            total = _write_missing(call, engine, todo, has_cache)
            _check_max_calls(call, total, max_calls)
            errors, tokens = _make_calls(call, engine, cache, context, total)
    _check_errors(call, errors, total)
    _declare_result(call, engine, cache, todo)
    return CallCounts(distinct, distinct - total, len(errors), tokens)


def _write_missing(call: BatchCall, engine: Engine, todo: str, has_cache: bool) -> int:
    """Make the table of the calls to make; their number."""
    sql = f"{_missing(call, todo, has_cache)} order by {', '.join(_names(call))}"
    return engine.create_table(f"{call.relation}_missing", sql)


def _say_waiting(context: UdfContext) -> None:
    context.progress(0, 0, "another build makes calls of this function and model, waiting for it")


def _check_max_calls(call: BatchCall, total: int, max_calls: int | None) -> None:
    if max_calls is not None and total > max_calls:
        raise NodeError(
            f"{call.signature.name} needs {total:,} new calls, more than --max-calls",
            found=f"--max-calls {max_calls:,}",
            fix="raise --max-calls, or select fewer rows",
        )


def _make_calls(
    call: BatchCall, engine: Engine, cache: Cache, context: UdfContext, total: int
) -> tuple[list[str], int]:
    """Batch after batch, each on disk before it counts as done: the messages of the rows that failed, and the tokens."""
    result_type = engine.arrow_schema((("result", str(call.signature.returns)),)).field(0).type
    work = BatchWork(call, cache, context, result_type)
    done, errors = 0, list[str]()
    stopwatch = Stopwatch()
    missing = f"{call.relation}_missing"
    most = call.signature.batch_size
    # Only where a model answers, which may be slow: any other function is called with its batch_size.
    pace = Pace(most, _seconds_per_call(call, cache)) if call.constants.get("model") else None
    next_size = pace.rows if pace else None
    for outcome in engine.map_batches(missing, most, work, [call.function], next_size):
        if outcome.failure is not None:
            raise outcome.failure
        stopwatch.add(outcome.amount)
        if pace:
            pace.took(outcome.amount.calls, outcome.amount.seconds)
        errors += outcome.errors
        done += outcome.amount.calls
        context.progress(done, total, f"{len(errors):,} failed" if errors else "")
    if call.meter is not None and total and not errors:
        # not with failures: they come sooner, or later, than answers
        measured = stopwatch.measurement(call.meter.subject)
        cache.record_speed(call.signature.name, call.group, measured)
    return errors, stopwatch.total.tokens


def _seconds_per_call(call: BatchCall, cache: Cache) -> float | None:
    if call.meter is None:
        return None
    speeds = cache.speeds(call.signature.name)
    return seconds_per_call(speeds, call.meter.subject)


@dataclass(frozen=True)
class BatchOutcome:
    """What became of one batch: its size and time, the messages of failed rows, the error that ends the whole call."""

    amount: Amount
    errors: list[str] = field(default_factory=list)
    failure: LlmI2iError | None = None


@dataclass(frozen=True)
class BatchWork:
    """Make the calls of one batch and commit them; may run in a worker of a cluster, and again if that one was lost.

    A batch has a name made of its calls. One that is committed under it is not called again.
    """

    call: BatchCall
    cache: Cache
    context: UdfContext
    result_type: pa.DataType

    def __call__(self, batch: pa.RecordBatch) -> BatchOutcome:
        call, rows = self.call, _rows(batch)
        group = call.group  # hashed at each look
        keys = [call_key(group, row) for row in rows]
        name = hashlib.sha256("".join(keys).encode()).hexdigest()[:32]
        finished = self.cache.committed(call.signature.name, call.group, name)
        if finished is not None:
            lost = ["failed in a worker that was lost"] * (len(rows) - finished)
            return BatchOutcome(Amount(len(rows), 0, 0.0), lost)
        started = time.monotonic()
        try:
            values = _invoke(call, rows, self.context)
            seconds = time.monotonic() - started
            amount = Amount(len(rows), call.meter.tokens(rows) if call.meter else 0, seconds)
            values, results = judge(call.signature, call.file, values, self.result_type)
            _commit(self, batch, keys, values, results, name, _cost(call, amount))
        except LlmI2iError as error:
            # Returned, not raised: a cluster would try a broken function again and again.
            return BatchOutcome(Amount(), failure=error)
        return BatchOutcome(amount, [v.message for v in values if isinstance(v, RowError)])


def _cost(call: BatchCall, amount: Amount) -> dict[str, Any]:
    """What is kept with a batch; see `store.calls.CallCost`."""
    return {
        "node": call.node,
        "constants": dict(call.constants),
        "seconds": round(amount.seconds, 4),
        "tokens": amount.tokens if call.meter else None,
        "token_unit": call.meter.unit if call.meter else "",
        "made_at": round(time.time(), 3),
    }


def _rows(batch: pa.RecordBatch) -> list[list[Any]]:
    columns = [column.to_pylist() for column in batch.columns]
    return [list(row) for row in zip(*columns, strict=True)]


def _names(call: BatchCall) -> list[str]:
    return [argument_column(call.relation, i) for i in range(len(call.signature.columns))]


def _prepare(call: BatchCall, engine: Engine, cache: Cache) -> tuple[str, int, bool]:
    """A table of the distinct arguments without NULLs, its rows, and whether relation `CACHED` holds calls of the group."""
    todo = f"{call.relation}_todo"
    not_null = " and ".join(f"{name} is not null" for name in _names(call))
    distinct = engine.create_table(todo, f"select * from ({call.arguments}) where {not_null}")
    return todo, distinct, _declare_cached(call, engine, cache)


def _declare_cached(call: BatchCall, engine: Engine, cache: Cache) -> bool:
    """Make relation `CACHED` of all calls of the group in the cache; whether there are any."""
    segments = cache.segments(call.signature.name, call.group)
    if segments:
        engine.declare_parquet(CACHED, segments)
    return bool(segments)


def _missing(call: BatchCall, todo: str, has_cache: bool) -> str:
    if not has_cache:
        return f"select * from {todo}"
    match = " and ".join(f"t.{name} = c.arg_{i}" for i, name in enumerate(_names(call)))
    return f"select t.* from {todo} as t anti join {CACHED} as c on {match}"


def _invoke(call: BatchCall, rows: list[list[Any]], context: UdfContext) -> list[Any]:
    columns = [list(column) for column in zip(*rows, strict=True)]
    extra = {"context": context} if call.signature.wants_context else {}
    try:
        values = call.function(*columns, **call.constants, **extra)
        if isinstance(values, Iterator):
            values = list(values)  # a generator is the function's own code still
    except LlmI2iError:
        raise
    except (Exception, SystemExit) as error:
        raise raised(
            call.signature.name,
            error,
            call.file,
            found=f"a batch of {len(rows):,} rows, the first {str(rows[0])[:120]}",
            fix="mend the function and build again: finished batches are kept",
        ) from error
    values = [] if values is None else values
    if isinstance(values, (str, bytes, dict)) or not isinstance(values, Iterable):
        raise NodeError(
            f"UDF {call.signature.name!r} returned a single {type(values).__name__}",
            where=str(call.file),
            found=repr(values)[:120],
            fix="return a list with one value per row, in order",
        )
    values = list(values)
    if len(values) != len(rows):
        raise NodeError(
            f"UDF {call.signature.name!r} returned {len(values):,} values for {len(rows):,} rows",
            where=str(call.file),
            found=f"{len(values):,} values",
            fix="return one value per row, in order; RowError('why') for a row that failed",
        )
    return values


def _commit(
    work: BatchWork,
    batch: pa.RecordBatch,
    call_keys: list[str],
    values: list[Any],
    results: pa.Array,
    name: str,
    cost: Mapping[str, Any],
) -> None:
    """Write the batch's good rows as one segment; failed rows are not cached, so the next build tries them again."""
    import pyarrow as pa

    call = work.call
    good = [i for i, value in enumerate(values) if not isinstance(value, RowError)]
    kept = pa.Table.from_batches([batch]).take(pa.array(good, type=pa.int64()))
    table = kept.rename_columns([f"arg_{i}" for i in range(kept.num_columns)])
    keys = pa.array([call_keys[i] for i in good], type=pa.string())
    if good:
        work.cache.commit(
            call.signature.name,
            call.group,
            table.append_column("result", results).append_column("call_key", keys),
            cost,
            name,
        )


def _check_errors(call: BatchCall, errors: list[str], total: int) -> None:
    if errors and len(errors) > call.max_error_ratio * total:
        raise NodeError(
            f"{len(errors):,} of {total:,} calls of UDF {call.signature.name!r} failed",
            where=str(call.file),
            found=f"the first: {errors[0]}",
            fix="build again to retry only these, or allow some with config(max_error_ratio=...)",
        )


def _declare_result(call: BatchCall, engine: Engine, cache: Cache, todo: str) -> None:
    arguments = [f"arg_{i} as {name}" for i, name in enumerate(_names(call))]
    outputs = [
        f"result as {result_column(call.relation)}",
        f"call_key as {key_column(call.relation)}",
    ]
    if _declare_cached(call, engine, cache):
        # Two builds at once may have made the same call: any of its results will do, but only one.
        match = " and ".join(f"t.{name} = c.arg_{i}" for i, name in enumerate(_names(call)))
        scan = f"select c.* from {CACHED} as c semi join {todo} as t on {match}"
        first = "qualify row_number() over (partition by call_key order by call_key) = 1"
        engine.create_table(
            call.relation,
            f"select {', '.join([*arguments, *outputs])} from ({scan}) as calls {first}",
        )
        return
    types = [
        f"cast(null as {p.sql_type}) as {n}"
        for p, n in zip(call.signature.columns, _names(call), strict=True)
    ]
    empty = [
        f"cast(null as {call.signature.returns}) as {result_column(call.relation)}",
        f"'' as {key_column(call.relation)}",
    ]
    engine.create_table(call.relation, f"select {', '.join([*types, *empty])} where false")
