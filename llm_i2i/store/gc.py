"""Garbage of a target folder: results no environment needs, what killed builds left, calls nothing kept was made with.

Kept are the results that an environment or its history points to, what those were made from, and what builds hold
(`store.holds`), running or unfinished. Removal is a rename into the store's scratch, under the lock that keeps builds from starting;
the bytes go afterwards, and the next build goes on where a killed `gc` stopped.
"""

from __future__ import annotations

import contextlib
import fnmatch
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from llm_i2i.errors import ProjectError, closest
from llm_i2i.store.calls import CallCache
from llm_i2i.store.environment import HISTORY, Environment, environment_names
from llm_i2i.store.files import file_lock, lock_if_free
from llm_i2i.store.holds import Held, Holds
from llm_i2i.store.store import ResultMeta, Store
from llm_i2i.store.sweep import sweep_killed


@dataclass(frozen=True)
class Scope:
    """What `gc` may remove besides results nobody points to.

    Attributes:
        calls: Also groups of calls that no kept result was made with.
        keep_states: States kept of each environment's history.
        unfinished: Also what builds that failed or were killed have made.
        drop: Environments to remove, names or patterns.
    """

    calls: bool = False
    keep_states: int = HISTORY
    unfinished: bool = False
    drop: tuple[str, ...] = ()


@dataclass(frozen=True)
class Garbage:
    """One thing to remove; `kind` is result, unfinished, calls or damaged calls."""

    kind: str
    name: str
    path: Path
    bytes: int


@dataclass(frozen=True)
class Collection:
    """What `gc` found, and whether it is gone.

    Attributes:
        environments: Dropped environments.
        states: Environment -> states its history loses.
        kept: Number of results that stay, and their bytes.
    """

    garbage: list[Garbage] = field(default_factory=list)
    environments: list[str] = field(default_factory=list)
    states: dict[str, int] = field(default_factory=dict)
    kept: tuple[int, int] = (0, 0)
    removed: bool = False

    @property
    def bytes(self) -> int:
        return sum(item.bytes for item in self.garbage)

    @property
    def is_empty(self) -> bool:
        return not (self.garbage or self.environments or self.states)


def collect(target_dir: Path, scope: Scope, *, dry_run: bool) -> Collection:
    """Find the garbage and, unless `dry_run`, remove it. Safe beside running builds and readers of what is published.

    Raises:
        ProjectError: An environment to drop is not there.
    """
    holds = Holds(target_dir)
    with ExitStack() as trash, holds.collecting():
        sweep_killed(target_dir)
        found = _find(target_dir, scope, holds)
        if dry_run:
            return found
        for name in found.environments:
            Environment(target_dir, name).drop()
        for name in found.states:
            Environment(target_dir, name).trim(scope.keep_states)
        if scope.unfinished:
            for held in holds.all():
                if not held.is_running:
                    held.path.unlink(missing_ok=True)
        _throw_away(target_dir, found.garbage, trash)
        _tidy(target_dir)
        # the lock is free: deleting many bytes holds up nobody.
    return Collection(
        found.garbage, found.environments, found.states, found.kept, removed=not found.is_empty
    )


def _find(target_dir: Path, scope: Scope, holds: Holds) -> Collection:
    store, calls = Store(target_dir), CallCache(target_dir)
    # Holds before environments: a build lets go of its hold only after an environment points to its results.
    held = [h for h in holds.all() if h.is_running or not scope.unfinished]
    names = environment_names(target_dir)
    dropped = _dropped(names, scope.drop)
    kept: set[tuple[str, str]] = {(n, f) for h in held for n, f in h.nodes.items()}
    states = {}
    for name in names:
        if name in dropped:
            continue
        history = Environment(target_dir, name).history()
        if len(history) > max(scope.keep_states, 1):
            states[name] = len(history) - max(scope.keep_states, 1)
        kept |= {
            (node, pointer.fingerprint)
            for state in history[: max(scope.keep_states, 1)]
            for node, pointer in state.nodes.items()
        }
    metas = _with_inputs(kept, store)
    garbage, stay = [], []
    for node, digest, path in _results(store.root):
        size = folder_bytes(path)
        if (node, digest) in kept:
            stay.append(size)
        else:
            garbage.append(Garbage("result", f"{node} {digest[:8]}", path, size))
    garbage += [
        Garbage("unfinished", path.name.rpartition("-")[0], path, folder_bytes(path))
        for path in sorted((target_dir / "resume").glob("*-*"))
        # of a result that is there, it was left by a kill just after that was published
        if _pair(path.name) not in kept or store.meta(*_pair(path.name))
    ]
    if scope.calls:
        garbage += _unused_calls(calls, metas, held)
    garbage += [
        Garbage("damaged calls", p.parent.parent.name, p, p.stat().st_size) for p in calls.damaged()
    ]
    return Collection(garbage, dropped, states, (len(stay), sum(stay)))


def _dropped(names: Sequence[str], patterns: Sequence[str]) -> list[str]:
    dropped: list[str] = []
    for pattern in patterns:
        matching = fnmatch.filter(names, pattern)
        if not matching and not set(pattern) & set(
            "*?["
        ):  # a pattern may have done its work before
            near = closest(pattern, names)
            raise ProjectError(
                f"there is no environment {pattern!r} to drop",
                found=f"environments {', '.join(names) or '(none)'}",
                fix=f"did you mean {near}?" if near else "",
            )
        dropped += [name for name in matching if name not in dropped]
    return dropped


