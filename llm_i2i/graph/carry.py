"""Compiled models in the SQL of the target's engine, for people to read and to find early what cannot be carried."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

from llm_i2i.errors import LlmI2iError, ProjectError, ProjectErrors, raise_all
from llm_i2i.fingerprint import fingerprint
from llm_i2i.graph.compile import Binder, BinderFactory, CompiledModel, placed, restored
from llm_i2i.graph.manifest import Manifest
from llm_i2i.graph.node import Node
from llm_i2i.names import CHANGED, FOUND
from llm_i2i.sql.steps import CallStep, Columns

_COMMENTS = re.compile(r"\A(\s|--[^\n]*\n|/\*.*?\*/)*", re.DOTALL)
VERSION = 4  # part of the cache's key; raise it when a translation changes


def carry_models(
    manifest: Manifest,
    compiled: Mapping[str, CompiledModel],
    source_columns: Mapping[str, Columns],
    make_binder: BinderFactory,
    cache: dict[str, Any],
) -> dict[str, CompiledModel]:
    """Models with all their SQL in Spark's dialect.

    Args:
        cache: Finished translations by key; new ones are added.

    Raises:
        ProjectError: All that cannot be carried, of all models together, each with the portable way to write it.
    """
    columns = {**source_columns, **{name: model.columns for name, model in compiled.items()}}
    carried: dict[str, CompiledModel] = {}
    errors: list[LlmI2iError] = []
    binder: Binder | None = None
    for name, model in compiled.items():
        node = manifest.nodes[name]
        inputs = {parent: columns[parent] for parent in node.reads}
        key = fingerprint(["carried", VERSION, asdict(model), inputs])
        try:
            if key not in cache:
                binder = binder or make_binder()
                cache[key] = asdict(_carry(model, node, inputs, binder))
            carried[name] = restored(cache[key])
        except LlmI2iError as error:
            several = error.errors if isinstance(error, ProjectErrors) else [error]
            errors += [_of_model(one, node, model) for one in several]
    raise_all(errors)
    return carried


def _of_model(error: LlmI2iError, node: Node, model: CompiledModel) -> LlmI2iError:
    error.what = f"{node.name}: {error.what}"
    return placed(error, node, model.udfs)


def _carry(
    model: CompiledModel, node: Node, inputs: Mapping[str, Columns], binder: Binder
) -> CompiledModel:
    _refuse_hooks(node)
    relations = dict(inputs)
    for name, columns in inputs.items():
        binder.declare(name, columns)

    def plainly(sql: str) -> str:
        from llm_i2i.sql.portable.translate import translate

        return translate(sql, relations, binder.columns(sql), binder, model.udfs)

    def translated(sql: str) -> str:
        from llm_i2i.sql.portable.rounds import rounds

        parts = rounds(sql)
        if parts is None:
            return plainly(sql)
        columns = binder.columns(parts.first)
        for name in (FOUND, CHANGED):
            relations[name] = columns
            binder.declare(name, columns)
        named = [
            (f"{FOUND}, at first", parts.first),
            (f"{CHANGED}, again until it is empty", parts.again),
            (f"{FOUND}, after each", parts.merged),
            ("then", parts.result),
        ]
        return ";\n\n".join(f"-- {name}\n{plainly(part)}" for name, part in named)

    steps = []
    for step in model.steps:
        steps.append(_carry_step(step, translated))
        relations[step.relation] = step.columns
        binder.declare(step.relation, step.columns)
    return replace(model, sql=translated(model.sql), steps=tuple(steps))


def _carry_step(step: CallStep, translated: Callable[[str], str]) -> CallStep:
    return replace(
        step,
        inputs={name: translated(sql) for name, sql in step.inputs.items()},
        constants={name: translated(sql) for name, sql in step.constants.items()},
    )


def _refuse_hooks(node: Node) -> None:
    """Hooks run on DuckDB in this process, over the tables the model reads: one that sets an option would not reach the cluster."""
    for hook in (*node.pre_hook, *node.post_hook):
        if _COMMENTS.sub("", hook).lower().startswith(("set", "reset", "load", "pragma", "install")):  # fmt: skip
            raise ProjectError(
                "a hook that changes the session cannot be carried to Spark",
                found=" ".join(hook.split())[:120],
                fix="remove it; settings of the cluster's session go under conf: of the target",
            )
