"""One order's new facts and what they do to its position, in one append."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from gateway.aggregates.booking import book, needs_history
from gateway.aggregates.order.events import OrderEvent
from gateway.aggregates.order.state import Order
from gateway.aggregates.position.state import Position
from gateway.aggregates.vocabulary import ZERO, ClientOrderId, Symbol, order_stream, position_stream
from gateway.ledger.decision import Change, Decision, InboxResult, States
from gateway.ledger.envelope import Cause, Uncommitted
from gateway.ledger.writer import Writer

Verb = Callable[[Order | None], Sequence[OrderEvent]]
Beside = Callable[[States, Sequence[OrderEvent]], Sequence[Uncommitted]]


class _HistoryNeeded(Exception):
    """The decision undoes an execution, so it must see every execution of the symbol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """`before` is None when the order was not known. `after` is the order as the ledger now has it.

    `held` are the account's shares of its symbol then.
    """

    before: Order | None
    after: Order | None
    events: tuple[OrderEvent, ...]
    position: int
    held: Decimal = ZERO
    replayed: bool = False


@dataclass(slots=True, kw_only=True)
class Amend:
    """Decides an order's verb under the writer's lock and books its consequences beside it."""

    writer: Writer
    client_order_id: ClientOrderId
    symbol: Symbol
    verb: Verb
    cause: Cause
    beside: Beside | None = None
    beside_streams: tuple[str, ...] = ()
    inbox: Callable[[Order | None, Sequence[OrderEvent]], InboxResult] | None = None
    _before: Order | None = None
    _events: tuple[OrderEvent, ...] = ()

    async def __call__(self) -> Amendment:
        try:
            change = await self._change(history=())
        except _HistoryNeeded:
            change = await self._change(history=(position_stream(self.symbol),))
        holding: Position | None = change.states[position_stream(self.symbol)]
        return Amendment(
            before=self._before,
            after=change.states[order_stream(self.client_order_id)],
            events=() if change.replayed else self._events,
            position=change.position,
            held=holding.qty if holding is not None else ZERO,
            replayed=change.replayed,
        )

    async def _change(self, *, history: tuple[str, ...]) -> Change:
        order, position = order_stream(self.client_order_id), position_stream(self.symbol)
        streams = (order, position, *self.beside_streams)

        def decide(states: States) -> Decision:
            self._before = states[order]
            self._events = tuple(self.verb(self._before))
            if needs_history(self._events) and not history:
                raise _HistoryNeeded
            past: list[Any] = [recorded.event for recorded in states.history(position)] if history else []
            booked = book(self._before, self._events, states[position], past)
            beside = self.beside(states, self._events) if self.beside else ()
            return Decision(
                events=[
                    *(Uncommitted(stream=order, event=event) for event in self._events),
                    *(Uncommitted(stream=position, event=event) for event in booked),
                    *beside,
                ],
                inbox=self.inbox(self._before, self._events) if self.inbox else None,
            )

        return await self.writer.change(streams, decide, self.cause, history=history)
