"""Slicing plans: make one, look at its slices, cancel it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Header, Request
from fastapi.exceptions import RequestValidationError

from gateway.aggregates.refusals import IdempotencyConflict
from gateway.api.deps import Caller, CorrelationId, Desk, Gates, answered_at
from gateway.api.guard import GuardedRoute, access
from gateway.api.identity import discreet, given_id
from gateway.api.json_types import FlagText, VisibleAscii
from gateway.api.plans import plan_of, require_parent, slice_details
from gateway.api.roles import Permission
from gateway.api.schemas.orders import OrderDetail
from gateway.api.schemas.slices import CancelSlicesResponse, SlicingPlan, SlicingRequest
from gateway.api.scope import require_scope

router = APIRouter(prefix="/api/v1/orders", route_class=GuardedRoute, tags=["slices"])
_A_DAY: Final = timedelta(days=1)


@router.post("/slice")
@access(Permission.SUBMIT_ORDER, limit="order_slice")
async def slice_order(
    *,
    body: SlicingRequest,
    request: Request,
    desk: Desk,
    caller: Caller,
    correlation_id: CorrelationId,
    gates: Gates,
    idempotency_key: Annotated[VisibleAscii | None, Header()] = None,
) -> SlicingPlan:
    """Cut one order into timed slices. Repeating a request answers with the plan that stands."""
    strategy_id = require_scope(caller, body.strategy_id or caller.strategy_id or desk.about.strategy_id)
    terms = body.terms(strategy_id, _today(body.trade_date, desk.clock.now().date()))
    try:
        sliced = await desk.slice_order(
            terms,
            given_id(body.client_order_id, idempotency_key, strategy_id),
            by=caller.actor(),
            correlation_id=correlation_id,
            log=gates,
        )
    except IdempotencyConflict as conflict:
        raise discreet(conflict, caller) from conflict
    answered_at(request, sliced.position)
    words = "Slicing plan already exists (idempotent retry)" if sliced.existing else "Slicing plan created"
    return SlicingPlan.of(
        sliced.plan,
        sliced.orders,
        max_pct_of_adv=desk.about.max_slice_pct_of_adv,
        message=words,
        position=sliced.position,
    )


def _today(asked: date | None, today: date) -> date:
    """Today's date in UTC, when the asked one is within a day of it."""
    if asked is not None and abs(asked - today) > _A_DAY:
        words = f"must be within a day of {today}"
        raise RequestValidationError([{"type": "trade_date", "loc": ("body", "trade_date"), "msg": words}])
    return today


@router.get("/{parent_id}/slices")
@access(Permission.VIEW_POSITIONS, reads=("orders",))
async def list_slices(*, parent_id: str, desk: Desk, caller: Caller) -> list[OrderDetail]:
    """The slices of a parent in the order of their numbers; none for an order without slices."""
    parent = await require_parent(desk, parent_id, caller)
    plan = await plan_of(desk, parent.client_order_id)
    return [] if plan is None else await slice_details(desk, plan)


@router.delete("/{parent_id}/slices")
@access(Permission.CANCEL_ORDER, limit="order_cancel", control="slices_cancel", step="cancel")
async def cancel_slices(
    *,
    parent_id: str,
    request: Request,
    desk: Desk,
    caller: Caller,
    correlation_id: CorrelationId,
    cancel_live: FlagText = False,
) -> CancelSlicesResponse:
    """Close what was not released; ask live slices to end only when told to. No trading gate applies."""
    parent = await require_parent(desk, parent_id, caller)
    canceled = await desk.cancel_slices(
        parent.client_order_id, by=caller.actor(), correlation_id=correlation_id, cancel_live=cancel_live
    )
    answered_at(request, canceled.position)
    return CancelSlicesResponse(
        parent_order_id=canceled.parent_order_id,
        scheduler_canceled=canceled.canceled,
        db_canceled=canceled.canceled,
        cancel_requested=canceled.cancel_requested,
        message=f"{canceled.canceled} slices canceled before their release",
    )
