"""The graph of a project: nodes, data tests, order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from llm_i2i.config.properties import ModelProperties
from llm_i2i.errors import LlmI2iError, ProjectError, closest, raise_all
from llm_i2i.graph.dag import Dag
from llm_i2i.graph.node import DataCheck, Exposure, Node, UnitCheck


@dataclass(frozen=True)
class Manifest:
    """Everything a project declares, checked and ordered."""

    nodes: Mapping[str, Node]
    checks: tuple[DataCheck, ...]
    dag: Dag
    exposures: Mapping[str, Exposure] = field(default_factory=dict)
    unit_checks: tuple[UnitCheck, ...] = ()
    properties: Mapping[str, ModelProperties] = field(default_factory=dict)  # model -> its YAML
    disabled: Mapping[str, Node] = field(default_factory=dict)

    @property
    def tests(self) -> list[UnitCheck | DataCheck]:
        """Unit tests and data tests."""
        return [*self.unit_checks, *self.checks]

    def checks_of(self, name: str) -> list[DataCheck]:
        """Data tests to run when `name` is built: its own, and singular ones that read it."""
        return [
            check
            for check in self.checks
            if check.model == name or (check.is_singular and name in check.depends_on)
        ]

    def unit_checks_of(self, name: str) -> list[UnitCheck]:
        return [check for check in self.unit_checks if check.model == name]

    def counts(self) -> dict[str, int]:
        """How many there are of each kind of thing; the file of a seed is no source of its own."""
        kinds = Counter(node.resource_type for node in self.nodes.values())
        return {
            "model": kinds["model"],
            "seed": kinds["seed"],
            "source": kinds["source"] - kinds["seed"],
            "exposure": len(self.exposures),
            "data test": len(self.checks),
            "unit test": len(self.unit_checks),
        }

    def models(self) -> list[Node]:
        """Models in build order."""
        return [self.nodes[n] for n in self.dag.order if not self.nodes[n].is_source]


def build_manifest(
    nodes: Mapping[str, Node],
    checks: tuple[DataCheck, ...],
    *,
    unit_checks: tuple[UnitCheck, ...] = (),
    exposures: Mapping[str, Exposure] | None = None,
    properties: Mapping[str, ModelProperties] | None = None,
    disabled: Mapping[str, Node] | None = None,
) -> Manifest:
    """Order the nodes.

    Raises:
        ProjectError: A cycle, or a data test or exposure that reads an unknown node.
    """
    errors: list[LlmI2iError] = []
    readers = [(check.depends_on, check.where) for check in checks]
    readers += [(exposure.reads, exposure.path) for exposure in (exposures or {}).values()]
    for reads, where in readers:
        errors += [unknown_reference(name, nodes, where) for name in reads if name not in nodes]
    raise_all(errors)
    try:
        dag = Dag({name: node.reads for name, node in nodes.items()})
    except ProjectError as error:
        error.where = ", ".join(nodes[name].path for name in error.found.split(" -> ")[:-1])
        raise
    return Manifest(
        _with_stored_views(nodes, dag),
        checks,
        dag,
        exposures=exposures or {},
        unit_checks=unit_checks,
        properties=properties or {},
        disabled=disabled or {},
    )


def _with_stored_views(nodes: Mapping[str, Node], dag: Dag) -> dict[str, Node]:
    """The nodes, with views over files as tables: what is published must not change when a file does.

    Their config still says `view`.
    """
    found = dict(nodes)
    files: set[str] = set()  # sources, and the ephemeral models that read them
    for name in dag.order:
        node = found[name]
        reads_files = any(parent in files for parent in node.reads)
        if node.is_source or (reads_files and node.materialized == "ephemeral"):
            files.add(name)
        elif reads_files and node.materialized == "view":
            found[name] = replace(node, materialized="table")
    return found


def unknown_reference(name: str, nodes: Mapping[str, Node], where: str) -> ProjectError:
    """The error for a ref() to nothing."""
    models = [n for n, node in nodes.items() if not node.is_source]
    near = closest(name, models)
    return ProjectError(
        f"ref('{name}') does not name any model",
        where=where,
        found=f"{len(models)} models" + (f", closest {near}" if near else ""),
        fix=f"write ref({near.split(', ')[0]})"
        if near
        else f"create models/.../{name}.sql or correct the name",
    )


def unknown_source(source: str, table: str, nodes: Mapping[str, Node], where: str) -> ProjectError:
    """The error for a source() to nothing."""
    known = [n.replace("__", ".", 1) for n, node in nodes.items() if node.is_source]
    near = closest(f"{source}.{table}", known)
    return ProjectError(
        f"source('{source}', '{table}') is not declared",
        where=where,
        found=f"sources {', '.join(known) or '(none)'}" + (f", closest {near}" if near else ""),
        fix="declare the table under `sources:` in a YAML file of models/, or correct the name",
    )
