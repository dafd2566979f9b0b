"""dbt's selection: `name`, `+up`, `down+`, `2+near+1`, `@all`, `tag:x`, `path:models/x`, `state:modified`, `selector:nightly`.

A space is a union, a comma an intersection. `criteria` reads it, `methods` says what each word means, this module puts both together.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from llm_i2i.errors import ProjectError, closest
from llm_i2i.graph.criteria import (
    Criterion,
    Difference,
    Selection,
    Union,
    parse_words,
)
from llm_i2i.graph.methods import Facts, known_values, matching
from llm_i2i.graph.resource import Resources

_LOG = logging.getLogger("llm_i2i.select")

Named = Callable[[str], Selection]  # a selector of selectors.yml by name


class Selector:
    """Evaluates selections on the resources of a project."""

    def __init__(
        self, resources: Resources, facts: Facts, named: Named, *, package: str = ""
    ) -> None:
        self._resources = resources
        self._facts = facts
        self._named = named
        self._package = package
        self._lost: list[Criterion] = []  # criteria that matched nothing
        self._open: list[str] = []  # selectors being evaluated

    def select(self, select: Iterable[str] = (), exclude: Iterable[str] = ()) -> list[str]:
        """Keys of the selected resources in build order; everything if nothing is asked for.

        A criterion that matches nothing beside others that do is a warning on the log, as in dbt.

        Raises:
            ProjectError: The syntax is unknown, or nothing is selected.
        """
        wanted, unwanted = list(select), list(exclude)
        self._lost.clear()
        chosen = self._keys(parse_words(wanted)) if wanted else set(self._resources.by_key)
        lost = list(self._lost)
        chosen -= self._keys(parse_words(unwanted))
        if not chosen:
            raise self._nothing(wanted, unwanted, lost)
        for criterion in self._lost:
            near = self._nearest(criterion)
            _LOG.warning(
                "warning: %r selects nothing%s", criterion.text, f"; did you mean {near}?" * bool(near)
            )  # fmt: skip
        return self._resources.in_order(chosen)

    def _keys(self, selection: Selection) -> set[str]:
        if isinstance(selection, Criterion):
            return self._criterion(selection)
        if isinstance(selection, Difference):
            return self._keys(selection.base) - self._keys(selection.minus)
        sets = [self._keys(part) for part in selection.parts]
        if isinstance(selection, Union):
            return set().union(*sets)
        return set.intersection(*sets) if sets else set()

    def _criterion(self, criterion: Criterion) -> set[str]:
        if criterion.method == "selector":
            matched = self._selector(criterion.value)
        else:
            matched = matching(
                criterion.method,
                criterion.value,
                self._resources.by_key.values(),
                self._facts,
                self._package,
            )
        if not matched:
            self._lost.append(criterion)
        dag, chosen = self._resources.dag, set(matched)
        for key in matched:
            if criterion.up:
                chosen |= dag.ancestors(key, criterion.up)
            if criterion.at:
                below = dag.descendants(key) | {key}
                chosen |= below.union(*(dag.ancestors(k) for k in below))
            elif criterion.down:
                chosen |= dag.descendants(key, criterion.down)
        return chosen

    def _selector(self, name: str) -> set[str]:
        if name in self._open:
            raise ProjectError(
                "selectors name each other in a circle",
                found=" -> ".join([*self._open[self._open.index(name) :], name]),
                fix="take one of the `method: selector` entries out",
            )
        self._open.append(name)
        try:
            return self._keys(self._named(name))
        finally:
            self._open.pop()

    def _nearest(self, criterion: Criterion) -> str:
        known = known_values(criterion.method, self._resources.by_key.values())
        return closest(criterion.value, known)

    def _nothing(
        self, select: list[str], exclude: list[str], lost: list[Criterion]
    ) -> ProjectError:
        if not self._resources.by_key:
            return ProjectError(
                "the project has no models",
                found="no .sql file in the folders of model_paths, no .csv in those of seed_paths",
                fix="write models/my_model.sql, or start from `llmi2i init DIR`",
            )
        text = " ".join(select) or "(everything)"
        near = ", ".join(filter(None, map(self._nearest, lost)))
        if not lost and exclude:
            fix = "exclude less"
        elif near:
            fix = f"did you mean {near}?"
        elif lost and lost[0].method in ("state", "result"):
            fix = "there is nothing to do"
        else:
            fix = "see `llmi2i ls` for the names"
        return ProjectError(
            "nothing selected",
            found=f"--select {text}"
            + (f" --exclude {' '.join(exclude)}" if exclude else "")
            + f", {len(self._resources.by_key)} nodes known",
            fix=fix,
        )
