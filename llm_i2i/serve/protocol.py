"""uvicorn's HTTP protocol, with limits on how long a request may take to arrive and how long its head may be.

uvicorn closes a connection that idles between requests (`timeout_keep_alive`); it waits for the rest of a request that has begun, and
for the first one, as long as the client likes. The time here runs from the opening of a connection, or the first byte of a further
request, to the last byte of the request. `request.BODY_SECONDS` is shorter: a body that is being read gets an answer that says so.
"""

from __future__ import annotations

import asyncio
from asyncio import TimerHandle
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol  # noqa: TID253 (service.py imports this module when it runs)

REQUEST_SECONDS = 15.0
MAX_HEAD = 1 << 16  # bytes of the request line and headers


class LimitedProtocol(HttpToolsProtocol):  # type: ignore[misc]  # mypy does not read uvicorn
    """One connection."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._deadline: TimerHandle | None = None
        self._in_head = True
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._begin()

    def data_received(self, data: bytes) -> None:
        self._begin()
        self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD:
            self._refuse(b"431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        self._begin()  # a second request in one packet
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._end()
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        super().connection_lost(exc)

    def _begin(self) -> None:
        if self._deadline is None:
            self._in_head, self._head_bytes = True, 0
            self._deadline = self.loop.call_later(REQUEST_SECONDS, self._late)

    def _end(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        if self._in_head and self._head_bytes:
            self._refuse(b"408 Request Timeout")
        else:
            self.transport.close()

    def _refuse(self, status: bytes) -> None:
        """Answer a request whose head the application never sees, and close."""
        is_free = self.cycle is None or self.cycle.response_complete
        if is_free and not self.transport.is_closing():
            self.transport.write(
                b"HTTP/1.1 %s\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % status
            )
        self.transport.close()
