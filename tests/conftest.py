"""What tests of several folders share."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
def sail() -> Iterator[Any]:
    """A Spark session on Sail, which speaks Spark SQL without a JVM, in this process."""
    server_module = pytest.importorskip("pysail.spark", reason="needs pysail: pip install pysail")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pyspark on pandas 3
        session_module = pytest.importorskip("pyspark.sql", reason="needs the spark extra")
        server = server_module.SparkConnectServer(ip="127.0.0.1", port=0)
        server.start(background=True)
        host, port = server.listening_address
        session = session_module.SparkSession.builder.remote(f"sc://{host}:{port}").create()
        session.range(1).collect()
    yield session
    session.stop()
    server.stop()
