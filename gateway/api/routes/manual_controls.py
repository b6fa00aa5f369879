"""What an operator does by hand: order, close, adjust, cancel everything, get out of everything."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Header, Path, Request, Response

from gateway.aggregates.refusals import CancelAllFailed, FlattenFailed, OrderNotFound, Refusal
from gateway.aggregates.vocabulary import Symbol
from gateway.api.deps import Caller, CorrelationId, Desk, Gates, House, answered_at, gate
from gateway.api.guard import GuardedRoute, access
from gateway.api.identity import given_id
from gateway.api.json_types import SymbolIn, VisibleAscii
from gateway.api.manual_answers import (
    adjusted,
    canceled,
    closed,
    flattened,
    is_unconfirmed,
    position_of,
    requested,
)
from gateway.api.roles import Permission, Principal
from gateway.api.schemas.manual import (
    AdjustBody,
    AdjustPositionResponse,
    CancelAllBody,
    CancelAllOrdersResponse,
    CloseBody,
    ClosePositionResponse,
    FlattenAllResponse,
    FlattenBody,
    ManualOrderBody,
)
from gateway.api.schemas.orders import OrderResponse
from gateway.api.scope import require_scope
from gateway.commands.by_hand import Extent, ManualAction

router = APIRouter(prefix="/api/v1", route_class=GuardedRoute, tags=["manual controls"])

MESSAGES = {
    "submitted": "Order submitted (manual)",
    "dry_run": "Order logged (manual DRY_RUN)",
    "existing": "Order already submitted (idempotent retry)",
    "concurrent": "Order already submitted (idempotent retry)",
    "unconfirmed": "Order outcome unknown; being resolved",
}


@router.post("/manual/orders")
@access(Permission.SUBMIT_ORDER, limit="manual_order", control="manual_order")
async def submit_manual_order(
    *,
    body: ManualOrderBody,
    request: Request,
    response: Response,
    desk: Desk,
    caller: Caller,
    correlation_id: CorrelationId,
    gates: Gates,
    idempotency_key: Annotated[VisibleAscii | None, Header()] = None,
) -> OrderResponse:
    """One order by hand, through every gate of trading. Repeating the same body is safe."""
    asked = requested(ManualAction.TRADE, body, desk, caller, correlation_id, gates)
    strategy_id = body.strategy_id or ManualAction.TRADE.strategy_id
    with gate(request, "strategy_scope"):
        require_scope(caller, strategy_id)
    asked = replace(asked, given=given_id(None, idempotency_key, strategy_id))
    submission = await desk.by_hand.trade(body.ticket(strategy_id), asked)
    answered_at(request, submission.position)
    response.status_code = 202 if submission.answer == "unconfirmed" else 200
    return OrderResponse.of(submission.order, MESSAGES[submission.answer], submission.position)


@router.post("/orders/cancel-all")
@access(Permission.CANCEL_ORDER, limit="cancel_all", control="cancel_all", step="cancel")
async def cancel_all_orders(
    *,
    body: CancelAllBody,
    request: Request,
    desk: Desk,
    caller: Caller,
    correlation_id: CorrelationId,
    gates: Gates,
) -> CancelAllOrdersResponse:
    """Cancel every live order of a symbol, one request per order. No trading gate applies."""
    asked = requested(ManualAction.CANCEL, body, desk, caller, correlation_id, gates)
    extent = Extent(symbol=body.symbol)
    await desk.by_hand.admit(extent, [body.symbol], asked)
    found = await desk.by_hand.cancel_all(extent, asked)
    if not found:
        raise OrderNotFound(f"{body.symbol} has no live order in the caller's scope", symbol=body.symbol)
    answer = canceled(body.symbol, found)
    if not answer.cancelled_count:
        failed = [entry.model_dump() for entry in answer.failed]
        raise CancelAllFailed("no request was taken; each is recorded and repeated", failed=failed)
    facts = {"symbol": body.symbol, "failed": ", ".join(entry.order_id for entry in answer.failed)}
    outcome = "partial" if answer.failed else "success"
    position = await desk.audit.control_performed(
        "cancel_all", outcome, asked.reason, asked.by, correlation_id, facts
    )
    answered_at(request, position or max(one.position for one in found))
    return answer


@router.post("/positions/flatten-all")
@access(Permission.FLATTEN_ALL, limit="flatten_all", control="flatten_all")
async def flatten_all(
    *,
    body: FlattenBody,
    request: Request,
    response: Response,
    desk: Desk,
    caller: Caller,
    correlation_id: CorrelationId,
    gates: Gates,
) -> FlattenAllResponse:
    """Cancel what is open, then close what is held. Needs a fresh second factor, also in DRY_RUN."""
    asked = requested(ManualAction.FLATTEN, body, desk, caller, correlation_id, gates)
    symbols = await desk.by_hand.touched(Extent())
    await desk.by_hand.admit(Extent(), symbols, asked)
    await _second_factor(body.id_token, request, desk, caller)
    found = await desk.by_hand.flatten(Extent(), symbols, asked)
    answer = flattened(found)
    if found and all(one.code for one in found):
        results = [entry.model_dump() for entry in answer.results]
        raise FlattenFailed("no symbol could be closed", results=results)
    position = await desk.audit.control_performed(
        "flatten_all",
        {"flattening": "success", "partial": "partial", "already_flat": "no_op"}[answer.status],
        asked.reason,
        asked.by,
        correlation_id,
        {"symbols": ", ".join(symbols), "failed": ", ".join(one.symbol for one in found if one.code)},
    )
    answered_at(request, position or position_of(found))
    response.status_code = 202 if any(map(is_unconfirmed, found)) else 200
    return answer


async def _second_factor(id_token: str | None, request: Request, desk: House, caller: Principal) -> None:
    """The gate `mfa`. What it refuses was no attempt at flattening."""
    try:
        with gate(request, "mfa"):
            await desk.second_factor(id_token, caller.sub)
    except Refusal:
        await desk.limiter.give_back(request, "flatten_all", caller)
        raise


@router.post("/positions/{symbol}/close")
@access(Permission.CLOSE_POSITION, limit="position_close", control="close_position")
async def close_position(
    *,
    symbol: Annotated[SymbolIn, Path()],
    body: CloseBody,
    request: Request,
    response: Response,
    desk: Desk,
    caller: Caller,
    correlation_id: CorrelationId,
    gates: Gates,
) -> ClosePositionResponse:
    """Close a position or part of it. Kill switch, breaker, quarantine and closed gate do not stop this."""
    asked = requested(ManualAction.CLOSE, body, desk, caller, correlation_id, gates)
    outcome = await desk.by_hand.close(Symbol(symbol), body.whole_qty(), asked)
    answered_at(request, outcome.position)
    response.status_code = 202 if outcome.answer == "unconfirmed" else 200
    return closed(outcome)


@router.post("/positions/{symbol}/adjust")
@access(Permission.ADJUST_POSITION, limit="position_adjust", control="adjust_position")
async def adjust_position(
    *,
    symbol: Annotated[SymbolIn, Path()],
    body: AdjustBody,
    request: Request,
    response: Response,
    desk: Desk,
    caller: Caller,
    correlation_id: CorrelationId,
    gates: Gates,
) -> AdjustPositionResponse:
    """Bring a position to a target. What shrinks it always passes; the rest is a manual order."""
    asked = requested(ManualAction.ADJUST, body, desk, caller, correlation_id, gates)
    outcome = await desk.by_hand.adjust(Symbol(symbol), body.target_qty, body.limit_price, asked)
    answered_at(request, outcome.position)
    response.status_code = 202 if outcome.answer == "unconfirmed" else 200
    return adjusted(outcome, body.target_qty)
