"""Every difference ever found between the ledger and the broker, and how it ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from gateway.aggregates.recon_events import (
    BreakChanged,
    BreakClosed,
    BreakOpened,
    BreakResolved,
    ReconciliationPassed,
)
from gateway.ledger.envelope import Recorded
from gateway.projections.projection import Key, Projection, known
from gateway.projections.tables import BREAKS as TABLE

OPEN: Final = "open"
RESOLVED: Final = "resolved"
AGREED: Final = "agreed"
"""The resolution of a break that nobody had to resolve: the books agree again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakRow:
    """A break, open or resolved; a difference that comes back is a break of its own."""

    break_id: str
    kind: str
    symbol: str | None
    client_order_id: str | None
    order_id: str | None
    ledger_value: str
    broker_value: str
    first_seen: datetime
    last_seen: datetime
    status: str = OPEN
    resolution: str | None = None
    resolved_by: str | None = None
    resolved_at: datetime | None = None
    position: int

    def age(self, now: datetime) -> timedelta:
        """How long it has stood, or stood until it was resolved."""
        return (self.resolved_at or now) - self.first_seen


def keys(recorded: Recorded) -> Iterable[Key]:
    match recorded.event:
        case BreakOpened() | BreakChanged() | BreakClosed() | BreakResolved() as event:
            return ((event.break_id,),)
        case ReconciliationPassed(breaks_seen=seen):
            return tuple((break_id,) for break_id in seen)
        case _:
            return ()


def fold(row: BreakRow | None, key: Key, recorded: Recorded) -> BreakRow:
    if isinstance(recorded.event, BreakOpened):
        return _opened(recorded.event, recorded.position)
    return replace(_after(known(row, recorded), recorded), position=recorded.position)


def _after(row: BreakRow, recorded: Recorded) -> BreakRow:
    match recorded.event:
        case BreakChanged(at=at, ledger_value=ledger_value, broker_value=broker_value):
            return replace(row, ledger_value=ledger_value, broker_value=broker_value, last_seen=at)
        case ReconciliationPassed(at=at):
            return replace(row, last_seen=at)
        case BreakResolved() as event:
            ended = replace(row, resolution=event.action, resolved_by=event.by)
        case _:
            ended = replace(row, resolution=AGREED, resolved_by=None)
    return replace(ended, status=RESOLVED, resolved_at=recorded.occurred_at)


def _opened(event: BreakOpened, position: int) -> BreakRow:
    return BreakRow(
        break_id=event.break_id,
        kind=event.kind,
        symbol=event.symbol,
        client_order_id=event.client_order_id,
        order_id=event.order_id,
        ledger_value=event.ledger_value,
        broker_value=event.broker_value,
        first_seen=event.at,
        last_seen=event.at,
        position=position,
    )


BREAKS: Final[Projection[BreakRow]] = Projection(
    name="breaks",
    version=3,
    listens=("break.", "reconciliation.passed"),
    table=TABLE,
    keys=keys,
    fold=fold,
    load=lambda columns: BreakRow(**columns),
)
