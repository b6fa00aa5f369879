"""Reconciliation: attempts and passes that open the gate, cursors, and the breaks between two books."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, assert_never

from gateway.aggregates.exact import minus
from gateway.aggregates.refusals import BreakNotFound, ReasonRequired, ReconciliationNotAttempted
from gateway.aggregates.vocabulary import ClientOrderId, OrderId, Symbol

POSITION_QTY: Final = "position_qty"
BREAK_KINDS: Final = (
    POSITION_QTY,
    "order_status",
    "order_missing",
    "fill_gap",
    "orphan",
    "activity_unmatched",
)


class GateState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    OVERRIDE = "override"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationAttempted:
    """A pass begins."""

    run_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationPassed:
    """`marks` are instants up to which the broker's lists have been read, by name.

    `equity` is the account's as the broker has it, `peak_equity` the highest since the breaker's last reset.
    """

    run_id: str
    at: datetime
    marks: dict[str, datetime]
    reports_recorded: int
    breaks_open: int
    orphans_found: int
    equity: Decimal | None = None
    peak_equity: Decimal | None = None


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
    | ReconciliationPassed
    | ReconciliationFailed
    | ReconciliationOverridden
    | CursorMoved
    | BackfillRequested
    | BreakOpened
    | BreakClosed
    | BreakResolved
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """A visible difference. Values as each side states them."""

    break_id: str
    kind: str
    first_seen: datetime
    ledger_value: str
    broker_value: str
    symbol: Symbol | None
    client_order_id: ClientOrderId | None
    order_id: OrderId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    time: datetime
    activity_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconGate:
    breaks: Mapping[str, Break] = field(default_factory=dict)
    marks: Mapping[str, datetime] = field(default_factory=dict)
    cursors: Mapping[str, Cursor] = field(default_factory=dict)
    attempted_at: datetime | None = None
    passed_at: datetime | None = None
    failed_at: datetime | None = None
    error: str | None = None
    override: ReconciliationOverridden | None = None
    last_result: str | None = None
    equity: Decimal | None = None
    peak_equity: Decimal | None = None
    ignored: Mapping[Symbol, Decimal] = field(default_factory=dict)
    """Differences of holdings (broker's less ours) that somebody decided to live with."""
    opened: int = 0
    """How many breaks were ever opened; makes their ids."""
    version: int = 0
    attempted_version: int = 0
    passed_version: int = 0
    override_version: int = 0
    """Stream versions of the last of each, so that no question depends on a clock."""

    @property
    def open_breaks(self) -> tuple[Break, ...]:
        return tuple(self.breaks.values())

    def orphan_breaks(self, client_order_id: ClientOrderId) -> tuple[Break, ...]:
        """What an orphan opened and nobody has resolved."""
        return tuple(
            entry
            for entry in self.open_breaks
            if entry.kind in ("orphan", "activity_unmatched") and entry.client_order_id == client_order_id
        )

    def state_since(self, start_version: int) -> GateState:
        """Open after a pass since a process found the stream at this version, whatever failed later."""
        if self.passed_version > start_version:
            return GateState.OPEN
        if self.override is not None and self.override_version > start_version:
            return GateState.OVERRIDE
        return GateState.CLOSED

    def attempted_since(self, start_version: int) -> bool:
        return self.attempted_version > start_version


def attempt(gate: ReconGate | None, *, run_id: str, at: datetime) -> tuple[ReconGateEvent, ...]:
    return (ReconciliationAttempted(run_id=run_id, at=at),)


def succeed(
    gate: ReconGate | None,
    *,
    run_id: str,
    at: datetime,
    marks: Mapping[str, datetime],
    reports_recorded: int,
    breaks_open: int,
    orphans_found: int,
    equity: Decimal | None = None,
    peak_since: datetime | None = None,
) -> tuple[ReconGateEvent, ...]:
    """A peak from before `peak_since` is forgotten."""
    return (
        ReconciliationPassed(
            run_id=run_id,
            at=at,
            marks=dict(marks),
            reports_recorded=reports_recorded,
            breaks_open=breaks_open,
            orphans_found=orphans_found,
            equity=equity,
            peak_equity=_peak(gate, equity, peak_since),
        ),
    )


def _peak(gate: ReconGate | None, equity: Decimal | None, since: datetime | None) -> Decimal | None:
    if gate is None or gate.passed_at is None or (since is not None and gate.passed_at < since):
        return equity
    return max((known for known in (gate.peak_equity, equity) if known is not None), default=None)


def fail(gate: ReconGate | None, *, run_id: str, at: datetime, error: str) -> tuple[ReconGateEvent, ...]:
    return (ReconciliationFailed(run_id=run_id, at=at, error=error),)


def override(
    gate: ReconGate | None, *, by: str, reason: str, at: datetime, start_version: int
) -> tuple[ReconGateEvent, ...]:
    """Raises ReasonRequired, and ReconciliationNotAttempted when no attempt was recorded since the start."""
    if not reason.strip():
        raise ReasonRequired("say why the gate is to be opened without a pass")
    if gate is None or not gate.attempted_since(start_version):
        raise ReconciliationNotAttempted("no reconciliation was attempted since this process started")
    return (ReconciliationOverridden(by=by, reason=reason.strip(), at=at, last_result=gate.last_result),)


def move_cursor(
    gate: ReconGate | None, *, name: str, time: datetime, activity_id: str | None
) -> tuple[ReconGateEvent, ...]:
    """Forwards only; where it stands already, nothing is recorded."""
    cursor = gate.cursors.get(name) if gate is not None else None
    if cursor is not None and time <= cursor.time:
        return ()
    return (CursorMoved(name=name, time=time, activity_id=activity_id),)


def request_backfill(
    gate: ReconGate | None,
    *,
    run_id: str,
    at: datetime,
    lookback_hours: int | None,
    recalc_all_trades: bool,
) -> tuple[ReconGateEvent, ...]:
    return (
        BackfillRequested(
            run_id=run_id, at=at, lookback_hours=lookback_hours, recalc_all_trades=recalc_all_trades
        ),
    )


def open_break(
    gate: ReconGate | None,
    *,
    kind: str,
    ledger_value: str,
    broker_value: str,
    at: datetime,
    symbol: Symbol | None = None,
    client_order_id: ClientOrderId | None = None,
    order_id: OrderId | None = None,
) -> tuple[ReconGateEvent, ...]:
    """One open break per kind and thing: a difference seen again, or ignored as it is, opens nothing."""
    if gate is not None and kind == POSITION_QTY and symbol is not None:
        difference = minus(Decimal(broker_value), Decimal(ledger_value))
        if gate.ignored.get(symbol) == difference:
            return ()
    identity = kind, symbol, client_order_id, order_id
    for entry in gate.open_breaks if gate is not None else ():
        if identity == (entry.kind, entry.symbol, entry.client_order_id, entry.order_id):
            return ()
    number = (gate.opened if gate is not None else 0) + 1
    return (
        BreakOpened(
            break_id=f"break-{number}",
            kind=kind,
            at=at,
            ledger_value=ledger_value,
            broker_value=broker_value,
            symbol=symbol,
            client_order_id=client_order_id,
            order_id=order_id,
        ),
    )


def close_break(gate: ReconGate | None, break_id: str, *, at: datetime) -> tuple[ReconGateEvent, ...]:
    if gate is None or break_id not in gate.breaks:
        return ()
    return (BreakClosed(break_id=break_id, at=at),)


def resolve_break(
    gate: ReconGate | None, break_id: str, *, action: str, reason: str, by: str, at: datetime
) -> tuple[ReconGateEvent, ...]:
    """Raises BreakNotFound."""
    if gate is None or break_id not in gate.breaks:
        raise BreakNotFound(f"no open break {break_id}")
    return (BreakResolved(break_id=break_id, at=at, action=action, reason=reason, by=by),)


def evolve(gate: ReconGate | None, event: ReconGateEvent) -> ReconGate:
    """Apply one recorded fact."""
    before = gate or ReconGate()
    before = replace(before, version=before.version + 1)
    match event:
        case ReconciliationAttempted(at=at):
            return replace(before, attempted_at=at, attempted_version=before.version)
        case ReconciliationPassed(at=at):
            return replace(
                before,
                passed_at=at,
                passed_version=before.version,
                override=None,
                error=None,
                last_result="passed",
                equity=event.equity,
                peak_equity=event.peak_equity,
                marks={**before.marks, **event.marks},
            )
        case ReconciliationFailed(at=at):
            return replace(before, failed_at=at, error=event.error, last_result=f"failed: {event.error}")
        case ReconciliationOverridden():
            return replace(before, override=event, override_version=before.version)
        case CursorMoved():
            moved = Cursor(time=event.time, activity_id=event.activity_id)
            return replace(before, cursors={**before.cursors, event.name: moved})
        case BackfillRequested():
            return before
        case BreakOpened():
            return replace(
                before, breaks={**before.breaks, event.break_id: _break(event)}, opened=before.opened + 1
            )
        case BreakClosed(break_id=break_id) | BreakResolved(break_id=break_id):
            left = {key: entry for key, entry in before.breaks.items() if key != break_id}
            return replace(before, breaks=left, ignored=_ignored(before, event))
        case _:
            assert_never(event)


def _ignored(gate: ReconGate, event: BreakClosed | BreakResolved) -> Mapping[Symbol, Decimal]:
    """Ignoring one difference says nothing about the next one."""
    entry = gate.breaks.get(event.break_id)
    if entry is None or entry.kind != POSITION_QTY or entry.symbol is None:
        return gate.ignored
    kept = {symbol: difference for symbol, difference in gate.ignored.items() if symbol != entry.symbol}
    if isinstance(event, BreakResolved) and event.action == "ignore":
        kept[entry.symbol] = minus(Decimal(entry.broker_value), Decimal(entry.ledger_value))
    return kept


def _break(event: BreakOpened) -> Break:
    return Break(
        break_id=event.break_id,
        kind=event.kind,
        first_seen=event.at,
        ledger_value=event.ledger_value,
        broker_value=event.broker_value,
        symbol=event.symbol,
        client_order_id=event.client_order_id,
        order_id=event.order_id,
    )
