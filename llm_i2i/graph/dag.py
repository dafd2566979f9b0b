"""The order in which nodes can be built, and who is up- and downstream of whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from llm_i2i.errors import ProjectError


class Dag:
    """A directed acyclic graph over names: `parents[x]` are the nodes x reads."""

    def __init__(self, parents: Mapping[str, Iterable[str]]) -> None:
        """Order the names so that parents come first; ties keep the given order.

        Raises:
            ProjectError: There is a cycle; names its path.
        """
        self.parents = {name: tuple(dict.fromkeys(reads)) for name, reads in parents.items()}
        self.children: dict[str, list[str]] = {name: [] for name in self.parents}
        for name, reads in self.parents.items():
            for parent in reads:
                self.children[parent].append(name)
        self.order = self._sorted()

    def ancestors(self, name: str, depth: int | None = None) -> set[str]:
        return _reach(name, self.parents, depth)

    def descendants(self, name: str, depth: int | None = None) -> set[str]:
        return _reach(name, self.children, depth)

    def _sorted(self) -> tuple[str, ...]:
        order: dict[str, None] = {}
        for start in self.parents:
            stack: list[tuple[str, int]] = [(start, 0)]
            path: list[str] = []
            while stack:
                name, position = stack.pop()
                if name in order:
                    continue
                if position == 0:
                    if name in path:
                        raise _cycle(path[path.index(name) :])
                    path.append(name)
                reads = self.parents[name]
                if position < len(reads):
                    stack += [(name, position + 1), (reads[position], 0)]
                else:
                    order[name] = None
                    path.pop()
        return tuple(order)


def _reach(name: str, edges: Mapping[str, Iterable[str]], depth: int | None) -> set[str]:
    found: set[str] = set()
    frontier = {name}
    while frontier and (depth is None or depth > 0):
        frontier = {n for f in frontier for n in edges[f]} - found - {name}
        found |= frontier
        depth = None if depth is None else depth - 1
    return found


def _cycle(path: list[str]) -> ProjectError:
    return ProjectError(
        "models read each other in a circle",
        found=" -> ".join([*path, path[0]]),
        fix="take one of the ref()s out, or move the shared part into a model of its own",
    )
