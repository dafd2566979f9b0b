"""What a view becomes in an environment: a query over published tables alone, for clients that know nothing else of the project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_i2i.names import quote_identifier
from llm_i2i.store.environment import Pointer

if TYPE_CHECKING:
    from llm_i2i.plan.step import PlanStep
    from llm_i2i.runner.build.context import BuildContext


def pointers_of(step: PlanStep, context: BuildContext, published: set[str]) -> dict[str, Pointer]:
    """What publishing a step points to: nothing for an ephemeral model; a view brings the tables it reads that are not there yet."""
    kind = step.node.materialized
    if kind == "ephemeral":
        return {}
    if kind == "table":
        return {step.node.name: Pointer(step.fingerprint)}
    inlined, tables = _reads(step, context)
    brought = {n: Pointer(context.plan.fingerprints[n]) for n in tables if n not in published}
    return {**brought, step.node.name: Pointer(step.fingerprint, _query(step, inlined))}


def _query(step: PlanStep, inlined: dict[str, str]) -> str:
    if not inlined:
        return step.compiled.sql
    ctes = ",\n".join(f"{quote_identifier(n)} as (\n{sql}\n)" for n, sql in inlined.items())
    return f"with {ctes}\nselect * from (\n{step.compiled.sql}\n)"


def _reads(step: PlanStep, context: BuildContext) -> tuple[dict[str, str], list[str]]:
    """Queries of the views and ephemeral models above a view, parents first, and the tables they read."""
    inlined: dict[str, str] = {}
    tables: dict[str, None] = {}

    def visit(name: str) -> None:
        if name in inlined or name in tables:
            return
        if name in context.plan.ephemeral:
            for parent in context.manifest.nodes[name].reads:
                visit(parent)
            inlined[name] = context.plan.ephemeral[name].compiled.sql
        else:
            tables[name] = None

    for parent in step.node.reads:
        visit(parent)
    return inlined, list(tables)
