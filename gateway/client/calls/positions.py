"""Holdings and P&L."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from gateway.client.answers.positions import (
    DailyPerformanceResponse,
    PositionsResponse,
    RealtimePnLResponse,
)
from gateway.client.call import Call, get
from gateway.client.calls.orders import AsOf


def list_positions(
    *, symbol: str | None = None, strategy_id: str | None = None, as_of: AsOf | None = None
) -> Call[PositionsResponse]:
    """`total_realized_pl` covers flat symbols too."""
    return get("/api/v1/positions", PositionsResponse, **locals())


def realtime_pnl() -> Call[RealtimePnLResponse]:
    return get("/api/v1/positions/pnl/realtime", RealtimePnLResponse)


def performance_by_day(
    *,
    start_date: date | None = None,
    end_date: date | None = None,
    strategies: Sequence[str] | None = None,
    as_of: AsOf | None = None,
) -> Call[DailyPerformanceResponse]:
    """Days are UTC days of execution."""
    return get("/api/v1/performance/daily", DailyPerformanceResponse, **locals())
