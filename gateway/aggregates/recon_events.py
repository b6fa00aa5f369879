"""What can happen to reconciliation: attempts and passes, cursors, and breaks between the two books."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from gateway.aggregates.vocabulary import ClientOrderId, OrderId, Symbol


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationAttempted:
    """A pass begins."""

    run_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationJoined:
    """Somebody asked for a pass while `run_id` was under way, and gets that one's result."""

    run_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationPassed:
    """`marks` are instants up to which the broker's lists have been read, by name.

    `equity` is the account's as the broker has it, `peak_equity` the highest since the breaker's last reset.
    `breaks_seen` names the open breaks that this pass found again.
    """

    run_id: str
    at: datetime
    marks: dict[str, datetime]
    reports_recorded: int
    breaks_open: int
    orphans_found: int
    equity: Decimal | None = None
    peak_equity: Decimal | None = None
    breaks_seen: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationFailed:
    """The broker could not be read to the end; it proves nothing about what is there."""

    run_id: str
    at: datetime
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationOverridden:
    """An operator opened the gate without a pass; it holds until the next pass or restart."""

    by: str
    reason: str
    at: datetime
    last_result: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CursorMoved:
    """`time` of the last item recorded, never of the reading."""

    name: str
    time: datetime
    activity_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillRequested:
    """Somebody wants the broker's executions read again; what they add is recorded as itself."""

    run_id: str
    at: datetime
    lookback_hours: int | None
    recalc_all_trades: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakOpened:
    """The two books differ, and nothing of ours explains it."""

    break_id: str
    kind: str
    at: datetime
    ledger_value: str
    broker_value: str
    symbol: Symbol | None = None
    client_order_id: ClientOrderId | None = None
    order_id: OrderId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakChanged:
    """The two books still differ, by something else than before."""

    break_id: str
    at: datetime
    ledger_value: str
    broker_value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakClosed:
    """The two books agree again."""

    break_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakResolved:
    """An operator decided; `action` is accept_broker, ignore, adopt, or cancel."""

    break_id: str
    at: datetime
    action: str
    reason: str
    by: str


ReconGateEvent = (
    ReconciliationAttempted
    | ReconciliationJoined
    | ReconciliationPassed
    | ReconciliationFailed
    | ReconciliationOverridden
    | CursorMoved
    | BackfillRequested
    | BreakOpened
    | BreakChanged
    | BreakClosed
    | BreakResolved
)
