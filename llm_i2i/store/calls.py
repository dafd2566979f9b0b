"""The call cache: every finished UDF call, one Parquet segment per committed batch.

`<root>/<udf>/<call group>/<segment>.parquet`; a call group is one UDF version with one set of constants (the model
among them). Columns: `arg_0..`, `result`, `call_key`. A segment is written beside and renamed, so it is whole or absent;
its name is the SHA-256 of its bytes, so one that was damaged later is found out. It says in its metadata what it cost (`CallCost`).
`speed.json` beside the segments says how fast the group's last run was; a plan's times come from it.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_i2i.store.files import file_lock, make_folder, replace_text, sha256, sync_file

if TYPE_CHECKING:
    import pyarrow as pa

SPEED = "speed.json"
BATCHES = "batches"  # folder of a group: which segment holds a batch, where batches have names
COST = b"llmi2i"  # key of the cost in a segment's metadata
DIGEST_LENGTH = 64  # hex characters of a segment's name


@dataclass(frozen=True)
class CallCost:
    """What one committed batch was, and what it took.

    Attributes:
        node: Model that made the calls.
        constants: Named arguments of the call group, the language model among them.
        seconds: Wall-clock time of the batch, its failed rows included.
        tokens: Tokens of its prompts; None if they were not counted.
        token_unit: What a token is: see `udf.batch.CallCounts`.
        made_at: Seconds since 1970.
    """

    node: str = ""
    constants: dict[str, Any] = field(default_factory=dict)
    seconds: float | None = None
    tokens: int | None = None
    token_unit: str = ""
    made_at: float | None = None


@dataclass(frozen=True)
class Segment:
    """One committed batch on disk."""

    path: Path
    rows: int
    bytes: int
    cost: CallCost


def _is_whole(path: Path) -> bool:
    """Whether a segment is what its name says; of one from before names were digests, whether it begins and ends as Parquet."""
    if len(path.stem) == DIGEST_LENGTH:
        return sha256(path) == path.stem
    with path.open("rb") as file:
        head = file.read(4)
        size = file.seek(0, 2)
        file.seek(max(size - 4, 0))
        return size >= 12 and head == file.read(4) == b"PAR1"


class CallCache:
    """Finished calls on disk. Nobody pays twice for a call."""

    def __init__(self, target_dir: Path) -> None:
        self.root = target_dir / "calls"
        self._locks = target_dir / "locks" / "calls"
        self._whole: set[Path] = set()  # looked at by this process

    def segments(self, udf: str, group: str) -> list[Path]:
        """The committed segments of a call group, in a stable order. What is damaged is set aside: its calls are made again."""
        found = sorted((self.root / udf / group).glob("[!.]*.parquet"))
        for path in found:
            if path in self._whole or _is_whole(path):
                self._whole.add(path)
            else:
                with contextlib.suppress(FileNotFoundError):  # another process was first
                    path.rename(path.with_suffix(".damaged"))
        return [path for path in found if path in self._whole]

    def commit(
        self,
        udf: str,
        group: str,
        calls: pa.Table,
        cost: Mapping[str, Any] | None = None,
        name: str = "",
    ) -> Path:
        """Write one batch durably, with what it cost (fields of `CallCost`); returns its segment.

        Args:
            name: Of the batch, for `committed`.
        """
        path = _write(self.root / udf / group, calls, cost)
        if name:
            replace_text(self._batch(udf, group, name), path.name)
        return path

    def making(
        self, udf: str, group: str, waiting: Callable[[], None] | None = None
    ) -> AbstractContextManager[None]:
        """Hold while making calls of a group; of several builds each then makes what the others have not made."""
        return file_lock(self.lock_path(udf, group), waiting)

    def lock_path(self, udf: str, group: str) -> Path:
        return self._locks / f"{udf}-{group}.lock"

    def committed(self, udf: str, group: str, name: str) -> int | None:
        """Rows of the batch that was committed under this name; None if there is none, or its segment is gone."""
        import pyarrow.parquet as pq

        try:
            segment = self._batch(udf, group, name).read_text(encoding="utf-8")
            path = self.root / udf / group / segment
            return int(pq.read_metadata(path).num_rows) if _is_whole(path) else None
        except FileNotFoundError:
            return None

    def _batch(self, udf: str, group: str, name: str) -> Path:
        return self.root / udf / group / BATCHES / name

    def record_speed(self, udf: str, group: str, measurement: Mapping[str, Any]) -> None:
        """Keep how fast the last run of a call group was."""
        replace_text(self.root / udf / group / SPEED, json.dumps(dict(measurement)))

    def speeds(self, udf: str) -> list[dict[str, Any]]:
        """The measurements of all call groups of a UDF; one that cannot be read is left out."""
        found = []
        for path in sorted((self.root / udf).glob(f"*/{SPEED}")):
            try:
                found.append(json.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError):
                continue
        return found

    # -- inspecting ----------------------------------------------------------------------------------------------------

    def groups(self) -> list[tuple[str, str]]:
        """All call groups as (udf, group)."""
        return sorted((p.parent.name, p.name) for p in self.root.glob("*/*") if p.is_dir())

    def described(self, udf: str, group: str) -> list[Segment]:
        """The whole segments of a group with what their calls cost."""
        import pyarrow.parquet as pq

        found = []
        for path in self.segments(udf, group):
            footer = pq.read_metadata(path)
            cost = _cost((footer.metadata or {}).get(COST))
            found.append(Segment(path, footer.num_rows, path.stat().st_size, cost))
        return found

    def bytes_of(self, udf: str, group: str) -> int:
        """Size of a group on disk, damaged segments included."""
        return sum(p.stat().st_size for p in (self.root / udf / group).glob("*") if p.is_file())

    def damaged(self) -> list[Path]:
        """Segments that were found cut short; their calls were made again."""
        return sorted(self.root.glob("*/*/*.damaged"))

    # -- forgetting ----------------------------------------------------------------------------------------------------

    def forget(self, udf: str, group: str) -> None:
        """Remove a call group. A kill in between leaves whole segments."""
        shutil.rmtree(self.root / udf / group, ignore_errors=True)
        if (self.root / udf).is_dir() and not any((self.root / udf).iterdir()):
            (self.root / udf).rmdir()

    def keep_only(self, segment: Segment, calls: pa.Table) -> None:
        """Leave only these rows of a segment. A kill in between leaves the others as they were."""
        rest = _write(segment.path.parent, calls, asdict(segment.cost)) if calls.num_rows else None
        if rest != segment.path:
            segment.path.unlink()


def _write(group: Path, calls: pa.Table, cost: Mapping[str, Any] | None) -> Path:
    import pyarrow.parquet as pq

    if cost is not None:
        calls = calls.replace_schema_metadata({COST: json.dumps(dict(cost), default=str)})
    make_folder(group)
    beside = group / f".{uuid.uuid4().hex}.tmp"
    try:
        pq.write_table(calls, beside, compression="zstd")
        sync_file(beside)
        path = group / f"{sha256(beside)}.parquet"
        beside.replace(path)
        sync_file(group)
    finally:
        beside.unlink(missing_ok=True)
    return path


def _cost(raw: bytes | None) -> CallCost:
    try:
        return CallCost(**json.loads(raw)) if raw else CallCost()
    except (ValueError, TypeError):
        return CallCost()
