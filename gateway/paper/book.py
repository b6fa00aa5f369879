"""The book of one symbol: price-time priority between orders, then the size the quote displays."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from gateway.paper.bars import to_tick
from gateway.paper.orders import ZERO, Order, Side

ANY_PRICE: Final = Decimal("Infinity")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The top of the outside market; sizes in shares, zero when taken. A price of zero is no quote."""

    bid: Decimal
    ask: Decimal
    bid_size: Decimal
    ask_size: Decimal
    at: datetime | None = None

    def taken(self, side: Side, qty: Decimal) -> Quote:
        """What a taker on `side` leaves."""
        if side == "buy":
            return replace(self, ask_size=max(self.ask_size - qty, ZERO))
        return replace(self, bid_size=max(self.bid_size - qty, ZERO))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cross:
    """One execution a taker would get; `maker` is None for the outside market."""

    maker: str | None
    price: Decimal
    qty: Decimal


@dataclass(frozen=True, slots=True, order=True)
class _Entry:
    key: Decimal
    rank: int
    order_id: str


class Book:
    """Knows who is next; the orders themselves are handed in by whoever asks."""

    def __init__(self) -> None:
        self.quote: Quote | None = None
        self.last: Decimal | None = None
        self.halted = False
        self._sides: dict[Side, list[_Entry]] = {"buy": [], "sell": []}
        self._entries: dict[str, tuple[Side, _Entry]] = {}

    def put(self, order: Order) -> None:
        """Place, move or remove the order according to its state."""
        self._remove(order.id)
        if order.is_working and order.leaves:
            entry = _Entry(_priority(order), order.rank, order.id)
            insort(self._sides[order.side], entry)
            self._entries[order.id] = (order.side, entry)

    def split(self, ratio: Decimal) -> None:
        """The market goes on at the divided price."""
        self.last = None if self.last is None else to_tick(self.last / ratio)
        if self.quote:
            bid, ask = to_tick(self.quote.bid / ratio), to_tick(self.quote.ask / ratio)
            self.quote = replace(self.quote, bid=bid, ask=ask)

    def queue(self, side: Side) -> tuple[str, ...]:
        """Order ids, best price first, older first at equal prices."""
        return tuple(entry.order_id for entry in self._sides[side])

    def _remove(self, order_id: str) -> None:
        if placed := self._entries.pop(order_id, None):
            side, entry = placed
            entries = self._sides[side]
            del entries[bisect_left(entries, entry)]

    def crosses(
        self,
        taker: Order,
        makers: dict[str, Order],
        *,
        unlimited: bool = False,
        takes_part: Callable[[Order], bool] = lambda order: True,
    ) -> Iterator[Cross]:
        """What the taker meets now: other accounts' orders first at equal prices, then the quote."""
        offers = [offer for offer in self._offers(taker, makers) if takes_part(makers[offer.maker or ""])]
        if outside := self.outside(taker, unlimited=unlimited):
            place = sum(not _better(taker.side, outside.price, offer.price) for offer in offers)
            offers.insert(place, outside)
        for offer in offers:
            qty = min(taker.leaves_at(offer.price), offer.qty)
            if not qty:
                return
            yield replace(offer, qty=qty)
            filled_qty, filled_value = taker.filled_qty + qty, taker.filled_value + qty * offer.price
            taker = msgspec.structs.replace(taker, filled_qty=filled_qty, filled_value=filled_value)

    def _offers(self, taker: Order, makers: dict[str, Order]) -> list[Cross]:
        """Orders of other accounts at prices the taker accepts, in priority order."""
        opposite = (makers[order_id] for order_id in self.queue(_opposite(taker.side)))
        return [
            Cross(maker=maker.id, price=price, qty=maker.leaves_at(price))
            for maker in opposite
            if (price := maker.working_limit) is not None
            and maker.account != taker.account
            and _accepts(taker, price)
        ]

    def outside(self, taker: Order, *, unlimited: bool = False) -> Cross | None:
        """What the quote alone would give the taker."""
        if self.quote is None:
            return None
        buying = taker.side == "buy"
        price = self.quote.ask if buying else self.quote.bid
        size = self.quote.ask_size if buying else self.quote.bid_size
        if not price or not (size or unlimited) or not _accepts(taker, price):
            return None
        wanted = taker.leaves_at(price)
        return Cross(maker=None, price=price, qty=wanted if unlimited else min(wanted, size))


def _opposite(side: Side) -> Side:
    return "sell" if side == "buy" else "buy"


def _priority(order: Order) -> Decimal:
    """Smaller comes first: the higher bid, the lower offer, and any order without a price."""
    price = order.working_limit
    if price is None:
        return -ANY_PRICE
    return -price if order.side == "buy" else price


def _accepts(taker: Order, price: Decimal) -> bool:
    limit = taker.working_limit
    return limit is None or (price <= limit if taker.side == "buy" else price >= limit)


def _better(side: Side, one: Decimal, other: Decimal) -> bool:
    return one < other if side == "buy" else one > other
