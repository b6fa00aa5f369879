"""The ledger's events as they happen: in order, without a gap, for as long as the reader keeps up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.types import Message, Receive, Scope, Send

from gateway.aggregates.refusals import LedgerUnavailable
from gateway.aggregates.vocabulary import StrategyId, Symbol
from gateway.api.deps import Caller, Desk, House
from gateway.api.event_views import Viewer, matches
from gateway.api.guard import GuardedRoute, access
from gateway.api.json_types import AS_COUNT, StrategyIn, SymbolIn
from gateway.api.roles import Permission, Principal
from gateway.api.schemas.ledger import EventView
from gateway.api.scope import require_scope

PATIENCE_SECONDS: Final = 10.0
"""A reader that takes nothing for so long is disconnected; it comes back with its Last-Event-ID."""
AWAY_SECONDS: Final = 0.5
_PAGE: Final = 500


class _Hurried(Response):
    """A response whose reader has to take each part of it in time."""

    def __init__(self, inner: Response) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def hurry(message: Message) -> None:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await send(message)

        await self.inner(scope, receive, hurry)


class HurriedRoute(GuardedRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def hurried(request: Request) -> Response:
            return _Hurried(await handle(request))

        return hurried


router = APIRouter(prefix="/api/v1", route_class=HurriedRoute, tags=["ledger"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Which events somebody wants, and after which position."""

    after: int
    stream: str | None
    topic: str | None
    symbol: Symbol | None
    strategy_id: StrategyId | None


async def _subscribe(
    *,
    desk: Desk,
    caller: Caller,
    after: Annotated[int | None, Query(ge=0, le=2**62), AS_COUNT] = None,
    last_event_id: Annotated[int | None, Header(ge=0, le=2**62), AS_COUNT] = None,
    stream: Annotated[str | None, Query(max_length=200)] = None,
    topic: Annotated[str | None, Query(max_length=100)] = None,
    symbol: SymbolIn | None = None,
    strategy_id: StrategyIn | None = None,
) -> Subscription:
    """Decided before the answer begins: what is refused later could only break the connection."""
    if strategy_id is not None:
        require_scope(caller, strategy_id)
    head = await desk.ledger.log.head()
    start = next((place for place in (last_event_id, after) if place is not None), head)
    if start > head:
        words = f"is beyond the head of the ledger, {head}"
        raise RequestValidationError([{"type": "beyond_head", "loc": ("query", "after"), "msg": words}])
    return Subscription(after=start, stream=stream, topic=topic, symbol=symbol, strategy_id=strategy_id)


@router.get("/events/stream", response_class=EventSourceResponse)
@access(Permission.VIEW_LEDGER, limit="events_stream")
async def stream_events(
    desk: Desk, caller: Caller, wanted: Annotated[Subscription, Depends(_subscribe)]
) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events: `id` is the ledger position, `event` the topic, `data` the event."""
    async for event in _events(desk, caller, wanted):
        yield ServerSentEvent(id=str(event.position), event=event.topic, data=event)


async def _events(desk: House, caller: Principal, wanted: Subscription) -> AsyncIterator[EventView]:
    """Until the service drains; a ledger that is away for a while only makes a pause."""
    after = wanted.after
    while not desk.phase.draining:
        try:
            head = await desk.ledger.log.head_beyond(after)
            page = await desk.ledger.log.read(
                after, _PAGE, stream=wanted.stream, name=wanted.topic, upto=head
            )
            viewer = Viewer(desk, caller)
            seen = [event for event in await viewer.views(page) if event is not None]
        except LedgerUnavailable:
            await asyncio.sleep(AWAY_SECONDS)
            continue
        for event in seen:
            if matches(event, wanted.symbol, wanted.strategy_id):
                yield event
        after = page[-1].position if len(page) == _PAGE else max(after, head)
