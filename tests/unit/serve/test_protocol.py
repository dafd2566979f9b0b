"""Clients that are slow or endless, over real sockets."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("uvicorn", reason="needs the serve extra")
pytest.importorskip("msgspec", reason="needs the serve extra")

from llm_i2i.serve import app as serving
from llm_i2i.serve import protocol, request
from llm_i2i.serve.publications import Publications
from tests.unit.serve.conftest import publish_in, running

Connect = Callable[[], socket.socket]
HEAD = b"POST /recommend HTTP/1.1\r\nhost: x\r\n"
HEALTH = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n"
PAUSE = 0.1
BODY, REQUEST = 0.4, 0.8  # seconds


@pytest.fixture
def connect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Opens connections to a service that waits less long than usual."""
    monkeypatch.setattr(protocol, "REQUEST_SECONDS", REQUEST)
    monkeypatch.setattr(request, "BODY_SECONDS", BODY)
    publish_in(tmp_path)
    with running(serving.make_app(Publications(tmp_path, "prod"))) as address:
        yield lambda: socket.create_connection(address, timeout=20)


def answered(connection: socket.socket) -> bytes:
    """All that comes until the service closes."""
    parts = []
    try:
        while part := connection.recv(1 << 16):
            parts.append(part)
    except ConnectionResetError:  # it closed while we were still sending
        pass
    return b"".join(parts)


def drip(connection: socket.socket, first: bytes, drop: bytes) -> bytes:
    """Send a little, for ever; the answer."""
    connection.sendall(first)
    until = time.monotonic() + 20
    try:
        while time.monotonic() < until:
            time.sleep(PAUSE)
            connection.sendall(drop)
    except OSError:
        return answered(connection)
    pytest.fail("the service still listens")


@pytest.mark.parametrize(
    ("first", "drop", "status"),
    [
        (HEAD, b"x-more: 1\r\n", b"408"),
        (b"POST /recom", b"m", b"408"),
        (HEALTH + b"GET /he", b"a", b"408"),
        (HEAD + b"content-length: 9000\r\n\r\n", b"[", b"408"),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n", b"1\r\n[\r\n", b"408"),
        (HEALTH[:-2] + b"content-length: 9000\r\n\r\n", b"[", b"200"),
    ],
    ids=["head", "line", "second request", "body", "chunks", "body nobody reads"],
)  # fmt: skip
def test_a_request_that_trickles_is_ended(
    connect: Connect, first: bytes, drop: bytes, status: bytes
) -> None:
    with connect() as slow:
        started = time.monotonic()
        found = drip(slow, first, drop)
        assert time.monotonic() - started < 10 * REQUEST
    assert status in found or found == b""  # a reset may overtake the answer


def test_silence_is_not_listened_to(connect: Connect) -> None:
    with connect() as silent:
        started = time.monotonic()
        assert answered(silent) == b""
        assert REQUEST / 2 < time.monotonic() - started < 10 * REQUEST


def test_slow_heads_and_bodies_are_told_why(connect: Connect) -> None:
    with connect() as slow:
        slow.sendall(HEAD)
        assert answered(slow).startswith(b"HTTP/1.1 408 ")
    with connect() as slow:
        slow.sendall(HEAD + b"content-length: 9000\r\n\r\n{")
        found = answered(slow)
        assert found.startswith(b"HTTP/1.1 408 ")
        assert b"the body did not arrive in time" in found


def test_an_endless_head_is_refused(connect: Connect) -> None:
    with connect() as endless:
        endless.sendall(HEAD)
        found = b""
        try:
            for _ in range(200):
                endless.sendall(b"x-more: " + b"1" * 10_000 + b"\r\n")
                time.sleep(0.002)
            pytest.fail("the service still listens")
        except OSError:
            found = answered(endless)
        assert b"HTTP/1.1 431 " in found or found == b""


def test_slow_clients_do_not_keep_others_from_being_answered(connect: Connect) -> None:
    slow = [connect() for _ in range(50)]
    for connection in slow:
        connection.sendall(HEAD)
    with connect() as quick:
        quick.sendall(HEALTH)
        assert quick.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
    for connection in slow:
        assert answered(connection).startswith(b"HTTP/1.1 408 ")
        connection.close()


def test_a_connection_in_use_stays_open(connect: Connect) -> None:
    body = b'{"items": []}'
    request = HEAD + b"content-length: %d\r\n\r\n" % len(body) + body
    with connect() as used:
        until = time.monotonic() + 3 * REQUEST
        while time.monotonic() < until:
            used.sendall(request[:20])
            time.sleep(PAUSE)
            used.sendall(request[20:])
            assert used.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
            time.sleep(PAUSE)
