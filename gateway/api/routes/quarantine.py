"""Symbols nobody may trade until somebody has looked."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request

from gateway.api.deps import Caller, CorrelationId, Desk, answered_at
from gateway.api.desk import QuarantineStanding
from gateway.api.guard import GuardedRoute, access, administers
from gateway.api.json_types import SymbolIn
from gateway.api.roles import Permission
from gateway.api.schemas.common import LONGEST_STORED_REASON
from gateway.api.schemas.controls import QuarantineCause, QuarantineEntry, QuarantineList, ReleaseBody

router = APIRouter(prefix="/api/v1/quarantine", route_class=GuardedRoute, tags=["safety"])


@router.get("")
@access(Permission.VIEW_CIRCUIT_BREAKER)
async def list_quarantines(desk: Desk) -> QuarantineList:
    """Every quarantine that stands, and what it came from."""
    entries = [_entry(standing) for standing in await desk.controls.quarantines()]
    return QuarantineList(quarantined=entries, total=len(entries))


@router.post("/{symbol}/release")
@administers(Permission.MANAGE_RECONCILIATION, "quarantine_release", limit="quarantine_release")
async def release_quarantine(
    *,
    symbol: Annotated[SymbolIn, Path()],
    body: ReleaseBody,
    request: Request,
    desk: Desk,
    caller: Caller,
    correlation_id: CorrelationId,
) -> QuarantineEntry:
    """Let the symbol be traded again; `force` does so over unresolved orphans and breaks, and is recorded."""
    standing = await desk.controls.release_quarantine(
        symbol,
        reason=body.reason[:LONGEST_STORED_REASON],
        force=body.force,
        by=caller.actor(),
        correlation_id=correlation_id,
    )
    answered_at(request, standing.position)
    return _entry(standing)


def _entry(standing: QuarantineStanding) -> QuarantineEntry:
    return QuarantineEntry(
        symbol=standing.symbol,
        strategy_id=standing.strategy_id or "*",
        reason=standing.reason,
        since=standing.since,
        cause=QuarantineCause(
            kind=standing.kind, broker_order_id=standing.broker_order_id, break_id=standing.break_id
        ),
        orphan_notional=standing.orphan_notional,
        released_at=standing.released_at,
        released_by=standing.released_by,
    )
