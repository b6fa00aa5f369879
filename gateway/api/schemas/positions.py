"""Positions, and realized P&L by day."""

from __future__ import annotations

from datetime import date
from typing import Literal

from gateway.api.json_types import AveragePrice, DecimalText, Percentage, Timestamp
from gateway.api.schemas.common import ResponseBody

PriceSource = Literal["real-time", "database", "fallback"]


class Position(ResponseBody):
    symbol: str
    qty: DecimalText
    avg_entry_price: AveragePrice
    current_price: DecimalText | None
    unrealized_pl: DecimalText | None
    realized_pl: DecimalText
    reserved_buy: DecimalText
    reserved_sell: DecimalText
    updated_at: Timestamp
    last_trade_at: Timestamp | None
    quarantined: bool
    strategy_id: str | None


class PositionsResponse(ResponseBody):
    positions: list[Position]
    total_positions: int
    total_unrealized_pl: DecimalText | None
    total_realized_pl: DecimalText
    as_of: str | None
    ledger_position: int


class RealtimePosition(ResponseBody):
    symbol: str
    qty: DecimalText
    avg_entry_price: AveragePrice
    current_price: AveragePrice
    price_source: PriceSource
    unrealized_pl: DecimalText
    unrealized_pl_pct: Percentage
    last_price_update: Timestamp | None


class RealtimePnLResponse(ResponseBody):
    positions: list[RealtimePosition]
    total_positions: int
    total_unrealized_pl: DecimalText
    total_unrealized_pl_pct: Percentage | None
    realtime_prices_available: bool
    timestamp: Timestamp


class DailyPnL(ResponseBody):
    date: date
    realized_pl: DecimalText
    cumulative_realized_pl: DecimalText
    peak_equity: DecimalText
    drawdown_pct: Percentage
    closing_trade_count: int


class DailyPerformanceResponse(ResponseBody):
    daily_pnl: list[DailyPnL]
    total_realized_pl: DecimalText
    max_drawdown_pct: Percentage
    start_date: date
    end_date: date
    data_source: Literal["realized_only"]
    note: str
    data_available_from: date | None
    last_updated: Timestamp
