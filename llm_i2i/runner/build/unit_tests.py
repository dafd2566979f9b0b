"""Run unit tests: a model on given rows, with UDFs that answer from a table, compared with the rows it should give."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llm_i2i.config.base import unknown_fix
from llm_i2i.engine.base import Columns, Engine
from llm_i2i.errors import EngineError, LlmI2iError, NodeError
from llm_i2i.fingerprint import fingerprint
from llm_i2i.graph.compile import CompiledModel, compile_models
from llm_i2i.graph.dag import Dag
from llm_i2i.graph.manifest import Manifest
from llm_i2i.graph.node import Node, UnitCheck, WrittenRows
from llm_i2i.graph.unit_tests import render_unit_check
from llm_i2i.names import (
    argument_column,
    key_column,
    quote_identifier,
    quote_literal,
    result_column,
)
from llm_i2i.render.environment import sql_literal
from llm_i2i.runner.build.context import UnitTestContext
from llm_i2i.runner.build.events import UnitOutcome
from llm_i2i.runner.build.row_diff import Row, cell_text, compare_rows, render_diff
from llm_i2i.runner.build.steps import call_constants
from llm_i2i.sql.steps import CallStep
from llm_i2i.sql.tokens import is_ordered
from llm_i2i.store.files import replace_text
from llm_i2i.udf.registry import UdfRegistry
from llm_i2i.udf.signature import Signature

if TYPE_CHECKING:
    pass

VERSION = 1  # part of the name of what passed; raise it when running or comparing changes
RETURNS, CALL_KEY = "returns", "call_key"  # columns of a mocked UDF beside its arguments
CALLS_SHOWN = 3
LONGEST_ARGUMENT = 400  # characters of an unanswered argument that are shown


def run_unit_checks(
    checks: Sequence[UnitCheck], context: UnitTestContext, *, force: bool = False
) -> Iterator[UnitOutcome]:
    """Run them one by one; one that passed before, unchanged and with the same model, is not run again."""
    for check in checks:
        started = time.monotonic()
        try:
            outcome = _run(check, context, force)
        except LlmI2iError as error:
            error.where = error.where or check.where
            problem = NodeError(
                f"unit test {check.name} cannot run: {error.what}",
                where=error.where,
                found=error.found,
                fix=error.fix,
            )
            outcome = UnitOutcome(check, error=problem)
        yield outcome.taking(time.monotonic() - started)


def _run(check: UnitCheck, context: UnitTestContext, force: bool) -> UnitOutcome:
    node = render_unit_check(
        check, context.manifest.nodes[check.model], context.renderer, context.root
    )
    inputs = context.columns_of(list(check.given))
    record = context.target_dir / "tests" / f"unit-{_digest(check, node, inputs, context)}.json"
    if not force and record.exists():
        return UnitOutcome(check, reused=True)
    one_model = Manifest({node.name: node}, (), Dag({}))
    model = compile_models(
        one_model,
        [node.name],
        inputs,
        context.udfs.signatures,
        context.make_binder,
        context.compiled,
    )[node.name]
    _check_mocks(check, model, context.udfs)
    engine = context.new_engine()
    try:
        outcome = _compare(check, node, model, inputs, engine, context.udfs)
    except EngineError as error:
        raise NodeError(error.what, where=node.place(error.line), found=error.found) from error
    finally:
        engine.close()
    if outcome.status == "PASS":
        replace_text(record, f'{{"unit_test": {check.name!r}}}\n'.replace("'", '"'))
    return outcome


def _digest(
    check: UnitCheck, node: Node, inputs: Mapping[str, Columns], context: UnitTestContext
) -> str:
    mentioned = [s for n, s in sorted(context.udfs.signatures.items()) if n in node.sql.lower()]
    written = [
        [name, list(rows.rows), rows.sql]
        for name, rows in [*check.given.items(), *check.mocks.items(), ("", check.expect)]
    ]
    udfs = [[s.version, repr(s)] for s in mentioned]
    return fingerprint([VERSION, check.name, node.sql, dict(inputs), udfs, written, node.config])


def _compare(
    check: UnitCheck,
    node: Node,
    model: CompiledModel,
    inputs: Mapping[str, Columns],
    engine: Engine,
    udfs: UdfRegistry,
) -> UnitOutcome:
    for name, rows in check.given.items():
        declare_rows(engine, name, inputs[name], rows, f"{name} has")
    for name in model.udfs:
        if udfs.signatures[name].kind == "scalar":
            engine.declare_scalar(udfs.signatures[name], udfs.function(name))
    for call in model.steps:
        _answer(call, check, node, engine, udfs.signatures[call.udf.lower()])
    names = written_columns(check.expect, model.columns, engine, f"{node.name} gives")
    columns = tuple(column for column in model.columns if column[0] in names)
    places = [i for i, (name, _) in enumerate(model.columns) if name in names]
    wanted = typed_rows(engine, columns, check.expect) if columns else []
    actual = [tuple(row[i] for i in places) for row in engine.rows(model.sql)]
    if not columns:  # `rows: []`: none at all
        columns, actual = model.columns, engine.rows(model.sql)
    shown = [name for name, _ in columns]
    grain = list(node.config.get("grain") or [])
    key = [shown.index(name) for name in grain if name in shown]
    key = key if len(key) == len(grain) else []
    diff = compare_rows(wanted, actual, key=key, ordered=is_ordered(node.sql))
    if not diff.differences:
        return UnitOutcome(check)
    return UnitOutcome(check, len(diff.differences), render_diff(diff, shown, key))


# -- rows ------------------------------------------------------------------------------------------


def declare_rows(
    engine: Engine, name: str, columns: Columns, rows: WrittenRows, owner: str
) -> None:
    """A table of the rows with these columns; those that are left out are NULL.

    Raises:
        NodeError: A column that `owner` lacks, or a value that is not of its column's type.
    """
    written_columns(rows, columns, engine, owner)
    query = _typed(rows, columns, engine)
    try:
        engine.run(f"create or replace table {quote_identifier(name)} as {query}")
    except EngineError as error:
        raise _bad_value(rows, columns, engine, error) from error


def typed_rows(engine: Engine, columns: Columns, rows: WrittenRows) -> list[Row]:
    """The rows with these columns and types, as values of Python. Raises as `declare_rows`."""
    try:
        return engine.rows(_typed(rows, columns, engine))
    except EngineError as error:
        raise _bad_value(rows, columns, engine, error) from error


def written_columns(rows: WrittenRows, columns: Columns, engine: Engine, owner: str) -> set[str]:
    """Which of `columns` the rows name.

    Raises:
        NodeError: They name another.
    """
    known = {name.lower(): name for name, _ in columns}
    if rows.sql is not None:
        try:
            found = [(name, rows.where) for name, _ in engine.columns(rows.sql)]
        except EngineError as error:
            raise NodeError(
                f"its SQL is refused: {error.what}", where=rows.where, found=error.found or rows.sql
            ) from error
    else:
        places = rows.places or (rows.where,) * len(rows.rows)
        found = [(n, place) for row, place in zip(rows.rows, places, strict=True) for n in row]
    for name, place in found:
        if name.lower() not in known:
            raise NodeError(
                f"there is no column '{name}'",
                where=place,
                found=f"{owner} {', '.join(known.values())}",
                fix=unknown_fix(name, known.values()),
            )
    return {known[name.lower()] for name, _ in found}


def _typed(rows: WrittenRows, columns: Columns, engine: Engine) -> str:
    """A query for the rows with exactly these columns and types."""
    names = [quote_identifier(name) for name, _ in columns]
    if rows.sql is not None:
        there = {name.lower(): quote_identifier(name) for name, _ in engine.columns(rows.sql)}
        cells = [
            f"cast({there.get(name.lower(), 'null')} as {sql_type}) as {quoted}"
            for (name, sql_type), quoted in zip(columns, names, strict=True)
        ]
        return f"select {', '.join(cells)} from ({rows.sql}\n) as written"
    if not rows.rows:
        nothing = [f"cast(null as {t}) as {n}" for (_, t), n in zip(columns, names, strict=True)]
        return f"select {', '.join(nothing)} where false"
    lines = [f"({', '.join(_cells(row, columns))})" for row in rows.rows]
    return f"select * from (values {', '.join(lines)}) as written({', '.join(names)})"


def _cells(row: Mapping[str, Any], columns: Columns) -> list[str]:
    values = {name.lower(): value for name, value in row.items()}
    return [f"cast({sql_literal(values.get(n.lower()))} as {sql_type})" for n, sql_type in columns]


def _bad_value(
    rows: WrittenRows, columns: Columns, engine: Engine, refused: EngineError
) -> NodeError:
    """The error for the first value that is not of its column's type; of a query, what the engine says."""
    places = rows.places or (rows.where,) * len(rows.rows)
    for row, place in zip(rows.rows, places, strict=True):
        for (name, sql_type), cell in zip(columns, _cells(row, columns), strict=True):
            try:
                engine.rows(f"select {cell}")
            except EngineError as error:
                return NodeError(
                    f"a value of column '{name}' is no {sql_type}",
                    where=place,
                    found=error.what,
                    fix=f"write a value that can be cast to {sql_type}",
                )
    return NodeError(refused.what, where=rows.where, found=refused.found)


