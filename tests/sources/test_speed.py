"""Five million events out of PostgreSQL: rows a second beside COPY to CSV of the same table, and memory. Prints both."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.sources.conftest import Postgres

pytestmark = pytest.mark.sources
ROWS = 5_000_000
MOST_MB = 1_000  # over what the process takes to read a table of a thousand rows

READ = """
import json, resource, sys, time
from pathlib import Path
from llm_i2i.graph.node import Node
from llm_i2i.runner.remote.databases import Database
from llm_i2i.runner.remote.sources import RemoteSources

folder, url = Path(sys.argv[1]), sys.argv[2]
remote = RemoteSources(folder, folder, lambda alias: Database(alias, "postgres", url))
found = []
for table, key in (("few", None), ("clicks", None), ("clicks", "id")):
    source = {"connection": "shop", "table": table, "version": "select 1"} | ({"key": key} if key else {})
    started = time.monotonic()
    remote.files(Node(f"log__{table}_{key}", "log.yml", "source", file_path=table, config={"source": source}))
    found.append((time.monotonic() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000))
print(json.dumps(found))
"""


def test_five_million_events(postgres: Postgres, tmp_path: Path) -> None:
    client = shutil.which("psql")
    if client is None:
        pytest.skip("needs psql: apt-get install postgresql-client")
    postgres.sql(
        "drop table if exists clicks, few",
        f"create table clicks as select g as id, 'U' || (g * 7919 % 200000) as user_id, 'P' || (g * 104729 % 50000) as item_id, timestamp '2024-01-01' + g * interval '1 second' as seen from generate_series(1, {ROWS}::bigint) g",
        "alter table clicks add primary key (id)",
        "create table few as select * from clicks limit 1000",
    )
    command = [client, postgres.url, "-q", "-c", f"\\copy clicks to '{tmp_path}/clicks.csv' csv"]
    started = time.monotonic()
    subprocess.run(command, check=True)
    copied = time.monotonic() - started
    done = subprocess.run([sys.executable, "-c", READ, str(tmp_path), postgres.url], check=True, capture_output=True, text=True)  # fmt: skip
    (_, base), *reads = json.loads(done.stdout)
    print(f"\nCOPY to CSV: {ROWS / copied:,.0f} rows a second")
    for what, (seconds, peak) in zip(
        ("without a key", "in the order of a key"), reads, strict=True
    ):
        print(f"read {what}: {ROWS / seconds:,.0f} rows a second, {peak - base:.0f} MB over the {base:.0f} MB of a small table")  # fmt: skip
        assert peak - base <= MOST_MB
