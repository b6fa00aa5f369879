"""From an operator's body to a request, and from what became of it to an answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from gateway.aggregates.vocabulary import ZERO, Symbol
from gateway.api.deps import House
from gateway.api.roles import Principal
from gateway.api.schemas.common import ManualBody
from gateway.api.schemas.manual import (
    AdjustPositionResponse,
    CancelAllOrdersResponse,
    CancelResult,
    ClosePositionResponse,
    FailedCancel,
    FlattenAllResponse,
    FlattenResult,
)
from gateway.commands.by_hand import Canceled, Flattened, ManualAction, ManualOutcome, ManualRequest
from gateway.telemetry import GateLog

_MESSAGES: Final = {
    "submitted": "Order submitted",
    "dry_run": "Order logged (DRY_RUN)",
    "existing": "An order is on its way already",
    "concurrent": "An order is on its way already",
    "unconfirmed": "Order outcome unknown; being resolved",
    "no_op": None,
}


def requested(
    action: ManualAction,
    body: ManualBody,
    desk: House,
    caller: Principal,
    correlation_id: str,
    gates: GateLog,
) -> ManualRequest:
    """Raises StaleRequest."""
    body.refuse_stale(desk.clock.now())
    return ManualRequest(
        action=action,
        by=caller.actor(body.requested_by),
        at=body.requested_at,
        reason=body.stored_reason,
        correlation_id=correlation_id,
        log=gates,
        scope=caller.scope,
    )


def closed(outcome: ManualOutcome) -> ClosePositionResponse:
    order = outcome.order
    return ClosePositionResponse(
        status="already_flat" if order is None else "closing",
        symbol=outcome.symbol,
        order_id=order.client_order_id if order is not None else None,
        qty_to_close=order.ticket.qty if order is not None else ZERO,
        message=_MESSAGES[outcome.answer],
    )


def adjusted(outcome: ManualOutcome, target: Decimal) -> AdjustPositionResponse:
    order = outcome.order
    return AdjustPositionResponse(
        status="no_change" if order is None else "adjusting",
        symbol=outcome.symbol,
        current_qty=outcome.held,
        target_qty=target,
        order_id=order.client_order_id if order is not None else None,
        message=_MESSAGES[outcome.answer],
    )


def canceled(symbol: Symbol, found: Sequence[Canceled]) -> CancelAllOrdersResponse:
    failed = [one for one in found if one.code is not None]
    return CancelAllOrdersResponse(
        status="partial" if failed else "cancelled",
        symbol=symbol,
        cancelled_count=len(found) - len(failed),
        order_ids=[one.client_order_id for one in found if one.code is None],
        failed=[FailedCancel(order_id=one.client_order_id, code=str(one.code)) for one in failed],
        strategies_affected=sorted({one.strategy_id for one in found}),
    )


def cancel_results(found: Iterable[Canceled]) -> list[CancelResult]:
    return [CancelResult(order_id=one.client_order_id, status=one.status, code=one.code) for one in found]


def flattened(found: Sequence[Flattened]) -> FlattenAllResponse:
    results = [flatten_result(one) for one in found]
    orders = [one.outcome.order for one in found if one.outcome is not None and one.outcome.order is not None]
    moving = any(entry.status in ("closing", "unconfirmed") for entry in results)
    return FlattenAllResponse(
        status="partial" if any(one.code for one in found) else "flattening" if moving else "already_flat",
        positions_closed=sum(entry.status in ("closing", "unconfirmed") for entry in results),
        orders_created=[order.client_order_id for order in orders],
        strategies_affected=sorted(
            {order.strategy_id for order in orders}
            | {canceled.strategy_id for one in found for canceled in one.canceled}
        ),
        results=results,
    )


def flatten_result(one: Flattened) -> FlattenResult:
    order = one.outcome.order if one.outcome is not None else None
    return FlattenResult(
        symbol=one.symbol,
        status="failed"
        if one.code
        else "unconfirmed"
        if is_unconfirmed(one)
        else "already_flat"
        if order is None
        else "closing",
        order_id=order.client_order_id if order is not None else None,
        code=one.code,
    )


def is_unconfirmed(one: Flattened) -> bool:
    return one.outcome is not None and one.outcome.answer == "unconfirmed"


def position_of(found: Iterable[Flattened]) -> int | None:
    """The newest ledger position any part of the action stands at."""
    return max((one.outcome.position for one in found if one.outcome is not None), default=None)