# -- UDFs ------------------------------------------------------------------------------------------


def _check_mocks(check: UnitCheck, model: CompiledModel, udfs: UdfRegistry) -> None:
    for name, rows in check.mocks.items():
        if name not in udfs.signatures:
            raise NodeError(
                f"there is no UDF '{name}'",
                where=rows.where,
                found=f"UDFs: {', '.join(udfs.signatures)}",
                fix=unknown_fix(name, udfs.signatures),
            )
        if udfs.signatures[name].kind == "scalar":
            raise NodeError(
                f"scalar UDF '{name}' cannot be mocked",
                where=rows.where,
                found="it is pure and cheap: unit tests run it as it is",
                fix="remove the mock",
            )
        if name not in model.udfs:
            raise NodeError(
                f"model {check.model} does not call UDF '{name}'",
                where=rows.where,
                found=f"it calls {', '.join(model.udfs) or 'none'}",
                fix="remove the mock, or override the var that makes the model call it",
            )
    for call in model.steps:
        if call.udf.lower() not in check.mocks:
            raise NodeError(
                f"model {check.model} calls {call.udf}(...), which is not mocked",
                where=check.where,
                found="unit tests call no language model and train none",
                fix=f"add under given:  - {{input: \"udf('{call.udf}')\", rows: [{_mock_example(call, udfs)}]}}",
            )


