"""Reconciliation, orphans and breaks."""

from __future__ import annotations

from dataclasses import replace

from gateway.client.answers.differences import (
    BreakEntry,
    BreakList,
    FillsBackfillResponse,
    OrphanEntry,
    OrphanList,
    ReconciliationOverrideResponse,
    ReconciliationRunResponse,
    ReconciliationStatus,
)
from gateway.client.call import Call, get, given, part, post

_RECONCILIATION = "/api/v1/reconciliation"
_ORPHANS = "/api/v1/orphans"


def reconciliation_status() -> Call[ReconciliationStatus]:
    return get(f"{_RECONCILIATION}/status", ReconciliationStatus)


def run_reconciliation(*, shadow: bool = False) -> Call[ReconciliationRunResponse]:
    """A shadow pass tells what it would write and writes nothing."""
    run = post(f"{_RECONCILIATION}/run", ReconciliationRunResponse, repeatable=True)
    return replace(run, query={"shadow": shadow})


def force_complete(*, reason: str) -> Call[ReconciliationOverrideResponse]:
    """Open the gate without a pass, until the next one succeeds."""
    path = f"{_RECONCILIATION}/force-complete"
    return post(path, ReconciliationOverrideResponse, {"reason": reason})


def backfill_fills(
    *, lookback_hours: int | None = None, recalc_all_trades: bool = False
) -> Call[FillsBackfillResponse]:
    return post(f"{_RECONCILIATION}/fills-backfill", FillsBackfillResponse, given(locals()))


def list_orphans(*, status: str | None = None, symbol: str | None = None) -> Call[OrphanList]:
    return get(_ORPHANS, OrphanList, status=status, symbol=symbol)


def adopt_orphan(broker_order_id: str, *, strategy_id: str, reason: str) -> Call[OrphanEntry]:
    body = {"strategy_id": strategy_id, "reason": reason}
    return post(f"{_ORPHANS}/{part(broker_order_id)}/adopt", OrphanEntry, body, repeatable=True)


def ignore_orphan(broker_order_id: str, *, reason: str) -> Call[OrphanEntry]:
    path = f"{_ORPHANS}/{part(broker_order_id)}/ignore"
    return post(path, OrphanEntry, {"reason": reason}, repeatable=True)


def cancel_orphan(broker_order_id: str, *, reason: str) -> Call[OrphanEntry]:
    path = f"{_ORPHANS}/{part(broker_order_id)}/cancel"
    return post(path, OrphanEntry, {"reason": reason}, repeatable=True)


def list_breaks(
    *, status: str | None = None, symbol: str | None = None, kind: str | None = None
) -> Call[BreakList]:
    return get(f"{_RECONCILIATION}/breaks", BreakList, **locals())


def resolve_break(break_id: str, *, action: str, reason: str) -> Call[BreakEntry]:
    """`action` is accept_broker or ignore."""
    path = f"{_RECONCILIATION}/breaks/{part(break_id)}/resolve"
    return post(path, BreakEntry, {"action": action, "reason": reason}, repeatable=True)
