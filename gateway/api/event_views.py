"""Events as an auditor sees them: named, attributed, and cut to what the caller may see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from gateway.aggregates.order.state import Order
from gateway.aggregates.vocabulary import order_stream
from gateway.api.deps import House
from gateway.api.roles import Principal
from gateway.api.schemas.ledger import EventActor, EventView
from gateway.ledger.envelope import Recorded

_ORDER: Final = "order-"
_POSITION: Final = "position-"
_decode: Final = msgspec.json.Decoder().decode


def event_view(recorded: Recorded, data: Mapping[str, Any], owner: Order | None) -> EventView:
    """`owner` is the order the event is about, if it is about one."""
    symbol, strategy_id = _subject(recorded, data, owner)
    return EventView(
        position=recorded.position,
        stream=recorded.stream,
        version=recorded.version,
        topic=recorded.name,
        schema_version=recorded.schema_version,
        recorded_at=recorded.recorded_at,
        occurred_at=recorded.occurred_at,
        actor=EventActor(
            sub=recorded.actor.sub, kind=recorded.actor.kind, on_behalf_of=recorded.actor.on_behalf_of
        ),
        correlation_id=recorded.correlation_id,
        causation_position=recorded.causation_position,
        symbol=symbol,
        strategy_id=strategy_id,
        client_order_id=_order_of(recorded, data),
        data=data,
    )


def data_of(recorded: Recorded) -> dict[str, Any]:
    body: dict[str, Any] = _decode(recorded.body)
    return body


def _order_of(recorded: Recorded, data: Mapping[str, Any]) -> str | None:
    if recorded.stream.startswith(_ORDER):
        return recorded.stream.removeprefix(_ORDER)
    return data.get("client_order_id")


def _subject(
    recorded: Recorded, data: Mapping[str, Any], owner: Order | None
) -> tuple[str | None, str | None]:
    """Symbol and strategy, from the event where it says them, else from its order."""
    ticket = data.get("ticket") or {}
    symbol, strategy_id = data.get("symbol") or ticket.get("symbol"), data.get("strategy_id")
    if recorded.stream.startswith(_POSITION):
        symbol = recorded.stream.removeprefix(_POSITION)
    strategy_id = strategy_id or ticket.get("strategy_id")
    if owner is not None:
        symbol, strategy_id = symbol or owner.ticket.symbol, strategy_id or owner.strategy_id
    return symbol, strategy_id


def matches(event: EventView, symbol: str | None, strategy_id: str | None) -> bool:
    return symbol in (None, event.symbol) and strategy_id in (None, event.strategy_id)


@dataclass(slots=True)
class Viewer:
    """Turns events into views for one caller; looks every order up once."""

    house: House
    caller: Principal
    _owners: dict[str, Order | None] = field(default_factory=dict)

    async def view(self, recorded: Recorded) -> EventView | None:
        """None for an event of a strategy outside the caller's scope."""
        data = data_of(recorded)
        client_order_id = _order_of(recorded, data)
        owner = await self._owner(client_order_id) if client_order_id is not None else None
        seen = event_view(recorded, data, owner)
        return seen if seen.strategy_id is None or self.caller.sees(seen.strategy_id) else None

    async def _owner(self, client_order_id: str) -> Order | None:
        if client_order_id not in self._owners:
            order, _ = await self.house.ledger.load(order_stream(client_order_id))
            self._owners[client_order_id] = order
        return self._owners[client_order_id]