def _mock_example(call: CallStep, udfs: UdfRegistry) -> str:
    signature = udfs.signatures[call.udf.lower()]
    if signature.kind == "table":
        return "{" + ", ".join(f"{name}: ..." for name, _ in call.columns) + "}"
    return "{" + ", ".join(f"{p.name}: ..." for p in signature.columns) + ", returns: ...}"


def _answer(
    call: CallStep, check: UnitCheck, node: Node, engine: Engine, signature: Signature
) -> None:
    """Declare the relation of a call, answered by the mock instead of the function."""
    rows = check.mocks[call.udf.lower()]
    if signature.kind == "table":
        declare_rows(engine, call.relation, call.columns, rows, f"{call.udf} returns")
        return
    parameters = [(p.name, p.sql_type) for p in (*signature.columns, *signature.constants)]
    columns = (*parameters, (RETURNS, str(signature.returns)), (CALL_KEY, "VARCHAR"))
    written = written_columns(rows, columns, engine, f"besides {RETURNS}, {call.udf} takes")
    if RETURNS not in written:
        raise NodeError(
            f"the mock of {call.udf} does not say what it returns",
            where=rows.where,
            found=f"columns {', '.join(sorted(written)) or '(no rows)'}",
            fix=f"write rows: [{{{signature.columns[0].name}: ..., {RETURNS}: ...}}]",
        )
    mock = f"{call.relation}_mock"
    declare_rows(engine, mock, columns, rows, f"{call.udf} takes")
    constants = call_constants(call, node, engine)
    engine.run(_answer_query(call, signature, mock, constants))
    _refuse_unanswered(call, signature, rows, constants, engine)


