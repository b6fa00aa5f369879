"""Kill switch, circuit breaker and quarantine."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.client.answers.safety import (
    CircuitBreakerStatus,
    KillSwitchStatus,
    QuarantineEntry,
    QuarantineList,
)
from gateway.client.call import Call, get, given, part, post

_SWITCH = "/api/v1/kill-switch"
_BREAKER = "/api/v1/circuit-breaker"


def engage_kill_switch(
    *,
    reason: str,
    operator: str,
    scope: str = "global",
    target: str | None = None,
    details: Mapping[str, object] | None = None,
    cancel_open_orders: bool = False,
    flatten: bool = False,
    id_token: str | None = None,
) -> Call[KillSwitchStatus]:
    """`scope` is global, strategy or symbol; `flatten` needs an `id_token`, a fresh second factor."""
    return post(f"{_SWITCH}/engage", KillSwitchStatus, given(locals()))


def disengage_kill_switch(
    *, operator: str, scope: str = "global", target: str | None = None, notes: str | None = None
) -> Call[KillSwitchStatus]:
    return post(f"{_SWITCH}/disengage", KillSwitchStatus, given(locals()))


def kill_switch_status(*, scope: str = "global", target: str | None = None) -> Call[KillSwitchStatus]:
    return get(f"{_SWITCH}/status", KillSwitchStatus, scope=scope, target=target)


def circuit_breaker_status() -> Call[CircuitBreakerStatus]:
    return get(f"{_BREAKER}/status", CircuitBreakerStatus)


def trip_circuit_breaker(
    *, reason: str, details: Mapping[str, object] | None = None
) -> Call[CircuitBreakerStatus]:
    return post(f"{_BREAKER}/trip", CircuitBreakerStatus, given(locals()), repeatable=True)


def reset_circuit_breaker(*, reason: str) -> Call[CircuitBreakerStatus]:
    return post(f"{_BREAKER}/reset", CircuitBreakerStatus, {"reason": reason})


def list_quarantines() -> Call[QuarantineList]:
    return get("/api/v1/quarantine", QuarantineList)


def release_quarantine(symbol: str, *, reason: str, force: bool = False) -> Call[QuarantineEntry]:
    body = {"reason": reason, "force": force}
    return post(f"/api/v1/quarantine/{part(symbol)}/release", QuarantineEntry, body)
