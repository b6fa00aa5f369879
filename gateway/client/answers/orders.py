"""Orders, their executions, and plans of slices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderResponse:
    """`message` is empty when the answer was lost and the order was looked up instead."""

    client_order_id: str
    status: str
    broker_order_id: str | None
    symbol: str
    side: str
    qty: Decimal
    order_type: str
    limit_price: Decimal | None
    stop_price: Decimal | None
    time_in_force: str
    strategy_id: str
    filled_qty: Decimal
    created_at: datetime
    message: str = ""
    ledger_position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDetail:
    client_order_id: str
    strategy_id: str
    symbol: str
    side: str
    qty: Decimal
    order_type: str
    limit_price: Decimal | None
    stop_price: Decimal | None
    time_in_force: str
    status: str
    broker_order_id: str | None
    broker_status: str | None
    error_message: str | None
    retry_count: int
    created_at: datetime
    updated_at: datetime
    submitted_at: datetime | None
    cancel_requested_at: datetime | None
    filled_at: datetime | None
    filled_qty: Decimal
    filled_avg_price: Decimal | None
    leaves_qty: Decimal
    metadata: Mapping[str, str | None]
    parent_order_id: str | None
    slice_num: int | None
    total_slices: int | None
    scheduled_time: datetime | None
    flags: tuple[str, ...]
    ledger_position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrderResponse:
    client_order_id: str
    order_id: str
    status: str
    message: str
    cancel_requested_at: datetime | None
    cancelled_at: datetime | None
    broker_notified: bool
    ledger_position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedCancel:
    order_id: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAllOrdersResponse:
    status: str
    symbol: str
    cancelled_count: int
    order_ids: tuple[str, ...]
    failed: tuple[FailedCancel, ...]
    strategies_affected: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingOrdersResponse:
    orders: tuple[OrderDetail, ...]
    total: int
    limit: int
    offset: int
    filtered_by_strategy: bool
    user_strategies: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentFill:
    client_order_id: str
    symbol: str
    side: str
    qty: Decimal
    price: Decimal
    realized_pl: Decimal
    status: str
    timestamp: datetime
    execution_id: str | None
    provisional: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentFillsResponse:
    events: tuple[RecentFill, ...]
    total: int
    limit: int
    filtered_by_strategy: bool
    user_strategies: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSlice:
    slice_num: int
    qty: Decimal
    scheduled_time: datetime
    client_order_id: str
    strategy_id: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Liquidity:
    enabled: bool
    adv_20d: Decimal | None
    max_slice_pct_of_adv: Decimal
    max_slice_qty: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SlicingPlan:
    """`interval_seconds` is the one in effect, which a cap on volume may have shortened."""

    parent_order_id: str
    parent_strategy_id: str
    strategy_id: str
    symbol: str
    side: str
    total_qty: Decimal
    total_slices: int
    duration_minutes: int
    interval_seconds: int
    slices: tuple[PlannedSlice, ...]
    status: str
    liquidity: Liquidity
    message: str
    ledger_position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelSlicesResponse:
    parent_order_id: str
    scheduler_canceled: int
    db_canceled: int
    cancel_requested: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookResponse:
    status: str
    client_order_id: str | None
    disposition: str
    ledger_position: int | None
