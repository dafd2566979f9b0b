"""A plan is data: what a build will do with each node, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from llm_i2i.graph.compile import CompiledModel
from llm_i2i.graph.node import Node
from llm_i2i.tabular import Tabular

Action = Literal["reuse", "build", "view"]


@dataclass(frozen=True, repr=False)
class PlanStep:
    """One node of a build.

    Attributes:
        action: `reuse` a stored result, `build` it, or define a `view` (views and ephemeral models store nothing).
        reason: Why, in words.
        inputs: Fingerprint of each node it reads.
        parts: Digests of what the fingerprint is made of; kept with the result to explain the next plan.
    """

    node: Node
    compiled: CompiledModel
    action: Action
    reason: str
    fingerprint: str
    inputs: dict[str, str]
    parts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan(Tabular):
    """Steps in build order, and the fingerprint of every node they may read."""

    steps: tuple[PlanStep, ...]
    fingerprints: dict[str, str]
    ephemeral: dict[str, PlanStep]

    @property
    def to_build(self) -> list[PlanStep]:
        return [step for step in self.steps if step.action == "build"]

    def records(self) -> list[dict[str, Any]]:
        return [
            {
                "node": step.node.name,
                "action": step.action,
                "reason": step.reason,
                "fingerprint": step.fingerprint,
            }
            for step in self.steps
        ]

    def __repr__(self) -> str:
        return f"<plan of {len(self.steps)} nodes, {len(self.to_build)} to build>"
