"""Orders: submit, look at, cancel."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Header, Request, Response
from fastapi.exceptions import RequestValidationError

from gateway.aggregates.client_order_id import key_id, order_id_for
from gateway.aggregates.refusals import IdempotencyConflict
from gateway.aggregates.vocabulary import ClientOrderId, Ticket
from gateway.api.deps import Caller, CorrelationId, Desk, Gates, House, answered_at
from gateway.api.desk import Cancellation
from gateway.api.guard import GuardedRoute, access
from gateway.api.json_types import VisibleAscii
from gateway.api.roles import Permission, Principal
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
    desk: Desk,
    caller: Caller,
    correlation_id: CorrelationId,
    gates: Gates,
    idempotency_key: Annotated[VisibleAscii | None, Header()] = None,
) -> OrderResponse:
    """Submit one order. Repeating a request is safe: the same order has the same id."""
    strategy_id = body.strategy_id or caller.strategy_id or desk.about.strategy_id
    ticket = body.ticket(require_scope(caller, strategy_id))
    client_order_id = _order_id(body, ticket, idempotency_key, desk)
    try:
        submission = await desk.submit_order(
            ticket, client_order_id, by=caller.actor(), correlation_id=correlation_id, log=gates
        )
    except IdempotencyConflict as conflict:
        raise _discreet(conflict, caller) from conflict
    answered_at(request, submission.position)
    response.status_code = 202 if submission.answer == "unconfirmed" else 200
    return OrderResponse.of(submission.order, MESSAGES[submission.answer], submission.position)


def _order_id(body: OrderRequest, ticket: Ticket, key: str | None, desk: House) -> ClientOrderId:
    if body.client_order_id is not None and key is not None:
        words = "client_order_id and Idempotency-Key exclude each other"
        raise RequestValidationError([{"type": "two_ids", "loc": ("body", "client_order_id"), "msg": words}])
    if key is not None:
        return key_id(ticket.strategy_id, key)
    return body.client_order_id or order_id_for(ticket, desk.clock.now().date())


def _discreet(conflict: IdempotencyConflict, caller: Principal) -> IdempotencyConflict:
    """Differences are told only when the stored order is surely the caller's."""
    if caller.scope is None or "strategy_id" not in conflict.facts.get("differences", ()):
        return conflict
    return IdempotencyConflict("the id already names another order; give another one", differences=[])


@router.post("/{client_order_id}/cancel")
@access(Permission.CANCEL_ORDER, limit="order_cancel")
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
    order = await require_order(desk, client_order_id, caller)
    cancellation = await desk.cancel_order(
        order.client_order_id,
        by=caller.actor(body.requested_by if body is not None else None),
        correlation_id=correlation_id,
        reason=body.stored_reason if body is not None else None,
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
