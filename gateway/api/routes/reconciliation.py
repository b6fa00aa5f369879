"""Reconciliation: status, a pass now, an operator's override."""

from __future__ import annotations

from fastapi import APIRouter

from gateway.aggregates.refusals import ReasonRequired
from gateway.api.deps import Caller, CorrelationId, Desk
from gateway.api.guard import GuardedRoute, access, administers
from gateway.api.json_types import FlagText
from gateway.api.roles import Permission
from gateway.api.schemas.common import LONGEST_STORED_REASON
from gateway.api.schemas.reconciliation import (
    FillsBackfillBody,
    FillsBackfillResponse,
    ForceCompleteBody,
    ReconciliationOverrideResponse,
    ReconciliationRunResponse,
    ReconciliationStatus,
)

router = APIRouter(prefix="/api/v1/reconciliation", route_class=GuardedRoute, tags=["reconciliation"])


@router.get("/status")
@access()
async def reconciliation_status(desk: Desk) -> ReconciliationStatus:
    """Never gated."""
    return ReconciliationStatus.model_validate(await desk.reconcile.status())


@router.post("/run")
@administers(Permission.MANAGE_RECONCILIATION, "reconciliation_run", limit="reconciliation_run")
async def run_reconciliation(
    *, desk: Desk, caller: Caller, correlation_id: CorrelationId, shadow: FlagText = False
) -> ReconciliationRunResponse:
    """One pass now; a pass under way is joined. A shadow pass shows what it would record."""
    found = await desk.reconcile.run(shadow=shadow, by=caller.actor(), correlation_id=correlation_id)
    return ReconciliationRunResponse.model_validate(found)


@router.post("/force-complete")
@administers(
    Permission.MANAGE_RECONCILIATION, "reconciliation_force_complete", limit="reconciliation_force_complete"
)
async def force_complete(
    desk: Desk, caller: Caller, correlation_id: CorrelationId, body: ForceCompleteBody | None = None
) -> ReconciliationOverrideResponse:
    """Open the gate without a successful pass, until the next one or a restart."""
    reason = (body.reason or "").strip() if body is not None else ""
    if not reason:
        raise ReasonRequired("say why the gate is to be opened")
    overridden = await desk.reconcile.force_complete(
        reason=reason[:LONGEST_STORED_REASON], by=caller.actor(), correlation_id=correlation_id
    )
    return ReconciliationOverrideResponse.model_validate(overridden)


@router.post("/fills-backfill")
@administers(Permission.MANAGE_RECONCILIATION, "fills_backfill", limit="fills_backfill")
async def backfill_fills(
    desk: Desk, caller: Caller, correlation_id: CorrelationId, body: FillsBackfillBody | None = None
) -> FillsBackfillResponse:
    """Read the broker's executions again; known ones change nothing."""
    asked = body or FillsBackfillBody()
    done = await desk.differences.backfill(
        lookback_hours=asked.lookback_hours,
        recalc_all_trades=asked.recalc_all_trades,
        by=caller.actor(),
        correlation_id=correlation_id,
    )
    return FillsBackfillResponse.model_validate(done)
