"""Getting out while the reconciliation gate is closed: an order may shrink what the broker holds, never more.

The live read happens before the writer's lock; the decision happens under it, on the ledger's own leaves.
Every order of ours that could still execute is in those leaves, so an execution the broker books between
the read and the decision is either still counted as leaves, or it moved the position's version, and then
the read is repeated. No lock has to be held across the broker call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from gateway.aggregates.exact import canonical, minus, plus, total
from gateway.aggregates.position.state import Position
from gateway.aggregates.refusals import (
    QtyExceedsPosition,
    ReconciliationBrokerUnavailable,
    ReconciliationInProgress,
)
from gateway.aggregates.reports import BrokerOrder
from gateway.aggregates.vocabulary import (
    ZERO,
    ClientOrderId,
    Side,
    Symbol,
    Ticket,
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

    @property
    def closing_side(self) -> Side:
        return Side.SELL if self.qty > 0 else Side.BUY

    def closable(self, position: Position | None, *, except_for: ClientOrderId | None = None) -> Decimal:
        """Shares that may still be sent to close: no open closing order, ours or not, has them already.

        The order `except_for` is left out of ours.
        """
        ours = position.reserved.items() if position is not None else ()
        closing = total(
            leaves for order, (side, leaves) in ours if side is self.closing_side and order != except_for
        )
        return max(ZERO, minus(abs(self.qty), plus(self.foreign_leaves, closing)))


async def read_holding(broker: Broker, ledger: Ledger, symbol: Symbol) -> LiveHolding:
    """Raises ReconciliationBrokerUnavailable when position or open orders cannot be read."""
    position, version = await ledger.load(position_stream(symbol))
    try:
        open_orders = await broker.open_orders()  # before the position: a fill in between only lowers it
        qty = await broker.position(symbol)
        foreign = _foreign_leaves(open_orders, position, symbol, Side.SELL if qty > 0 else Side.BUY)
    except BrokerUnreadable as error:
        raise ReconciliationBrokerUnavailable(
            f"the broker's position or open orders of {symbol} cannot be read: {error}"
        ) from error
    return LiveHolding(symbol=symbol, qty=qty, foreign_leaves=foreign, version=version)


async def holding_in_ledger(ledger: Ledger, symbol: Symbol) -> LiveHolding:
    """What the ledger says is held; all there is to ask in a dry run."""
    position, version = await ledger.load(position_stream(symbol))
    return LiveHolding(
        symbol=symbol,
        qty=position.qty if position is not None else ZERO,
        foreign_leaves=ZERO,
        version=version,
    )


def _foreign_leaves(
    open_orders: Sequence[BrokerOrder], position: Position | None, symbol: Symbol, side: Side
) -> Decimal:
    """Open closing orders whose leaves the ledger does not count. Raises BrokerUnreadable."""
    counted = position.reserved if position is not None else {}
    leaves = ZERO
    for order in open_orders:
        if order.symbol != symbol or order.side is not side or order.client_order_id in counted:
            continue
        if order.qty is None:
            raise BrokerUnreadable(f"order {order.order_id} is open for an amount of money, not of shares")
        leaves = plus(leaves, minus(order.qty, order.filled_qty))
    return leaves


def refuse_increase(
    ticket: Ticket,
    holding: LiveHolding,
    position: Position | None,
    *,
    except_for: ClientOrderId | None = None,
) -> None:
    """Raises ReconciliationInProgress unless the ticket only shrinks the holding."""
    if holding.qty == ZERO or ticket.side is not holding.closing_side:
        raise ReconciliationInProgress(
            "while the reconciliation gate is closed only orders that reduce pass;"
            f" {ticket.side} {ticket.qty} {ticket.symbol} would open or increase (broker holds {holding.qty})"
        )
    closable = holding.closable(position, except_for=except_for)
    if ticket.qty > closable:
        raise ReconciliationInProgress(
            "while the reconciliation gate is closed only orders that reduce pass;"
            f" {ticket.qty} exceeds the closable {closable} of {ticket.symbol}"
        )


def refuse_beyond_closable(
    ticket: Ticket,
    holding: LiveHolding,
    position: Position | None,
    *,
    except_for: ClientOrderId | None = None,
) -> None:
    """Raises QtyExceedsPosition unless the ticket closes at most what is closable."""
    closable = ZERO
    if holding.qty and ticket.side is holding.closing_side:
        closable = holding.closable(position, except_for=except_for)
    if ticket.qty > closable:
        raise QtyExceedsPosition(
            f"{ticket.side} {canonical(ticket.qty)} exceeds the closable {canonical(closable)}"
            f" of {ticket.symbol} (held: {canonical(holding.qty)})",
            symbol=ticket.symbol,
            held=holding.qty,
            closable=closable,
        )
