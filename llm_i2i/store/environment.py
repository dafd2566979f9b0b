"""Environments are pointers: which result each node has in `dev`, `prod`, ...

`envs/<env>.json` maps nodes to fingerprints; `<env>.duckdb` is a catalogue of views over the store for any DuckDB client.
Both are replaced by rename under a lock; a client that has the old catalogue open keeps reading the old state.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from llm_i2i.errors import LlmI2iError
from llm_i2i.names import parquet_scan, quote_identifier
from llm_i2i.store.files import file_lock, replace_file, replace_text


@dataclass(frozen=True)
class Pointer:
    """One published node: a stored result (`sql` empty) or a view (`sql` is its query over other names)."""

    fingerprint: str
    sql: str = ""


class Environment:
    """A named set of published results."""

    def __init__(self, target_dir: Path, name: str) -> None:
        self.name = name
        self.catalogue = target_dir / f"{name}.duckdb"
        self._pointers = target_dir / "envs" / f"{name}.json"
        self._lock = target_dir / "envs" / f".{name}.lock"
        self._store_root = target_dir / "store"

    def pointers(self) -> dict[str, Pointer]:
        """Node -> pointer, in dependency order; empty if nothing was published yet."""
        try:
            raw = json.loads(self._pointers.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise LlmI2iError(
                f"the pointers of environment {self.name!r} cannot be read",
                where=str(self._pointers),
                found=str(error),
                fix="delete the file and run `llmi2i build`: results in the store are reused",
            ) from error
        return {node: Pointer(**pointer) for node, pointer in raw["nodes"].items()}

    def publish(self, nodes: Mapping[str, Pointer]) -> bool:
        """Point the given nodes at new results in one step; other nodes stay. False if nothing changed."""
        with file_lock(self._lock):
            before = self.pointers()
            after = {k: v for k, v in before.items() if k not in nodes} | dict(nodes)
            if (
                before == after
                and self.catalogue.exists()
                and self._root() == self._absolute_root()
            ):
                return False
            # Catalogue first: a kill in between leaves readers on the new, complete state and the next build repeats the step.
            replace_file(self.catalogue, lambda path: self._write_catalogue(path, after))
            raw = {
                "environment": self.name,
                "store": self._absolute_root(),
                "nodes": {k: asdict(v) for k, v in after.items()},
            }
            replace_text(self._pointers, json.dumps(raw, indent=1))
            return True

    def _absolute_root(self) -> str:
        """Where the catalogue's views read: a moved folder needs a new catalogue."""
        return str(self._store_root.resolve())

    def _root(self) -> str:
        raw = json.loads(self._pointers.read_text(encoding="utf-8"))
        return str(raw.get("store", ""))

    def _write_catalogue(self, path: Path, nodes: Mapping[str, Pointer]) -> None:
        import duckdb

        with duckdb.connect(str(path)) as connection:
            stored = [(n, p) for n, p in nodes.items() if not p.sql]
            for node, pointer in stored:
                data = (self._store_root / node / pointer.fingerprint / "data.parquet").resolve()
                connection.execute(
                    f"create view {quote_identifier(node)} as select * from {parquet_scan([data])}"
                )
            for node, pointer in nodes.items():
                if pointer.sql:
                    connection.execute(f"create view {quote_identifier(node)} as {pointer.sql}")
