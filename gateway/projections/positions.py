"""What the account holds of each symbol, what is reserved, and for whom the symbol is quarantined."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from gateway.aggregates.copying import changed
from gateway.aggregates.cost_basis import Book
from gateway.aggregates.exact import minus, plus
from gateway.aggregates.position.events import (
    PositionAdjusted,
    PositionBusted,
    PositionCorrected,
    PositionFilled,
    PositionQuarantined,
    PositionReleased,
    PositionReserved,
    PositionSplit,
    QuarantineLifted,
)
from gateway.aggregates.position.state import EVERYBODY
from gateway.aggregates.vocabulary import ZERO, Side
from gateway.ledger.envelope import Recorded
from gateway.projections.projection import Key, Projection
from gateway.projections.tables import POSITIONS as TABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionRow:
    """`qty` is signed; `cost` is that of the open quantity. The book is the account's.

    `quarantined_for` names the strategies that are kept out; `*` is everybody.
    """

    symbol: str
    qty: Decimal = ZERO
    cost: Decimal = ZERO
    realized: Decimal = ZERO
    reserved_buy: Decimal = ZERO
    reserved_sell: Decimal = ZERO
    quarantined_for: tuple[str, ...] = ()
    last_trade_at: datetime | None = None
    updated_at: datetime
    position: int

    def holding(self, book: Book) -> PositionRow:
        return changed(self, qty=book.qty, cost=book.cost, realized=book.realized)

    def reserving(self, side: Side, change: Decimal) -> PositionRow:
        if side is Side.BUY:
            return changed(self, reserved_buy=plus(self.reserved_buy, change))
        return changed(self, reserved_sell=plus(self.reserved_sell, change))

    def traded(self, at: datetime) -> PositionRow:
        return changed(self, last_trade_at=max(at, self.last_trade_at or at))


def keys(recorded: Recorded) -> Iterable[Key]:
    return ((recorded.stream.removeprefix("position-"),),)


def fold(row: PositionRow | None, key: Key, recorded: Recorded) -> PositionRow:
    fresh = row or PositionRow(symbol=key[0], updated_at=recorded.recorded_at, position=recorded.position)
    row = _apply(fresh, recorded.event)
    return changed(row, updated_at=recorded.recorded_at, position=recorded.position)


def _apply(row: PositionRow, event: object) -> PositionRow:
    match event:
        case PositionReserved():
            return row.reserving(event.side, event.qty)
        case PositionReleased():
            return row.reserving(event.side, minus(ZERO, event.qty))
        case PositionFilled():
            filled = row.holding(event.account).reserving(event.side, minus(ZERO, event.taken))
            return filled.traded(event.transact_time)
        case PositionBusted() | PositionCorrected():
            return row.holding(event.restatement.after).reserving(event.side, event.reserved)
        case PositionAdjusted() | PositionSplit():
            return row.holding(event.account)
        case PositionQuarantined():
            return changed(
                row, quarantined_for=tuple(sorted({*row.quarantined_for, event.strategy_id or EVERYBODY}))
            )
        case QuarantineLifted():
            lifted = event.strategy_id or EVERYBODY
            return changed(row, quarantined_for=tuple(s for s in row.quarantined_for if s != lifted))
        case _:
            return row


POSITIONS: Final[Projection[PositionRow]] = Projection(
    name="positions",
    version=1,
    listens=("position.",),
    table=TABLE,
    keys=keys,
    fold=fold,
    load=lambda columns: PositionRow(**columns),
)
