"""Selection of tests: dbt's methods for them, names of tests, and whatever selects the models they are on."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Sequence

from llm_i2i.errors import ProjectError, closest
from llm_i2i.graph.node import DataCheck, UnitCheck

Check = DataCheck | UnitCheck
TYPES = ("unit", "data", "generic", "singular")
METHODS = ("test_type", "test_name", "unit_test")
KINDS = {"resource_type:test": "data", "resource_type:unit_test": "unit"}  # dbt's words for types


def is_test_criterion(criterion: str) -> bool:
    """Whether a criterion speaks of tests, so can select no node."""
    return any(part in KINDS or part.partition(":")[0] in METHODS for part in criterion.split(","))


def select_tests(
    checks: Sequence[Check],
    select: Iterable[str],
    exclude: Iterable[str],
    nodes_of: Callable[[str], Iterable[str]],
) -> list[Check]:
    """The selected tests in their order, all of them without criteria. A space is a union, a comma an intersection.

    Args:
        nodes_of: Names of the nodes that a criterion selects; raises ProjectError if there is none.

    Raises:
        ProjectError: Nothing is selected.
    """
    wanted = [word for text in select for word in text.split()]
    dropped = [word for text in exclude for word in text.split()]
    chosen = _union(wanted, checks, nodes_of) if wanted else set(range(len(checks)))
    chosen -= _union(dropped, checks, nodes_of, strict=False)
    if not chosen:
        raise ProjectError(
            "nothing selected",
            found=f"no test on --select {' '.join(wanted) or '(everything)'}"
            + (f" --exclude {' '.join(dropped)}" if dropped else ""),
            fix="see `llmi2i ls --resource-type test` and `--resource-type unit_test`",
        )
    return [check for index, check in enumerate(checks) if index in chosen]


def _union(
    words: Iterable[str],
    checks: Sequence[Check],
    nodes_of: Callable[[str], Iterable[str]],
    *,
    strict: bool = True,
) -> set[int]:
    chosen: set[int] = set()
    for word in words:
        parts = [_one(part, checks, nodes_of, strict) for part in word.split(",") if part]
        if parts:
            chosen |= set.intersection(*parts)
    return chosen


def _one(
    criterion: str,
    checks: Sequence[Check],
    nodes_of: Callable[[str], Iterable[str]],
    strict: bool,
) -> set[int]:
    if criterion in KINDS:
        criterion = f"test_type:{KINDS[criterion]}"
    method, colon, value = criterion.partition(":")
    if colon and method in METHODS:
        return {i for i, check in enumerate(checks) if _matches(method, value, check)}
    named = {i for i, check in enumerate(checks) if fnmatch.fnmatchcase(check.name, criterion)}
    if method == "tag":
        named |= {
            i for i, c in enumerate(checks) if any(fnmatch.fnmatchcase(t, value) for t in c.tags)
        }
    try:
        nodes = set(nodes_of(criterion))
    except ProjectError as error:
        if named or not strict:
            return named
        near = closest(criterion, (check.name for check in checks))
        if near and not error.fix.startswith("did you mean"):
            error.fix = f"did you mean {near}?"
        raise
    return named | {i for i, check in enumerate(checks) if _is_on(check, nodes)}


def _is_on(check: Check, nodes: set[str]) -> bool:
    if isinstance(check, DataCheck) and check.is_singular:
        return bool(nodes & set(check.depends_on))
    return check.model in nodes


def _matches(method: str, value: str, check: Check) -> bool:
    is_unit = isinstance(check, UnitCheck)
    if method == "unit_test":
        return is_unit and fnmatch.fnmatchcase(check.name, value)
    if method == "test_name":
        return isinstance(check, DataCheck) and fnmatch.fnmatchcase(check.test, value)
    if value not in TYPES:
        near = closest(value, TYPES, count=1)
        raise ProjectError(
            f"there is no test type '{value}'",
            found=f"types: {', '.join(TYPES)}",
            fix=f"did you mean {near}?" if near else "write test_type:unit",
        )
    if is_unit or value in ("unit", "data"):
        return is_unit == (value == "unit")
    return isinstance(check, DataCheck) and check.is_singular == (value == "singular")
