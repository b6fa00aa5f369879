"""What an order nobody here sent does to the desk, and what its answer does to the break it opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import reduce
from typing import Final

from gateway.aggregates.differences import ACTIVITY_UNMATCHED, ORPHAN, Difference
from gateway.aggregates.order.events import OrderEvent, OrderOrphaned
from gateway.aggregates.order.state import Order, evolve
from gateway.aggregates.position.state import quarantine
from gateway.aggregates.recon_events import ReconGateEvent
from gateway.aggregates.recon_gate import ReconGate, open_break, resolve_break
from gateway.aggregates.recon_gate import evolve as evolve_gate
from gateway.aggregates.vocabulary import BROKER, ClientOrderId, ReportSource, order_stream, position_stream
from gateway.commands.safety_view import RECON_GATE
from gateway.ledger.decision import States
from gateway.ledger.envelope import Uncommitted

_ACTIONS: Final[Mapping[str | None, str]] = {"adopted": "adopt", "ignored": "ignore", "closed": "cancel"}


def orphan_consequences(
    states: States, client_order_id: ClientOrderId, events: Sequence[OrderEvent], *, at: datetime
) -> Sequence[Uncommitted]:
    """Beside the events of one order, in the same append. Nothing for an order of ours."""
    before: Order | None = states[order_stream(client_order_id)]
    if before is None:
        found = [event for event in events if isinstance(event, OrderOrphaned)]
        return [beside for orphaned in found for beside in _consequences(states, orphaned, at)]
    if not before.is_unresolved_orphan:
        return []
    after = reduce(evolve, events, before)
    return [] if after.is_unresolved_orphan else _answered(states, after, at)


def _answered(states: States, order: Order, at: datetime) -> list[Uncommitted]:
    """The break ends with the orphan's question; the quarantine waits for an operator."""
    gate: ReconGate = states[RECON_GATE] or ReconGate()
    return [
        Uncommitted(stream=RECON_GATE, event=event)
        for entry in gate.orphan_breaks(order.client_order_id)
        for event in resolve_break(
            gate,
            entry.break_id,
            action=_ACTIONS[order.orphan_status],
            reason=f"the orphan is {order.orphan_status}",
            by=order.orphan_answered_by or BROKER.sub,
            at=at,
        )
    ]


def _consequences(states: States, orphaned: OrderOrphaned, at: datetime) -> list[Uncommitted]:
    ticket, order = orphaned.ticket, orphaned.order
    stream = position_stream(ticket.symbol)
    opened = _opened(states[RECON_GATE], ORPHAN, orphaned, at)
    if orphaned.source is ReportSource.ACTIVITY:
        after = reduce(evolve_gate, opened, states[RECON_GATE])
        opened = (*opened, *_opened(after, ACTIVITY_UNMATCHED, orphaned, at))
    quarantined = quarantine(
        states[stream],
        symbol=ticket.symbol,
        strategy_id=None,
        reason="orphan_order_detected",
        kind=ORPHAN,
        at=at,
        order_id=order.order_id if order is not None else None,
        orphan_notional=orphaned.estimated_notional,
    )
    return [
        *(Uncommitted(stream=RECON_GATE, event=event) for event in opened),
        *(Uncommitted(stream=stream, event=event) for event in quarantined),
    ]


def _opened(
    gate: ReconGate | None, kind: str, orphaned: OrderOrphaned, at: datetime
) -> tuple[ReconGateEvent, ...]:
    order = orphaned.order
    difference = Difference(
        kind=kind,
        symbol=orphaned.ticket.symbol,
        client_order_id=orphaned.client_order_id,
        order_id=order.order_id if order is not None else None,
        ledger_value="unknown",
        broker_value=order.broker_status if order is not None else "reported",
    )
    return open_break(gate, difference, at=at)
