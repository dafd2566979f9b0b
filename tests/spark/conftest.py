"""The cluster that the tests of this folder share; skipped where Java or Spark itself is absent."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.spark.cluster import Cluster

JAVA = 17  # the oldest that Spark 4 runs on


def _absent() -> str:
    if shutil.which("java") is None:
        return "needs Java: apt-get install openjdk-17-jre-headless"
    said = subprocess.run(["java", "-version"], capture_output=True, text=True).stderr
    version = said.partition('"')[2].partition(".")[0]
    if not version.isdigit() or int(version) < JAVA:
        return f"needs Java {JAVA} or newer, found {said.splitlines()[0] if said else 'none'}"
    pyspark = pytest.importorskip("pyspark", reason="needs Spark: make test-spark")
    if not (Path(pyspark.__file__).parent / "bin" / "spark-class").exists():
        return "needs Spark itself, not the client alone: make test-spark"
    return ""


@pytest.fixture(scope="session")
def java() -> None:
    if reason := _absent():
        pytest.skip(reason)


@pytest.fixture(scope="session")
def new_cluster(
    java: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Cluster]]:
    """Starts a cluster; all are stopped at the end."""
    clusters: list[Cluster] = []

    def start(**settings: Any) -> Cluster:
        clusters.append(Cluster(tmp_path_factory.mktemp("cluster"), **settings))
        return clusters[-1].start()

    yield start
    for cluster in clusters:
        cluster.stop()


@pytest.fixture(scope="session")
def cluster(new_cluster: Callable[..., Cluster]) -> Cluster:
    return new_cluster()
