"""An operator decides about a difference between the ledger and the broker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import uuid4

from gateway.aggregates.order.state import Order
from gateway.aggregates.position.state import accept_broker
from gateway.aggregates.recon_gate import POSITION_QTY, Break, resolve_break
from gateway.aggregates.refusals import (
    BreakNotFound,
    IdempotencyConflict,
    LedgerUnavailable,
    ReconciliationBrokerUnavailable,
)
from gateway.aggregates.reports import BrokerPosition
from gateway.aggregates.vocabulary import ZERO, Actor, Symbol, order_stream, position_stream
from gateway.commands.resolve_orphan import ResolveOrphan
from gateway.commands.safety_view import RECON_GATE
from gateway.ledger.decision import Change, Decision, States
from gateway.ledger.envelope import Cause, Uncommitted
from gateway.ledger.ledger import Ledger
from gateway.ports import Broker, BrokerUnreadable, Clock

ACCEPT_BROKER: Final = "accept_broker"
IGNORE: Final = "ignore"
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

        Raises BreakNotFound, ReconciliationBrokerUnavailable, and IdempotencyConflict for an orphan that is
        to be accepted: it is adopted, ignored or canceled.
        """
        entry = await self._open(break_id)
        at = self.clock.now()
        cause = Cause(
            command_id=f"break:{uuid4()}",
            actor=by,
            correlation_id=correlation_id,
            source="api",
            occurred_at=at,
        )
        if entry.kind == "orphan":
            position = await self._ignore_orphan(entry, action, reason, by, correlation_id)
        elif entry.kind == POSITION_QTY and action == ACCEPT_BROKER and entry.symbol is not None:
            position = (await self._accept_holding(entry, entry.symbol, reason, cause)).position
        else:
            position = (await self._resolve(entry, action, reason, cause)).position
        return ResolvedBreak(entry=entry, action=action, by=by.sub, at=at, position=position)

    async def _open(self, break_id: str) -> Break:
        gate, _ = await self.ledger.load(RECON_GATE)
        entry: Break | None = gate.breaks.get(break_id) if gate is not None else None
        if entry is None:
            raise BreakNotFound(f"no open break {break_id}")
        return entry

    async def _ignore_orphan(
        self, entry: Break, action: str, reason: str, by: Actor, correlation_id: str
    ) -> int:
        if action != IGNORE:
            raise IdempotencyConflict("an orphan is adopted, ignored or canceled", break_id=entry.break_id)
        order: Order | None = None
        if entry.client_order_id is not None:
            order, _ = await self.ledger.load(order_stream(entry.client_order_id))
        if order is None:
            raise BreakNotFound(f"break {entry.break_id} names no order")
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
        """Adjust by what the broker holds now, unless something was booked since it was asked."""
        stream = position_stream(symbol)
        for _ in range(_REREADS):
            _, version = await self.ledger.load(stream)
            theirs = await self._holding_at_broker(symbol)

            def decide(states: States, version: int = version, theirs: BrokerPosition = theirs) -> Decision:
                if states.version(stream) != version:
                    raise _HoldingMoved
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
