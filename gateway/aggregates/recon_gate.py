"""Reconciliation: attempts and passes that open the gate, cursors, and the breaks between two books."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import assert_never

from gateway.aggregates.differences import ACTIVITY_UNMATCHED, ORPHAN, Difference
from gateway.aggregates.recon_events import (
    BackfillRequested,
    BreakChanged,
    BreakClosed,
    BreakOpened,
    BreakResolved,
    CursorMoved,
    ReconciliationAttempted,
    ReconciliationFailed,
    ReconciliationJoined,
    ReconciliationOverridden,
    ReconciliationPassed,
    ReconGateEvent,
)
from gateway.aggregates.refusals import BreakNotFound, ReasonRequired, ReconciliationNotAttempted
from gateway.aggregates.vocabulary import ClientOrderId


class GateState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    OVERRIDE = "override"


@dataclass(frozen=True, slots=True, kw_only=True)
class Break(Difference):
    """A difference somebody has to look at, as it was last found."""

    break_id: str
    first_seen: datetime


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
    attempted_run: str | None = None
    """The pass that began last; whatever an earlier one still wants to say is out of date."""
    passed_at: datetime | None = None
    failed_at: datetime | None = None
    error: str | None = None
    override: ReconciliationOverridden | None = None
    last_result: str | None = None
    equity: Decimal | None = None
    peak_equity: Decimal | None = None
    ignored: Mapping[str, str] = field(default_factory=dict)
    """The gap that somebody decided to live with, by subject."""
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
            if entry.kind in (ORPHAN, ACTIVITY_UNMATCHED) and entry.client_order_id == client_order_id
        )

    def break_about(self, subject: str) -> Break | None:
        """The open break about this subject; there is never more than one."""
        return next((entry for entry in self.open_breaks if entry.subject == subject), None)

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


def join(gate: ReconGate | None, *, at: datetime) -> tuple[ReconGateEvent, ...]:
    """On record as its asker's own; () when nothing was ever begun."""
    if gate is None or gate.attempted_run is None:
        return ()
    return (ReconciliationJoined(run_id=gate.attempted_run, at=at),)


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
    breaks_seen: Collection[str] = (),
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
            breaks_seen=tuple(sorted(breaks_seen)),
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


def open_break(gate: ReconGate | None, difference: Difference, *, at: datetime) -> tuple[ReconGateEvent, ...]:
    """One open break per subject: found again, it only takes over the figures; ignored as it is, () ."""
    known = gate.break_about(difference.subject) if gate is not None else None
    if known is not None:
        return _changed(known, difference, at)
    if gate is not None and gate.ignored.get(difference.subject) == difference.gap:
        return ()
    number = (gate.opened if gate is not None else 0) + 1
    return (
        BreakOpened(
            break_id=f"break-{number}",
            kind=difference.kind,
            at=at,
            ledger_value=difference.ledger_value,
            broker_value=difference.broker_value,
            symbol=difference.symbol,
            client_order_id=difference.client_order_id,
            order_id=difference.order_id,
        ),
    )


def _changed(known: Break, difference: Difference, at: datetime) -> tuple[ReconGateEvent, ...]:
    values = difference.ledger_value, difference.broker_value
    if values == (known.ledger_value, known.broker_value):
        return ()
    return (BreakChanged(break_id=known.break_id, at=at, ledger_value=values[0], broker_value=values[1]),)


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
            return replace(
                before, attempted_at=at, attempted_run=event.run_id, attempted_version=before.version
            )
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
        case BackfillRequested() | ReconciliationJoined():
            return before
        case BreakOpened():
            return replace(
                before, breaks={**before.breaks, event.break_id: _break(event)}, opened=before.opened + 1
            )
        case BreakChanged(break_id=break_id):
            known = replace(
                before.breaks[break_id], ledger_value=event.ledger_value, broker_value=event.broker_value
            )
            return replace(before, breaks={**before.breaks, break_id: known})
        case BreakClosed(break_id=break_id) | BreakResolved(break_id=break_id):
            left = {key: entry for key, entry in before.breaks.items() if key != break_id}
            return replace(before, breaks=left, ignored=_ignored(before, event))
        case _:
            assert_never(event)


def _ignored(gate: ReconGate, event: BreakClosed | BreakResolved) -> Mapping[str, str]:
    """Ignoring one gap says nothing about the next one."""
    entry = gate.breaks.get(event.break_id)
    if entry is None:
        return gate.ignored
    kept = {subject: gap for subject, gap in gate.ignored.items() if subject != entry.subject}
    if isinstance(event, BreakResolved) and event.action == "ignore":
        kept[entry.subject] = entry.gap
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
