"""Trade updates as server-sent events: the same messages as on the web socket, and a past to replay."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from gateway.paper.answers import encode
from gateway.paper.connection import Connection
from gateway.paper.errors import invalid, unauthorized
from gateway.paper.house import House
from gateway.paper.notation import read_moment

HEARTBEAT_SECONDS: Final = 15.0

_numbers = itertools.count(1)


class EventsApi:
    def __init__(self, house: House) -> None:
        self._house = house

    def routes(self) -> list[Route]:
        return [Route("/v2/events/trades", self.trades, methods=["GET"])]

    async def trades(self, request: Request) -> Response:
        """Live from now on; from `since` or `since_id` on; or a piece of the past that ends with `until`."""
        account = self._house.keys.account_of(request.headers)
        if account is None:
            raise unauthorized()
        wanted = Span.read(request.query_params)
        peer = (request.client.host, request.client.port) if request.client else ("", 0)
        connection = Connection(f"events-{next(_numbers)}", peer, account=account, listening=True)
        return StreamingResponse(self._lines(connection, wanted), media_type="text/event-stream")

    async def _lines(self, connection: Connection, wanted: Span) -> AsyncIterator[bytes]:
        hub = self._house.hub
        told: list[Any] = [e["data"] for e in hub.events if e["account"] == connection.account]
        if not wanted.is_over:
            hub.connections[connection.id] = connection
        try:
            yield b":connected\n\n"
            for message in told:
                if wanted.holds(message):
                    yield b"data: " + encode(message) + b"\n\n"
            while not wanted.is_over and (line := await self._next(connection)):
                yield line
        finally:
            hub.connections.pop(connection.id, None)

    async def _next(self, connection: Connection) -> bytes | None:
        """The next line, None at the end; a fault can leave some out and say so."""
        try:
            item = await asyncio.wait_for(connection.outbox.get(), HEARTBEAT_SECONDS)
        except TimeoutError:
            return b":heartbeat\n\n"
        if isinstance(item, int):
            return None
        if gap := self._house.kernel.faults.take("sse.dropped", account=connection.account):
            for _ in range(gap.n - 1):
                await connection.outbox.get()
            return f": you are reading too slowly, dropped {gap.n} messages\n\n".encode()
        return b"data: " + _without_envelope(item) + b"\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The part of the past somebody asks for; none of it without a start, and nothing live with an end."""

    since: datetime | None = None
    until: datetime | None = None
    since_id: str | None = None
    until_id: str | None = None

    @classmethod
    def read(cls, query: QueryParams) -> Span:
        """Raises a 422 refusal when the bounds do not fit together."""
        try:
            bounds = {name: read_moment(query[name]) for name in ("since", "until") if name in query}
        except ValueError:
            raise invalid("invalid date") from None
        span = cls(**bounds, since_id=query.get("since_id"), until_id=query.get("until_id"))
        if span.since and span.since_id:
            raise invalid("since and since_id exclude each other")
        if span.is_over and not span.has_start:
            raise invalid("until requires since")
        return span

    @property
    def has_start(self) -> bool:
        return self.since is not None or self.since_id is not None

    @property
    def is_over(self) -> bool:
        return self.until is not None or self.until_id is not None

    def holds(self, message: dict[str, str]) -> bool:
        if not self.has_start or not {"at", "event_id"} <= message.keys():  # a fault may have taken them
            return False
        at, event_id = read_moment(message["at"]), message["event_id"]
        return (
            (self.since is None or at >= self.since)
            and (self.since_id is None or event_id > self.since_id)
            and (self.until is None or at <= self.until)
            and (self.until_id is None or event_id <= self.until_id)
        )


def _without_envelope(frame: bytes) -> bytes:
    """A frame that is no update goes out as it is."""
    try:
        return encode(json.loads(frame)["data"])
    except (ValueError, TypeError, KeyError):
        return frame
