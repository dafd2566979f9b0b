"""dbt's selection syntax: `name`, `+up`, `down+`, `2+near+1`, `@all`, `tag:x`, `path:models/x`, `source:s`, wildcards.

A space is a union, a comma an intersection.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping

from llm_i2i.errors import ProjectError, closest
from llm_i2i.graph.dag import Dag
from llm_i2i.graph.node import Node

PATTERN = re.compile(r"^(?P<at>@)?(?:(?P<up>\d*)\+)?(?P<body>[^+@]+)(?:\+(?P<down>\d*))?$")
METHODS = ("tag", "path", "source", "name", "config.materialized")


def select_nodes(
    nodes: Mapping[str, Node], dag: Dag, select: Iterable[str] = (), exclude: Iterable[str] = ()
) -> list[str]:
    """Names of the selected nodes in build order; everything if nothing is asked for.

    Raises:
        ProjectError: The syntax is unknown, or nothing matches.
    """
    wanted = list(select)
    chosen = _union(wanted, nodes, dag) if wanted else set(nodes)
    chosen -= _union(list(exclude), nodes, dag)
    if not chosen:
        text = " ".join(wanted) or "(everything)"
        near = closest(re.sub(r"^[@\d+]*|[+\d]*$", "", text), nodes)
        raise ProjectError(
            "nothing selected",
            found=f"--select {text}"
            + (f" --exclude {' '.join(exclude)}" if exclude else "")
            + f", {len(nodes)} nodes known",
            fix=f"did you mean {near}?" if near else "see `llmi2i ls` for the names",
        )
    return [name for name in dag.order if name in chosen]


def _union(criteria: list[str], nodes: Mapping[str, Node], dag: Dag) -> set[str]:
    chosen: set[str] = set()
    for group in (part for text in criteria for part in text.split()):
        sets = [_one(criterion, nodes, dag) for criterion in group.split(",") if criterion]
        if sets:
            chosen |= set.intersection(*sets)
    return chosen


def _one(criterion: str, nodes: Mapping[str, Node], dag: Dag) -> set[str]:
    match = PATTERN.match(criterion)
    if match is None:
        raise ProjectError(
            f"selector {criterion!r} cannot be read",
            fix="write name, +name, name+, 2+name, @name, tag:x, path:models/x or source:x",
        )
    matched = _matching(match["body"], nodes)
    chosen = set(matched)
    for name in matched:
        if match["up"] is not None:
            chosen |= dag.ancestors(name, int(match["up"]) if match["up"] else None)
        if match["down"] is not None or match["at"]:
            below = dag.descendants(name, int(match["down"]) if match["down"] else None)
            chosen |= below
            if match["at"]:
                chosen |= {up for n in below | {name} for up in dag.ancestors(n)}
    return chosen


def _matching(body: str, nodes: Mapping[str, Node]) -> list[str]:
    method, colon, value = body.partition(":")
    if not colon:
        if "/" in body or body.endswith((".sql", ".yml")):
            return _by_path(body, nodes)
        return [n for n in nodes if fnmatch.fnmatchcase(n, body)] or [
            n for n, v in nodes.items() if f"/{body}/" in f"/{v.path}"
        ]
    if method == "tag":
        return [
            n for n, node in nodes.items() if any(fnmatch.fnmatchcase(t, value) for t in node.tags)
        ]
    if method == "path":
        return _by_path(value, nodes)
    if method == "source":
        wanted = value.replace(".", "__")
        return [
            n
            for n, v in nodes.items()
            if v.is_source and (n == wanted or n.startswith(f"{wanted}__") or value == "*")
        ]
    if method == "name":
        return [n for n in nodes if fnmatch.fnmatchcase(n, value)]
    if method == "config.materialized":
        return [n for n, node in nodes.items() if node.materialized == value]
    raise ProjectError(
        f"unknown selector method {method!r}", found=body, fix=f"methods are {', '.join(METHODS)}"
    )


def _by_path(value: str, nodes: Mapping[str, Node]) -> list[str]:
    prefix = value.removeprefix("./").rstrip("/")
    return [
        n for n, v in nodes.items()
        if v.path == prefix or v.path.startswith(f"{prefix}/") or fnmatch.fnmatchcase(v.path, prefix)
    ]  # fmt: skip
