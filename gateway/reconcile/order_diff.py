"""What the broker's order lists say, put together. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

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
