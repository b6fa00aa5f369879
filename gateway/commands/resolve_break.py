"""An operator decides about a difference between the ledger and the broker."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import uuid4

from gateway.aggregates.differences import ORDER_MISSING, ORDER_STATUS, ORPHAN, POSITION_QTY
from gateway.aggregates.exact import canonical, minus
from gateway.aggregates.order.events import OrderCanceled, OrderEvent
from gateway.aggregates.order.state import Order
from gateway.aggregates.position.state import Position, accept_broker
from gateway.aggregates.recon_gate import Break, resolve_break
from gateway.aggregates.refusals import (
    BreakNotFound,
    IdempotencyConflict,
    LedgerUnavailable,
    ReconciliationBrokerUnavailable,
    ReconciliationInProgress,
)
from gateway.aggregates.reports import BrokerPosition
from gateway.aggregates.vocabulary import ZERO, Actor, ReportSource, Symbol, order_stream, position_stream
from gateway.commands.amend import Amend
from gateway.commands.resolve_orphan import ResolveOrphan
from gateway.commands.safety_view import RECON_GATE
from gateway.ledger.decision import Change, Decision, States
from gateway.ledger.envelope import Cause, Uncommitted
from gateway.ledger.ledger import Ledger
from gateway.ports import Broker, BrokerUnreadable, Clock, Found, Unreadable

ACCEPT_BROKER: Final = "accept_broker"
REFUSED: Final[Mapping[str, str]] = {
    ORPHAN: "an orphan is adopted, ignored or canceled",
    ORDER_STATUS: "an order that has ended is not begun again; cancel it at the broker or ignore this",
}
"""What cannot be accepted as the broker has it, and what can be done instead."""
_REREADS: Final = 3


class _HoldingMoved(Exception):
    """Something was booked between the broker's answer and the decision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedBreak:
    """The break as it was open, and how it ended."""

    entry: Break
    action: str
    by: str
    at: datetime
    position: int


