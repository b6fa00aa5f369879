"""The service, its limits, its strategies."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.client.answers.about import (
    ConfigResponse,
    FatFingerThresholdsResponse,
    HealthResponse,
    LiveResponse,
    ReadyResponse,
    ServiceInfo,
    StrategiesListResponse,
    StrategyStatusResponse,
)
from gateway.client.call import Call, get, given, part

Thresholds = Mapping[str, object]
"""`max_notional`, `max_qty`, `max_adv_pct`; None switches a check off, a missing one is left to the rule."""


def introduce() -> Call[ServiceInfo]:
    return get("/", ServiceInfo)


def health() -> Call[HealthResponse]:
    return get("/health", HealthResponse)


def live() -> Call[LiveResponse]:
    return get("/health/live", LiveResponse)


def ready() -> Call[ReadyResponse]:
    """Also when it is not ready: that is an answer, not a problem."""
    return get("/health/ready", ReadyResponse)


def metrics() -> Call[str]:
    """Prometheus text."""
    return get("/metrics", str)


def config() -> Call[ConfigResponse]:
    return get("/api/v1/config", ConfigResponse)


def fat_finger_thresholds() -> Call[FatFingerThresholdsResponse]:
    return get("/api/v1/fat-finger/thresholds", FatFingerThresholdsResponse)


def set_fat_finger_thresholds(
    *,
    default_thresholds: Thresholds | None = None,
    symbol_overrides: Mapping[str, Thresholds | None] | None = None,
) -> Call[FatFingerThresholdsResponse]:
    """Defaults are replaced as a whole; an override is patched, and None removes it."""
    return Call(
        method="PUT",
        path="/api/v1/fat-finger/thresholds",
        answer=FatFingerThresholdsResponse,
        body=given({"default_thresholds": default_thresholds, "symbol_overrides": symbol_overrides}),
        repeatable=True,
    )


def list_strategies() -> Call[StrategiesListResponse]:
    return get("/api/v1/strategies", StrategiesListResponse)


def strategy_status(strategy_id: str) -> Call[StrategyStatusResponse]:
    return get(f"/api/v1/strategies/{part(strategy_id)}", StrategyStatusResponse)
