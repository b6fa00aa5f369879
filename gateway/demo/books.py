"""The exchange's own books, kept from its executions alone, and held against what the gateway says.

Nothing here is shared with the gateway: the arithmetic is done again, from what the exchange says it traded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Any, Final

from gateway.client.answers.ledger import Event

ZERO: Final = Decimal(0)
_COST_PLACES: Final = Decimal("1e-10")
_SHOWN_PLACES: Final = Decimal("1e-6")
_PRECISION: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Signed shares, the cost of the open ones, and the P&L realized so far, in dollars."""

    qty: Decimal = ZERO
    cost: Decimal = ZERO
    realized: Decimal = ZERO

    @property
    def average(self) -> Decimal:
        with localcontext(prec=_PRECISION):
            shares = abs(self.qty)
            return (self.cost / shares).quantize(_SHOWN_PLACES, ROUND_HALF_EVEN) if shares else ZERO

    def traded(self, shares: Decimal, price: Decimal) -> Holding:
        """After a trade of signed shares: what closes realizes against the average cost, the rest opens."""
        with localcontext(prec=_PRECISION):
            closing = min(abs(shares), abs(self.qty)) if shares * self.qty < 0 else ZERO
            removed = self._cost_of(closing)
            gain = closing * price - removed
            return Holding(
                qty=self.qty + shares,
                cost=self.cost - removed + (abs(shares) - closing) * price,
                realized=self.realized + (gain if shares < 0 else -gain),
            )

    def _cost_of(self, closing: Decimal) -> Decimal:
        if closing == abs(self.qty):
            return self.cost
        return (self.cost * closing / abs(self.qty)).quantize(_COST_PLACES, ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    execution_id: str
    client_order_id: str
    symbol: str
    shares: Decimal
    """Signed."""
    price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What the exchange knows, in its order. `truth` is the answer of `/_ctl/truth`."""

    trades: tuple[Trade, ...]
    busted: tuple[Trade, ...]
    orders: Mapping[str, Any]
    """By client order id."""
    cash: Decimal
    positions: Mapping[str, Any]

    @classmethod
    def of(cls, truth: Any) -> Books:
        orders = {order["id"]: order for order in truth["orders"]}
        (account,) = truth["accounts"].values()
        return cls(
            trades=tuple(_trade(each, orders) for each in truth["executions"]["live"]),
            busted=tuple(_trade(each, orders) for each in truth["executions"]["busted"]),
            orders={order["client_order_id"]: order for order in orders.values()},
            cash=Decimal(account["cash"]),
            positions={position["symbol"]: position for position in account["positions"]},
        )

    def holdings(self, client_order_ids: Iterable[str] | None = None) -> dict[str, Holding]:
        """By symbol; of some orders only, where they are named."""
        wanted = None if client_order_ids is None else frozenset(client_order_ids)
        holdings: dict[str, Holding] = {}
        for trade in self.trades:
            if wanted is None or trade.client_order_id in wanted:
                before = holdings.get(trade.symbol, Holding())
                holdings[trade.symbol] = before.traded(trade.shares, trade.price)
        return holdings

    @property
    def spent(self) -> Decimal:
        """What all trades together took out of the cash."""
        return sum((trade.shares * trade.price for trade in self.trades), ZERO)


def _trade(execution: Any, orders: Mapping[str, Any]) -> Trade:
    qty = Decimal(execution["qty"])
    return Trade(
        execution_id=execution["id"],
        client_order_id=orders[execution["order_id"]]["client_order_id"],
        symbol=execution["symbol"],
        shares=qty if execution["side"] == "buy" else -qty,
        price=Decimal(execution["price"]),
    )


def trades_of(events: Iterable[Event]) -> dict[str, tuple[Decimal, Decimal]]:
    """Signed shares and price by execution id, as the gateway's ledger has them, busts taken out."""
    trades: dict[str, tuple[Decimal, Decimal]] = {}
    for event in events:
        facts = event.data
        if event.topic == "order.filled":
            trade, sign = facts["trade"], 1 if facts["side"] == "buy" else -1
            trades[trade["exec_id"]] = (Decimal(trade["last_qty"]) * sign, Decimal(trade["last_px"]))
        elif event.topic == "order.fill_busted":
            trades.pop(facts["ref_exec_id"], None)
        elif event.topic == "order.fill_superseded":
            trades.pop(facts["exec_id"], None)
    return trades
