"""The service about itself."""

from __future__ import annotations

from gateway.api.json_types import Timestamp
from gateway.api.schemas.common import ResponseBody


class ServiceInfo(ResponseBody):
    service: str
    version: str
    status: str
    dry_run: bool


class ComponentState(ResponseBody):
    state: str
    since: Timestamp
    message: str | None


class HealthDetails(ResponseBody):
    strategy_id: str
    alpaca_base_url: str | None
    components: dict[str, ComponentState]


class HealthResponse(ResponseBody):
    status: str
    service: str
    version: str
    dry_run: bool
    database_connected: bool
    redis_connected: bool
    alpaca_connected: bool
    timestamp: Timestamp
    details: HealthDetails


class LiveResponse(ResponseBody):
    status: str


class ReadyResponse(ResponseBody):
    ready: bool
    checks: dict[str, str]
    reconciliation_gate: str


class ConfigResponse(ResponseBody):
    service: str
    version: str
    environment: str
    dry_run: bool
    alpaca_paper: bool
    circuit_breaker_enabled: bool
    liquidity_check_enabled: bool
    max_slice_pct_of_adv: float
    rate_limit_mode: str
    strategy_id: str
    max_position_size: int
    timestamp: Timestamp
