"""The floor: prices arrive here and orders meet them, each other first."""

from __future__ import annotations

from decimal import Decimal

from gateway.paper.admission import collar, market_protection
from gateway.paper.book import Cross, Quote
from gateway.paper.facts import Elected, Quoted, Split
from gateway.paper.feed import Tick
from gateway.paper.kernel import Kernel
from gateway.paper.orders import ZERO, Order, Side


class Floor:
    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.world, self.clock = kernel.world, kernel.clock
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

    def split(self, symbol: str, ratio: Decimal, mark: str) -> None:
        """Multiply positions, divide averages, and end the resting orders, whose prices mean nothing now."""
        with self.kernel.turn():
            self.kernel.record(Split(at=self.clock.now(), symbol=symbol, ratio=ratio, mark=mark))
            for order in [self.world.orders[i] for i in self.world.live]:
                if order.symbol == symbol:
                    self.kernel.end(order.id, "canceled", reason="CORPORATE_ACTION")

    def _market_moved(self, symbol: str, price: Decimal, size: Decimal) -> None:
        book = self.world.books[symbol]
        if book.halted or not self.kernel.session.is_open(self.clock.now()):
            return
        for order in [self.world.orders[i] for i in self.world.live]:
            if order.symbol == symbol and _elects(order, price):
                self._elect(order)
        sides: tuple[Side, Side] = ("buy", "sell")
        for side in sides:
            printed = size
            for order_id in book.queue(side):
                self._meet_quote(order_id)
                printed -= self._meet_print(order_id, price, printed)

    def _elect(self, order: Order) -> None:
        stop_price = order.stop_price or ZERO
        protection = collar(stop_price) if order.side == "buy" else None
        self.kernel.record(Elected(at=self.clock.now(), order_id=order.id, protection=protection))
        self._take(order.id)

    # Matching.

    def enter(self, order_id: str) -> None:
        """A routed order reaches the floor; market buys get their collar."""
        order = self.world.orders[order_id]
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
            if cross.maker:
                self.kernel.execute(cross.maker, cross.qty, cross.price, "order")
            self.kernel.execute(order_id, cross.qty, cross.price, "order" if cross.maker else "quote")
        if order.time_in_force in {"ioc", "fok"}:
            self.kernel.end(order_id, "canceled", reason="IOC_REMAINDER")
        self._join_queue(order_id)

    def _available(self, order: Order) -> list[Cross]:
        book = self.world.books[order.symbol]
        if book.halted or not self.kernel.trades_now(order):
            return []
        crosses = list(book.crosses(order, self.world.orders, unlimited=self._unlimited))
        fills = sum(cross.qty for cross in crosses) >= order.leaves
        return crosses if fills or order.time_in_force != "fok" else []

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
        if cross and cross.qty:
            price = cross.price if self._unlimited else order.limit_price or cross.price
            self.kernel.execute(order_id, cross.qty, price, "quote")

    @property
    def _unlimited(self) -> bool:
        return self.kernel.rules.profile == "alpaca"

    def _meet_print(self, order_id: str, price: Decimal, size: Decimal) -> Decimal:
        """Shares of a print that reach a resting order: all when it trades through, else behind the queue."""
        order = self.world.orders[order_id]
        limit = order.limit_price
        if limit is None or size <= 0 or (limit - price) * order.sign < 0 or not order.is_working:
            return ZERO
        if limit == price:
            ahead = self._ahead.get(order_id, ZERO)
            self._ahead[order_id] = max(ahead - size, ZERO)
            size = max(size - ahead, ZERO)
        qty = min(size, order.leaves)
        if qty:
            self.kernel.execute(order_id, qty, limit, "print")
        return qty


def _elects(order: Order, price: Decimal) -> bool:
    """Whether a print at `price` reaches a stop that is waiting."""
    if not order.is_stop or order.elected or order.status not in {"new", "partially_filled"}:
        return False
    stop_price = order.stop_price or ZERO
    return price >= stop_price if order.side == "buy" else price <= stop_price
