"""The call cache: every finished UDF call, one Parquet segment per committed batch.

`<root>/<udf>/<call group>/<segment>.parquet`; a call group is one UDF version with one set of constants (the model
among them). Columns: `arg_0..`, `result`, `call_key`. A segment is written beside and renamed, so it is whole or absent.
`speed.json` beside the segments says how fast the group's last run was; a plan's times come from it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_i2i.store.files import replace_file, replace_text

if TYPE_CHECKING:
    import pyarrow as pa

SPEED = "speed.json"


def _is_whole(path: Path) -> bool:
    """Whether a Parquet file begins and ends as one: a cheap look that finds a file cut short or overwritten."""
    with path.open("rb") as file:
        head = file.read(4)
        size = file.seek(0, 2)
        file.seek(max(size - 4, 0))
        return size >= 12 and head == file.read(4) == b"PAR1"


class CallCache:
    """Finished calls on disk. Nobody pays twice for a call."""

    def __init__(self, target_dir: Path) -> None:
        self.root = target_dir / "calls"

    def segments(self, udf: str, group: str) -> list[Path]:
        """The committed segments of a call group, in a stable order."""
        found = sorted((self.root / udf / group).glob("[!.]*.parquet"))
        whole = [path for path in found if _is_whole(path)]
        for path in set(found) - set(whole):
            path.rename(path.with_suffix(".damaged"))  # its calls are made again
        return whole

    def commit(self, udf: str, group: str, calls: pa.Table) -> Path:
        """Write one batch durably; returns its segment."""
        import pyarrow.parquet as pq

        path = self.root / udf / group / f"{uuid.uuid4().hex}.parquet"
        replace_file(path, lambda beside: pq.write_table(calls, beside, compression="zstd"))
        return path

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
