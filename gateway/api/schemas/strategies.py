"""Strategies, as far as this service knows them."""

from __future__ import annotations

from typing import Literal

from gateway.api.json_types import DecimalText, Timestamp
from gateway.api.schemas.common import ResponseBody

StrategyState = Literal["paused", "error", "active", "inactive"]


class StrategyStatusResponse(ResponseBody):
    """`model_version` and `model_status` are always null: this service does not know models."""

    strategy_id: str
    name: str
    status: StrategyState
    model_version: str | None
    model_status: str | None
    last_signal_at: Timestamp | None
    last_error: str | None
    positions_count: int
    open_orders_count: int
    today_pnl: DecimalText
    timestamp: Timestamp


class StrategiesListResponse(ResponseBody):
    strategies: list[StrategyStatusResponse]
    total_count: int
    timestamp: Timestamp
