"""Getting out while the reconciliation gate is closed: an order may shrink what the broker holds, never more.

The live read happens before the writer's lock; the decision happens under it, on the ledger's own leaves.
Every order of ours that could still execute is in those leaves, so an execution the broker books between
the read and the decision is either still counted as leaves, or it moved the position's version, and then
the read is repeated. No lock has to be held across the broker call.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from gateway.aggregates.position.state import Position
from gateway.aggregates.refusals import ReconciliationBrokerUnavailable, ReconciliationInProgress
from gateway.aggregates.vocabulary import (
    ZERO,
    ClientOrderId,
    Side,
    Symbol,
    Ticket,
    order_stream,
    position_stream,
)
from gateway.ledger.ledger import Ledger
from gateway.ports import Broker, BrokerUnreadable


class HoldingMoved(Exception):
    """The position changed between the live read and the decision: read again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveHolding:
    """What the broker holds in a symbol (signed shares), read when the position stream stood at `version`.

    `foreign_leaves` can still execute at the broker on the closing side and is not in our ledger.
    """

    symbol: Symbol
    qty: Decimal
    foreign_leaves: Decimal
    version: int


async def read_holding(broker: Broker, ledger: Ledger, ticket: Ticket) -> LiveHolding:
    """Raises ReconciliationBrokerUnavailable when position or open orders cannot be read."""
    _, version = await ledger.load(position_stream(ticket.symbol))
    try:
        qty = await broker.position(ticket.symbol)
        foreign = await _foreign_leaves(broker, ledger, ticket)
    except BrokerUnreadable as error:
        raise ReconciliationBrokerUnavailable(
            f"the broker's position or open orders of {ticket.symbol} cannot be read: {error}"
        ) from error
    return LiveHolding(symbol=ticket.symbol, qty=qty, foreign_leaves=foreign, version=version)


async def _foreign_leaves(broker: Broker, ledger: Ledger, ticket: Ticket) -> Decimal:
    leaves = ZERO
    for order in await broker.open_orders():
        if order.symbol != ticket.symbol or order.side is not ticket.side or order.qty is None:
            continue
        known, _ = await ledger.load(order_stream(order.client_order_id))
        if known is None:
            leaves += order.qty - order.filled_qty
    return leaves


def refuse_increase(
    ticket: Ticket,
    holding: LiveHolding,
    position: Position | None,
    *,
    except_for: ClientOrderId | None = None,
) -> None:
    """Raises ReconciliationInProgress unless the ticket only shrinks the holding."""
    if holding.qty == ZERO or (holding.qty > 0) is (ticket.side is Side.BUY):
        raise ReconciliationInProgress(
            "until the first reconciliation pass only orders that reduce pass;"
            f" {ticket.side} {ticket.qty} {ticket.symbol} would open or increase (broker holds {holding.qty})"
        )
    closing = _closing(position, ticket.side, except_for) if position else ZERO
    closable = abs(holding.qty) - holding.foreign_leaves - closing
    if ticket.qty > closable:
        raise ReconciliationInProgress(
            "until the first reconciliation pass only orders that reduce pass;"
            f" {ticket.qty} exceeds the closable {max(closable, ZERO)} of {ticket.symbol}"
        )


def _closing(position: Position, side: Side, except_for: ClientOrderId | None) -> Decimal:
    """Leaves of our live orders on one side, the order at hand left out."""
    others = (
        leaves
        for order, (its_side, leaves) in position.reserved.items()
        if its_side is side and order != except_for
    )
    return sum(others, ZERO)
