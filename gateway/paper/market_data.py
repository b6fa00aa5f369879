"""What the market looks like to a client: the current quote, recent ticks, and days gone by."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal
from itertools import groupby
from typing import Final

from gateway.paper.bars import Bar
from gateway.paper.book import Quote
from gateway.paper.clock import preceding_days, trading_day
from gateway.paper.feed import Feed
from gateway.paper.kernel import Kernel
from gateway.paper.notation import NEW_YORK, stamp
from gateway.paper.orders import ZERO

TICKS_KEPT: Final = 2_000
HISTORY_DAYS: Final = 250

Row = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One moment of one symbol: what was quoted, and what was printed then."""

    at: datetime
    quote: Quote
    price: Decimal
    size: Decimal


class MarketData:
    def __init__(self, kernel: Kernel, feed: Feed) -> None:
        self._kernel, self._feed = kernel, feed
        self._seen: dict[str, deque[Seen]] = {}

    def see(self, symbol: str, size: Decimal) -> None:
        """Keep the state of the book as it is after a tick."""
        book = self._kernel.world.books[symbol]
        if book.quote is None or book.last is None:
            return
        seen = Seen(at=self._kernel.clock.now(), quote=book.quote, price=book.last, size=size)
        self._seen.setdefault(symbol, deque(maxlen=TICKS_KEPT)).append(seen)

    def latest_quote(self, symbol: str) -> Row | None:
        quote = self._kernel.world.books[symbol].quote
        return quote_row(quote, quote.at or self._kernel.clock.now()) if quote else None

    def latest_trade(self, symbol: str) -> Row | None:
        book, now = self._kernel.world.books[symbol], self._kernel.clock.now()
        if book.last is None:
            return None
        seen = self._seen.get(symbol)
        standing = book.quote is None or book.quote.at is None
        return trade_row(
            book.last, seen[-1].size if seen else ZERO, now if standing or not seen else seen[-1].at
        )

    def quotes(self, symbol: str) -> list[tuple[datetime, Row]]:
        return [(seen.at, quote_row(seen.quote, seen.at)) for seen in self._seen.get(symbol, ())]

    def trades(self, symbol: str) -> list[tuple[datetime, Row]]:
        return [(s.at, trade_row(s.price, s.size, s.at)) for s in self._seen.get(symbol, ()) if s.size]

    def spans(self, symbol: str, length: timedelta) -> list[tuple[datetime, Row]]:
        """Bars of a minute or more, from the ticks still remembered."""

        def start(seen: Seen) -> datetime:
            return seen.at - (seen.at - datetime.min.replace(tzinfo=seen.at.tzinfo)) % length

        return [(at, _span_row(at, group)) for at, group in groupby(self._seen.get(symbol, ()), start)]

    def days(self, symbol: str, *, adjusted: bool = False) -> list[tuple[datetime, Row]]:
        """Complete days re-dated to the days before today, then today so far; oldest first."""
        if symbol not in self._feed.symbols:
            return self._today(symbol)
        place = self._feed.place(self._kernel.clock.now())
        history = self._feed.history(symbol, place, HISTORY_DAYS)
        if adjusted:
            history = self._feed.adjusted(symbol, history, place)
        today = trading_day(self._kernel.clock.now())
        dates = preceding_days(self._kernel.session, today, len(history))
        rows = [_day_row(day, bar) for day, bar in zip(reversed(dates), history, strict=True)]
        return rows + self._today(symbol)

    def closes(self) -> dict[str, Decimal]:
        """Closing prices of the day before; none when prices are set by hand."""
        if self._kernel.world.fed.source == "manual":
            return {}
        place = self._feed.place(self._kernel.clock.now())
        return {symbol: self._feed.history(symbol, place, 1)[-1].close for symbol in self._feed.symbols}

    def _today(self, symbol: str) -> list[tuple[datetime, Row]]:
        now = self._kernel.clock.now()
        if self._kernel.world.fed.source != "manual" and symbol in self._feed.symbols:
            return [_day_row(trading_day(now), self._feed.today(symbol, self._feed.place(now)))]
        midnight = _midnight(trading_day(now))
        seen = [s for s in self._seen.get(symbol, ()) if s.at >= midnight]
        return [(midnight, _span_row(midnight, seen))] if seen else []


def quote_row(quote: Quote, at: datetime) -> Row:
    return {
        "t": stamp(at),
        "ax": "V",
        "ap": quote.ask,
        "as": quote.ask_size,
        "bx": "V",
        "bp": quote.bid,
        "bs": quote.bid_size,
        "c": ["R"],
        "z": "C",
    }


def trade_row(price: Decimal, size: Decimal, at: datetime) -> Row:
    return {"t": stamp(at), "x": "V", "p": price, "s": size, "c": ["@"], "i": int(at.timestamp()), "z": "C"}


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time_of_day(), NEW_YORK)


def _day_row(day: date, bar: Bar) -> tuple[datetime, Row]:
    at = _midnight(day)
    average = ((bar.high + bar.low + bar.close) / 3).quantize(Decimal("0.0001"))
    row: Row = {
        "t": stamp(at),
        "o": bar.open,
        "h": bar.high,
        "l": bar.low,
        "c": bar.close,
        "v": bar.volume,
        "n": bar.volume // 100,
        "vw": average,
    }
    return at, row


def _span_row(at: datetime, group: Iterable[Seen]) -> Row:
    seen = list(group)
    prices = [s.price for s in seen]
    return {
        "t": stamp(at),
        "o": prices[0],
        "h": max(prices),
        "l": min(prices),
        "c": prices[-1],
        "v": sum((s.size for s in seen), ZERO),
        "n": len(seen),
        "vw": (sum(prices, ZERO) / len(prices)).quantize(Decimal("0.0001")),
    }
