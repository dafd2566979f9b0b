"""What tests of several folders share."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llm_i2i.runner.base.definition import ProjectDefinition
from llm_i2i.runner.base.sources import JsonCache

REFERENCE = Path(__file__).parent.parent
COMPILED = ("compiled.json", "rendered.json")  # what a compile keeps, by content

# One process to a test: tests run beside each other already. tests/project/test_jobs.py has several.
os.environ.setdefault("LLMI2I_JOBS", "1")


@pytest.fixture(autouse=True)
def log_format_of_one_command() -> Iterator[None]:
    """A command with `--log-format json` says so in the environment, for its own end. In this process that would reach the next test."""
    os.environ.pop("LLMI2I_LOG_FORMAT", None)
    yield
    os.environ.pop("LLMI2I_LOG_FORMAT", None)


@pytest.fixture(scope="session", autouse=True)
def reference_project_compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A new target folder of the reference project starts with what an earlier test of this process compiled: it takes seconds each time.

    Both caches go by content, so a test with other vars or models compiles what differs.
    """
    kept = tmp_path_factory.mktemp("compiled")
    sizes = dict.fromkeys(
        COMPILED, 150
    )  # entries; smaller ones are of other projects, or not finished
    make, save = ProjectDefinition.__init__, JsonCache.save

    def made_with_cache(self: ProjectDefinition, project_dir: Path, **settings: Any) -> None:
        # its own folder, or one with links to its models; never the target folder of a developer.
        target = settings.get("target_path") or ("target" if project_dir != REFERENCE else None)
        if target and (project_dir / "models").resolve() == REFERENCE / "models":
            cache = project_dir / target / "cache"
            if not cache.exists() and all((kept / name).exists() for name in COMPILED):
                cache.mkdir(parents=True)
                for name in COMPILED:
                    shutil.copyfile(kept / name, cache / name)
        make(self, project_dir, **settings)

    def saved_and_kept(self: JsonCache) -> None:
        save(self)
        name = self.path.name
        if len(self.values) > sizes.get(name, len(self.values)) and self.path.exists():
            sizes[name] = len(self.values)
            shutil.copyfile(self.path, kept / name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ProjectDefinition, "__init__", made_with_cache)
        patch.setattr(JsonCache, "save", saved_and_kept)
        yield


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
