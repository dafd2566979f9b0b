"""Moving environments: promote one to another, go back, say what changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from llm_i2i.errors import LlmI2iError, ProjectError, closest
from llm_i2i.plan.build import explain_change
from llm_i2i.runner.base.definition import named_environment
from llm_i2i.store.environment import Environment, Pointer, State, environment_names

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from llm_i2i.plan.step import Plan, PlanStep
    from llm_i2i.runner.build.events import CheckOutcome
    from llm_i2i.store.holds import Holds
    from llm_i2i.store.store import Store

    # Looks at what an environment points to; the number of data tests that hold on it.
    Audit = Callable[[str, Mapping[str, Pointer]], int]

SHOWN = 8  # nodes named in an error


@dataclass(frozen=True)
class NodeChange:
    """A node that a move changes, and why its result is another one."""

    node: str
    change: Literal["new", "changed", "removed"]
    reason: str


@dataclass(frozen=True)
class Move:
    """What a promotion or rollback changes, or would change.

    Attributes:
        source: The environment promoted; empty for a rollback.
        state: Number of the state that holds now.
        restores: Number of the state a rollback goes back to; 0 for a promotion.
        unchanged: Number of nodes that stay.
        checked: Data tests that were looked at.
        moved: False for a dry run, and where there is nothing to change.
    """

    environment: str
    source: str
    changes: list[NodeChange]
    unchanged: int
    state: int
    restores: int = 0
    checked: int = 0
    moved: bool = False


@dataclass(frozen=True)
class Storage:
    """Where environments and the results they point to are kept."""

    target_dir: Path
    store: Store
    holds: Holds


def open_environment(target_dir: Path, name: str) -> Environment:
    """An environment that something was published to.

    Raises:
        ProjectError: There is none of this name.
    """
    environment = named_environment(target_dir, name)
    if not environment.pointers():
        known = environment_names(target_dir)
        near = closest(name, known)
        raise ProjectError(
            f"there is no environment {name!r}",
            where=str(target_dir / "envs"),
            found=f"environments {', '.join(known) or '(none)'}",
            fix=f"did you mean {near}?" if near else f"run `llmi2i build --env {name}` first",
        )
    return environment


def promote(
    storage: Storage,
    source: str,
    target: str,
    *,
    audit: Audit | None,
    dry_run: bool = False,
) -> Move:
    """Point `target` to what `source` points to, in one step.

    Args:
        audit: Raises where `source` may not be promoted as it is; None lets everything through.

    Raises:
        LlmI2iError: `audit` refuses it, or a result of it is gone.
        ProjectError: There is no environment `source`, or both are the same.
    """
    if source == target:
        raise ProjectError(
            f"environment {source!r} cannot be promoted to itself", fix="name another target"
        )
    state = open_environment(storage.target_dir, source).state()
    environment = named_environment(storage.target_dir, target)
    checked = audit(source, state.nodes) if audit else 0
    with storage.holds.using():  # against `gc`
        _check_whole(storage.store, state.nodes, f"environment {source!r}", f" --env {source}")
        before = environment.pointers()
        changes = explain_move(storage.store, before, state.nodes)
        if not dry_run:
            environment.replace(state.nodes, f"promote {source}")
    return Move(
        target,
        source,
        changes,
        len(state.nodes) - sum(c.change != "removed" for c in changes),
        environment.state().number,
        checked=checked,
        moved=bool(changes) and not dry_run,
    )


def rollback(
    storage: Storage, name: str, to: str | int | None = None, *, dry_run: bool = False
) -> Move:
    """Point an environment to what it pointed to before its last move, or to a state of its history.

    Going back is a move of its own, so it can be undone with `to`; again and again without `to` it goes back further.

    Args:
        to: Number of a state, or a time (ISO 8601, local time if it names no zone): the state that held then.

    Raises:
        ProjectError: There is no such state.
        LlmI2iError: A result of it is gone.
    """
    environment = open_environment(storage.target_dir, name)
    states = environment.history()
    wanted = _before(states, name) if to is None else _find_state(states, to, name)
    with storage.holds.using():
        _check_whole(
            storage.store, wanted.nodes, f"state {wanted.number} of environment {name!r}", ""
        )
        changes = explain_move(storage.store, states[0].nodes, wanted.nodes)
        if not dry_run:
            environment.replace(
                wanted.nodes, f"rollback to {wanted.number}", restores=wanted.origin
            )
    return Move(
        name,
        "",
        changes,
        len(wanted.nodes) - sum(c.change != "removed" for c in changes),
        environment.state().number,
        restores=wanted.number,
        moved=bool(changes) and not dry_run,
    )


def explain_move(
    store: Store, before: Mapping[str, Pointer], after: Mapping[str, Pointer]
) -> list[NodeChange]:
    """Which nodes differ, in the order of `after`, those that go last."""
    changes = []
    for node, pointer in after.items():
        old = before.get(node)
        if old is None:
            changes.append(NodeChange(node, "new", ""))
        elif old != pointer:
            changes.append(NodeChange(node, "changed", _why(store, node, old, pointer)))
    return changes + [NodeChange(n, "removed", "") for n in before if n not in after]


def _why(store: Store, node: str, old: Pointer, new: Pointer) -> str:
    if old.sql or new.sql:
        return "SQL changed" if old.sql != new.sql else "inputs of the view changed"
    before = store.meta(node, old.fingerprint)
    after = store.meta(node, new.fingerprint)
    if before is None or after is None:
        return "the result it had is gone" if before is None else "result missing or damaged"
    if not after.parts:
        return "rows changed"
    return explain_change(before.parts, after.parts) or "result rebuilt"


# -- may it be promoted? -----------------------------------------------------------------------------------------------


def audit_environment(
    source: str,
    nodes: Mapping[str, Pointer],
    plan: Plan,
    known: Collection[str],
    store: Store,
    recheck: Callable[[Plan], list[CheckOutcome]],
) -> int:
    """Number of data tests that hold on what an environment has.

    Args:
        plan: What a build of this environment would do.
        known: Names of the nodes of the project.

    Raises:
        LlmI2iError: It is not what the project says, or a data test fails.
    """
    stale, missing = [], []
    for step in plan.steps:
        name = step.node.name
        if step.node.materialized == "ephemeral":
            continue
        if name not in nodes:
            missing.append(name)
        elif nodes[name].fingerprint != step.fingerprint:
            stale.append(f"{name} ({_why_stale(store, step, nodes[name])})")
    gone = [n for n in nodes if n not in known]
    problems = [
        (missing, f"{_count(missing)} of the project {_is(missing)} not in it"),
        (stale, f"{_count(stale)} {_is(stale)} stale"),
        (gone, f"{_count(gone)} {_is(gone)} not in the project"),
    ]
    if any(names for names, _ in problems):
        raise LlmI2iError(
            f"environment {source!r} is not what the project says",
            found="\n".join(f"{text}: {_list(names)}" for names, text in problems if names),
            fix=f"run `llmi2i build --env {source}`, pass the vars it was built with, or --force",
        )
    outcomes = recheck(plan)
    failed = [o for o in outcomes if o.status in ("FAIL", "ERROR")]
    if failed:
        raise LlmI2iError(
            f"data tests fail on environment {source!r}",
            found=_list([_failure(o) for o in failed]),
            fix=f"look at `llmi2i test --env {source}`, or promote all the same with --force",
        )
    return len(outcomes)


def _why_stale(store: Store, step: PlanStep, pointer: Pointer) -> str:
    old = None if pointer.sql else store.meta(step.node.name, pointer.fingerprint)
    if old is None:
        return "view changed" if pointer.sql else "result missing or damaged"
    return explain_change(old.parts, step.parts) or step.reason


def _failure(outcome: CheckOutcome) -> str:
    return f"{outcome.check.name} ({outcome.failures:,} rows)" if outcome.failures else outcome.check.name  # fmt: skip


def _check_whole(store: Store, nodes: Mapping[str, Pointer], what: str, env: str) -> None:
    stored = {name: p.fingerprint for name, p in nodes.items() if not p.sql}
    for name, digest in stored.items():
        if store.damaged_files(name, digest):
            store.disown(name, digest)  # so that a build makes it again
    lost = [name for name, digest in stored.items() if store.meta(name, digest) is None]
    if lost:
        raise LlmI2iError(
            f"{what} points to results that are missing or damaged",
            where=str(store.root),
            found=_list(lost),
            fix=f"run `llmi2i build{env}`: it makes them again"
            if env
            else "go back to another state: llmi2i rollback NAME --list",
        )


def _count(names: list[str]) -> str:
    return f"{len(names)} node{'s' * (len(names) != 1)}"


def _is(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _list(names: list[str]) -> str:
    rest = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")


# -- which state? ------------------------------------------------------------------------------------------------------


def _before(states: list[State], name: str) -> State:
    """The state before the one that is in force: before the one a rollback restored."""
    before = [state for state in states[1:] if state.number < states[0].origin]
    if not before:
        raise ProjectError(
            f"environment {name!r} has no state before this one",
            found=f"{_described(states)}; state {states[0].number} holds"
            + (f", which is state {states[0].origin} again" if states[0].restores else ""),
            fix=f"llmi2i rollback {name} --list shows what is kept",
        )
    return before[0]


def _find_state(states: list[State], to: str | int, name: str) -> State:
    text = str(to).strip()
    if text.isdigit():
        found = [state for state in states if state.number == int(text)]
    else:
        moment = _moment(text)
        found = [s for s in states if s.at and datetime.fromisoformat(s.at) <= moment]
    if not found:
        raise ProjectError(
            f"environment {name!r} has no state {'number' if text.isdigit() else 'of'} {text}",
            found=_described(states),
            fix=f"llmi2i rollback {name} --list shows what is kept",
        )
    return found[0]


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ProjectError(
            f"{text!r} is neither the number of a state nor a time",
            where="--to",
            fix="write --to 3 or --to 2026-01-31T17:30",
        ) from error
    return moment.astimezone(UTC)


def _described(states: list[State]) -> str:
    return f"states {', '.join(str(state.number) for state in states)}"