def _with_inputs(kept: set[tuple[str, str]], store: Store) -> list[ResultMeta]:
    """Add to the kept results those they were made from; returns what they say of themselves."""
    metas, frontier = [], list(kept)
    while frontier:
        meta = store.meta(*frontier.pop())
        if meta is None:
            continue  # a view, a source, or not built yet
        metas.append(meta)
        for pair in dict(meta.parts.get("inputs", {})).items():
            if pair not in kept:
                kept.add(pair)
                frontier.append(pair)
    return metas


def calls_in_use(groups: Iterable[tuple[str, str]], metas: Iterable[ResultMeta]) -> set[str]:
    """`udf/group` of the groups that results were made with.

    A result from before groups were noted counts for all groups of the UDFs it called.
    """
    metas = list(metas)
    exact = {group for meta in metas for group in meta.call_groups or ()}
    unknown = {
        udf.lower()
        for meta in metas
        if meta.call_groups is None and meta.calls.get("distinct")
        for udf in meta.parts.get("udfs", {})
    }
    return {
        f"{udf}/{group}"
        for udf, group in groups
        if f"{udf}/{group}" in exact or udf.lower() in unknown
    }


def _unused_calls(
    calls: CallCache, metas: Iterable[ResultMeta], held: Iterable[Held]
) -> Iterator[Garbage]:
    groups = calls.groups()
    used = calls_in_use(groups, metas)
    callable_now = {udf for h in held for udf in h.udfs}
    for udf, group in groups:
        if f"{udf}/{group}" not in used and udf.lower() not in callable_now:
            path = calls.root / udf / group
            yield Garbage("calls", f"{udf} {group[:8]}", path, folder_bytes(path))


def results_in_use(target_dir: Path) -> list[ResultMeta]:
    """What the results that `gc` would keep say of themselves."""
    kept = {(n, f) for h in Holds(target_dir).all() for n, f in h.nodes.items()}
    for name in environment_names(target_dir):
        for state in Environment(target_dir, name).history():
            kept |= {(node, pointer.fingerprint) for node, pointer in state.nodes.items()}
    return _with_inputs(kept, Store(target_dir))


def _results(root: Path) -> Iterator[tuple[str, str, Path]]:
    for node in sorted(root.glob("[!.]*")):
        for path in sorted(node.glob("[!.]*")):
            if path.is_dir():
                yield node.name, path.name, path


def _pair(name: str) -> tuple[str, str]:
    node, _, digest = name.rpartition("-")
    return node, digest


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder."""
    total = 0
    for place, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except FileNotFoundError:  # a build that writes there
                continue
    return total


def _throw_away(target_dir: Path, garbage: Iterable[Garbage], trash: ExitStack) -> None:
    """Move garbage into a scratch folder of the store that `trash` deletes at its end, or the next build after a kill."""
    scratch = target_dir / "store" / ".tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    bin = scratch / uuid.uuid4().hex
    lock = bin.with_suffix(".lock")
    trash.enter_context(file_lock(lock))
    trash.callback(lock.unlink, missing_ok=True)
    trash.callback(shutil.rmtree, bin, ignore_errors=True)
    bin.mkdir()
    for number, item in enumerate(garbage):
        try:
            item.path.rename(bin / str(number))
        except FileNotFoundError:
            continue
        except OSError:  # the store is on a disk of its own
            shutil.rmtree(item.path, ignore_errors=True)
            item.path.unlink(missing_ok=True)


def _remove_empty(folders: Iterable[Path]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):  # it is not empty, or no folder
            folder.rmdir()


def _tidy(target_dir: Path) -> None:
    """Remove what says nothing any more: empty folders, locks and passed data tests of results that are gone."""
    store = Store(target_dir)
    for folder in (target_dir / "envs").glob("[!.]*"):
        if folder.is_dir() and not folder.is_symlink():
            Environment(target_dir, folder.name).tidy()
    holds, calls = Holds(target_dir).all(), target_dir / "calls"
    if not any(held.is_running for held in holds):  # it may be about to write into an empty one
        for folders in (calls.glob("*/*"), calls.glob("*"), store.root.glob("[!.]*")):
            _remove_empty(folders)
    held = {pair for h in holds for pair in h.nodes.items()}
    locks = target_dir / "locks"
    idle = [lock for lock in locks.glob("*-*.lock") if _pair(lock.stem) not in held]
    unused = [lock for lock in idle if not store.folder(*_pair(lock.stem)).exists()]
    unused += [
        lock
        for lock in locks.glob("calls/*.lock")
        if not calls.joinpath(*_pair(lock.stem)).exists()
    ]
    for lock in unused:
        with lock_if_free(lock) as is_free:
            if is_free:
                lock.unlink(missing_ok=True)
    for record in (target_dir / "tests").glob("*.json"):
        try:
            inputs = json.loads(record.read_text(encoding="utf-8"))["inputs"]
        except (OSError, ValueError, KeyError):
            continue
        known = [pair for pair in inputs.items() if (store.root / pair[0]).exists()]
        if any(not store.folder(*pair).exists() for pair in known):
            record.unlink(missing_ok=True)
