"""Column lineage of a whole project: which column is made from which, in both directions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, astuple, dataclass
from functools import cached_property
from typing import Any, Literal

from llm_i2i.errors import ProjectError, closest
from llm_i2i.fingerprint import fingerprint
from llm_i2i.graph.compile import CompiledModel
from llm_i2i.graph.manifest import Manifest
from llm_i2i.sql.lineage import LINEAGE_VERSION, ROWS, ColumnSource, Lineage, query_lineage
from llm_i2i.sql.steps import Columns

Direction = Literal["upstream", "downstream"]
ColumnName = tuple[str, str]  # (node, column); the column `*` stands for the node's rows


@dataclass(frozen=True, order=True)
class ColumnEdge:
    """`target` is made from `source`; see `ColumnSource` for `via` and `guessed`."""

    source: ColumnName
    target: ColumnName
    via: str = ""
    guessed: bool = False


class ColumnGraph:
    """Every column of a project with what it is made from.

    Attributes:
        types: SQL types of the columns of each node.
        made_from: Model -> column -> its sources.
    """

    def __init__(
        self, types: Mapping[str, Mapping[str, str]], made_from: Mapping[str, Lineage]
    ) -> None:
        self.types = types
        self.made_from = made_from

    @cached_property
    def _children(self) -> dict[ColumnName, list[ColumnEdge]]:
        children: dict[ColumnName, list[ColumnEdge]] = {}
        for model, lineage in self.made_from.items():
            for column in lineage:
                for edge in self._parents((model, column)):
                    children.setdefault(edge.source, []).append(edge)
        return children

    def _parents(self, column: ColumnName) -> list[ColumnEdge]:
        sources = self.made_from.get(column[0], {}).get(column[1], ())
        return [ColumnEdge((s.relation, s.column), column, s.via, s.guessed) for s in sources]

    def direct(self, column: ColumnName, direction: Direction) -> list[ColumnEdge]:
        """Edges that end (upstream) or begin (downstream) at a column."""
        if direction == "upstream":
            return self._parents(column)
        return self._children.get(column, [])

    def walk(
        self, column: ColumnName, direction: Direction, depth: int | None = None
    ) -> list[ColumnEdge]:
        """All edges up or down from a column, nearest first, at most `depth` steps away; each once."""
        found: dict[ColumnEdge, None] = {}
        frontier, seen = [column], {column}
        while frontier and depth != 0:
            edges = [edge for at in frontier for edge in self.direct(at, direction)]
            found.update(dict.fromkeys(edges))
            ends = [e.source if direction == "upstream" else e.target for e in edges]
            frontier = [end for end in dict.fromkeys(ends) if end not in seen]
            seen.update(frontier)
            depth = None if depth is None else depth - 1
        return list(found)

    def resolve(self, text: str) -> list[ColumnName]:
        """`table.column` as that column, `table` as all its columns; a source's table also as `source.table`.

        Raises:
            ProjectError: No such table or column.
        """
        spelled = {name: name for name in self.types}
        spelled |= {n.replace("__", ".", 1): n for n in self.types if n not in self.made_from}
        table = max(
            (s for s in spelled if text == s or text.startswith(s + ".")), key=len, default=""
        )
        if not table:
            near = closest(text.split(".")[0], spelled)
            raise ProjectError(
                f"no model or source is called {text.partition('.')[0]!r}",
                found=f"{len(self.types)} tables" + (f", closest {near}" if near else ""),
                fix="write table.column; `llmi2i ls` lists the tables",
            )
        node, wanted = spelled[table], text[len(table) + 1 :]
        columns = self.types[node]
        if not wanted:
            return [(node, column) for column in columns]
        exact = [c for c in columns if c.lower() == wanted.lower()] or [ROWS] * (wanted == ROWS)
        if not exact:
            near = closest(wanted, columns)
            raise ProjectError(
                f"{node} has no column {wanted!r}",
                found=f"columns {', '.join(columns)}",
                fix=f"did you mean {near}?" if near else "write one of them",
            )
        return [(node, exact[0])]


def build_column_graph(
    manifest: Manifest,
    compiled: Mapping[str, CompiledModel],
    source_columns: Mapping[str, Columns],
    cache: dict[str, Any],
) -> ColumnGraph:
    """Lineage of all compiled models.

    Args:
        cache: Finished lineages by key, as JSON-like values; new ones are added.
    """
    columns = dict(source_columns) | {name: model.columns for name, model in compiled.items()}
    made_from = {
        name: _cached_lineage(
            model, {parent: columns[parent] for parent in manifest.nodes[name].reads}, cache
        )
        for name, model in compiled.items()
    }
    return ColumnGraph({name: dict(found) for name, found in columns.items()}, made_from)


def _cached_lineage(
    model: CompiledModel, inputs: Mapping[str, Columns], cache: dict[str, Any]
) -> Lineage:
    steps = [asdict(step) for step in model.steps]
    key = fingerprint([LINEAGE_VERSION, model.sql, steps, model.columns, dict(inputs)])
    if key not in cache:
        found = query_lineage(model.sql, model.steps, model.columns, inputs)
        cache[key] = {c: [astuple(s) for s in sources] for c, sources in found.items()}
    return {c: tuple(ColumnSource(*s) for s in sources) for c, sources in cache[key].items()}


def shown(columns: Iterable[ColumnName]) -> list[str]:
    """Columns as `table.column`."""
    return [f"{node}.{column}" for node, column in columns]
