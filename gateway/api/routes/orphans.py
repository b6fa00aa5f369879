"""Orders found at the broker that nobody here sent."""

from __future__ import annotations

from typing import cast

from fastapi import APIRouter, Request

from gateway.aggregates.order.state import Order
from gateway.aggregates.refusals import OrphanNotFound
from gateway.api.deps import Caller, CorrelationId, Desk, answered_at
from gateway.api.desk import AnsweredOrphan
from gateway.api.guard import GuardedRoute, access, administers
from gateway.api.json_types import SymbolIn, is_visible_ascii
from gateway.api.roles import Permission
from gateway.api.schemas.differences import AdoptBody, OrphanEntry, OrphanList, OrphanStatus, ReasonBody
from gateway.projections.queries.orphans import orphans

router = APIRouter(prefix="/api/v1/orphans", route_class=GuardedRoute, tags=["reconciliation"])


@router.get("")
@access(Permission.VIEW_LEDGER, reads=("orders", "breaks"))
async def list_orphans(
    *, desk: Desk, caller: Caller, status: OrphanStatus | None = None, symbol: SymbolIn | None = None
) -> OrphanList:
    """Every orphan whose strategy the caller may see, the newest first; until adopted that is `external`."""
    async with desk.read.snapshot() as snapshot:
        found = await orphans(snapshot, status=status, symbol=symbol)
    entries = [_entry(order) for order in found if caller.sees(order.strategy_id)]
    return OrphanList(orphans=entries, total=len(entries))


@router.post("/{broker_order_id}/adopt")
@administers(Permission.MANAGE_RECONCILIATION, "orphan_adopt", limit="orphan_resolve")
async def adopt_orphan(
    *,
    broker_order_id: str,
    body: AdoptBody,
    request: Request,
    desk: Desk,
    caller: Caller,
    correlation_id: CorrelationId,
) -> OrphanEntry:
    """From now on its executions are the strategy's."""
    answered = await desk.differences.orphans.adopt(
        _known(broker_order_id),
        body.strategy_id,
        reason=body.stored_reason,
        by=caller.actor(),
        correlation_id=correlation_id,
    )
    return _answer(request, answered)


@router.post("/{broker_order_id}/ignore")
@administers(Permission.MANAGE_RECONCILIATION, "orphan_ignore", limit="orphan_resolve")
async def ignore_orphan(
    *,
    broker_order_id: str,
    body: ReasonBody,
    request: Request,
    desk: Desk,
    caller: Caller,
    correlation_id: CorrelationId,
) -> OrphanEntry:
    """Resolved without an owner; later executions are still booked under `external`."""
    answered = await desk.differences.orphans.ignore(
        _known(broker_order_id),
        reason=body.stored_reason,
        by=caller.actor(),
        correlation_id=correlation_id,
    )
    return _answer(request, answered)


@router.post("/{broker_order_id}/cancel")
@administers(Permission.MANAGE_RECONCILIATION, "orphan_cancel", limit="orphan_resolve")
async def cancel_orphan(
    *,
    broker_order_id: str,
    body: ReasonBody,
    request: Request,
    desk: Desk,
    caller: Caller,
    correlation_id: CorrelationId,
) -> OrphanEntry:
    """Ask the broker to cancel it; resolved when the broker confirms."""
    answered = await desk.differences.orphans.cancel(
        _known(broker_order_id),
        reason=body.stored_reason,
        by=caller.actor(),
        correlation_id=correlation_id,
    )
    return _answer(request, answered)


def _known(broker_order_id: str) -> str:
    """Raises OrphanNotFound for what cannot be an id: a path is never a reason for 422."""
    if not is_visible_ascii(broker_order_id):
        raise OrphanNotFound("there is no orphan with this broker order id")
    return broker_order_id


def _answer(request: Request, answered: AnsweredOrphan) -> OrphanEntry:
    answered_at(request, answered.position)
    return _entry(answered.order)


def _entry(order: Order) -> OrphanEntry:
    return OrphanEntry(
        broker_order_id=order.order_id or order.client_order_id.removeprefix("broker-"),
        client_order_id=order.client_order_id,
        symbol=order.ticket.symbol,
        strategy_id=order.strategy_id,
        side=order.ticket.side,
        qty=order.ticket.qty,
        filled_qty=order.cum_qty,
        estimated_notional=order.orphan_notional,
        broker_status=order.broker_status,
        status=cast(OrphanStatus, order.orphan_status),
        detected_at=order.created_at,
        resolved_at=order.orphan_answered_at,
        resolved_by=order.orphan_answered_by,
    )
