"""The main job on a real Spark cluster: the same tables and as many calls as on DuckDB, through lost workers and a killed driver."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from llm_i2i.config.targets import SparkTarget
from llm_i2i.runner.build.events import BuildResult
from llm_i2i.runner.project import Project
from tests.project.conftest import ShopProject
from tests.project.test_reference_project import ROOT, write_log
from tests.spark.cluster import WORKERS, Cluster

pytestmark = pytest.mark.spark


def made(result: BuildResult) -> int:
    return sum(node.calls.made for node in result.nodes if node.calls)


def well(result: BuildResult) -> BuildResult:
    """The result of a build that ended well."""
    assert not [f"{n.step.node.name}: {n.error}" for n in result.nodes if n.status == "ERROR"]
    assert not [c.check.name for c in result.checks if c.status in ("FAIL", "ERROR")]
    assert result.published
    return result


METRICS = "select recommender, augmentation, segment, split, metric, k, value, n_users from ranking_metrics order by 1, 2, 3, 4, 5, 6"


def compare_metrics(here: Project, there: Project) -> None:
    _, expected = here.rows(METRICS)
    _, found = there.rows(METRICS)
    assert [row[:6] for row in found] == [row[:6] for row in expected]
    for one, other in zip(expected, found, strict=True):
        assert other[6] == pytest.approx(one[6], abs=1e-6), one
        assert other[7] == one[7]


def compare(vars: dict[str, Any], folder: Path, cluster: Cluster) -> None:
    """Build on both engines, each with a store of its own: the same metrics, the same number of calls."""
    here = Project.load(ROOT, vars=vars, target_path=folder / "duckdb")
    on_duckdb = well(here.build())
    there = Project.load(ROOT, vars=vars, target_path=folder / "spark")
    there.definition.target = SparkTarget(type="spark", url=cluster.url)
    on_spark = well(there.build())
    compare_metrics(here, there)
    assert made(on_spark) == made(on_duckdb) > 0
    # no edit and no new fingerprint: each engine reuses what the other built
    again = Project.load(ROOT, vars=vars, target_path=folder / "spark").build()
    assert {node.status for node in again.nodes} == {"REUSED", "VIEW"}


def test_the_main_job_is_the_same_on_a_tiny_log(cluster: Cluster, tmp_path: Path) -> None:
    compare(write_log(tmp_path, users=60), tmp_path, cluster)


SLOW_UDF = '''
"""A language model that takes its time; every call is noted in a file of its own."""

from __future__ import annotations

import hashlib
import os
import time
import uuid

from llm_i2i.udf import UdfContext, batch_udf


@batch_udf(returns="DOUBLE", batch_size=5)
def slow_score(prompt: list[str], *, context: UdfContext) -> list[float]:
    """A number in [0, 1] that depends on the prompt."""
    noted = context.project_dir / "noted"
    noted.mkdir(exist_ok=True)
    (noted / f"{os.getpid()}-{uuid.uuid4().hex}").write_text("\\n".join(prompt))
    time.sleep(1.5)
    return [int(hashlib.sha256(p.encode()).hexdigest()[:6], 16) / 0xFFFFFF for p in prompt]
'''
BATCH = 5
USERS = 100


@pytest.fixture
def slow_shop(tmp_path: Path) -> ShopProject:
    """A project whose one batch UDF makes 20 batches of 1.5 seconds."""
    shop = ShopProject(tmp_path)
    shop.write("udfs/slow.py", SLOW_UDF)
    shop.write(
        "models/slow.sql",
        "select user_id, slow_score(prompt) as score from {{ ref('prompts') }}\n",
    )
    shop.write_log(USERS)
    return shop


def noted(shop: ShopProject) -> list[str]:
    return [
        prompt
        for path in sorted((shop.dir / "noted").glob("*"))
        for prompt in path.read_text().splitlines()
    ]


def start_build(shop: ShopProject, url: str) -> subprocess.Popen[str]:
    shop.replace(
        "project/project.yml",
        "targets: {dev: {type: duckdb, threads: 1, memory_limit: 1GB}}",
        f"targets: {{dev: {{type: duckdb, threads: 1, memory_limit: 1GB}}, spark: {{type: spark, url: '{url}'}}}}",
    )
    return run_build(shop)


def run_build(shop: ShopProject) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "llm_i2i", "build", "-s", "+slow", "--target", "spark"]
    return subprocess.Popen(
        command, cwd=shop.dir, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def wait_until(
    condition: Callable[[], bool], process: subprocess.Popen[str], seconds: float = 240
) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()[0][-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.1)


def segments(shop: ShopProject) -> list[Path]:
    return list((shop.dir / "target" / "calls" / "slow_score").glob("*/*.parquet"))


def rows_of(shop: ShopProject) -> list[tuple[str, float]]:
    _, rows = Project.load(shop.dir).rows("select user_id, score from slow order by 1")
    return rows


def test_a_lost_worker_costs_at_most_its_batch(
    new_cluster: Callable[..., Cluster], slow_shop: ShopProject
) -> None:
    cluster = new_cluster()
    process = start_build(slow_shop, cluster.url)
    wait_until(lambda: len(segments(slow_shop)) >= 4, process)
    cluster.lose_worker(WORKERS[1])
    output = process.communicate(timeout=400)[0]
    assert process.returncode == 0, output[-3000:]
    rows = rows_of(slow_shop)
    assert [user for user, _ in rows] == sorted(f"u{u}" for u in range(USERS))
    assert all(score is not None for _, score in rows)
    calls = noted(slow_shop)
    assert len(set(calls)) == USERS
    assert len(calls) - USERS <= BATCH


def test_a_killed_driver_resumes(cluster: Cluster, slow_shop: ShopProject) -> None:
    process = start_build(slow_shop, cluster.url)
    wait_until(lambda: len(segments(slow_shop)) >= 4, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    time.sleep(10)  # tasks that run are finished or dropped by the server
    done = sum(pq.read_metadata(path).num_rows for path in segments(slow_shop))
    assert 4 * BATCH <= done < USERS
    before = len(noted(slow_shop))
    again = run_build(slow_shop)
    output = again.communicate(timeout=400)[0]
    assert again.returncode == 0, output[-3000:]
    assert [user for user, _ in rows_of(slow_shop)] == sorted(f"u{u}" for u in range(USERS))
    assert len(noted(slow_shop)) - before <= USERS - done
