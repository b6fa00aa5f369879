"""What every scene has at hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Final

from gateway.cli.stage import Stage
from gateway.client.answers.ledger import Event
from gateway.client.answers.positions import Position
from gateway.client.calls.orders import AsOf
from gateway.demo.callers import Caller, Exchange, until
from gateway.demo.show import Show

CENT: Final = Decimal("0.01")
POSITION_LIMIT: Final = 1000
_COMFORTABLE_NOTIONAL: Final = 80_000
DONE: Final = ("filled", "canceled", "expired", "rejected")


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """Two strategies and an operator, the exchange behind the curtain, and the stage they all stand on."""

    stage: Stage
    show: Show
    exchange: Exchange
    momentum: Caller
    reversion: Caller
    operator: Caller
    starting_cash: Decimal

    def quote(self, symbol: str) -> tuple[Decimal, Decimal]:
        """Bid and ask at this moment."""
        quote = self.exchange.ask("GET", "/v2/stocks/quotes/latest", symbols=symbol)["quotes"][symbol]
        return Decimal(quote["bp"]), Decimal(quote["ap"])

    def below(self, symbol: str, percent: int) -> Decimal:
        """A price so many percent below the bid, on the tick."""
        bid, _ = self.quote(symbol)
        return (bid * (100 - percent) / 100).quantize(CENT, ROUND_DOWN)

    def lot(self, symbol: str, most: int) -> int:
        """A number of shares, in tens, that stays well inside every limit."""
        _, ask = self.quote(symbol)
        return min(most, int(_COMFORTABLE_NOTIONAL / ask) // 10 * 10)

    def head(self) -> int:
        """The newest position of the ledger."""
        return self.operator.list_projections().projections[0].head

    def catch_up(self) -> None:
        """What the operator reads next is everything that has been recorded up to now."""
        self.operator.see(self.head())

    def positions(self, *, strategy_id: str | None = None, as_of: AsOf | None = None) -> dict[str, Position]:
        """Holdings by symbol, of the account or of one strategy."""
        self.catch_up()
        found = self.operator.list_positions(strategy_id=strategy_id, as_of=as_of)
        return {position.symbol: position for position in found.positions}

    def executions_of(self, client_order_id: str) -> list[Event]:
        """The executions of one order as the ledger holds them."""
        return list(self.operator.events(stream=f"order-{client_order_id}", topic="order.filled"))

    def show_orders(self, title: str, client_order_ids: Iterable[str]) -> None:
        columns = ("order", "strategy", "type", "status", "filled", "executions", "average price")
        orders = [self.operator.order_detail(each) for each in client_order_ids]
        rows = [
            (
                f"{order.side} {order.qty} {order.symbol}",
                order.strategy_id,
                order.order_type,
                order.status,
                order.filled_qty,
                len(self.executions_of(order.client_order_id)),
                order.filled_avg_price,
            )
            for order in orders
        ]
        self.show.table(title, columns, rows)

    def wait_for_fills_of(self, client_order_id: str) -> None:
        """Until the ledger holds as many shares of the order as the exchange says it traded."""

        def caught_up() -> bool:
            there = self.exchange.order(client_order_id)
            here = self.operator.order_detail(client_order_id)
            return there is not None and Decimal(there["filled_qty"]) == here.filled_qty > 0

        until(caught_up, within=20, what=f"the executions of {client_order_id}")
