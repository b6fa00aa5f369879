"""Events as an auditor sees them: named, attributed, and cut to what the caller may see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from gateway.aggregates.refusals import ProjectionBehind
from gateway.api.deps import House
from gateway.api.roles import Principal
from gateway.api.schemas.ledger import EventActor, EventView
from gateway.ledger.envelope import Recorded
from gateway.projections.queries.orders import Owner, get_order_as_of, owners

_ORDER: Final = "order-"
_POSITION: Final = "position-"
_ACCOUNTS_OWN: Final = (_POSITION, "activity-")
"""What concerns every strategy's money, and so is shown to whoever sees them all."""
_decode: Final = msgspec.json.Decoder().decode


def event_view(recorded: Recorded, data: Mapping[str, Any], owner: Owner | None) -> EventView:
    """`owner` is whose the order is that the event is about, if it is about one."""
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
    recorded: Recorded, data: Mapping[str, Any], owner: Owner | None
) -> tuple[str | None, str | None]:
    """Symbol and strategy, from the event where it says them, else from its order."""
    ticket = data.get("ticket") or {}
    symbol, strategy_id = data.get("symbol") or ticket.get("symbol"), data.get("strategy_id")
    if recorded.stream.startswith(_POSITION):
        symbol = recorded.stream.removeprefix(_POSITION)
    strategy_id = strategy_id or ticket.get("strategy_id")
    if owner is not None:
        symbol, strategy_id = symbol or owner.symbol, strategy_id or owner.strategy_id
    return symbol, strategy_id


def matches(event: EventView, symbol: str | None, strategy_id: str | None) -> bool:
    return symbol in (None, event.symbol) and strategy_id in (None, event.strategy_id)


def _within(caller: Principal, data: Mapping[str, Any]) -> dict[str, Any]:
    """A position event without the account's book, and without what it tells of others' strategies."""
    own = _without_account(data)
    if (restated := data.get("restatement")) is not None:
        own["restatement"] = {
            "strategies": [one for one in restated["strategies"] if caller.sees(one[0])],
            "daily": [_without_account(day) for day in restated["daily"] if caller.sees(day["strategy_id"])],
        }
    return own


def _without_account(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if not name.startswith("account")}


@dataclass(slots=True)
class Viewer:
    """Turns events into views for one caller; looks every order up once."""

    house: House
    caller: Principal
    _owners: dict[str, Owner | None] = field(default_factory=dict)

    async def views(self, page: Sequence[Recorded]) -> list[EventView | None]:
        """One for each event; None for what is outside the caller's scope."""
        read = [(recorded, data_of(recorded)) for recorded in page]
        await self._look_up({name for recorded, data in read if (name := _order_of(recorded, data))})
        return [self._view(recorded, data) for recorded, data in read]

    def _view(self, recorded: Recorded, data: dict[str, Any]) -> EventView | None:
        client_order_id = _order_of(recorded, data)
        owner = self._owners.get(client_order_id) if client_order_id is not None else None
        seen = event_view(recorded, data, owner)
        if self.caller.scope is None:
            return seen
        if seen.strategy_id is None:
            of_the_account = client_order_id is not None or recorded.stream.startswith(_ACCOUNTS_OWN)
            return None if of_the_account else seen
        if not self.caller.sees(seen.strategy_id):
            return None
        if not recorded.stream.startswith(_POSITION):
            return seen
        return seen.model_copy(update={"data": _within(self.caller, data)})

    async def _look_up(self, client_order_ids: set[str]) -> None:
        """From the read table; what that does not know yet, or cannot say, from the order's own stream."""
        wanted = client_order_ids - self._owners.keys()
        if not wanted:
            return
        with suppress(ProjectionBehind):
            async with self.house.read.snapshot() as snapshot:
                self._owners |= await owners(snapshot, wanted)
        for client_order_id in wanted - self._owners.keys():
            self._owners[client_order_id] = await self._from_the_log(client_order_id)

    async def _from_the_log(self, client_order_id: str) -> Owner | None:
        log = self.house.ledger.log
        with suppress(ProjectionBehind):
            order = await get_order_as_of(log, client_order_id, await log.head())
            return Owner(order.symbol, order.strategy_id) if order is not None else None
        return None
