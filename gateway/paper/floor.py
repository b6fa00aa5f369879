"""The floor: prices arrive here and orders meet them, each other first."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Final

from gateway.paper.admission import collar, market_protection
from gateway.paper.book import Cross, Quote
from gateway.paper.facts import Elected, Quoted, Trailed
from gateway.paper.feed import Tick
from gateway.paper.kernel import Kernel
from gateway.paper.orders import ZERO, Order, Side, stop_behind
from gateway.paper.updates import about

AUCTION_REMAINDER: Final = "AUCTION_REMAINDER"
PARTIAL_SHARE: Final = 0.1


class Floor:
    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.world, self.clock = kernel.world, kernel.clock
        self._starved_until: dict[str, datetime] = {}
        self._ahead: dict[str, Decimal] = {}
        """Displayed shares that stood before an order when it joined the queue at its price."""

    # Prices.

    def quote(self, fact: Quoted, *, size: Decimal = ZERO) -> None:
        """Set the market by hand and print one trade of `size` at its last price."""
        with self.kernel.turn():
            self.kernel.record(fact)
            self._market_moved(fact.symbol, fact.last, size)

    def tick(self, tick: Tick) -> None:
        """One step of the feed. It is not journaled: executions carry their own prices."""
        with self.kernel.turn():
            book = self.world.books[tick.symbol]
            book.last = tick.price
            book.quote = Quote(
                bid=tick.bid,
                ask=tick.ask,
                bid_size=Decimal(tick.bid_size),
                ask_size=Decimal(tick.ask_size),
                at=self.clock.now(),
            )
            self._market_moved(tick.symbol, tick.price, Decimal(tick.size))

    def _market_moved(self, symbol: str, price: Decimal, size: Decimal) -> None:
        book = self.world.books[symbol]
        if book.halted:
            return
        if self.kernel.session.is_open(self.clock.now()):
            self._open(symbol, price)
            self._mind_stops(symbol, price)
        sides: tuple[Side, Side] = ("buy", "sell")
        for side in sides:
            printed = size
            for order_id in book.queue(side):
                if self.kernel.trades_now(self.world.orders[order_id]):
                    self._meet_quote(order_id)
                    printed -= self._meet_print(order_id, price, printed)

    def _waiting(self, symbol: str) -> list[Order]:
        """Orders of one symbol that are at the venue, oldest first."""
        orders = (self.world.orders[order_id] for order_id in self.world.live)
        return [o for o in orders if o.symbol == symbol and o.status in {"new", "partially_filled"}]

    # Stops.

    def _mind_stops(self, symbol: str, price: Decimal) -> None:
        """A print outside the quote reaches no stop."""
        quote = self.world.books[symbol].quote
        if quote and (price < quote.bid or (quote.ask and price > quote.ask)):
            return
        for order_id in [order.id for order in self._waiting(symbol) if order.is_stop]:
            order = self.world.orders[order_id]
            if order.elected or not order.is_live:  # the one before it may have canceled it
                continue
            if _reaches(order, price):
                self._elect(order)
            elif order.type == "trailing_stop" and _is_best(order, price):
                self._trail(order, price)

    def _trail(self, order: Order, best: Decimal) -> None:
        stop_price = stop_behind(order.side, best, order.trail_price, order.trail_percent)
        now = self.clock.now()
        self.kernel.record(Trailed(at=now, order_id=order.id, hwm=best, stop_price=stop_price))

    def _elect(self, order: Order) -> None:
        stop_price = order.stop_price or ZERO
        protection = collar(stop_price) if order.side == "buy" else None
        self.kernel.record(Elected(at=self.clock.now(), order_id=order.id, protection=protection))
        self._take(order.id)

    # Auctions.

    def _open(self, symbol: str, price: Decimal) -> None:
        """The first print of a session is the price of the opening auction."""
        for order in self._waiting(symbol):
            if order.time_in_force == "opg":
                self._cross_once(order, price)
                self.kernel.end(order.id, "canceled", reason=AUCTION_REMAINDER)

    def cross_at_the_close(self, order_id: str) -> None:
        """The last print of a session is the price of the closing auction."""
        order = self.world.orders[order_id]
        last = self.world.books[order.symbol].last
        if last is not None and order.status in {"new", "partially_filled"}:
            self._cross_once(order, last)

    def _cross_once(self, order: Order, price: Decimal) -> None:
        """At most the size that the other side shows, at the price of the auction."""
        book = self.world.books[order.symbol]
        if book.halted or book.quote is None:
            return
        size = book.quote.ask_size if order.side == "buy" else book.quote.bid_size
        if self._unlimited:  # Alpaca's simulator has no auctions: it fills at the quote
            price = book.quote.ask if order.side == "buy" else book.quote.bid
        accepted = order.limit_price is None or (order.limit_price - price) * order.sign >= 0
        if price and accepted:
            qty = order.leaves if self._unlimited else min(order.leaves, size)
            self.kernel.execute(order.id, qty, price, "quote")

    # Matching.

    def enter(self, order_id: str) -> None:
        """A routed order reaches the floor; market buys get their collar."""
        order = self.world.orders[order_id]
        last = self.world.books[order.symbol].last
        if order.type == "trailing_stop" and (best := order.hwm or last) is not None:
            self._trail(order, best)
        protection = market_protection(self.world.books[order.symbol].quote, order)
        if protection is not None:
            fact = Elected(at=self.clock.now(), order_id=order_id, protection=protection)
            self.kernel.record(fact)
        self._take(order_id)

    def _take(self, order_id: str) -> None:
        """The order as a taker: what it can get now, and what becomes of the rest."""
        order = self.world.orders[order_id]
        if not order.is_working:
            return
        for cross in self._available(order):
            self._cross(order_id, cross)
        if order.time_in_force in {"ioc", "fok"}:
            self.kernel.end(order_id, "canceled", reason="IOC_REMAINDER")
        self._join_queue(order_id)

    def _cross(self, order_id: str, cross: Cross) -> None:
        if cross.maker is None:
            self.kernel.execute(order_id, cross.qty, cross.price, "quote")
            return
        # An earlier cross may have canceled or shrunk this maker, when both belong together.
        qty = min(cross.qty, self.world.orders[cross.maker].leaves_at(cross.price))
        self.kernel.execute(cross.maker, qty, cross.price, "order")
        self.kernel.execute(order_id, qty, cross.price, "order")

    def _available(self, order: Order) -> list[Cross]:
        book = self.world.books[order.symbol]
        if book.halted or not self.kernel.trades_now(order):
            return []
        trades_now, unlimited = self.kernel.trades_now, self._unlimited
        crosses = list(book.crosses(order, self.world.orders, unlimited=unlimited, takes_part=trades_now))
        if self._is_starved(order):
            crosses = [cross for cross in crosses if cross.maker]
        if order.time_in_force == "fok":
            return crosses if sum(cross.qty for cross in crosses) >= order.leaves else []
        return [cross if cross.maker else self._shortened(cross) for cross in crosses]

    def _shortened(self, cross: Cross) -> Cross:
        """In Alpaca's simulator one order in ten fills in part; the rest is looked at with the next price."""
        draw = random.Random(f"{self.kernel.opened.seed}/part/{self.world.facts}")
        if not self._unlimited or draw.random() >= PARTIAL_SHARE:
            return cross
        part = (cross.qty * draw.randint(1, 9) / 10).to_integral_value(ROUND_DOWN)
        return replace(cross, qty=part or cross.qty)

    def _is_starved(self, order: Order) -> bool:
        """A fault can keep the outside market away from a symbol for a while."""
        now, symbol = self.clock.now(), order.symbol
        if params := self.kernel.faults.take("fill.starve", **about(order)):
            self._starved_until[symbol] = now + timedelta(seconds=params.seconds)
            self.kernel.later(params.seconds, lambda: self._feed_again(symbol))
        return symbol in self._starved_until and now < self._starved_until[symbol]

    def _feed_again(self, symbol: str) -> None:
        if (last := self.world.books[symbol].last) is not None:
            self._market_moved(symbol, last, ZERO)

    def _join_queue(self, order_id: str) -> None:
        order = self.world.orders[order_id]
        quote = self.world.books[order.symbol].quote
        if not order.leaves or quote is None or order.working_limit is None:
            return
        price, size = (quote.bid, quote.bid_size) if order.side == "buy" else (quote.ask, quote.ask_size)
        self._ahead[order_id] = size if order.working_limit == price else ZERO

    def _meet_quote(self, order_id: str) -> None:
        """A resting limit that the opposite quote has reached trades at its own price."""
        order = self.world.orders[order_id]
        cross = self.world.books[order.symbol].outside(order, unlimited=self._unlimited)
        if cross and cross.qty and not self._is_starved(order):
            cross = self._shortened(cross)
            price = cross.price if self._unlimited else order.limit_price or cross.price
            self.kernel.execute(order_id, min(cross.qty, order.leaves_at(price)), price, "quote")

    @property
    def _unlimited(self) -> bool:
        return self.kernel.rules.profile == "alpaca"

    def _meet_print(self, order_id: str, price: Decimal, size: Decimal) -> Decimal:
        """Shares of a print that reach a resting order: all when it trades through, else behind the queue."""
        order = self.world.orders[order_id]
        limit = order.limit_price
        if limit is None or size <= 0 or (limit - price) * order.sign < 0 or not order.is_working:
            return ZERO
        if self._is_starved(order):
            return ZERO
        if limit == price:
            ahead = self._ahead.get(order_id, ZERO)
            self._ahead[order_id] = max(ahead - size, ZERO)
            size = max(size - ahead, ZERO)
        qty = min(size, order.leaves_at(limit))
        if qty:
            self.kernel.execute(order_id, qty, limit, "print")
        return qty


def _reaches(order: Order, price: Decimal) -> bool:
    """Whether a print elects a stop; a trailing one has no price before its first print."""
    return order.stop_price is not None and (price - order.stop_price) * order.sign >= 0


def _is_best(order: Order, price: Decimal) -> bool:
    """The highest that a trailing sell has seen, the lowest that a trailing buy has."""
    return order.hwm is None or (price - order.hwm) * order.sign < 0
