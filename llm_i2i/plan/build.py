"""Manifest + what the store holds -> Plan. No side effects; the store is asked through a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from llm_i2i.errors import LlmI2iError, ProjectError, raise_all
from llm_i2i.fingerprint import fingerprint
from llm_i2i.graph.compile import CompiledModel
from llm_i2i.graph.manifest import Manifest
from llm_i2i.graph.node import Node
from llm_i2i.plan.step import Action, Plan, PlanStep

RESULT_FORMAT = 1  # of the stored folders; part of every fingerprint


class StoredResult(Protocol):
    """What planning reads of a stored result."""

    @property
    def parts(self) -> dict[str, Any]: ...


# (node, fingerprint) -> the stored result, None if it is not there or not whole.
LookUp = Callable[[str, str], StoredResult | None]


def build_plan(
    manifest: Manifest,
    selected: list[str],
    compiled: Mapping[str, CompiledModel],
    source_fingerprints: Mapping[str, str],
    refreshes: Mapping[str, int],
    look_up: LookUp,
    published: Mapping[str, str],
) -> Plan:
    """Decide for each selected node, parents first, whether it is reused or built.

    A model with the config `frozen` keeps the result that is published while only the sources' data have changed since.

    Args:
        compiled: The selected models and all their ancestors.
        source_fingerprints: Source node -> digest of its files' content.
        refreshes: Node -> how often it was fully refreshed; each refresh is a new result.
        published: Node -> fingerprint in the environment, to say what changed.

    Raises:
        ProjectError: A selected model reads one that is neither selected nor built.
    """
    fingerprints: dict[str, str] = dict(source_fingerprints)
    parts: dict[str, dict[str, Any]] = {}
    recipes: dict[str, str] = {}
    frozen: dict[str, str] = {}
    for name in manifest.dag.order:
        if name in compiled:
            node = manifest.nodes[name]
            parts[name] = _parts(node, compiled[name], fingerprints, refreshes.get(name, 0))
            recipes[name] = _recipe(node, parts[name], manifest, recipes)
            fingerprints[name] = fingerprint([RESULT_FORMAT, parts[name]])
            # known beside what the fingerprint is made of
            parts[name] |= {"vars": node.inputs.get("vars", {}), "recipe": recipes[name]}
            before = look_up(name, published[name]) if _may_freeze(node, name, published) else None
            if (
                before
                and published[name] != fingerprints[name]
                and _same_but_data(before.parts, parts[name])
            ):
                frozen[name] = explain_change(before.parts, parts[name])
                fingerprints[name], parts[name] = published[name], before.parts
    steps: list[PlanStep] = []
    ephemeral: dict[str, PlanStep] = {}
    errors: list[LlmI2iError] = []
    chosen = set(selected)
    for name in manifest.dag.order:
        node = manifest.nodes[name]
        if name not in compiled:
            continue
        inputs: dict[str, str] = parts[name]["inputs"]
        stored = look_up(name, fingerprints[name]) if node.materialized == "table" else None
        action: Action = "view" if node.materialized != "table" else "reuse" if stored else "build"
        reason = (
            f"frozen at {fingerprints[name][:4]}, {frozen[name]}"
            if name in frozen
            else _reason(name, action, parts[name], fingerprints, published, look_up)
        )
        step = PlanStep(
            node, compiled[name], action, reason, fingerprints[name], inputs, parts[name]
        )
        if action == "view":
            ephemeral[name] = step
        if name in chosen:
            steps.append(step)
        elif action == "build" and any(child in chosen for child in _readers(name, manifest)):
            errors.append(_not_built(name, chosen, manifest))
    raise_all(errors)
    return Plan(tuple(steps), fingerprints, ephemeral)


def _parts(
    node: Node, model: CompiledModel, fingerprints: Mapping[str, str], refresh: int
) -> dict[str, Any]:
    hooks: dict[str, Any] = {"hooks": list(node.pre_hook)} if node.pre_hook else {}
    if partitioned := node.config.get("partition_by"):
        hooks["partition_by"] = partitioned
    return {
        **hooks,
        "sql": model.digest,
        "udfs": model.udfs,
        "inputs": {parent: fingerprints[parent] for parent in node.reads},
        "refresh": refresh,
    }


def _recipe(
    node: Node, parts: Mapping[str, Any], manifest: Manifest, recipes: Mapping[str, str]
) -> str:
    """Digest of all that a result is made by, up to the sources' paths, but not of the data in them."""
    inputs = {
        parent: recipes.get(parent) or manifest.nodes[parent].file_path for parent in node.reads
    }
    return fingerprint([RESULT_FORMAT, {**parts, "inputs": inputs, "refresh": 0}])


def _may_freeze(node: Node, name: str, published: Mapping[str, str]) -> bool:
    return bool(node.config.get("frozen")) and name in published


def _same_but_data(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether a published result differs from the one to build in the sources' data alone; a full refresh is another difference."""
    return all(before.get(part) == after[part] for part in ("recipe", "refresh"))


def _readers(name: str, manifest: Manifest) -> set[str]:
    """Models that read a node directly or through views."""
    found: set[str] = set()
    frontier = [name]
    while frontier:
        for child in manifest.dag.children[frontier.pop()]:
            if child not in found:
                found.add(child)
                if manifest.nodes[child].materialized != "table":
                    frontier.append(child)
    return found


def _not_built(name: str, chosen: set[str], manifest: Manifest) -> ProjectError:
    readers = sorted(r for r in _readers(name, manifest) if r in chosen)
    return ProjectError(
        f"model {name!r} is needed and not built in its present state",
        where=manifest.nodes[name].path,
        found=f"read by {', '.join(readers[:3])}",
        fix=f"select it too: --select +{readers[0]}",
    )


def _reason(
    name: str,
    action: Action,
    parts: Mapping[str, Any],
    fingerprints: Mapping[str, str],
    published: Mapping[str, str],
    look_up: LookUp,
) -> str:
    if action == "view":
        return "view"
    if action == "reuse":
        return (
            f"fingerprint {fingerprints[name][:4]} unchanged"
            if published.get(name) == fingerprints[name]
            else "already in the store"
        )
    before = look_up(name, published[name]) if name in published else None
    if before is None:
        return "not built yet"
    return explain_change(before.parts, parts) or "result missing or damaged"


def explain_change(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """What differs between the parts of two fingerprints, in words; empty if nothing does."""
    changes: list[str] = []
    if before.get("refresh") != after["refresh"]:
        changes.append("full refresh")
    if before.get("sql") != after["sql"]:
        old, new = before.get("vars", {}), after["vars"]
        changed = sorted(k for k in {*old, *new} if old.get(k) != new.get(k))
        changes.append(f"var {', '.join(changed)} changed" if changed else "SQL changed")
    if before.get("hooks") != after.get("hooks"):
        changes.append("pre_hook changed")
    if before.get("partition_by") != after.get("partition_by"):
        changes.append("partition_by changed")
    changes += [
        f"UDF {n} changed" for n, v in after["udfs"].items() if before.get("udfs", {}).get(n) != v
    ]
    moved = [n for n, v in after["inputs"].items() if before.get("inputs", {}).get(n) != v]
    if moved:
        changes.append(f"input {', '.join(moved[:3])}{' ...' if len(moved) > 3 else ''} changed")
    return "; ".join(changes)
