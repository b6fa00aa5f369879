"""Average-cost arithmetic of one book: an execution that reduces realizes, one that opens adds cost."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from gateway.aggregates.exact import canonical, minus, plus, ratio, times
from gateway.aggregates.vocabulary import ZERO, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """Average-cost book. `qty` signed shares, `cost` >= 0 of the open quantity, `realized` P&L to date."""

    qty: Decimal
    cost: Decimal
    realized: Decimal


FLAT: Final = Book(qty=ZERO, cost=ZERO, realized=ZERO)
_COST_PLACES: Final = 10
_SHARE_PLACES: Final = 9
_SHOWN_PLACES: Final = 6


def apply(book: Book, side: Side, qty: Decimal, px: Decimal) -> tuple[Book, Decimal]:
    """The book after an execution of `qty` > 0 shares, and the P&L it realized.

    The removed cost is rounded once, to 10 decimals, and never when the position goes flat: over a
    round trip the realized amounts sum to exactly proceeds minus cost.
    """
    held = book.qty.copy_abs()
    closed = min(qty, held) if signed(side, book.qty) < 0 else ZERO
    removed = _removed_cost(book, held, closed)
    value = times(px, closed)
    realized = minus(value, removed) if side is Side.SELL else minus(removed, value)
    opened = minus(qty, closed)
    after = Book(
        qty=plus(book.qty, signed(side, qty)),
        cost=plus(minus(book.cost, removed), times(px, opened)),
        realized=plus(book.realized, realized if closed else ZERO),
    )
    return after, realized if closed else ZERO


def signed(side: Side, qty: Decimal) -> Decimal:
    """A trade's quantity as a change of the holding."""
    return qty if side is Side.BUY else qty.copy_negate()


def _removed_cost(book: Book, held: Decimal, closed: Decimal) -> Decimal:
    if not closed:
        return ZERO
    if closed == held:
        return book.cost
    return ratio(times(book.cost, closed), held, _COST_PLACES)


def adjust(book: Book, qty: Decimal, cost: Decimal) -> Book:
    """The book after a delta of signed shares and of signed cost (negative for a short); realizes nothing."""
    after = plus(book.qty, qty)
    return Book(qty=after, cost=_open_cost(after, plus(signed_cost(book), cost)), realized=book.realized)


def signed_cost(book: Book) -> Decimal:
    """The cost of the open quantity with its sign: negative for a short."""
    return book.cost.copy_sign(book.qty)


def _open_cost(qty: Decimal, cost: Decimal) -> Decimal:
    if not qty:
        return ZERO
    return cost if qty > 0 else cost.copy_negate()


def split(book: Book, old: Decimal, new: Decimal, *, since: Decimal = ZERO) -> Book:
    """`new` shares for every `old`, except for the signed shares traded `since`; the cost stays."""
    added = ratio(times(minus(book.qty, since), minus(new, old)), old, _SHARE_PLACES)
    after = plus(book.qty, Decimal(canonical(added)))
    return Book(qty=after, cost=book.cost if after else ZERO, realized=book.realized)


def average_px(book: Book) -> Decimal:
    """Cost per open share, for show: 6 decimals at most, zero when flat."""
    return ratio(book.cost, book.qty.copy_abs(), _SHOWN_PLACES) if book.qty else ZERO


def unrealized(book: Book, px: Decimal) -> Decimal:
    """What closing at `px` would realize, exactly."""
    return minus(times(px, book.qty), signed_cost(book))
