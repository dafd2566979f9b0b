"""Sources that are somewhere else, as files of this machine."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from llm_i2i.errors import ProjectError
from llm_i2i.fingerprint import fingerprint
from llm_i2i.graph.node import Node
from llm_i2i.runner.remote.databases import FILES, Database, open_database
from llm_i2i.runner.remote.failures import BrokenOff
from llm_i2i.runner.remote.lakes import (
    LakeTable,
    catalogue_table,
    delta_table,
    iceberg_table,
    reading,
)
from llm_i2i.runner.remote.objects import FileStore
from llm_i2i.runner.remote.rows import copy_rows, rows_of, whole_copy, write_rows
from llm_i2i.store.files import file_lock

KEPT_SECONDS = 7 * 24 * 3600  # a copy that nobody read for so long is removed
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def quiet(text: str) -> None:
    """Say nothing of the progress."""


class RemoteSources:
    """Copies of the rows and files of sources, each made once per version, below a target folder.

    Attributes:
        say: Takes sentences about the progress of a copy.
    """

    def __init__(
        self, project_dir: Path, target_dir: Path, database: Callable[[str], Database]
    ) -> None:
        self._project_dir = project_dir
        self._folder = target_dir / "sources"
        self._locks = target_dir / "locks"
        self._database = database
        self._found: dict[tuple[str, str, str], list[Path]] = {}
        self.say: Callable[[str], None] = quiet

    def files(self, source: Node) -> list[Path] | None:
        """Copies of what a source is now, looked at once by this process; None if it is files of this machine.

        Raises:
            ProjectError: It cannot be reached or read.
        """
        connected = source.config.get("source")
        place = self._place(source)
        if not connected and place is None:
            return None
        known = (source.name, source.file_path, fingerprint(connected))
        if known not in self._found:
            self._found[known] = self._copied(source, connected, place or "")
        return self._found[known]

    def _place(self, source: Node) -> str | None:
        """The address of a source, or the folder of its table; None for files of this machine."""
        if _ADDRESS.match(source.file_path):
            return source.file_path
        folder = self._project_dir / Path(source.file_path).expanduser()
        is_table = (folder / "_delta_log").is_dir() or next(
            folder.glob("metadata/*.metadata.json"), None
        )
        return str(folder.resolve()) if is_table else None

    def _copied(self, source: Node, connected: dict[str, str] | None, place: str) -> list[Path]:
        shown = source.name.replace("__", ".", 1)
        try:
            with file_lock(self._locks / f"sources-{source.name}.lock"):
                if connected:
                    files = self._connected(source.name, shown, connected)
                else:
                    files = self._files_at(source.name, shown, place)
                self._forget_unused(self._folder / source.name)
        except ProjectError as error:
            error.where = error.where or source.path
            if not error.what.startswith("source "):
                error.what = f"source {shown}: {error.what}"
            raise
        return files

    def _connected(self, node: str, shown: str, connected: dict[str, str]) -> list[Path]:
        """Copies of a table that a connection has."""
        database = self._database(connected["connection"])
        if database.kind != "iceberg":
            return self._table(node, shown, connected, database)
        found = catalogue_table(
            database.alias, database.address, database.options, connected["table"]
        )
        return self._lake(node, shown, found)

    def _files_at(self, node: str, shown: str, place: str) -> list[Path]:
        """Copies of the files at an address, or of those of the lakehouse table that is there."""
        if kind := _lake_kind(place):
            return self._lake(
                node, shown, delta_table(place) if kind == "delta" else iceberg_table(place)
            )
        store = FileStore(place)
        files = store.listed()
        if not files:
            raise ProjectError("has no file", found=f"nothing at {place}", fix="correct the path")
        copies = {file: self._folder / node / file.digest / file.name for file in files}
        missing = [file for file, copy in copies.items() if not copy.is_file()]
        for number, file in enumerate(missing, start=1):
            store.copy(file, copies[file])
            self.say(f"{shown}: {number} of {len(missing)} files copied, {file.name}")
        return _used(list(copies.values()), self._folder / node)

    def _lake(self, node: str, shown: str, table: LakeTable) -> list[Path]:
        """Copies of the data files of a lakehouse table."""
        if not table.files:
            name = self._folder / node / fingerprint(str(table.empty)) / "empty.parquet"
            if not name.is_file():
                write_rows(name, table.empty.empty_table().to_reader())
            return _used([name], self._folder / node)
        copies = {self._folder / node / f.digest / f"{f.name}.parquet": f for f in table.files}
        missing = [copy for copy in copies if not copy.is_file()]
        for number, copy in enumerate(missing, start=1):
            with reading("a data file"):
                write_rows(copy, copies[copy].rows())
            self.say(f"{shown}: {number} of {len(missing)} files of {table.version} read")
        return _used(list(copies), self._folder / node)

    def _table(
        self, node: str, shown: str, connected: dict[str, str], database: Database
    ) -> list[Path]:
        """The copy of a table of a database."""
        table, key, asked = connected["table"], connected.get("key"), connected.get("version")
        copying: Path | None = None
        try:
            with open_database(database) as session:
                version = session.value(asked) if asked else _file_version(database)
                made_of = [database.kind, database.identity, table, key, asked, version]
                folder = self._folder / node / fingerprint(made_of)
                if files := whole_copy(folder):
                    os.utime(folder)
                    return files
                copying = folder
                return copy_rows(
                    folder, lambda after: session.rows(table, key, after), key, self.say, shown
                )
        except BrokenOff as error:
            if copying is not None:
                rows = rows_of(sorted(copying.glob("[0-9]*.parquet"))) if key else 0
                error.fix = (
                    f"run the same command again: it goes on after the {rows:,} rows that are read"
                    if rows
                    else "run the same command again: it begins anew; with a key: it would go on where it stopped"
                )
            raise

    def _forget_unused(self, folder: Path) -> None:
        for copy in folder.iterdir() if folder.is_dir() else ():
            if time.time() - copy.stat().st_mtime > KEPT_SECONDS:
                with contextlib.suppress(OSError):  # somebody else removes it
                    shutil.rmtree(copy)


def _lake_kind(place: str) -> str:
    """delta or iceberg, if that is what is there; empty for files."""
    last = place.rstrip("/").rsplit("/", 1)[-1]
    if place.endswith(".metadata.json"):
        return "iceberg"
    if "://" not in place:
        return "delta" if (Path(place) / "_delta_log").is_dir() else "iceberg"
    if re.search(r"[*?.\[]", last) or place.startswith("http"):
        return ""
    store = FileStore(place)
    if store.exists("_delta_log"):
        return "delta"
    return "iceberg" if store.exists("metadata") else ""


def _used(files: list[Path], folder: Path) -> list[Path]:
    """The files, noted as used now."""
    for file in files:
        os.utime(folder / file.relative_to(folder).parts[0])
    return files


def _file_version(database: Database) -> str:
    """The version of a database that is a file: when and how large it was written.

    Raises:
        ProjectError: It is a server.
    """
    if database.kind not in FILES:
        raise ProjectError(
            f"a table of {database.kind} needs a version:",
            found="nothing that says whether its rows have changed",
            fix="write a query whose one value changes with them, version: select max(id) from ...",
        )
    path = Path(database.address)
    beside = [path.with_name(path.name + end) for end in ("", "-wal", ".wal")]
    stats = [one.stat() for one in beside if one.exists() and one.stat().st_size]
    return str([(one.st_size, one.st_mtime_ns) for one in stats])
