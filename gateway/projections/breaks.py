"""Every difference ever found between the ledger and the broker, and how it ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from gateway.aggregates.recon_gate import BreakClosed, BreakOpened, BreakResolved
from gateway.ledger.envelope import Recorded
from gateway.projections.projection import Key, Projection, known
from gateway.projections.tables import BREAKS as TABLE

OPEN: Final = "open"
RESOLVED: Final = "resolved"
AGREED: Final = "agreed"
"""The resolution of a break that nobody had to resolve: the books agree again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakRow:
    """A break, open or resolved; seen again after it was resolved, it is open anew."""

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
        case BreakOpened() | BreakClosed() | BreakResolved() as event:
            return ((event.break_id,),)
        case _:
            return ()


def fold(row: BreakRow | None, key: Key, recorded: Recorded) -> BreakRow:
    match recorded.event:
        case BreakOpened() as event:
            return _opened(row, event, recorded.position)
        case BreakResolved() as event:
            ended = replace(known(row, recorded), resolution=event.action, resolved_by=event.by)
        case _:
            ended = replace(known(row, recorded), resolution=AGREED, resolved_by=None)
    return replace(ended, status=RESOLVED, resolved_at=recorded.occurred_at, position=recorded.position)


def _opened(row: BreakRow | None, event: BreakOpened, position: int) -> BreakRow:
    return BreakRow(
        break_id=event.break_id,
        kind=event.kind,
        symbol=event.symbol,
        client_order_id=event.client_order_id,
        order_id=event.order_id,
        ledger_value=event.ledger_value,
        broker_value=event.broker_value,
        first_seen=row.first_seen if row is not None and row.status == OPEN else event.at,
        last_seen=event.at,
        position=position,
    )


BREAKS: Final[Projection[BreakRow]] = Projection(
    name="breaks",
    version=2,
    listens=("break.",),
    table=TABLE,
    keys=keys,
    fold=fold,
    load=lambda columns: BreakRow(**columns),
)
