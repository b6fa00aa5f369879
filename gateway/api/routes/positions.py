"""Positions and what they are worth."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request

from gateway.aggregates.vocabulary import StrategyId, Symbol
from gateway.api.as_of import AsOf, scanned_to
from gateway.api.deps import Caller, Desk, House
from gateway.api.guard import GuardedRoute, access
from gateway.api.json_types import StrategyIn, SymbolIn
from gateway.api.roles import Permission, Principal
from gateway.api.schemas.positions import (
    Position,
    PositionsResponse,
    RealtimePnLResponse,
    RealtimePosition,
)
from gateway.api.scope import require_some_strategy, scope_of
from gateway.api.valuation import Valued, portfolio_pct, total_unrealized, valued
from gateway.projections.queries.positions import (
    Holdings,
    account_holdings,
    holdings_as_of,
    strategy_holdings,
)

router = APIRouter(prefix="/api/v1/positions", route_class=GuardedRoute, tags=["positions"])
_READS = ("positions", "strategy_positions", "orders")


@router.get("/pnl/realtime")
@access(Permission.VIEW_PNL, reads=_READS)
async def realtime_pnl(desk: Desk, caller: Caller) -> RealtimePnLResponse:
    """Open holdings at the newest usable price."""
    require_some_strategy(caller)
    held = await _valued(desk, await _holdings(desk, caller))
    return RealtimePnLResponse(
        positions=[_realtime(one) for one in held],
        total_positions=len(held),
        total_unrealized_pl=total_unrealized(held),
        total_unrealized_pl_pct=portfolio_pct(held),
        realtime_prices_available=any(one.quote is not None for one in held),
        timestamp=desk.clock.now(),
    )


@router.get("")
@access(Permission.VIEW_POSITIONS, reads=_READS)
async def list_positions(
    *,
    request: Request,
    desk: Desk,
    caller: Caller,
    symbol: SymbolIn | None = None,
    strategy_id: StrategyIn | None = None,
    as_of: AsOf = None,
) -> PositionsResponse:
    """Open positions by symbol; the account's for those who may see all of it, else of one's strategies."""
    upto = await scanned_to(as_of, request, desk, caller)
    if upto is None:
        holdings = await _holdings(desk, caller, strategy_id, symbol)
        held = await _valued(desk, holdings)
    else:
        scope = scope_of(caller, strategy_id)
        holdings = await holdings_as_of(desk.ledger.log, upto, strategies=scope, symbol=symbol)
        held = [Valued(holding=holding, quote=None) for holding in holdings.open]
    priced = [one for one in held if one.quote is not None]
    return PositionsResponse(
        positions=[_position(one, strategy_id) for one in held],
        total_positions=len(held),
        total_unrealized_pl=total_unrealized(priced) if priced else None,
        total_realized_pl=holdings.realized,
        as_of=as_of,
        ledger_position=holdings.position,
    )


async def _holdings(
    desk: House, caller: Principal, strategy_id: StrategyId | None = None, symbol: Symbol | None = None
) -> Holdings:
    scope = scope_of(caller, strategy_id)
    async with desk.read.snapshot() as snapshot:
        if scope is None:
            return await account_holdings(snapshot, symbol=symbol)
        return await strategy_holdings(snapshot, scope, symbol=symbol)


async def _valued(desk: House, holdings: Holdings) -> list[Valued]:
    quotes = await asyncio.gather(*(desk.market.quote(Symbol(held.symbol)) for held in holdings.open))
    now = desk.clock.now()
    return [valued(held, quote, now) for held, quote in zip(holdings.open, quotes, strict=True)]


def _position(one: Valued, strategy_id: StrategyId | None) -> Position:
    held, known = one.holding, one.quote is not None
    return Position(
        symbol=held.symbol,
        qty=held.qty,
        avg_entry_price=held.avg_px,
        current_price=one.price if known else None,
        unrealized_pl=one.unrealized if known else None,
        realized_pl=held.realized,
        reserved_buy=held.reserved_buy,
        reserved_sell=held.reserved_sell,
        updated_at=held.updated_at,
        last_trade_at=held.last_trade_at,
        quarantined=held.quarantined,
        strategy_id=strategy_id,
    )


def _realtime(one: Valued) -> RealtimePosition:
    return RealtimePosition(
        symbol=one.holding.symbol,
        qty=one.holding.qty,
        avg_entry_price=one.holding.avg_px,
        current_price=one.price,
        price_source="real-time" if one.quote is not None else "fallback",
        unrealized_pl=one.unrealized,
        unrealized_pl_pct=one.unrealized_pct,
        last_price_update=one.quote.at if one.quote is not None else None,
    )
