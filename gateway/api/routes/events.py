"""The ledger's events, in their one order, and an order's own story."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query

from gateway.aggregates.order.events import OrderBlocked, OrderResubmitted, OrderSubmitted
from gateway.aggregates.vocabulary import order_stream
from gateway.api.deps import Caller, Desk
from gateway.api.event_views import Viewer, data_of, event_view, matches
from gateway.api.guard import GuardedRoute, access
from gateway.api.json_types import AS_COUNT, StrategyIn, SymbolIn
from gateway.api.roles import Permission
from gateway.api.schemas.ledger import EventPage, EventView, GateStep, LastLookView, OrderTimeline
from gateway.api.scope import require_order, require_scope
from gateway.ledger.envelope import Recorded
from gateway.projections.queries.orders import Owner

router = APIRouter(prefix="/api/v1", route_class=GuardedRoute, tags=["ledger"])

_PAGE: Final = 500
_MOST_READ: Final = 20_000
"""Events one request reads at most while it looks for those that match."""


@router.get("/events")
@access(Permission.VIEW_LEDGER, limit="events_read")
async def list_events(
    *,
    desk: Desk,
    caller: Caller,
    after: Annotated[int, Query(ge=0, le=2**62), AS_COUNT] = 0,
    limit: Annotated[int, Query(ge=1, le=1000), AS_COUNT] = 100,
    stream: Annotated[str | None, Query(max_length=200)] = None,
    topic: Annotated[str | None, Query(max_length=100)] = None,
    symbol: SymbolIn | None = None,
    strategy_id: StrategyIn | None = None,
) -> EventPage:
    """Events after a position. `next_after` also advances past what the caller may not see."""
    if strategy_id is not None:
        require_scope(caller, strategy_id)
    viewer, found, head = Viewer(desk, caller), list[EventView](), await desk.ledger.log.head()
    read = 0
    while len(found) < limit and read < _MOST_READ:
        page = await desk.ledger.log.read(after, _PAGE, stream=stream, name=topic, upto=head)
        for recorded, event in zip(page, await viewer.views(page), strict=True):
            after = recorded.position
            if event is not None and matches(event, symbol, strategy_id):
                found.append(event)
                if len(found) == limit:
                    break
        read += len(page)
        if len(page) < _PAGE and len(found) < limit:
            after = max(after, head)
            break
    return EventPage(events=found, next_after=after, head=head, has_more=after < head)


@router.get("/orders/{client_order_id}/events")
@access(Permission.VIEW_LEDGER, limit="order_events_read")
async def order_timeline(client_order_id: str, desk: Desk, caller: Caller) -> OrderTimeline:
    """Everything that happened to one order, and the gates it walked."""
    order = await require_order(desk, client_order_id, caller)
    events = await desk.ledger.log.stream(order_stream(order.client_order_id))
    owner = Owner(order.ticket.symbol, order.strategy_id)
    return OrderTimeline(
        client_order_id=order.client_order_id,
        events=[event_view(recorded, data_of(recorded), owner) for recorded in events],
        gates=[step for recorded in events for step in _gates(recorded)],
        last_look=_last_look(events),
    )


def _gates(recorded: Recorded) -> list[GateStep]:
    event = recorded.event
    if not isinstance(event, OrderSubmitted | OrderResubmitted):
        return []
    attempt = event.attempt if isinstance(event, OrderResubmitted) else 1
    return [
        GateStep(attempt=attempt, gate=step.gate, verdict=step.verdict, detail=step.detail, at=event.at)
        for step in event.gates
    ]


def _last_look(events: list[Recorded]) -> LastLookView | None:
    """What the ledger knows of it: a last look that refused is an event, one that passed is not."""
    refused = [recorded for recorded in events if isinstance(recorded.event, OrderBlocked)]
    return LastLookView(verdict="block", at=refused[-1].occurred_at) if refused else None
