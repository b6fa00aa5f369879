"""A split: more or fewer shares for the same money, as of the moment the broker's books changed.

What was traded after that moment is in new shares already, however late we hear of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from gateway.aggregates.cost_basis import Book
from gateway.aggregates.exact import minus
from gateway.aggregates.position.events import PositionEvent, PositionSplit
from gateway.aggregates.position.state import Position
from gateway.aggregates.restatement import split_books, traded_since


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitTerms:
    """`new` shares for every `old`, from the instant `at` on; `activity_id` is the broker's name for it."""

    activity_id: str
    at: datetime
    old: Decimal
    new: Decimal


def split(
    position: Position | None, terms: SplitTerms, history: Iterable[PositionEvent] = ()
) -> tuple[PositionEvent, ...]:
    """Every book by the same ratio. Resting orders are not touched: they follow the broker's own facts.

    () where nothing was held, and where a book would turn over or end, because what was held has been sold
    in new shares before we heard: then the difference shows as a break, and a person decides.
    """
    if position is None:
        return ()
    since = traded_since(terms.at, history)
    account, strategies = split_books(
        position.account, position.strategies, since, old=terms.old, new=terms.new
    )
    pairs = [(position.account, account), *((position.book_of(s), book) for s, book in strategies.items())]
    if account.qty == position.account.qty or any(_turns(before, after) for before, after in pairs):
        return ()
    return (
        PositionSplit(
            activity_id=terms.activity_id,
            at=terms.at,
            old=terms.old,
            new=terms.new,
            added=minus(account.qty, position.account.qty),
            account=account,
            strategies=tuple(sorted(strategies.items())),
        ),
    )


def _turns(before: Book, after: Book) -> bool:
    return before.qty != after.qty and before.qty * after.qty <= 0
