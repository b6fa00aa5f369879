"""A report that contradicts what is booked becomes a break: the first booking stands until somebody looks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gateway.aggregates.differences import FILL_GAP, Difference
from gateway.aggregates.order.events import ConflictReported, OrderEvent
from gateway.aggregates.order.state import Order
from gateway.aggregates.recon_gate import open_break
from gateway.aggregates.vocabulary import ClientOrderId, order_stream
from gateway.commands.safety_view import RECON_GATE
from gateway.ledger.decision import States
from gateway.ledger.envelope import Uncommitted


def conflict_break(
    states: States, client_order_id: ClientOrderId, events: Sequence[OrderEvent], *, at: datetime
) -> Sequence[Uncommitted]:
    """Beside the events of one order, in the same append; one open break per order for all its conflicts."""
    order: Order | None = states[order_stream(client_order_id)]
    conflicts = [event for event in events if isinstance(event, ConflictReported) and event.alias_of is None]
    if order is None or not conflicts:
        return []
    difference = Difference(
        kind=FILL_GAP,
        symbol=order.ticket.symbol,
        client_order_id=client_order_id,
        order_id=order.order_id,
        ledger_value=f"{order.cum_qty} executed",
        broker_value=conflicts[0].reason,
    )
    opened = open_break(states[RECON_GATE], difference, at=at)
    return [Uncommitted(stream=RECON_GATE, event=event) for event in opened]
