"""DuckDB instances that the sessions of a process share.

A build opens a session for each node, data test and unit test. Opening an instance takes some 15 ms, a session inside one takes 1 ms. A session
has a database of its own in memory, so it sees only what it declared itself, as if the instance were its own.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import threading
from collections.abc import Callable
from typing import Any

import duckdb

KEPT_BYTES = (
    64 * 2**20
)  # an idle instance that holds more is closed, so that its memory goes back to the machine

_lock = threading.RLock()
_instances: dict[tuple[Any, ...], Instance] = {}


class Instance:
    """One DuckDB and the sessions in it.

    Args:
        config: DuckDB's settings; they hold for all sessions.
    """

    def __init__(self, config: dict[str, str | int]) -> None:
        self._connection = duckdb.connect(":memory:", config=config)
        self._functions: dict[str, Callable[..., Any]] = {}
        self._numbers = itertools.count(1)
        self.sessions = 0

    def open_session(self) -> tuple[str, duckdb.DuckDBPyConnection]:
        """The name of a new database in memory, and a connection that uses it."""
        with _lock:
            name = f"session_{next(self._numbers)}"
            self._connection.execute(f"attach ':memory:' as {name}")
            self.sessions += 1
            return name, self.connect(name)

    def connect(self, name: str) -> duckdb.DuckDBPyConnection:
        """One more connection to a session's database."""
        with _lock:
            connection = self._connection.cursor()
        connection.execute(f"use {name}")
        return connection

    def close_session(self, name: str, connection: duckdb.DuckDBPyConnection) -> None:
        """Forget all that a session declared; its connections are closed."""
        connection.close()
        with _lock:
            with contextlib.suppress(duckdb.Error):
                self._connection.execute(f"detach {name}")
            self.sessions -= 1
            if not self.sessions and self._bytes() > KEPT_BYTES:
                self.close()

    def register(self, name: str, function: Callable[..., Any], types: list[Any], returns: Any, source: Callable[..., Any]) -> None:  # fmt: skip
        """A scalar function for all sessions; another one of the same name replaces it, the same `source` changes nothing."""
        with _lock:
            if self._functions.get(name) is source:
                return
            if name in self._functions:
                self._connection.remove_function(name)
                del self._functions[name]
            self._connection.create_function(name, function, types, returns)
            self._functions[name] = source

    def _bytes(self) -> int:
        held = self._connection.execute("select sum(memory_usage_bytes) from duckdb_memory()")
        return int((held.fetchone() or (0,))[0] or 0)

    def close(self) -> None:
        """End it; the next session opens another."""
        with _lock:
            for key in [key for key, instance in _instances.items() if instance is self]:
                del _instances[key]
            self._connection.close()


def shared_instance(config: dict[str, str | int]) -> Instance:
    """The instance of this process with these settings, made at the first call; an idle one with other settings makes room for it."""
    key = (os.getpid(), *sorted(config.items()))
    with _lock:
        if key not in _instances:
            for other in [one for one in _instances.values() if not one.sessions]:
                other.close()
            _instances[key] = Instance(config)
        return _instances[key]


@atexit.register
def _close_all() -> None:
    for (pid, *_), instance in list(_instances.items()):
        if pid == os.getpid():
            instance.close()
