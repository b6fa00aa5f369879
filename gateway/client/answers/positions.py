"""Holdings, P&L, and positions moved by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """`qty` is signed. `strategy_id` is set when the answer was cut to one strategy."""

    symbol: str
    qty: Decimal
    avg_entry_price: Decimal
    current_price: Decimal | None
    unrealized_pl: Decimal | None
    realized_pl: Decimal
    reserved_buy: Decimal
    reserved_sell: Decimal
    updated_at: datetime
    last_trade_at: datetime | None
    quarantined: bool
    strategy_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionsResponse:
    positions: tuple[Position, ...]
    total_positions: int
    total_unrealized_pl: Decimal | None
    total_realized_pl: Decimal
    as_of: str | None
    ledger_position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RealtimePosition:
    symbol: str
    qty: Decimal
    avg_entry_price: Decimal
    current_price: Decimal
    price_source: str
    unrealized_pl: Decimal
    unrealized_pl_pct: Decimal
    last_price_update: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RealtimePnLResponse:
    positions: tuple[RealtimePosition, ...]
    total_positions: int
    total_unrealized_pl: Decimal
    total_unrealized_pl_pct: Decimal | None
    realtime_prices_available: bool
    timestamp: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyPnL:
    """A UTC day of executions."""

    date: date
    realized_pl: Decimal
    cumulative_realized_pl: Decimal
    peak_equity: Decimal
    drawdown_pct: Decimal
    closing_trade_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyPerformanceResponse:
    daily_pnl: tuple[DailyPnL, ...]
    total_realized_pl: Decimal
    max_drawdown_pct: Decimal
    start_date: date
    end_date: date
    data_source: str
    note: str
    data_available_from: date | None
    last_updated: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosePositionResponse:
    status: str
    symbol: str
    order_id: str | None
    qty_to_close: Decimal
    message: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustPositionResponse:
    status: str
    symbol: str
    current_qty: Decimal
    target_qty: Decimal
    order_id: str | None
    message: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlattenResult:
    symbol: str
    status: str
    order_id: str | None
    code: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlattenAllResponse:
    status: str
    positions_closed: int
    orders_created: tuple[str, ...]
    strategies_affected: tuple[str, ...]
    results: tuple[FlattenResult, ...]
