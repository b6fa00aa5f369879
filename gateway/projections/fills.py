"""Every execution with what it realized, as it counts now: restated when another is undone or changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from gateway.aggregates.copying import changed
from gateway.aggregates.position.events import (
    ExecutionRestated,
    PositionBusted,
    PositionCorrected,
    PositionFilled,
)
from gateway.aggregates.vocabulary import ZERO
from gateway.ledger.envelope import Recorded
from gateway.projections.projection import Key, Projection, Unfoldable, known
from gateway.projections.tables import FILLS as TABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class FillRow:
    """One execution. `counts` is False once it is busted or a real execution has taken its place."""

    client_order_id: str
    exec_id: str
    symbol: str
    strategy_id: str
    side: str
    qty: Decimal
    px: Decimal
    transact_time: datetime
    trade_date: date
    """The UTC date of `transact_time`."""
    provisional: bool
    counts: bool = True
    account_realized: Decimal
    strategy_realized: Decimal
    booked_at_position: int
    position: int


def keys(recorded: Recorded) -> Iterable[Key]:
    match recorded.event:
        case PositionFilled() as event:
            return ((event.client_order_id, event.exec_id),)
        case PositionBusted() | PositionCorrected() as event:
            restated = ((e.client_order_id, e.exec_id) for e in event.restatement.executions)
            return dict.fromkeys(((event.client_order_id, event.exec_id), *restated))
        case _:
            return ()


def fold(row: FillRow | None, key: Key, recorded: Recorded) -> FillRow:
    if isinstance(recorded.event, PositionFilled):
        return _booked(recorded, recorded.event)
    event = recorded.event
    if not isinstance(event, PositionBusted | PositionCorrected):
        raise Unfoldable(f"{recorded.name} at position {recorded.position} names no execution")
    restated = _restated(known(row, recorded), event.restatement.executions)
    if (event.client_order_id, event.exec_id) == key:
        restated = _undone(restated) if isinstance(event, PositionBusted) else _corrected(restated, event)
    return changed(restated, position=recorded.position)


def _booked(recorded: Recorded, event: PositionFilled) -> FillRow:
    return FillRow(
        client_order_id=event.client_order_id,
        exec_id=event.exec_id,
        symbol=recorded.stream.removeprefix("position-"),
        strategy_id=event.strategy_id,
        side=event.side,
        qty=event.qty,
        px=event.px,
        transact_time=event.transact_time,
        trade_date=event.transact_time.astimezone(UTC).date(),
        provisional=event.provisional,
        account_realized=event.account_realized,
        strategy_realized=event.strategy_realized,
        booked_at_position=recorded.position,
        position=recorded.position,
    )


def _restated(row: FillRow, executions: Iterable[ExecutionRestated]) -> FillRow:
    for execution in executions:
        if (execution.client_order_id, execution.exec_id) == (row.client_order_id, row.exec_id):
            return changed(
                row,
                account_realized=execution.account_realized,
                strategy_realized=execution.strategy_realized,
            )
    return row


def _undone(row: FillRow) -> FillRow:
    return changed(row, counts=False, account_realized=ZERO, strategy_realized=ZERO)


def _corrected(row: FillRow, event: PositionCorrected) -> FillRow:
    return changed(row, qty=event.qty, px=event.px, counts=event.qty > 0)


FILLS: Final[Projection[FillRow]] = Projection(
    name="fills",
    version=1,
    listens=("position.",),
    table=TABLE,
    keys=keys,
    fold=fold,
    load=lambda columns: FillRow(**columns),
)