def _answer_query(
    call: CallStep, signature: Signature, mock: str, constants: Mapping[str, Any]
) -> str:
    """The first row of the mock whose arguments are the call's answers it; an argument that is left out fits any."""
    names = [argument_column(call.relation, i) for i in range(len(signature.columns))]
    conditions = [
        f"(mock.{quote_identifier(p.name)} is null or mock.{quote_identifier(p.name)} = calls.{name})"
        for p, name in zip(signature.columns, names, strict=True)
    ]
    for p in signature.constants:
        column, value = f"mock.{quote_identifier(p.name)}", sql_literal(constants.get(p.name))
        conditions.append(f"({column} is null or {column} = cast({value} as {p.sql_type}))")
    given = " and ".join(f"{name} is not null" for name in names)
    key = f"coalesce(mock.{CALL_KEY}, {quote_literal(call.udf + ':')} || mock.number)"
    return f"""
        create or replace table {call.relation} as
        select {", ".join(f"calls.{name}" for name in names)},
            mock.{RETURNS} as {result_column(call.relation)}, {key} as {key_column(call.relation)}
        from (select * from ({call.inputs["arguments"]}) where {given}) as calls
        left join (select *, row_number() over () as number from {mock}) as mock
            on {" and ".join(conditions)}
        qualify row_number() over (partition by {", ".join(f"calls.{n}" for n in names)} order by mock.number) = 1
    """


def _refuse_unanswered(
    call: CallStep,
    signature: Signature,
    rows: WrittenRows,
    constants: Mapping[str, Any],
    engine: Engine,
) -> None:
    names = [argument_column(call.relation, i) for i in range(len(signature.columns))]
    open_calls = engine.rows(
        f"select {', '.join(names)} from {call.relation} where {key_column(call.relation)} is null order by all"
    )
    if not open_calls:
        return
    shown = [_call_text(signature, values, constants) for values in open_calls[:CALLS_SHOWN]]
    more = [f"... and {len(open_calls) - CALLS_SHOWN} more"] * (len(open_calls) > CALLS_SHOWN)
    arguments = zip(signature.columns, open_calls[0], strict=True)
    written = ", ".join(f"{p.name}: {sql_literal(value)}" for p, value in arguments)
    raise NodeError(
        f"{len(open_calls)} call{'s' * (len(open_calls) != 1)} of {call.udf} ha{'ve' if len(open_calls) != 1 else 's'} no answer in its mock",
        where=rows.where,
        found="\n".join([*shown, *more]),
        fix=f"add a row  - {{{written}, {RETURNS}: ...}}",
    )


def _call_text(signature: Signature, values: Sequence[Any], constants: Mapping[str, Any]) -> str:
    arguments = [
        f"{p.name}: {_shortened(v)}" for p, v in zip(signature.columns, values, strict=True)
    ]
    arguments += [f"{name} := {_shortened(value)}" for name, value in constants.items()]
    return f"{signature.name}({', '.join(arguments)})"


def _shortened(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else cell_text(value)
    return text if len(text) <= LONGEST_ARGUMENT else text[: LONGEST_ARGUMENT - 1] + "…"
