"""Rendered models -> compiled models: UDF calls lifted out, every column bound, a digest of what was meant.

The engine's own binder checks each model against empty relations with its parents' columns, so an unknown column or a type
clash is found before anything runs, in milliseconds, and the compiler never guesses what DuckDB would say.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from llm_i2i.errors import EngineError, LlmI2iError, ProjectError, closest, raise_all
from llm_i2i.fingerprint import fingerprint
from llm_i2i.graph.contract import check_contract
from llm_i2i.graph.manifest import Manifest
from llm_i2i.graph.node import Node
from llm_i2i.sql.complaints import missing_name, sql_fix, suggestion
from llm_i2i.sql.steps import CallStep, Columns
from llm_i2i.sql.tokens import (
    called_functions,
    canonical_digest,
    check_one_query,
    reads_files,
    what_changes,
)
from llm_i2i.udf.signature import Signature

COMPILER_VERSION = (
    2  # part of the compile cache's key; raise it when compilation changes its output
)


class Binder(Protocol):
    """What compilation needs of an engine."""

    def columns(self, sql: str) -> Columns: ...

    def declare(self, name: str, columns: Columns) -> None: ...

    def declare_macro(self, signature: Signature) -> None: ...


class BinderFactory(Protocol):
    """Makes the binder when the first model is not in the cache: a no-op build never needs one."""

    def __call__(self) -> Binder: ...


@dataclass(frozen=True)
class CompiledModel:
    """A model ready to run.

    Attributes:
        sql: The query, with lifted calls replaced by relations.
        steps: Calls to run first, in order.
        columns: Names and types of the result.
        digest: Of the rendered SQL's tokens; comments and layout do not count.
        udfs: UDF name -> version, of all UDFs the model calls.
        changing: What it reads besides its inputs, such as now() or a file of its own.
    """

    name: str
    sql: str
    steps: tuple[CallStep, ...]
    columns: Columns
    digest: str
    udfs: dict[str, str]
    changing: tuple[str, ...] = ()

    def text(self) -> str:
        """All its statements in the order they run, for people to read."""
        parts = []
        for step in self.steps:
            queries = {**step.inputs, **step.constants}
            parts += [
                f"-- {step.relation}: {step.udf}, {name}\n{sql}" for name, sql in queries.items()
            ]
        return ";\n\n".join([*parts, self.sql]) + "\n"


def compile_models(
    manifest: Manifest,
    names: list[str],
    source_columns: Mapping[str, Columns],
    signatures: Mapping[str, Signature],
    make_binder: BinderFactory,
    cache: dict[str, Any],
) -> dict[str, CompiledModel]:
    """Compile the named models; `names` holds their ancestors too, in build order.

    Args:
        cache: Finished compilations by key, as JSON-like values; new ones are added.

    Raises:
        ProjectError: All mistakes of all models together; a model below a broken one is not tried.
    """
    compiled: dict[str, CompiledModel] = {}
    columns: dict[str, Columns] = dict(source_columns)
    errors: list[LlmI2iError] = []
    session: _Session | None = None

    def opened() -> _Session:
        nonlocal session
        session = session or _Session(make_binder(), signatures)
        return session

    for name in names:
        node = manifest.nodes[name]
        if node.is_source or any(parent not in columns for parent in node.reads):
            continue
        inputs = {parent: columns[parent] for parent in node.reads}
        try:
            mentioned = [signatures[n] for n in sorted(signatures) if n in node.sql.lower()]
            udfs = [[s.version, repr(s)] for s in mentioned]
            key = fingerprint([COMPILER_VERSION, name, node.sql, inputs, udfs])
            if key not in cache:
                cache[key] = asdict(opened().compile(node, inputs))
            compiled[name] = restored(cache[key])
            columns[name] = compiled[name].columns
            _refuse_unsaid_change(node, compiled[name].changing)
            check_contract(node, columns[name], lambda: opened().binder.columns, cache)
        except LlmI2iError as error:
            errors.append(placed(error, node, signatures.keys()))
    raise_all(errors)
    return compiled


class _Session:
    """A binder that remembers what it was told."""

    def __init__(self, binder: Binder, signatures: Mapping[str, Signature]) -> None:
        self.binder = binder
        self.signatures = signatures
        for signature in signatures.values():
            if signature.kind == "scalar":
                binder.declare_macro(signature)

    def compile(self, node: Node, inputs: Mapping[str, Columns]) -> CompiledModel:
        check_one_query(node.sql)
        called = {
            n: self.signatures[n]
            for n in sorted(called_functions(node.sql, self.signatures.keys()))
        }
        for parent, columns in inputs.items():
            self.binder.declare(parent, columns)
        hoistable = {name: s for name, s in called.items() if s.kind != "scalar"}
        sql: str = node.sql
        steps: tuple[CallStep, ...] = ()
        if hoistable:
            from llm_i2i.sql.hoist import hoist

            hoisted = hoist(sql, hoistable, self.binder)
            sql = hoisted.sql
            steps = hoisted.steps
        _refuse_calls_in_views(node, called)
        columns = self.binder.columns(sql)
        _refuse_duplicate_columns(columns)
        return CompiledModel(
            node.name,
            sql,
            steps,
            columns,
            canonical_digest(node.sql),
            {n: s.version for n, s in called.items()},
            what_changes(node.sql),
        )


def _refuse_unsaid_change(node: Node, changing: tuple[str, ...]) -> None:
    """A result is kept until what made it changes, and the clock, chance and files are nothing that a fingerprint follows."""
    if not changing or node.config.get("volatile") is not None:
        return
    if reads_files(changing):
        what = "reads files that are no source, so that it would be reused when they change"
        fix = "declare them in YAML, sources: [{name: raw, tables: [{name: events, path: ...}]}], and read {{ source('raw', 'events') }};"
    else:
        what = "gives another answer each time, so that the first would be reused for ever"
        fix = "use a var or a value that is drawn from the ids and random_seed;"
    raise ProjectError(
        f"model {node.name!r} {what}",
        where=node.path,
        found=", ".join(changing),
        fix=f"{fix} or say config(volatile=true), to build it anew each time, or volatile=false, to keep its first result",
    )


def _refuse_calls_in_views(node: Node, called: Mapping[str, Signature]) -> None:
    """A view is read by clients that have no UDFs; a costly call must be stored, or each reader pays for it."""
    if node.materialized == "table":
        return
    kinds = ("scalar", "batch", "table") if node.materialized == "view" else ("batch", "table")
    for name, signature in called.items():
        if signature.kind in kinds:
            raise ProjectError(
                f"{node.materialized} model {node.name!r} calls the {signature.kind} UDF {name!r}",
                found=f"materialized: {node.materialized}",
                fix="write materialized: table, so that its result is kept",
            )


def _refuse_duplicate_columns(columns: Columns) -> None:
    seen: dict[str, str] = {}
    for name, _ in columns:
        first = seen.setdefault(name.lower(), name)
        if first is not name:
            raise ProjectError(
                f"two columns are called {name!r}",
                found=f"{first} and {name}: letter case does not count",
                fix="give one of them another name with `as`",
            )


def restored(raw: Mapping[str, Any]) -> CompiledModel:
    """A compiled model from its JSON-like form in the cache."""
    columns = tuple((name, sql_type) for name, sql_type in raw["columns"])
    steps = tuple(CallStep.from_json(step) for step in raw["steps"])
    changing = tuple(raw["changing"])
    return CompiledModel(**{**raw, "steps": steps, "columns": columns, "changing": changing})


def placed(error: LlmI2iError, node: Node, udfs: Collection[str]) -> LlmI2iError:
    """Say in which file and line of the project an engine's or the hoister's complaint belongs."""
    if isinstance(error, EngineError):
        line = error.line or _line_of_name(error.what, node.sql)
        lines = node.sql.splitlines()
        kind, missing = missing_name(error.what)
        if kind == "table":
            near = closest(missing, node.reads)
            fix = f"read other models through ref('{missing}')" + (
                f"; did you mean {near}?" if near else ""
            )
        else:
            fix = sql_fix(error.what, error.found, functions=udfs)
        offered = "" if kind else suggestion(error.found)
        return ProjectError(
            f"{node.name}: {error.what}",
            where=node.place(line),
            found=offered or (lines[line - 1].strip()[:120] if 0 < line <= len(lines) else ""),
            fix=fix or "correct the SQL of the model",
        )
    if not error.where:
        error.where = node.place(_line_of_name(f"{error.what} {error.found}", node.sql))
    return error


def _line_of_name(message: str, sql: str) -> int:
    """First line of the SQL that holds a name quoted in the message or its first word before '('."""
    names = re.findall(r'"([^"]+)"', message) + re.findall(r"\b(\w+)\(", message)
    for name in names:
        for number, line in enumerate(sql.splitlines(), start=1):
            if re.search(rf"\b{re.escape(name)}\b", line, re.IGNORECASE):
                return number
    return 0
