"""What each strategy holds of each symbol, in its own book."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from gateway.aggregates.copying import changed
from gateway.aggregates.cost_basis import Book
from gateway.aggregates.position.events import (
    PositionAdjusted,
    PositionBusted,
    PositionCorrected,
    PositionFilled,
    PositionSplit,
)
from gateway.aggregates.vocabulary import EXTERNAL, ZERO
from gateway.ledger.envelope import Recorded
from gateway.projections.projection import Key, Projection
from gateway.projections.tables import STRATEGY_POSITIONS as TABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyPositionRow:
    """`qty` is signed; `cost` is that of the open quantity."""

    strategy_id: str
    symbol: str
    qty: Decimal = ZERO
    cost: Decimal = ZERO
    realized: Decimal = ZERO
    last_trade_at: datetime | None = None
    updated_at: datetime
    position: int


def keys(recorded: Recorded) -> Iterable[Key]:
    symbol = recorded.stream.removeprefix("position-")
    return tuple((strategy, symbol) for strategy in _books(recorded.event))


def fold(row: StrategyPositionRow | None, key: Key, recorded: Recorded) -> StrategyPositionRow:
    strategy, symbol = key
    event = recorded.event
    book = _books(event)[strategy]
    last_trade_at = row.last_trade_at if row else None
    if isinstance(event, PositionFilled):
        last_trade_at = max(event.transact_time, last_trade_at or event.transact_time)
    fresh = row or StrategyPositionRow(
        strategy_id=strategy, symbol=symbol, updated_at=recorded.recorded_at, position=recorded.position
    )
    return changed(
        fresh,
        qty=book.qty,
        cost=book.cost,
        realized=book.realized,
        last_trade_at=last_trade_at,
        updated_at=recorded.recorded_at,
        position=recorded.position,
    )


def _books(event: object) -> Mapping[str, Book]:
    """The strategies' books that an event states, as they are after it."""
    match event:
        case PositionFilled():
            return {event.strategy_id: event.strategy}
        case PositionBusted() | PositionCorrected():
            return dict(event.restatement.strategies)
        case PositionSplit():
            return dict(event.strategies)
        case PositionAdjusted():
            return {EXTERNAL: event.strategy}
        case _:
            return {}


STRATEGY_POSITIONS: Final[Projection[StrategyPositionRow]] = Projection(
    name="strategy_positions",
    version=1,
    listens=("position.",),
    table=TABLE,
    keys=keys,
    fold=fold,
    load=lambda columns: StrategyPositionRow(**columns),
)
