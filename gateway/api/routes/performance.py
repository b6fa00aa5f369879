"""Realized P&L by day."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError

from gateway.aggregates.refusals import StrategyUnauthorized
from gateway.aggregates.vocabulary import StrategyId
from gateway.api.as_of import AsOf, scanned_to
from gateway.api.deps import Caller, Desk, House
from gateway.api.guard import GuardedRoute, access
from gateway.api.json_types import DateIn, StrategyIn
from gateway.api.refusals import PerformanceDisabled
from gateway.api.roles import Permission, Principal
from gateway.api.schemas.positions import DailyPerformanceResponse, DailyPnL
from gateway.api.scope import require_some_strategy
from gateway.projections.queries.performance import (
    DailySeries,
    Day,
    daily_performance,
    daily_performance_as_of,
)

router = APIRouter(prefix="/api/v1/performance", route_class=GuardedRoute, tags=["performance"])
NOTE: Final = "Realized P&L only; the unrealized P&L of open positions is not included."
_DEFAULT_DAYS: Final = timedelta(days=30)


@router.get("/daily")
@access(Permission.VIEW_PNL, reads=("fills",), repeatable=frozenset({"strategies"}))
async def performance_by_day(
    *,
    request: Request,
    desk: Desk,
    caller: Caller,
    start_date: DateIn | None = None,
    end_date: DateIn | None = None,
    strategies: Annotated[list[StrategyIn] | None, Query(max_length=100)] = None,
    as_of: AsOf = None,
) -> DailyPerformanceResponse:
    """Every day from the first trade in the range on; days are UTC days of execution."""
    if not desk.about.performance_enabled:
        raise PerformanceDisabled("daily performance is switched off")
    require_some_strategy(caller)
    start, end = _range(desk, start_date, end_date)
    scope = _scope(caller, strategies)
    upto = await scanned_to(as_of, request, desk, caller)
    series = await _series(desk, start, end, scope, upto)
    return DailyPerformanceResponse(
        daily_pnl=[_day(day) for day in series.days],
        total_realized_pl=series.realized,
        max_drawdown_pct=series.max_drawdown_pct,
        start_date=start,
        end_date=end,
        data_source="realized_only",
        note=NOTE,
        data_available_from=series.first_trade_date,
        last_updated=desk.clock.now(),
    )


async def _series(
    desk: House, start: date, end: date, scope: frozenset[StrategyId] | None, upto: int | None
) -> DailySeries:
    if upto is not None:
        return await daily_performance_as_of(desk.ledger.log, upto, start, end, strategies=scope)
    async with desk.read.snapshot() as snapshot:
        return await daily_performance(snapshot, start, end, strategies=scope)


def _range(desk: House, start: date | None, end: date | None) -> tuple[date, date]:
    today = desk.clock.now().date()
    end = end or today
    start = start or min(today - _DEFAULT_DAYS, end)
    longest = desk.about.max_performance_days
    if not start <= end <= today or (end - start).days > longest:
        words = f"start_date <= end_date <= today and at most {longest} days are needed"
        raise RequestValidationError([{"type": "range", "loc": ("query", "start_date"), "msg": words}])
    return start, end


def _scope(caller: Principal, asked: list[StrategyId] | None) -> frozenset[StrategyId] | None:
    """Raises StrategyUnauthorized, naming every strategy that is denied."""
    denied = [strategy for strategy in asked or () if not caller.sees(strategy)]
    if denied:
        raise StrategyUnauthorized("strategies outside the caller's scope were asked for", denied=denied)
    return frozenset(asked) if asked else caller.scope


def _day(day: Day) -> DailyPnL:
    return DailyPnL(
        date=day.date,
        realized_pl=day.realized,
        cumulative_realized_pl=day.cumulative,
        peak_equity=day.peak,
        drawdown_pct=day.drawdown_pct,
        closing_trade_count=day.closing_trades,
    )
