"""The content-addressed store: `<root>/<node>/<fingerprint>/` holds one immutable result.

A result folder has `data.parquet` (of a partitioned model `partitions/*.parquet`), an optional `artifact/` (a checkpoint) and `meta.json`. It is prepared in `<root>/.tmp`
and renamed into place once complete, so a folder that exists under its final name is whole.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from llm_i2i.errors import LlmI2iError
from llm_i2i.store.files import file_lock, lock_if_free, make_folder, sha256, sync_file

DATA, META, ARTIFACT, PARTITIONS = "data.parquet", "meta.json", "artifact", "partitions"


def data_of(folder: Path) -> Path:
    """The data of a result folder: its one file (a folder of files where a cluster wrote it), or a pattern for its partitions."""
    partitions = folder / PARTITIONS
    return partitions / "**" / "*.parquet" if partitions.is_dir() else folder / DATA


@dataclass(frozen=True)
class ResultMeta:
    """What a result says of itself.

    Attributes:
        parts: Digests of what its fingerprint was made of, to explain later why a node must be built again.
        files: Size in bytes of each file, relative to the folder: a cheap check that nothing was cut short.
        digests: SHA-256 of each of them; empty in results from before that was noted.
        call_groups: `udf/group` of each group of calls it was made with; None in results from before that was noted.
    """

    node: str
    fingerprint: str
    rows: int
    seconds: float
    columns: list[tuple[str, str]]
    parts: dict[str, Any] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    call_groups: list[str] | None = None


class Store:
    """Results by node and fingerprint. Safe for several processes."""

    def __init__(self, target_dir: Path) -> None:
        self.root = target_dir / "store"
        self._scratch = target_dir / "store" / ".tmp"
        self._resume = target_dir / "resume"
        self._locks = target_dir / "locks"
        self._verified: set[tuple[str, str]] = set()

    def folder(self, node: str, fingerprint: str) -> Path:
        return self.root / node / fingerprint

    def data_path(self, node: str, fingerprint: str) -> Path:
        """The Parquet file, or folder, of a result, or a pattern for the files of its partitions."""
        return data_of(self.folder(node, fingerprint))

    def partition_paths(self, node: str, fingerprint: str) -> list[Path]:
        """The files, or folders, of a partitioned result's partitions, in order; none of another."""
        return sorted((self.folder(node, fingerprint) / PARTITIONS).glob("*.parquet"))

    def find_partition(self, node: str, digest: str) -> Path | None:
        """A partition of this digest in any result of a node whose files are whole."""
        for path in (self.root / node).glob(f"*/{PARTITIONS}/*-{digest}.parquet"):
            if self.meta(node, path.parent.parent.name) is not None:
                return path
        return None

    def artifact_name(self, node: str, fingerprint: str) -> str:
        """Name of a result's artifact folder relative to the store's root."""
        return f"{node}/{fingerprint}/{ARTIFACT}"

    def meta(self, node: str, fingerprint: str) -> ResultMeta | None:
        """The result's description; None if it was never built or its files are not as they were written."""
        folder = self.folder(node, fingerprint)
        try:
            raw = json.loads((folder / META).read_text(encoding="utf-8"))
            meta = ResultMeta(**{**raw, "columns": [tuple(c) for c in raw["columns"]]})
            whole = all(os.stat(folder / name).st_size == size for name, size in meta.files.items())
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return meta if whole else None

    def last_seconds(self, node: str) -> float | None:
        """What the newest result of a node took to make; None if there is none."""
        folders = [(path.stat().st_mtime, path.name) for path in (self.root / node).glob("*")]
        meta = self.meta(node, max(folders)[1]) if folders else None
        return meta.seconds if meta else None

    def damaged_files(self, node: str, fingerprint: str) -> list[str]:
        """Files of a result that are not, byte for byte, as they were written.

        A result that was found whole is not read again by this process; of one that is not there, or has no digests, nothing is said.
        """
        meta = self.meta(node, fingerprint)
        if meta is None or (node, fingerprint) in self._verified:
            return []
        folder = self.folder(node, fingerprint)
        damaged = [n for n, digest in meta.digests.items() if sha256(folder / n) != digest]
        if not damaged:
            self._verified.add((node, fingerprint))
        return damaged

    def disown(self, node: str, fingerprint: str) -> None:
        """Let a damaged result count as never built; its files stay until it is built again."""
        with file_lock(self.lock_path(node, fingerprint)):
            if self.damaged_files(node, fingerprint):  # nobody has mended it meanwhile
                (self.folder(node, fingerprint) / META).unlink(missing_ok=True)

    def lock_path(self, node: str, fingerprint: str) -> Path:
        """Lock to hold while building one result, so that two builds do not do the same work."""
        return self._locks / f"{node}-{fingerprint}.lock"

    def resume_path(self, node: str, fingerprint: str) -> Path:
        """Folder for the state of an unfinished result; nobody else writes there while `lock_path` is held."""
        return self._resume / f"{node}-{fingerprint}"

    def forget_resume(self, node: str, fingerprint: str) -> None:
        """Remove that state: the result is published."""
        shutil.rmtree(self.resume_path(node, fingerprint), ignore_errors=True)

    @contextmanager
    def new_folder(self) -> Iterator[Path]:
        """An empty folder to prepare a result in; what was not published is removed.

        A folder left by a killed process is swept by the next one: each holds a lock while alive.
        """
        make_folder(self._scratch)
        name = uuid.uuid4().hex
        folder = self._scratch / name
        with file_lock(self._scratch / f"{name}.lock"):
            folder.mkdir()
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
                (self._scratch / f"{name}.lock").unlink(missing_ok=True)

    def publish(self, folder: Path, meta: ResultMeta) -> ResultMeta:
        """Make a prepared folder the result of (meta.node, meta.fingerprint), durably and in one step."""
        inside = sorted(folder.rglob("*"))
        files = [path for path in inside if path.is_file()]
        complete = replace(
            meta,
            columns=list(meta.columns),
            files={str(p.relative_to(folder)): p.stat().st_size for p in files},
            digests={str(p.relative_to(folder)): sha256(p) for p in files},
        )
        (folder / META).write_text(json.dumps(asdict(complete), indent=1), encoding="utf-8")
        for path in [*inside, folder / META, folder]:
            sync_file(path)
        final = self.folder(meta.node, meta.fingerprint)
        make_folder(final.parent)
        if final.exists():
            if self.meta(meta.node, meta.fingerprint):
                return complete  # another process was first; equal fingerprint, equal result
            shutil.rmtree(final)  # damaged: found by size, rebuilt here
        try:
            folder.rename(final)
        except OSError as error:
            if self.meta(meta.node, meta.fingerprint):
                return complete  # first by a moment
            raise LlmI2iError(
                f"cannot write the result of {meta.node!r}", where=str(final), found=str(error)
            ) from error
        sync_file(final.parent)
        self._verified.add((meta.node, meta.fingerprint))
        return complete

    def sweep(self) -> None:
        """Remove scratch folders whose process is gone."""
        for lock in self._scratch.glob("*.lock"):
            with lock_if_free(lock) as is_free:
                if is_free:
                    shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
                    lock.unlink(missing_ok=True)
