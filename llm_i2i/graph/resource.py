"""What can be selected: models, seeds, sources and exposures, seen alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llm_i2i.graph.dag import Dag
from llm_i2i.graph.manifest import Manifest

KINDS = ("model", "seed", "source", "exposure")
EXPOSURE_PREFIX = "exposure:"  # exposures have names of their own: one may be called as a model


@dataclass(frozen=True)
class Resource:
    """One selectable thing.

    Attributes:
        key: Unique in the graph; a node's own name.
        fqn: Package, folders and name, as dbt's; of a source its package, source and table.
    """

    key: str
    name: str
    kind: str
    package: str
    path: str
    fqn: tuple[str, ...]
    tags: tuple[str, ...]
    config: Mapping[str, Any]
    reads: tuple[str, ...]
    description: str = ""

    @property
    def selector(self) -> str:
        """The criterion that selects it alone."""
        text = ".".join(self.fqn)
        return text if self.kind in ("model", "seed") else f"{self.kind}:{text}"

    @property
    def file(self) -> str:
        """The path without a line number."""
        head, _, tail = self.path.rpartition(":")
        return head if tail.isdigit() else self.path


@dataclass(frozen=True)
class Resources:
    """All resources of a project and who reads whom."""

    by_key: Mapping[str, Resource]
    dag: Dag

    def in_order(self, keys: set[str]) -> list[str]:
        return [key for key in self.dag.order if key in keys]


def list_resources(manifest: Manifest) -> Resources:
    """Everything that can be selected, parents first."""
    found = {
        name: Resource(
            key=name,
            name=name,
            kind=node.resource_type,
            package=node.package,
            path=node.path,
            fqn=node.fqn or (node.package, name),
            tags=node.tags,
            config={"materialized": node.materialized, **node.config},
            reads=node.reads,
            description=node.description,
        )
        for name, node in manifest.nodes.items()
    }
    for exposure in manifest.exposures.values():
        key = EXPOSURE_PREFIX + exposure.name
        found[key] = Resource(
            key=key,
            name=exposure.name,
            kind="exposure",
            package=exposure.package,
            path=exposure.path,
            fqn=(exposure.package, exposure.name),
            tags=exposure.tags,
            config=exposure.config,
            reads=exposure.reads,
            description=exposure.description,
        )
    if len(found) == len(manifest.nodes):
        return Resources(found, manifest.dag)
    return Resources(found, Dag({key: resource.reads for key, resource in found.items()}))
