"""`llmi2i ls`: what a project holds, one line each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from llm_i2i.errors import ProjectError, closest
from llm_i2i.graph.node import DataCheck, UnitCheck, source_node_name
from llm_i2i.graph.seeds import SEED_FILES
from llm_i2i.graph.select_tests import is_test_criterion

if TYPE_CHECKING:
    from llm_i2i.graph.resource import Resource
    from llm_i2i.runner.project import Project

DEFAULT = ("model", "seed", "source", "exposure")
TESTS = ("test", "unit_test")


def print_listing(
    project: Project,
    select: Sequence[str],
    exclude: Sequence[str],
    resource_types: Sequence[str],
    output: str,
    keys: Sequence[str],
) -> None:
    """The selected resources in build order, then the tests on them where tests are asked for.

    Raises:
        ProjectError: Nothing is left.
    """
    kinds = set(resource_types) - {"all", "default"}
    if not kinds or "default" in resource_types:
        kinds |= set(DEFAULT)
    if "all" in resource_types:
        kinds |= {*DEFAULT, *TESTS}
    criteria = project.criteria(select, exclude)
    if not resource_types and any(
        is_test_criterion(word) for text in select for word in text.split()
    ):
        kinds = set(TESTS)
    if kinds <= set(TESTS):  # test_type: and the like are understood too
        tests = project.select_tests(*criteria)
        rows = [
            row for row in (_test_row(t, project) for t in tests) if row["resource_type"] in kinds
        ]
    else:
        rows = [*_rows(project, project.selection.select(*criteria), kinds)]
    if not rows:
        raise ProjectError(
            "nothing selected",
            found=f"none of what is selected is a {' or '.join(sorted(kinds))}",
            fix="leave --resource-type out",
        )
    for row in rows:
        if output == "json":
            click.echo(json.dumps(_only(row, keys)))
        else:
            click.echo(row[{"name": "name", "path": "path", "selector": "selector"}[output]])


def _rows(project: Project, chosen: Sequence[str], kinds: set[str]) -> Iterator[dict[str, Any]]:
    resources = project.selection.resources.by_key
    seeds = (r.name for r in resources.values() if r.kind == "seed")
    files = {
        source_node_name(SEED_FILES, name) for name in seeds
    }  # a seed stands for its file, too
    for key in chosen:
        if resources[key].kind in kinds and key not in files:
            yield _row(project, resources[key])
    of = set(chosen)
    for row in (_test_row(t, project) for t in project.manifest.tests if t.model in of):
        if row["resource_type"] in kinds:
            yield row


def _row(project: Project, resource: Resource) -> dict[str, Any]:
    row = {
        "name": resource.name,
        "resource_type": resource.kind,
        "selector": resource.selector,
        "package_name": resource.package,
        "path": resource.path,
        "materialized": resource.config.get("materialized", ""),
        "tags": list(resource.tags),
        "config": dict(resource.config),
        "depends_on": list(resource.reads),
        "description": resource.description,
    }
    if resource.kind == "exposure":
        exposure = project.manifest.exposures[resource.name]
        row |= {
            "type": exposure.type,
            "owner": exposure.owner,
            "url": exposure.url,
            "maturity": exposure.maturity,
        }
    return row


def _test_row(check: DataCheck | UnitCheck, project: Project) -> dict[str, Any]:
    if isinstance(check, UnitCheck):
        return {
            "name": check.name,
            "resource_type": "unit_test",
            "selector": f"unit_test:{check.name}",
            "package_name": project.manifest.nodes[check.model].package,
            "model": check.model,
            "path": check.where,
        }
    return {
        "name": check.name,
        "resource_type": "test",
        "selector": check.model,
        "package_name": project.manifest.nodes[check.model].package,
        "model": check.model,
        "column": check.column,
        "path": check.where,
        "severity": check.severity,
        "depends_on": list(check.depends_on),
    }


def _only(row: dict[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """The wanted keys, in the order they were asked for."""
    wanted = [key for text in keys for key in text.replace(",", " ").split()]
    if not wanted:
        return row
    for key in wanted:
        if key not in row:
            near = closest(key, row)
            raise ProjectError(
                f"--output-keys: there is no key {key!r}",
                found=", ".join(row),
                fix=f"did you mean {near}?" if near else "use one of these",
            )
    return {key: row[key] for key in wanted}
