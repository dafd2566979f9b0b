"""What running builds use before an environment points to it, so that `gc` leaves it alone.

A build writes `builds/<env>-<id>.json`, the results it will make or read, and keeps the file locked while it runs. One that
publishes removes it; of one that fails or is killed it stays, and so do the results it made, until a build of the same environment
covers them. Builds announce themselves under a shared lock, `gc` works under the same lock alone.
"""

from __future__ import annotations

import fcntl
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from llm_i2i.store.files import file_lock


@dataclass(frozen=True)
class Held:
    """The results of one build.

    Attributes:
        nodes: Node -> fingerprint.
        udfs: UDFs it may call.
        is_running: False if the build failed or was killed.
    """

    environment: str
    nodes: dict[str, str]
    udfs: tuple[str, ...]
    is_running: bool
    path: Path


class Hold:
    """A build's claim on its results; see `Holds.hold`."""

    def __init__(self, path: Path, handle: IO[str]) -> None:
        self._path, self._handle = path, handle

    def release(self, *, published: bool) -> None:
        """The build is over; if it published, an environment points to its results now."""
        if published:
            self._path.unlink(missing_ok=True)
        self._handle.close()


class Holds:
    """The claims of all builds of a target folder."""

    def __init__(self, target_dir: Path) -> None:
        self._folder = target_dir / "builds"
        self._lock = target_dir / "locks" / "gc.lock"

    def collecting(self) -> AbstractContextManager[None]:
        """Alone: no build starts and no environment is promoted meanwhile."""
        return file_lock(self._lock)

    def using(self) -> AbstractContextManager[None]:
        """With others, against `collecting`."""
        return file_lock(self._lock, shared=True)

    def hold(self, environment: str, nodes: Mapping[str, str], udfs: Iterable[str] = ()) -> Hold:
        """Claim results. A result that was removed just before is still gone: look again after this."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{environment}-{uuid.uuid4().hex}.json"
        beside = path.with_name(f".{path.name}.tmp")
        with self.using():
            handle = beside.open("w", encoding="utf-8")
            fcntl.flock(handle, fcntl.LOCK_EX)
            json.dump(
                {"environment": environment, "nodes": dict(nodes), "udfs": sorted(udfs)}, handle
            )
            handle.flush()
            beside.rename(path)
        for held in self.all():
            if (
                not held.is_running
                and held.environment == environment
                and held.nodes.keys() <= nodes.keys()
            ):
                held.path.unlink(missing_ok=True)
        return Hold(path, handle)

    @contextmanager
    def held(self, environment: str, nodes: Mapping[str, str]) -> Iterator[None]:
        """Claim results for a moment, published or not."""
        hold = self.hold(environment, nodes)
        try:
            yield
        finally:
            hold.release(published=True)

    def all(self) -> list[Held]:
        """Every claim that can be read."""
        found = []
        for path in sorted(self._folder.glob("*.json")):
            try:
                with path.open(encoding="utf-8") as handle:
                    raw = json.load(handle)
                    is_running = not _is_free(handle)
                held = Held(raw["environment"], raw["nodes"], tuple(raw["udfs"]), is_running, path)
            except (OSError, ValueError, KeyError, TypeError):
                continue  # removed meanwhile, or cut short by a full disk
            found.append(held)
        return found


def _is_free(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