@dataclass(slots=True, kw_only=True)
class ResolveBreak:
    ledger: Ledger
    broker: Broker
    clock: Clock
    resolve_orphan: ResolveOrphan

    async def __call__(
        self, break_id: str, *, action: str, reason: str, by: Actor, correlation_id: str
    ) -> ResolvedBreak:
        """`action` is accept_broker or ignore.

        Raises BreakNotFound, ReconciliationBrokerUnavailable, ReconciliationInProgress while the difference
        is not the one that was found, and IdempotencyConflict for what cannot be accepted.
        """
        entry = await self._open(break_id)
        if action == ACCEPT_BROKER and entry.kind in REFUSED:
            raise IdempotencyConflict(REFUSED[entry.kind], break_id=break_id)
        at = self.clock.now()
        cause = Cause(
            command_id=f"break:{uuid4()}",
            actor=by,
            correlation_id=correlation_id,
            source="api",
            occurred_at=at,
        )
        if entry.kind == ORPHAN:
            position = await self._ignore_orphan(entry, reason, by, correlation_id)
        elif entry.kind == POSITION_QTY and action == ACCEPT_BROKER and entry.symbol is not None:
            position = (await self._accept_holding(entry, entry.symbol, reason, cause)).position
        elif entry.kind == ORDER_MISSING and action == ACCEPT_BROKER:
            position = await self._accept_absence(entry, reason, cause)
        else:
            position = (await self._resolve(entry, action, reason, cause)).position
        return ResolvedBreak(entry=entry, action=action, by=by.sub, at=at, position=position)

    async def _open(self, break_id: str) -> Break:
        gate, _ = await self.ledger.load(RECON_GATE)
        entry: Break | None = gate.breaks.get(break_id) if gate is not None else None
        if entry is None:
            raise BreakNotFound(f"no open break {break_id}")
        return entry

    async def _order_of(self, entry: Break) -> Order:
        if entry.client_order_id is not None:
            order, _ = await self.ledger.load(order_stream(entry.client_order_id))
            if order is not None:
                found: Order = order
                return found
        raise BreakNotFound(f"break {entry.break_id} names no order")

    async def _accept_absence(self, entry: Break, reason: str, cause: Cause) -> int:
        """What the broker no longer has cannot execute: the order ends, and its room is free again."""
        order = await self._order_of(entry)
        await self._require_absence(order)
        amended = await Amend(
            writer=self.ledger.writer,
            client_order_id=order.client_order_id,
            symbol=order.ticket.symbol,
            verb=lambda known: _given_up(known, reason, cause.occurred_at),
            cause=cause,
            beside=lambda states, events: _resolved(states, entry, ACCEPT_BROKER, reason, cause),
            beside_streams=(RECON_GATE,),
        )()
        return amended.position

    async def _require_absence(self, order: Order) -> None:
        """Asked again now: the broker may have found it since the last pass."""
        lookups = [self.broker.order_by_client_id(order.client_order_id)]
        if order.order_id is not None:
            lookups.append(self.broker.order_by_id(order.order_id))
        for answer in await asyncio.gather(*lookups):
            match answer:
                case Found():
                    raise ReconciliationInProgress(
                        f"the broker has order {order.client_order_id} after all; the next pass shows how"
                    )
                case Unreadable(reason=reason):
                    raise ReconciliationBrokerUnavailable(f"the broker cannot be read: {reason}")

    async def _ignore_orphan(self, entry: Break, reason: str, by: Actor, correlation_id: str) -> int:
        order = await self._order_of(entry)
        answered = await self.resolve_orphan.ignore_order(
            order, reason=reason, by=by, correlation_id=correlation_id
        )
        return answered.position

    async def _resolve(self, entry: Break, action: str, reason: str, cause: Cause) -> Change:
        return await self.ledger.writer.change(
            (RECON_GATE,),
            lambda states: Decision(events=_resolved(states, entry, action, reason, cause)),
            cause,
        )

    async def _accept_holding(self, entry: Break, symbol: Symbol, reason: str, cause: Cause) -> Change:
        """Adjust by what the broker holds now, unless something was booked since it was asked.

        The difference must still be the one that was found twice: another one may be an execution that is
        on its way to us, and would be booked a second time.
        """
        stream = position_stream(symbol)
        for _ in range(_REREADS):
            _, version = await self.ledger.load(stream)
            theirs = await self._holding_at_broker(symbol)

            def decide(states: States, version: int = version, theirs: BrokerPosition = theirs) -> Decision:
                if states.version(stream) != version:
                    raise _HoldingMoved
                _require_gap(entry, states[stream], theirs)
                adjusted = accept_broker(
                    states[stream], qty=theirs.qty, avg_px=theirs.avg_entry_px, reason=reason
                )
                return Decision(
                    events=[
                        *(Uncommitted(stream=stream, event=event) for event in adjusted),
                        *_resolved(states, entry, ACCEPT_BROKER, reason, cause),
                    ]
                )

            try:
                return await self.ledger.writer.change((RECON_GATE, stream), decide, cause)
            except _HoldingMoved:
                continue
        raise LedgerUnavailable(f"the position of {symbol} keeps moving; try again")

    async def _holding_at_broker(self, symbol: Symbol) -> BrokerPosition:
        try:
            positions = await self.broker.positions()
        except BrokerUnreadable as error:
            raise ReconciliationBrokerUnavailable(f"the broker cannot be read: {error}") from error
        flat = BrokerPosition(symbol=symbol, qty=ZERO, avg_entry_px=ZERO)
        return next((held for held in positions if held.symbol == symbol), flat)


def _given_up(order: Order | None, reason: str, at: datetime) -> Sequence[OrderEvent]:
    if order is None or order.status.is_terminal:
        return ()
    return (OrderCanceled(transact_time=at, source=ReportSource.MANUAL, reason=reason),)


def _require_gap(entry: Break, position: Position | None, theirs: BrokerPosition) -> None:
    """Raises ReconciliationInProgress."""
    held = position.qty if position is not None else ZERO
    gap = canonical(minus(theirs.qty, held))
    if gap != entry.gap:
        raise ReconciliationInProgress(
            f"{entry.symbol} differs by {gap} now, not by {entry.gap}; the next pass shows how things stand",
            break_id=entry.break_id,
        )


def _resolved(states: States, entry: Break, action: str, reason: str, cause: Cause) -> Sequence[Uncommitted]:
    events = resolve_break(
        states[RECON_GATE],
        entry.break_id,
        action=action,
        reason=reason,
        by=cause.actor.sub,
        at=cause.occurred_at,
    )
    return [Uncommitted(stream=RECON_GATE, event=event) for event in events]
