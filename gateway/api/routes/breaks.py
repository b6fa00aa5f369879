"""Differences between the ledger and the broker, and what somebody decides about them."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, cast

from fastapi import APIRouter, Request

from gateway.aggregates.refusals import BreakNotFound, IdempotencyConflict
from gateway.api.deps import Caller, CorrelationId, Desk, House, answered_at
from gateway.api.guard import GuardedRoute, access, administers
from gateway.api.json_types import SymbolIn
from gateway.api.roles import Permission
from gateway.api.schemas.differences import BreakEntry, BreakKind, BreakList, ResolveBreakBody
from gateway.projections.breaks import RESOLVED, BreakRow
from gateway.projections.queries.breaks import break_by_id, breaks

router = APIRouter(prefix="/api/v1/reconciliation/breaks", route_class=GuardedRoute, tags=["reconciliation"])


@router.get("")
@access(Permission.VIEW_LEDGER, reads=("breaks",))
async def list_breaks(
    *,
    desk: Desk,
    status: Literal["open", "resolved", "all"] = "open",
    symbol: SymbolIn | None = None,
    kind: BreakKind | None = None,
) -> BreakList:
    """Breaks with their ages, the longest standing first."""
    async with desk.read.snapshot() as snapshot:
        found = await breaks(snapshot, status=None if status == "all" else status, symbol=symbol, kind=kind)
    entries = [_entry(row, desk) for row in found]
    return BreakList(breaks=entries, total=len(entries))


@router.post("/{break_id}/resolve")
@administers(Permission.MANAGE_RECONCILIATION, "break_resolve", limit="break_resolve")
async def resolve_break(
    *,
    break_id: str,
    body: ResolveBreakBody,
    request: Request,
    desk: Desk,
    caller: Caller,
    correlation_id: CorrelationId,
) -> BreakEntry:
    """Accept the broker's view or ignore the difference. The same decision again changes nothing."""
    row = await _row(break_id, desk)
    if row.status == RESOLVED:
        if row.resolution != body.action:
            raise IdempotencyConflict(f"the break is resolved: {row.resolution}", break_id=break_id)
        answered_at(request, row.position)
        return _entry(row, desk)
    resolved = await desk.differences.breaks(
        break_id,
        action=body.action,
        reason=body.stored_reason,
        by=caller.actor(),
        correlation_id=correlation_id,
    )
    answered_at(request, resolved.position)
    ended = replace(
        row, status=RESOLVED, resolution=resolved.action, resolved_by=resolved.by, resolved_at=resolved.at
    )
    return _entry(ended, desk)


async def _row(break_id: str, desk: House) -> BreakRow:
    """The break as of the head of the ledger, open or not. Raises BreakNotFound."""
    head = await desk.ledger.log.head()
    await desk.projections.wait_for(head, ("breaks",), desk.read_wait_seconds)
    async with desk.read.snapshot() as snapshot:
        row = await break_by_id(snapshot, break_id)
    if row is None:
        raise BreakNotFound("there is no such break")
    return row


def _entry(row: BreakRow, desk: House) -> BreakEntry:
    return BreakEntry(
        break_id=row.break_id,
        kind=cast(BreakKind, row.kind),
        symbol=row.symbol,
        client_order_id=row.client_order_id,
        broker_order_id=row.order_id,
        ledger_value=row.ledger_value,
        broker_value=row.broker_value,
        first_seen=row.first_seen,
        last_seen=row.last_seen,
        age_seconds=round(row.age(desk.clock.now()).total_seconds(), 3),
        status="open" if row.status == "open" else "resolved",
        resolution=row.resolution,
        resolved_by=row.resolved_by,
    )
