"""Orders: submit, look at, cancel."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Header, Request, Response

from gateway.aggregates.client_order_id import order_id_for
from gateway.aggregates.refusals import IdempotencyConflict
from gateway.api.deps import Asked, Caller, CorrelationId, Desk, answered_at
from gateway.api.desk import Cancellation
from gateway.api.guard import GuardedRoute, access
from gateway.api.identity import discreet, given_id
from gateway.api.json_types import VisibleAscii
from gateway.api.plans import cancel_planned
from gateway.api.roles import Permission
from gateway.api.schemas.orders import CancelBody, CancelOrderResponse, OrderRequest, OrderResponse
from gateway.api.scope import require_order, require_scope

router = APIRouter(prefix="/api/v1/orders", route_class=GuardedRoute, tags=["orders"])

MESSAGES: Final = {
    "submitted": "Order submitted",
    "dry_run": "Order logged (DRY_RUN mode)",
    "existing": "Order already exists (idempotent retry)",
    "concurrent": "Order already exists (concurrent retry)",
    "unconfirmed": "Order outcome unknown; being resolved",
}


@router.post("")
@access(Permission.SUBMIT_ORDER, limit="order_submit")
async def submit_order(
    *,
    body: OrderRequest,
    request: Request,
    response: Response,
    idempotency_key: Annotated[VisibleAscii | None, Header()] = None,
) -> OrderResponse:
    """Submit one order. Repeating a request is safe: the same order has the same id."""
    asked = Asked.of(request)
    desk, caller = asked.desk, asked.caller
    strategy_id = body.strategy_id or caller.strategy_id or desk.about.strategy_id
    ticket = body.ticket(require_scope(caller, strategy_id))
    client_order_id = given_id(body.client_order_id, idempotency_key, ticket.strategy_id) or order_id_for(
        ticket, desk.clock.now().date()
    )
    try:
        submission = await desk.submit_order(
            ticket,
            client_order_id,
            by=caller.actor(),
            correlation_id=asked.correlation_id,
            log=asked.gates,
        )
    except IdempotencyConflict as conflict:
        raise discreet(conflict, caller) from conflict
    answered_at(request, submission.position)
    response.status_code = 202 if submission.answer == "unconfirmed" else 200
    return OrderResponse.of(submission.order, MESSAGES[submission.answer], submission.position)


@router.post("/{client_order_id}/cancel")
@access(Permission.CANCEL_ORDER, limit="order_cancel", step="cancel")
async def cancel_order(
    *,
    client_order_id: str,
    request: Request,
    desk: Desk,
    caller: Caller,
    correlation_id: CorrelationId,
    body: CancelBody | None = None,
) -> CancelOrderResponse:
    """Ask the broker to cancel. No trading gate applies. With a body, reason and operator are recorded."""
    if body is not None:
        body.refuse_stale(desk.clock.now())
    by = caller.actor(body.requested_by if body is not None else None)
    reason = body.stored_reason if body is not None else None
    planned = await cancel_planned(
        desk, client_order_id, caller, by=by, correlation_id=correlation_id, reason=reason
    )
    if planned is not None:
        answered_at(request, planned.ledger_position)
        return planned
    order = await require_order(desk, client_order_id, caller)
    cancellation = await desk.cancel_order(
        order.client_order_id, by=by, correlation_id=correlation_id, reason=reason
    )
    answered_at(request, cancellation.position)
    return _canceled(cancellation)


def _canceled(cancellation: Cancellation) -> CancelOrderResponse:
    order = cancellation.order
    if cancellation.already_done:
        message = "Order already in terminal state"
    elif cancellation.broker_notified:
        message = "Cancel requested"
    else:
        message = "Cancel recorded; broker not reached yet, retrying"
    return CancelOrderResponse(
        client_order_id=order.client_order_id,
        order_id=order.client_order_id,
        status=order.status,
        message=message,
        cancel_requested_at=order.cancel_requested_at,
        cancelled_at=order.canceled_at,
        broker_notified=cancellation.broker_notified,
        ledger_position=cancellation.position,
    )
