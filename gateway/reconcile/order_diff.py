"""What the broker's order lists say, put together, and where our orders differ from it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateway.aggregates.differences import ORDER_MISSING, ORDER_STATUS, Difference
from gateway.aggregates.order.state import Order
from gateway.aggregates.reports import BrokerOrder
from gateway.aggregates.vocabulary import ClientOrderId


def merge(*lists: Iterable[BrokerOrder]) -> dict[ClientOrderId, BrokerOrder]:
    """One entry per client order id; of two copies the one the broker updated last."""
    merged: dict[ClientOrderId, BrokerOrder] = {}
    for orders in lists:
        for order in orders:
            known = merged.get(order.client_order_id)
            if known is None or _is_newer(order, known):
                merged[order.client_order_id] = order
    return merged


def _is_newer(order: BrokerOrder, known: BrokerOrder) -> bool:
    if order.updated_at is None or known.updated_at is None:
        return order.filled_qty > known.filled_qty
    return order.updated_at > known.updated_at


def not_listed(
    live: Iterable[ClientOrderId], merged: Mapping[ClientOrderId, BrokerOrder]
) -> list[ClientOrderId]:
    """Live orders of ours that the broker's lists did not mention; each is asked for by itself."""
    return [client_order_id for client_order_id in live if client_order_id not in merged]


def status_difference(order: Order, held: BrokerOrder) -> Difference | None:
    """Over on one side and working on the other; a word outside our table says neither."""
    if held.status is None or held.status.is_terminal is order.status.is_terminal:
        return None
    return Difference(
        kind=ORDER_STATUS,
        symbol=order.ticket.symbol,
        client_order_id=order.client_order_id,
        order_id=held.order_id,
        ledger_value=order.status.value,
        broker_value=held.broker_status,
    )


def missing_at_broker(order: Order) -> Difference:
    """An order the broker once had and now says it does not know."""
    return Difference(
        kind=ORDER_MISSING,
        symbol=order.ticket.symbol,
        client_order_id=order.client_order_id,
        order_id=order.order_id,
        ledger_value=order.status.value,
        broker_value="not found",
    )


def is_outweighed(order: Order, held: BrokerOrder) -> bool:
    """Whether the broker's copy says less than is booked: fewer shares, or an earlier status."""
    if held.filled_qty < order.cum_qty:
        return True
    return held.status is not None and held.status.rank < order.status.rank
