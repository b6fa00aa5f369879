"""The service about itself, and what it is set to allow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceInfo:
    service: str
    version: str
    status: str
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentState:
    state: str
    since: datetime
    message: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthDetails:
    strategy_id: str
    alpaca_base_url: str | None
    components: Mapping[str, ComponentState]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthResponse:
    status: str
    service: str
    version: str
    dry_run: bool
    database_connected: bool
    redis_connected: bool
    alpaca_connected: bool
    timestamp: datetime
    details: HealthDetails


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveResponse:
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyResponse:
    ready: bool
    checks: Mapping[str, str]
    reconciliation_gate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigResponse:
    service: str
    version: str
    environment: str
    dry_run: bool
    alpaca_paper: bool
    circuit_breaker_enabled: bool
    liquidity_check_enabled: bool
    max_slice_pct_of_adv: Decimal
    rate_limit_mode: str
    strategy_id: str
    max_position_size: int
    timestamp: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FatFingerThresholds:
    """None switches a check off."""

    max_notional: Decimal | None
    max_qty: int | None
    max_adv_pct: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FatFingerThresholdsResponse:
    default_thresholds: FatFingerThresholds
    symbol_overrides: Mapping[str, FatFingerThresholds]
    updated_at: datetime
    updated_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyStatusResponse:
    strategy_id: str
    name: str
    status: str
    model_version: str | None
    model_status: str | None
    last_signal_at: datetime | None
    last_error: str | None
    positions_count: int
    open_orders_count: int
    today_pnl: Decimal
    timestamp: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategiesListResponse:
    strategies: tuple[StrategyStatusResponse, ...]
    total_count: int
    timestamp: datetime
