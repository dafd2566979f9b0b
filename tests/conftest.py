"""What tests of several folders share."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

# One process to a test: tests run beside each other already. tests/project/test_jobs.py has several.
os.environ.setdefault("LLMI2I_JOBS", "1")


@pytest.fixture(autouse=True)
def log_format_of_one_command() -> Iterator[None]:
    """A command with `--log-format json` says so in the environment, for its own end. In this process that would reach the next test."""
    os.environ.pop("LLMI2I_LOG_FORMAT", None)
    yield
    os.environ.pop("LLMI2I_LOG_FORMAT", None)


@pytest.fixture(scope="session")
def sail_url() -> Iterator[str]:
    """A server of Sail in this process: Spark Connect and Spark SQL without a JVM."""
    server_module = pytest.importorskip("pysail.spark", reason="needs pysail")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pyspark on pandas 3
        pytest.importorskip("pyspark.sql", reason="needs the spark extra")
    server = server_module.SparkConnectServer(ip="127.0.0.1", port=0)
    server.start(background=True)
    host, port = server.listening_address
    yield f"sc://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def sail(sail_url: str) -> Iterator[Any]:
    """A session on Sail."""
    from llm_i2i.engine.spark import connect

    session = connect(sail_url, {})
    session.range(1).collect()
    yield session
    session.stop()
