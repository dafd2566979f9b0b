"""`llmi2i lineage`: the tree of a column, upwards and downwards."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click

from llm_i2i.graph.lineage import ColumnGraph, ColumnName, Direction, shown
from llm_i2i.sql.lineage import ROWS

DEFAULT_DEPTH = 2  # of the tree; a deep project has hundreds of columns upstream of its last


def print_lineage(
    graph: ColumnGraph, text: str, upstream: bool, downstream: bool, depth: int | None, output: str
) -> None:
    """The lineage of `table.column`, or of each column of `table`, on stdout.

    Args:
        depth: Steps to follow, 0 for all, None for the usual: two in text, all in JSON.
    """
    columns = graph.resolve(text)
    wanted: dict[Direction, bool] = {"upstream": upstream, "downstream": downstream}
    directions = [direction for direction, is_wanted in wanted.items() if is_wanted]
    if output == "json":
        click.echo(
            json.dumps([_as_json(graph, c, directions, depth or None) for c in columns], indent=1)
        )
        return
    limit = (DEFAULT_DEPTH if depth is None else depth) or None
    for index, column in enumerate(columns):
        click.echo(("\n" if index else "") + "\n".join(tree(graph, column, directions, limit)))


def _as_json(
    graph: ColumnGraph, column: ColumnName, directions: list[Direction], depth: int | None
) -> dict[str, object]:
    result: dict[str, object] = {
        "column": shown([column])[0],
        "data_type": graph.types[column[0]].get(column[1]),
    }
    for direction in directions:
        result[direction] = [
            {
                "from": shown([edge.source])[0],
                "to": shown([edge.target])[0],
                "via": edge.via.split(" > ") if edge.via else [],
                "guessed": edge.guessed,
            }
            for edge in graph.walk(column, direction, depth)
        ]
    return result


def tree(
    graph: ColumnGraph, column: ColumnName, directions: list[Direction], depth: int | None
) -> Iterator[str]:
    """The lines of the tree: a column that was shown before is not followed again."""
    sql_type = graph.types[column[0]].get(column[1], "which rows there are")
    yield f"{shown([column])[0]}  {sql_type}".rstrip()
    for direction in directions:
        edges = graph.direct(column, direction)
        if not edges:
            yield "  " + _nothing(graph, column, direction)
            continue
        yield "  made from" if direction == "upstream" else "  used by"
        yield from _branches(graph, column, direction, "  ", depth, {column})
        cut = len(graph.walk(column, direction)) - len(graph.walk(column, direction, depth))
        if cut:
            yield f"  ({cut:,} further edges {direction}: --depth 0)"


def _nothing(graph: ColumnGraph, column: ColumnName, direction: Direction) -> str:
    if direction == "downstream":
        return "used by no column"
    if column[0] not in graph.made_from:
        return "a source"
    return "decided by no column" if column[1] == ROWS else "made from no column: a constant"


def _branches(
    graph: ColumnGraph,
    column: ColumnName,
    direction: Direction,
    indent: str,
    depth: int | None,
    seen: set[ColumnName],
) -> Iterator[str]:
    edges = graph.direct(column, direction)
    for index, edge in enumerate(edges):
        last = index == len(edges) - 1
        end = edge.source if direction == "upstream" else edge.target
        notes = [f"through {edge.via}"] * bool(edge.via) + ["perhaps"] * edge.guessed
        again = end in seen and bool(graph.direct(end, direction))
        notes += ["see above"] * again
        note = f"  ({', '.join(notes)})" if notes else ""
        yield f"{indent}{'└─' if last else '├─'} {shown([end])[0]}{note}"
        if not again and depth != 1:
            seen.add(end)
            further = None if depth is None else depth - 1
            yield from _branches(
                graph, end, direction, indent + ("   " if last else "│  "), further, seen
            )
