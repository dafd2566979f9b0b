"""Packs a published environment for serving: tables of the store into the folder that `serve.index` maps.

`python -m llm_i2i.serve.pack TARGET_DIR ENV INDEX` prints the folder; a running service packs in such a process of its own, so that
neither the memory nor the time of it is the service's.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_i2i.errors import LlmI2iError, ProjectError
from llm_i2i.fingerprint import fingerprint
from llm_i2i.names import parquet_scan, quote_identifier
from llm_i2i.serve.index import (
    FORMAT,
    MANIFEST,
    ServingSettings,
    checksum,
    manifest_digest,
)
from llm_i2i.serve.write import FolderWriter, rows_of
from llm_i2i.store.environment import Environment, Pointer
from llm_i2i.store.files import file_lock, sync_file
from llm_i2i.store.store import Store

if TYPE_CHECKING:
    import duckdb

OPTIONAL = ("items", "popular_items", "serving_settings")
KEPT_SECONDS = 3600  # a folder that no environment names any more stays this long: somebody may be about to open it


def packed_folder(target_dir: Path, environment: Environment, index: str) -> Path:
    """Where the present publication of an environment is packed, or will be.

    Raises:
        ProjectError: The environment has no such index.
    """
    pointers = environment.pointers()
    return target_dir / "serving" / _fingerprint(_tables(pointers, environment, index), index)


def pack(target_dir: Path, environment: Environment, index: str = "i2i_index") -> Path:
    """Pack what the environment publishes now, once; returns the folder.

    Raises:
        ProjectError: The environment has no such index, or it has not the columns of one.
        LlmI2iError: Its rows are not those of an index.
    """
    pointers = environment.pointers()
    tables = _tables(pointers, environment, index)
    name = _fingerprint(tables, index)
    folder = target_dir / "serving" / name
    if folder.is_dir():
        return folder
    with file_lock(target_dir / "locks" / f"serving-{name}.lock"):
        if not folder.is_dir():
            _write_folder(folder, name, pointers, tables, index, Store(target_dir))
    return folder


def sweep(target_dir: Path, keep: Iterable[Path]) -> None:
    """Remove packed folders that are neither kept nor new. Whoever has one open keeps reading it."""
    kept = {path.name for path in keep}
    for folder in (target_dir / "serving").glob("*"):
        if folder.name not in kept and time.time() - folder.stat().st_mtime > KEPT_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _tables(
    pointers: Mapping[str, Pointer], environment: Environment, index: str
) -> dict[str, str]:
    """The published tables that serving reads, with their fingerprints."""
    if index not in pointers:
        published = "nothing was published" if not pointers else f"it has no {index!r}"
        env = "" if environment.name == "dev" else f" --env {environment.name}"
        raise ProjectError(
            f"environment {environment.name!r} has no index to serve",
            found=published,
            fix=f"run `llmi2i build{env}` first, or name its index with --index",
        )
    wanted = (index, f"{index}_baseline", *OPTIONAL)
    return {name: pointers[name].fingerprint for name in wanted if name in pointers}


def _fingerprint(tables: Mapping[str, str], index: str) -> str:
    return fingerprint([FORMAT, index, dict(tables)])


def _write_folder(
    folder: Path,
    name: str,
    pointers: Mapping[str, Pointer],
    tables: dict[str, str],
    index: str,
    store: Store,
) -> None:
    """Write beside, then rename: a folder that exists is whole."""
    beside = folder.with_name(f".{name}.{uuid.uuid4().hex[:8]}.tmp")
    beside.mkdir(parents=True)
    try:
        connection = _connect(_needed(pointers, tables), store, beside / "spill")
        try:
            settings = _settings(connection, tables)
            n_items = FolderWriter(beside, connection, tables, index).write()
        finally:
            connection.close()
            shutil.rmtree(beside / "spill", ignore_errors=True)
        files = sorted(beside.iterdir())
        manifest: dict[str, Any] = {
            "format": FORMAT,
            "fingerprint": name,
            "index": index,
            "tables": tables,
            "settings": asdict(settings),
            "n_items": n_items,
            "files": {f.name: {"bytes": f.stat().st_size, "sha256": checksum(f)} for f in files},
        }
        manifest["digest"] = manifest_digest(manifest)
        (beside / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        for path in [*files, beside / MANIFEST, beside]:
            sync_file(path)
        beside.rename(folder)
        sync_file(folder.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _needed(pointers: Mapping[str, Pointer], tables: Mapping[str, str]) -> Mapping[str, Pointer]:
    """The tables to be read; all of them where one is a view, which may read any."""
    wanted = {name: pointers[name] for name in tables}
    return pointers if any(pointer.sql for pointer in wanted.values()) else wanted


def _connect(
    pointers: Mapping[str, Pointer], store: Store, spill: Path
) -> duckdb.DuckDBPyConnection:
    """A session that has the pointers' tables as views: one publication, whatever is published meanwhile."""
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"set temp_directory = '{str(spill).replace(chr(39), chr(39) * 2)}'")
    for node, pointer in pointers.items():
        data = store.data_path(node, pointer.fingerprint).resolve()
        body = pointer.sql or f"select * from {parquet_scan([data])}"
        try:
            connection.execute(f"create view {quote_identifier(node)} as {body}")
        except duckdb.Error:
            # a result that is gone: an error only if serving reads it, when it is read
            continue
    return connection


def _settings(connection: duckdb.DuckDBPyConnection, tables: Mapping[str, str]) -> ServingSettings:
    if "serving_settings" not in tables:
        return ServingSettings()
    rows = rows_of(connection, "select triggers, decay, exclude_seen from serving_settings")
    if len(rows) != 1:
        raise LlmI2iError("serving_settings must have one row", found=f"{len(rows)} rows")
    triggers, decay, exclude_seen = rows[0]
    return ServingSettings(int(triggers), float(decay), bool(exclude_seen))


def main() -> None:
    """Pack in a process of its own, out of the way of the service beside it."""
    os.nice(10)
    target_dir, env, index = sys.argv[1:]
    try:
        print(pack(Path(target_dir), Environment(Path(target_dir), env), index))
    except LlmI2iError as error:
        print(error.render(), file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
