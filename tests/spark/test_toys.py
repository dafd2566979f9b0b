"""The whole main job on Amazon Toys and Games, with all its arms and controls: on a cluster it measures what DuckDB measured, with as many calls.

The six trainings run in this process on either engine. They are made once, on DuckDB, and reused on Spark by their fingerprints, as in
any store that two engines share; that Spark would have trained on the same rows is looked at by itself.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from llm_i2i.config.targets import SparkTarget
from llm_i2i.runner.build.events import NodeOutcome, Reporter
from llm_i2i.runner.project import Project
from tests.project.spark_equality import difference
from tests.project.test_reference_project import ROOT
from tests.research_data import DATA, HAS_DATA
from tests.spark.cluster import Cluster
from tests.spark.test_cluster import compare_metrics, made, well

pytestmark = [
    pytest.mark.spark,
    pytest.mark.data,
    pytest.mark.skipif(not HAS_DATA, reason=f"needs the research data in {DATA}"),
]

VARS = {
    "interactions": str(DATA / "toys_and_games.interactions.parquet"),
    "items": str(DATA / "toys_and_games.items.parquet"),
    "order_column": "position",
    "near_column": "asin",
}
# For more than a few hundred rows: the JVM compiles what runs long, and a busy machine is no lost worker.
CONF = {
    "spark.driver.extraJavaOptions": "-Xss16m",
    "spark.executor.extraJavaOptions": "-Xss16m",
    "spark.sql.shuffle.partitions": "4",
    "spark.network.timeout": "600s",
    "spark.worker.timeout": "600",
    "spark.executor.heartbeatInterval": "20s",
}


class Printed(Reporter):
    """A line a node: the test takes long."""

    def __init__(self, engine: str) -> None:
        self.engine, self.since = engine, time.monotonic()

    def node_finished(self, index: int, total: int, outcome: NodeOutcome) -> None:
        calls = f", {outcome.calls.made:,} calls" if outcome.calls else ""
        print(
            f"{self.engine} {time.monotonic() - self.since:7.0f} s  {index}/{total} {outcome.status} {outcome.step.node.name}:"
            f" {outcome.rows:,} rows in {outcome.seconds:.1f} s{calls}",
            flush=True,
        )


def test_toys_is_the_same_on_a_cluster(new_cluster: Callable[..., Cluster], tmp_path: Path) -> None:
    here = Project.load(ROOT, vars=VARS, target_path=tmp_path / "duckdb")
    on_duckdb = well(here.build(reporter=Printed("duckdb")))
    steps = {step.node.name: step for step in here.plan().steps}
    trained = [n for n, s in steps.items() if any(c.udf == "fine_tune" for c in s.compiled.steps)]
    assert len(trained) == 6
    for name in trained:
        shutil.copytree(here.store.root / name, tmp_path / "spark" / "store" / name)

    there = Project.load(ROOT, vars=VARS, target_path=tmp_path / "spark")
    cluster = new_cluster(
        worker_memory="5g", executor_memory="3500m", driver_memory="2g", conf=CONF
    )
    there.definition.target = SparkTarget(type="spark", url=cluster.url)
    on_spark = well(there.build(reporter=Printed("spark")))

    status = {node.step.node.name: node.status for node in on_spark.nodes}
    assert {name for name, done in status.items() if done == "REUSED"} == set(trained)
    compare_metrics(here, there)
    assert made(on_spark) == made(on_duckdb) > 1_000_000
    for name in {parent for one in trained for parent in steps[one].node.reads}:
        paths = [p.store.data_path(name, steps[name].fingerprint) for p in (here, there)]
        assert not difference(*map(pq.read_table, paths)), name
