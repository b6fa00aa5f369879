"""The last scene: what the gateway says it holds and earned, beside what the exchange traded."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from gateway.client.answers.orders import OrderDetail
from gateway.client.answers.positions import Position
from gateway.demo.books import Books, Holding, trades_of
from gateway.demo.callers import DemoFailed, until
from gateway.demo.play import CENT, Play
from gateway.demo.show import plain

_ACCOUNT: Final = "account"
_FLAT: Final = (Decimal(0), Decimal(0), Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One symbol of one owner: shares, average price and realized P&L, here and there."""

    owner: str
    symbol: str
    ours: tuple[Decimal, Decimal, Decimal]
    theirs: tuple[Decimal, Decimal, Decimal]
    unrealized: Decimal | None
    """At the last price, which moves on; shown, not compared."""

    @property
    def agrees(self) -> bool:
        return self.ours == self.theirs

    @property
    def cells(self) -> tuple[object, ...]:
        unrealized = self.unrealized and self.unrealized.quantize(CENT)
        verdict = "the same" if self.agrees else " / ".join(map(plain, self.theirs))
        return (self.owner, self.symbol, *self.ours, unrealized, verdict)


def books(play: Play) -> None:
    play.show.scene("The gateway's books and the exchange's own")
    _settle(play)
    theirs = Books.of(play.exchange.truth())
    _same_orders(play, theirs)
    _same_executions(play, theirs)
    lines = [*_strategy_lines(play, theirs), *_account_lines(play, theirs)]
    columns = ("", "", "shares", "average", "realized", "unrealized", "exchange")
    play.show.table("", columns, [line.cells for line in lines])
    play.show.prove(
        all(line.agrees for line in lines), "equal to the last digit, for both strategies and the account"
    )
    _same_money(play, theirs)


def _settle(play: Play) -> None:
    """Cancel what still works and wait until it has ended."""
    for order in play.operator.list_pending_orders(limit=1000).orders:
        play.operator.cancel_order(order.client_order_id)

    def is_over() -> bool:
        play.catch_up()
        return not play.operator.list_pending_orders().total

    until(is_over, within=20, what="the last working orders to end")


def _same_orders(play: Play, theirs: Books) -> None:
    """Every order the exchange ever had is ours, as it stands there, and it had no other of ours."""
    submitted = [event.client_order_id or "" for event in play.operator.events(topic="order.submitted")]
    orders = {order_id: play.operator.order_detail(order_id) for order_id in submitted}
    undone = {trade.client_order_id for trade in theirs.busted}
    ours = {order_id: _ours(order, undone) for order_id, order in orders.items() if order.broker_order_id}
    there = {order_id: _theirs(order, undone) for order_id, order in theirs.orders.items()}
    _refuse_difference(ours, there)
    play.show.prove(ours == there, f"{len(there)} orders: the same ones, in the same states")


def _ours(order: OrderDetail, undone: Container[str]) -> tuple[str, Decimal]:
    """An undone trade takes shares from an order that stays over; each side has its own word for that."""
    return "undone" if order.client_order_id in undone else order.status, order.filled_qty


def _theirs(order: Any, undone: Container[str]) -> tuple[str, Decimal]:
    over = order["client_order_id"] in undone
    return "undone" if over else order["status"], Decimal(order["filled_qty"])


def _refuse_difference(ours: Mapping[str, object], theirs: Mapping[str, object]) -> None:
    """Raises DemoFailed naming what differs, which says more than that it does."""
    differing = [key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)]
    if differing:
        told = "; ".join(f"{key}: {ours.get(key)} here, {theirs.get(key)} there" for key in sorted(differing))
        raise DemoFailed(f"gateway and exchange differ: {told}")


def _same_executions(play: Play, theirs: Books) -> None:
    ours = trades_of(play.operator.events(topic="order."))
    there = {trade.execution_id: (trade.shares, trade.price) for trade in theirs.trades}
    _refuse_difference(ours, there)
    play.show.prove(
        ours == there,
        f"{len(there)} executions, each booked once with its size and price; {len(theirs.busted)} undone",
    )


def _strategy_lines(play: Play, theirs: Books) -> Iterable[Line]:
    submitted = list(play.operator.events(topic="order.submitted"))
    for caller in (play.momentum, play.reversion):
        own = [each.client_order_id or "" for each in submitted if each.strategy_id == caller.strategy]
        ours = play.positions(strategy_id=caller.strategy)
        yield from _lines(caller.strategy, ours, theirs.holdings(own))


def _account_lines(play: Play, theirs: Books) -> Iterable[Line]:
    yield from _lines(_ACCOUNT, play.positions(), theirs.holdings())


def _lines(owner: str, ours: Mapping[str, Position], theirs: Mapping[str, Holding]) -> Iterable[Line]:
    """A flat symbol is in no list of positions; its P&L is in the totals."""
    for symbol in sorted(ours.keys() | {symbol for symbol, held in theirs.items() if held.qty}):
        shown, held = ours.get(symbol), theirs.get(symbol, Holding())
        yield Line(
            owner=owner,
            symbol=symbol,
            ours=_FLAT if shown is None else (shown.qty, shown.avg_entry_price, shown.realized_pl),
            theirs=(held.qty, held.average, held.realized),
            unrealized=None if shown is None else shown.unrealized_pl,
        )


def _same_money(play: Play, theirs: Books) -> None:
    play.catch_up()
    answer = play.operator.list_positions()
    realized = sum((held.realized for held in theirs.holdings().values()), Decimal(0))
    play.show.prove(
        answer.total_realized_pl == realized,
        f"P&L realized: {plain(realized)}; unrealized, by now: {plain(answer.total_unrealized_pl)}",
    )
    ours = trades_of(play.operator.events(topic="order."))
    spent = sum((shares * price for shares, price in ours.values()), Decimal(0))
    play.show.prove(
        theirs.cash == play.starting_cash - spent,
        f"cash at the exchange: {play.starting_cash} − {spent} = {theirs.cash}, to the cent",
    )
