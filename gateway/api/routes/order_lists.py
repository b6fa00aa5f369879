"""Looking at orders and executions."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query

from gateway.aggregates.refusals import OrderNotFound
from gateway.api.as_of import AsOf, position_of
from gateway.api.deps import Caller, Desk, House
from gateway.api.guard import GuardedRoute, access
from gateway.api.json_types import AS_COUNT, StrategyIn, SymbolIn, is_visible_ascii
from gateway.api.plans import detail, details, unsent_detail
from gateway.api.roles import Permission, Principal
from gateway.api.schemas.orders import (
    OrderDetail,
    PendingOrdersResponse,
    RecentFill,
    RecentFillsResponse,
)
from gateway.api.scope import order_not_found, require_order, scope_of, strategies_of
from gateway.projections.orders import OrderRow
from gateway.projections.queries.orders import (
    Fill,
    SortBy,
    get_order,
    get_order_as_of,
    pending_orders,
    recent_fills,
)

router = APIRouter(prefix="/api/v1/orders", route_class=GuardedRoute, tags=["orders"])
_RECENT: Final = timedelta(hours=24)


@router.get("/pending")
@access(Permission.VIEW_TRADES, limit="orders_pending", reads=("orders",))
async def list_pending_orders(
    *,
    desk: Desk,
    caller: Caller,
    strategy_id: StrategyIn | None = None,
    symbol: SymbolIn | None = None,
    parent_order_id: Annotated[str | None, Query(max_length=64)] = None,
    limit: Annotated[int, Query(ge=1, le=1000), AS_COUNT] = 100,
    offset: Annotated[int, Query(ge=0, le=2**31), AS_COUNT] = 0,
    sort_by: SortBy = SortBy.CREATED_AT,
    sort_order: Literal["asc", "desc"] = "desc",
) -> PendingOrdersResponse:
    """Orders that are not over."""
    scope = scope_of(caller, strategy_id)
    async with desk.read.snapshot() as snapshot:
        page = await pending_orders(
            snapshot,
            strategies=scope,
            symbol=symbol,
            parent_order_id=parent_order_id,
            sort_by=sort_by,
            descending=sort_order == "desc",
            limit=limit,
            offset=offset,
        )
    return PendingOrdersResponse(
        orders=await details(desk, page.orders),
        total=page.total,
        limit=limit,
        offset=offset,
        filtered_by_strategy=scope is not None,
        user_strategies=strategies_of(caller),
    )


@router.get("/recent-fills")
@access(Permission.VIEW_TRADES, limit="recent_fills", reads=("fills", "orders"))
async def list_recent_fills(
    *, desk: Desk, caller: Caller, limit: Annotated[int, Query(ge=1, le=200), AS_COUNT] = 50
) -> RecentFillsResponse:
    """Executions of the last 24 hours that count, newest first."""
    scope = caller.scope
    async with desk.read.snapshot() as snapshot:
        since = desk.clock.now() - _RECENT
        page = await recent_fills(snapshot, since=since, limit=limit, strategies=scope)
    return RecentFillsResponse(
        events=[_fill(fill, account=scope is None) for fill in page.fills],
        total=len(page.fills),
        limit=limit,
        filtered_by_strategy=scope is not None,
        user_strategies=strategies_of(caller),
    )


@router.get("/{client_order_id}")
@access(Permission.VIEW_POSITIONS, reads=("orders",))
async def order_detail(
    *, client_order_id: str, desk: Desk, caller: Caller, as_of: AsOf = None
) -> OrderDetail:
    """One order, now or as it was known at a point of the log."""
    upto = await position_of(as_of, desk)
    if upto is None:
        try:
            return await detail(desk, await _row(desk, client_order_id, caller))
        except OrderNotFound:
            unsent = unsent_detail(desk, client_order_id, caller)
            if unsent is None:
                raise
            return unsent
    known = await require_order(desk, client_order_id, caller)
    row = await get_order_as_of(desk.ledger.log, known.client_order_id, upto)
    if row is None:
        raise order_not_found()
    return await detail(desk, row, upto)


async def _row(desk: House, client_order_id: str, caller: Principal) -> OrderRow:
    """The row of an order, waited for when the ledger knows the order and the table does not yet."""
    row = await _look(desk, client_order_id, caller)
    if row is None:
        await require_order(desk, client_order_id, caller)
        await desk.projections.wait_for(desk.ledger.desk.position, ("orders",), desk.read_wait_seconds)
        row = await _look(desk, client_order_id, caller)
    if row is None:
        raise order_not_found()
    return row


async def _look(desk: House, client_order_id: str, caller: Principal) -> OrderRow | None:
    if not is_visible_ascii(client_order_id):
        return None
    async with desk.read.snapshot() as snapshot:
        return await get_order(snapshot, client_order_id, strategies=caller.scope)


def _fill(fill: Fill, *, account: bool) -> RecentFill:
    return RecentFill(
        client_order_id=fill.client_order_id,
        symbol=fill.symbol,
        side=fill.side,
        qty=fill.qty,
        price=fill.px,
        realized_pl=fill.account_realized if account else fill.strategy_realized,
        status="filled" if fill.completed else "partially_filled",
        timestamp=fill.transact_time,
        execution_id=fill.exec_id,
        provisional=fill.provisional,
    )
