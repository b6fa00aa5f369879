"""HTTP/1.1 as uvicorn speaks it, with bounds on what comes before anything of ours is asked."""

from __future__ import annotations

from asyncio import BaseTransport, TimerHandle
from typing import Any, Final
from uuid import uuid4

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.api.deps import House
from gateway.api.errors import problem_text
from gateway.telemetry import log

LARGEST_HEAD: Final = 32 * 1024
MOST_HEADERS: Final = 100
HEAD_SECONDS: Final = 10.0
LEFTOVER_SECONDS: Final = 5.0
"""For the rest of a body nobody waits for: closed at once, a connection could take the answer along."""


class _TooLarge(Exception):
    """The head is larger than we read."""


class BoundedHttp(HttpToolsProtocol):
    """Refuses heads that are too large, and closes connections whose bytes do not come in time."""

    _too_late: TimerHandle | None = None
    _head_bytes: int | None = 0
    """Bytes of chunks that brought no end of a head; None while a body is read."""

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._expect_within(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._in_time()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._head_bytes is not None:
            self._head_bytes += len(data)
            if self._head_bytes > LARGEST_HEAD and not self.transport.is_closing():
                self._refuse("headers_too_large", "the head of the request is too large")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0
        self._expect_within(HEAD_SECONDS)

    def on_headers_complete(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > LARGEST_HEAD or len(self.headers) > MOST_HEADERS:
            self._refuse("headers_too_large", "the head of the request is too large")
            raise _TooLarge
        self._head_bytes = None
        self._in_time()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_time()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.more_body:
            self._expect_within(LEFTOVER_SECONDS)

    def send_400_response(self, msg: str) -> None:
        """Nonsense after a request that is being answered ends the connection, but not that answer."""
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete and not cycle.more_body:
            cycle.keep_alive = False
            self.flow.pause_reading()
        elif not self.transport.is_closing():
            self._refuse("bad_request", "the request is not HTTP as it is written down")

    def _refuse(self, code: str, words: str) -> None:
        """Answer in the one shape of an error, and close: what follows cannot be trusted."""
        house: House = self._application.state.desk
        request_id = str(uuid4())
        status, body = problem_text(code, words, request_id=request_id, at=house.clock.now())
        log("gateway.api").info("request", route="unparsed", status=status, code=code, request_id=request_id)
        head = (
            STATUS_LINE[status]
            + b"content-type: application/problem+json\r\nconnection: close\r\ncontent-length: %d\r\n"
            % len(body)
            + b"x-request-id: %s\r\n\r\n" % request_id.encode()
        )
        self.transport.write(head + body)
        self.transport.close()

    @property
    def _application(self) -> Any:
        return self.config.app

    def _expect_within(self, seconds: float) -> None:
        self._in_time()
        self._too_late = self.loop.call_later(seconds, self._give_up)

    def _in_time(self) -> None:
        if self._too_late is not None:
            self._too_late.cancel()
            self._too_late = None

    def _give_up(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.close()
