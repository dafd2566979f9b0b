"""The selector methods: which resources `tag:x`, `path:x`, `config.x:y`, `state:x` ... mean."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from llm_i2i.errors import ProjectError, closest
from llm_i2i.graph.resource import KINDS, Resource
from llm_i2i.graph.select_tests import is_test_criterion

STATES = ("new", "old", "modified", "unmodified")
STATUSES = ("error", "fail", "skipped", "success", "pass", "warn")
_STATUS_WORDS = {"skip": "skipped"}


class Facts(Protocol):
    """What some methods ask of the world outside the project's files."""

    def states(self) -> Mapping[str, frozenset[str]]:
        """Resource key -> `new`, or `modified` and `modified.<part>`, or `unmodified`; against the folder of --state."""

    def results(self) -> Mapping[str, frozenset[str]]:
        """Resource key -> statuses of the last run, its data tests' among them."""


Match = Callable[[Resource, str, Facts], bool]


def matching(
    method: str, value: str, resources: Iterable[Resource], facts: Facts, package: str
) -> set[str]:
    """Keys of the resources that a criterion names.

    Args:
        package: The project's own, for `package:this`.

    Raises:
        ProjectError: There is no such method, or it cannot have such a value.
    """
    if is_test_criterion(f"{method}:{value}"):
        raise ProjectError(
            f"{method}:{value} selects tests, and this command selects models",
            found=f"--select {method}:{value}",
            fix=f"llmi2i test -s {method}:{value}, or llmi2i ls -s {method}:{value}",
        )
    if method.startswith("config."):
        path = method.split(".")[1:]
        return {r.key for r in resources if _has_config(r.config, path, value)}
    if method == "package" and value == "this":
        value = package
    find = METHODS.get(method)
    if find is None:
        near = closest(method, [*METHODS, "config.materialized"], count=1)
        raise ProjectError(
            f"unknown selector method {method!r}",
            found=f"{method}:{value}",
            fix=(f"did you mean {near}? " if near else "")
            + f"methods are {', '.join([*METHODS, 'config.KEY', 'selector'])}",
        )
    if allowed := _ALLOWED.get(method):
        _check_value(method, value, allowed)
    return {r.key for r in resources if find(r, value, facts)}


def known_values(method: str, resources: Iterable[Resource]) -> set[str]:
    """Values of a method that would match something, to name the nearest."""
    found: set[str] = set()
    for r in resources:
        if method == "tag":
            found |= set(r.tags)
        elif method in ("path", "file"):
            parts = r.file.split("/")
            whole = {"/".join(parts[:n]) for n in range(1, len(parts) + 1)}
            found |= whole if method == "path" else {parts[-1]}
        elif method == "package":
            found.add(r.package)
        elif method.startswith("config."):
            found |= _config_words(r.config, method.split(".")[1:])
        elif method in ("source", "exposure"):
            if r.kind == method:
                found |= {".".join(r.fqn[1:]), r.fqn[1]}
        elif method == "fqn":
            found |= {r.name, *r.fqn[1:]}
    return found


def _check_value(method: str, value: str, allowed: tuple[str, ...]) -> None:
    head = value.partition(".")[0]
    if _STATUS_WORDS.get(head, head) in allowed:
        return
    near = closest(head, allowed, count=1)
    raise ProjectError(
        f"{method}: cannot be {value!r}",
        found=f"{method}:{value}",
        fix=f"did you mean {near}?" if near else f"write one of {', '.join(allowed)}",
    )


def _glob(text: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(text, pattern)


def _by_name(r: Resource, value: str, facts: Facts) -> bool:
    """A model's name, or its folders with dots between, with or without the package in front."""
    if r.kind not in ("model", "seed"):
        return r.kind == "source" and _glob(r.name, value)
    if _glob(r.name, value):
        return True
    wanted = value.split(".")
    return any(
        len(wanted) <= len(fqn) and all(map(_glob, fqn, wanted)) for fqn in (r.fqn, r.fqn[1:])
    )


def _by_path(r: Resource, value: str, facts: Facts) -> bool:
    prefix = value.removeprefix("./").rstrip("/")
    return r.file == prefix or r.file.startswith(f"{prefix}/") or _glob(r.file, prefix)


def _by_file(r: Resource, value: str, facts: Facts) -> bool:
    name = r.file.rpartition("/")[2]
    return _glob(name, value) or _glob(name.rpartition(".")[0], value)


def _by_fqn_of(kind: str) -> Match:
    """`source:name`, `source:name.table`, `source:package.name.table`, each part a pattern."""

    def match(r: Resource, value: str, facts: Facts) -> bool:
        if r.kind != kind:
            return False
        wanted = value.split(".")
        if len(wanted) == len(r.fqn):
            return all(map(_glob, r.fqn, wanted))
        return len(wanted) < len(r.fqn) and all(map(_glob, r.fqn[1:], wanted))

    return match


def _has_config(config: Mapping[str, Any], path: list[str], value: str) -> bool:
    return any(_glob(word, value) for word in _config_words(config, path))


def _config_words(config: Mapping[str, Any], path: list[str]) -> set[str]:
    """A value of the config as the words that select it: members of a list, keys of a mapping."""
    found: Any = config
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    if found is None:
        return set()
    items = found if isinstance(found, (list, tuple, Mapping)) else [found]
    return {str(item).lower() if isinstance(item, bool) else str(item) for item in items}


METHODS: dict[str, Match] = {
    "fqn": _by_name,
    "name": lambda r, value, facts: _glob(r.name, value),
    "tag": lambda r, value, facts: any(_glob(tag, value) for tag in r.tags),
    "path": _by_path,
    "file": _by_file,
    "source": _by_fqn_of("source"),
    "exposure": _by_fqn_of("exposure"),
    "package": lambda r, value, facts: _glob(r.package, value),
    "resource_type": lambda r, value, facts: r.kind == value,
    "state": lambda r, value, facts: value in facts.states().get(r.key, frozenset()),
    "result": lambda r, value, facts: (
        _STATUS_WORDS.get(value, value) in facts.results().get(r.key, frozenset())
    ),
}
_ALLOWED: dict[str, tuple[str, ...]] = {
    "state": STATES,
    "result": STATUSES,
    "resource_type": KINDS,
}
