"""Environments are pointers: which result each node has in `dev`, `prod`, ...

Every move of an environment makes a numbered state, `envs/<env>/<number>/`: `pointers.json` maps nodes to fingerprints,
`catalogue.duckdb` is a database of views over the store for any DuckDB client. The link `envs/<env>/current` names the state
that holds. `<env>.duckdb` and `envs/<env>.json` are links through it, so one rename moves all of them: a kill leaves the old
state or the new one, never a mixture, and a client that has the old catalogue open keeps reading the old state.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from llm_i2i.errors import LlmI2iError
from llm_i2i.names import parquet_scan, quote_identifier
from llm_i2i.store.files import file_lock, replace_file, replace_link, replace_text, sha256
from llm_i2i.store.store import data_of

HISTORY = 20  # states kept of each environment, the one that holds among them
CATALOGUES = 2  # of these with a catalogue: a client may be opening the one before while an environment moves
POINTERS, CATALOGUE, CURRENT = "pointers.json", "catalogue.duckdb", "current"


@dataclass(frozen=True)
class Pointer:
    """One published node: a stored result (`sql` empty) or a view (`sql` is its query over other names)."""

    fingerprint: str
    sql: str = ""


@dataclass(frozen=True)
class State:
    """What an environment points to, or once pointed to.

    Attributes:
        number: Counts the moves of the environment; 0 before the first.
        at: When, ISO 8601 in UTC; empty if not known.
        by: What moved it: `build`, `promote dev`, `rollback to 3`.
        restores: The state a rollback brought back; 0 for any other move.
        nodes: Node -> pointer, in dependency order.
    """

    number: int = 0
    at: str = ""
    by: str = ""
    restores: int = 0
    nodes: dict[str, Pointer] = field(default_factory=dict)

    @property
    def origin(self) -> int:
        """The state that first held these pointers."""
        return self.restores or self.number


def environment_names(target_dir: Path) -> list[str]:
    """Names of the environments of a target folder."""
    folder = target_dir / "envs"
    found = {path.parent.name for path in folder.glob(f"*/{CURRENT}")}
    found |= {path.stem for path in folder.glob("[!.]*.json") if path.exists()}
    return sorted(found)


class Environment:
    """A named set of published results."""

    def __init__(self, target_dir: Path, name: str) -> None:
        self.name = name
        self.catalogue = target_dir / f"{name}.duckdb"
        self._pointers = target_dir / "envs" / f"{name}.json"
        self._states = target_dir / "envs" / name
        self._current = self._states / CURRENT
        self._lock = target_dir / "envs" / f".{name}.lock"
        self._store_root = target_dir / "store"

    # -- reading -------------------------------------------------------------------------------------------------------

    def pointers(self) -> dict[str, Pointer]:
        """Node -> pointer, in dependency order; empty if nothing was published yet."""
        return self.state().nodes

    def state(self) -> State:
        """What the environment points to now; number 0 and no nodes if nothing was published yet."""
        found = self._read(self._current / POINTERS)
        # Before environments had a history they were one file.
        return found or self._read(self._pointers) or State()

    def history(self) -> list[State]:
        """The states that are kept, the one that holds first. A state that a killed move left ahead of it is none."""
        now = self.state()
        numbers = sorted((n for n in self._numbers() if n < now.number), reverse=True)
        before = (self._read(self._states / f"{n:06d}" / POINTERS) for n in numbers)
        return [*([now] if now.nodes else []), *(state for state in before if state)]

    def _numbers(self) -> list[int]:
        return [int(path.name) for path in self._states.glob("[0-9]*") if path.name.isdigit()]

    def _read(self, path: Path) -> State | None:
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            nodes = {node: Pointer(**pointer) for node, pointer in raw["nodes"].items()}
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise LlmI2iError(
                f"the pointers of environment {self.name!r} cannot be read",
                where=str(path),
                found=str(error),
                fix=f"delete {self._states} and run `llmi2i build`: results in the store are reused",
            ) from error
        known = {key: raw[key] for key in ("number", "at", "by", "restores") if key in raw}
        return State(**known, nodes=nodes)

    # -- moving --------------------------------------------------------------------------------------------------------

    def publish(self, nodes: Mapping[str, Pointer], by: str = "build") -> bool:
        """Point the given nodes at new results in one step; other nodes stay. False if nothing changed."""
        with file_lock(self._lock):
            before = self.pointers()
            after = {k: v for k, v in before.items() if k not in nodes} | dict(nodes)
            return self._move(after, by, 0)

    def replace(self, nodes: Mapping[str, Pointer], by: str, restores: int = 0) -> bool:
        """Point to exactly these results in one step: nodes that are not among them go. False if nothing changed."""
        with file_lock(self._lock):
            return self._move(dict(nodes), by, restores)

    def drop(self) -> None:
        """Remove the environment and its history; the results stay in the store."""
        with file_lock(self._lock):
            self._current.unlink(missing_ok=True)
            self._pointers.unlink(missing_ok=True)
            self.catalogue.unlink(missing_ok=True)
            shutil.rmtree(self._states, ignore_errors=True)
            self._lock.unlink(missing_ok=True)

    def tidy(self) -> None:
        """Remove what a killed move left; nothing that holds or once held."""
        with file_lock(self._lock):
            now = self.state().number
            self._drop_states(now + 1)
            self._prune(HISTORY)
            if not now and not self._pointers.is_file():  # it never held anything
                for path in (self._current, self._pointers, self.catalogue):
                    path.unlink(missing_ok=True)
                shutil.rmtree(self._states, ignore_errors=True)
                self._lock.unlink(missing_ok=True)

    def trim(self, keep: int) -> None:
        """Keep only the newest `keep` states, at least the one that holds."""
        with file_lock(self._lock):
            self._prune(max(keep, 1))

    def _move(self, after: dict[str, Pointer], by: str, restores: int) -> bool:
        before = self.state()
        if before.nodes and not self._current.is_symlink():
            before = self._adopt(before)
        if before.nodes == after and before.number:
            return self._mend(before)
        state = State(before.number + 1, _now(), by, restores, after)
        self._write_state(state)
        self._link()  # the first time they lead nowhere until the next line
        self._point(state)
        self._prune(HISTORY)
        return True

    def _adopt(self, before: State) -> State:
        """Make the state of an environment from before there was a history its first one."""
        first = State(1, before.at, before.by or "build", 0, before.nodes)
        self._write_state(first)
        self._point(first)
        self._link()
        return first

    def _mend(self, state: State) -> bool:
        """Write the catalogue again where it is gone, not as it was written, or of a folder that has moved since."""
        folder = self._states / f"{state.number:06d}"
        raw = json.loads((folder / POINTERS).read_text(encoding="utf-8"))
        is_here = raw.get("store") == self._absolute_root()
        whole = is_here and raw.get("catalogue") == sha256(folder / CATALOGUE)
        linked = self.catalogue.is_symlink() and self._pointers.is_symlink()
        if whole and linked:
            return False
        if not whole:
            replace_file(folder / CATALOGUE, lambda path: self._write_catalogue(path, state.nodes))
            replace_text(folder / POINTERS, self._as_text(state))
        self._link()
        return True

    def _write_state(self, state: State) -> None:
        self._drop_states(state.number)
        folder = self._states / f"{state.number:06d}"
        replace_file(folder / CATALOGUE, lambda path: self._write_catalogue(path, state.nodes))
        replace_text(folder / POINTERS, self._as_text(state))

    def _drop_states(self, first: int) -> None:
        """Remove the states that a killed move left ahead of the one that holds: they never held."""
        for number in self._numbers():
            if number >= first:
                shutil.rmtree(self._states / f"{number:06d}")

    def _point(self, state: State) -> None:
        """The step that counts."""
        replace_link(self._current, f"{state.number:06d}")

    def _link(self) -> None:
        """The paths that clients know, through `current`."""
        for path, target in (
            (self.catalogue, f"envs/{self.name}/{CURRENT}/{CATALOGUE}"),
            (self._pointers, f"{self.name}/{CURRENT}/{POINTERS}"),
        ):
            if not path.is_symlink() or os.readlink(path) != target:
                replace_link(path, target)

    def _prune(self, keep: int) -> None:
        now = self.state().number
        kept = sorted((n for n in self._numbers() if n <= now), reverse=True)
        for number in kept[keep:]:
            shutil.rmtree(self._states / f"{number:06d}", ignore_errors=True)
        for number in kept[CATALOGUES:keep]:
            (self._states / f"{number:06d}" / CATALOGUE).unlink(missing_ok=True)
        for path in (self._current, self._pointers, self.catalogue):  # of killed moves
            for beside in path.parent.glob(f".{path.name}.*.tmp"):
                beside.unlink(missing_ok=True)

    def _as_text(self, state: State) -> str:
        catalogue = sha256(self._states / f"{state.number:06d}" / CATALOGUE)
        raw = {"environment": self.name, "store": self._absolute_root(), "catalogue": catalogue}
        return json.dumps(raw | asdict(state), indent=1)

    def _absolute_root(self) -> str:
        """Where the catalogue's views read: a moved folder needs a new catalogue."""
        return str(self._store_root.resolve())

    def _write_catalogue(self, path: Path, nodes: Mapping[str, Pointer]) -> None:
        import duckdb

        try:
            self._write_views(path, nodes)
        except duckdb.IOException as error:
            raise LlmI2iError(
                f"the catalogue of environment {self.name!r} cannot be written",
                where=str(path),
                found=str(error).splitlines()[0],
                fix="free disk space, then run the same command again: what is finished is kept",
            ) from error

    def _write_views(self, path: Path, nodes: Mapping[str, Pointer]) -> None:
        import duckdb

        with duckdb.connect(str(path)) as connection:
            stored = [(n, p) for n, p in nodes.items() if not p.sql]
            for node, pointer in stored:
                data = data_of((self._store_root / node / pointer.fingerprint).resolve())
                connection.execute(
                    f"create view {quote_identifier(node)} as select * from {parquet_scan([data])}"
                )
            for node, pointer in nodes.items():
                if pointer.sql:
                    connection.execute(f"create view {quote_identifier(node)} as {pointer.sql}")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
