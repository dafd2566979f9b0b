"""Real servers on this machine's loopback, started for the tests and stopped after them; what is missing is said and skipped."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llm_i2i.graph.node import Node
from llm_i2i.runner.base.sources import JsonCache, SourceFiles
from llm_i2i.runner.remote.databases import Database
from llm_i2i.runner.remote.sources import RemoteSources

PASSWORD = "correct-horse-battery"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"nothing listens on port {port}")


class Postgres:
    """A PostgreSQL of its own, which a test may kill and start again."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._folder, self.port = programs, folder, free_port()
        # PostgreSQL does not run as root; Debian's package brings a user for it.
        self._user = pwd.getpwnam("postgres").pw_uid if os.getuid() == 0 else os.getuid()
        os.chown(folder, self._user, -1)
        (folder / "password").write_text(PASSWORD)
        self._run("initdb", "-D", folder / "data", "-U", "shop", "-A", "scram-sha-256", "--pwfile", folder / "password", "--no-sync")  # fmt: skip
        self.start()

    @property
    def url(self) -> str:
        return f"postgresql://shop:{PASSWORD}@127.0.0.1:{self.port}/postgres"

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self._programs / program), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, user=self._user, cwd=self._folder, check=False)  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    def _control(self, *words: str) -> None:
        options = f"-p {self.port} -h 127.0.0.1 -k {self._folder} -c fsync=off"
        self._run("pg_ctl", "-D", self._folder / "data", "-w", "-l", self._folder / "log", "-o", options, *words)  # fmt: skip

    def start(self) -> None:
        self._control("start")

    def kill(self) -> None:
        """As a machine that goes off."""
        self._control("stop", "-m", "immediate")

    def sql(self, *statements: str) -> list[Any]:
        from adbc_driver_postgresql import dbapi

        found: list[Any] = []
        with dbapi.connect(self.url) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
                found = cursor.fetchall() if cursor.description else []
            connection.commit()
        return found


def postgres_programs() -> Path | None:
    """The newest PostgreSQL that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    pytest.importorskip("adbc_driver_postgresql", reason="needs the extra databases")
    programs = postgres_programs()
    if programs is None:
        pytest.skip("needs PostgreSQL: apt-get install postgresql")
    # A folder of pytest's is its user's alone.
    with tempfile.TemporaryDirectory(prefix="llmi2i-postgres-") as folder:
        server = Postgres(programs, Path(folder))
        yield server
        server.kill()


class ObjectStore:
    """An S3 server in a process of its own, with one bucket, whose objects it forgets when it is stopped."""

    def __init__(self) -> None:
        self.port = free_port()
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        wait_for(self.port, self.process)
        self.files().mkdir("shop")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def files(self) -> Any:
        import s3fs

        return s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)


@pytest.fixture(scope="session")
def object_store() -> Iterator[ObjectStore]:
    for package in ("moto", "flask", "s3fs"):
        pytest.importorskip(package, reason="needs moto[server] and the extra object-stores")
    port = free_port()
    settings = {
        "AWS_ACCESS_KEY_ID": "shop",
        "AWS_SECRET_ACCESS_KEY": PASSWORD,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }
    with pytest.MonkeyPatch.context() as patched:
        for name, value in settings.items():
            patched.setenv(name, value)
        store = ObjectStore.__new__(ObjectStore)
        store.port = port
        store.start()
        yield store
        store.stop()


class Reader:
    """Sources as a command sees them, each time anew."""

    def __init__(self, folder: Path, database: Callable[[str], Database]) -> None:
        self.folder, self._database = folder, database
        self.said: list[str] = []
        self.say = self.said.append

    def sources(self) -> SourceFiles:
        remote = RemoteSources(self.folder, self.folder, self._database)
        remote.say = lambda text: self.say(text)
        return SourceFiles(self.folder, JsonCache(self.folder / "cache" / "files.json"), remote)

    def rows(self, source: Node, columns: str = "*") -> list[tuple[Any, ...]]:
        import duckdb

        return duckdb.sql(f"select {columns} from ({self.sources().scan(source)}) order by all").fetchall()  # fmt: skip

    def reads(self) -> int:
        """Files and tables that were read since the last look."""
        count = sum("read in" in text or "copied" in text or "of version" in text or "of snapshot" in text for text in self.said)  # fmt: skip
        self.said.clear()
        return count


def node(path: str = "", **source: str) -> Node:
    config = {"source": {"connection": "shop", **source}} if source else {}
    return Node("log__events", "models/log.yml", "source", file_path=path or f"shop:{source['table']}", config=config)  # fmt: skip


@pytest.fixture
def reader(tmp_path: Path, request: pytest.FixtureRequest) -> Reader:
    def database(alias: str) -> Database:
        return Database(alias, "postgres", request.getfixturevalue("postgres").url)

    return Reader(tmp_path, database)
