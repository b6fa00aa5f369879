"""What an order nobody here sent does to the desk: its symbol is quarantined and a break opens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gateway.aggregates.order.events import OrderEvent, OrderOrphaned
from gateway.aggregates.position.state import quarantine
from gateway.aggregates.recon_gate import open_break
from gateway.aggregates.vocabulary import position_stream
from gateway.commands.safety_view import RECON_GATE
from gateway.ledger.decision import States
from gateway.ledger.envelope import Uncommitted


def orphan_consequences(
    states: States, events: Sequence[OrderEvent], *, at: datetime
) -> Sequence[Uncommitted]:
    """Beside `order.orphaned`, in the same append. Nothing for any other event."""
    found = [event for event in events if isinstance(event, OrderOrphaned)]
    return [beside for orphaned in found for beside in _consequences(states, orphaned, at)]


def _consequences(states: States, orphaned: OrderOrphaned, at: datetime) -> list[Uncommitted]:
    ticket, order = orphaned.ticket, orphaned.order
    stream = position_stream(ticket.symbol)
    opened = open_break(
        states[RECON_GATE],
        kind="orphan",
        symbol=ticket.symbol,
        client_order_id=orphaned.client_order_id,
        order_id=order.order_id if order is not None else None,
        ledger_value="unknown",
        broker_value=order.broker_status if order is not None else "reported",
        at=at,
    )
    quarantined = quarantine(
        states[stream],
        symbol=ticket.symbol,
        strategy_id=None,
        reason="orphan_order_detected",
        kind="orphan",
        at=at,
        order_id=order.order_id if order is not None else None,
        orphan_notional=orphaned.estimated_notional,
    )
    return [
        *(Uncommitted(stream=RECON_GATE, event=event) for event in opened),
        *(Uncommitted(stream=stream, event=event) for event in quarantined),
    ]
