"""The trading breaker: look, trip, reset."""

from __future__ import annotations

from typing import cast

from fastapi import APIRouter, Request

from gateway.aggregates.circuit_breaker import CircuitBreaker
from gateway.api.deps import Caller, CorrelationId, Desk, House, answered_at
from gateway.api.desk import BreakerStanding
from gateway.api.guard import GuardedRoute, access, administers
from gateway.api.json_types import json_value
from gateway.api.roles import Permission
from gateway.api.schemas.controls import CircuitBreakerStatus, Mirror, ResetBody, TripBody

router = APIRouter(prefix="/api/v1/circuit-breaker", route_class=GuardedRoute, tags=["safety"])


@router.get("/status")
@access(Permission.VIEW_CIRCUIT_BREAKER)
async def circuit_breaker_status(desk: Desk) -> CircuitBreakerStatus:
    """As the ledger has it, and whether the mirror in Redis agrees."""
    return _status(await desk.controls.breaker_status(), desk)


@router.post("/trip")
@administers(Permission.TRIP_CIRCUIT, "circuit_breaker_trip")
async def trip_circuit_breaker(
    body: TripBody, request: Request, desk: Desk, caller: Caller, correlation_id: CorrelationId
) -> CircuitBreakerStatus:
    """Stop new risk. Tripping a tripped breaker changes nothing."""
    standing = await desk.controls.trip_breaker(
        reason=body.reason,
        details=json_value(body.details),
        by=caller.actor(),
        correlation_id=correlation_id,
    )
    answered_at(request, standing.position)
    return _status(standing, desk)


@router.post("/reset")
@administers(Permission.RESET_CIRCUIT, "circuit_breaker_reset")
async def reset_circuit_breaker(
    body: ResetBody, request: Request, desk: Desk, caller: Caller, correlation_id: CorrelationId
) -> CircuitBreakerStatus:
    """Trade again, after a quiet period. Needs ledger and Redis."""
    standing = await desk.controls.reset_breaker(
        reason=body.reason, by=caller.actor(), correlation_id=correlation_id
    )
    answered_at(request, standing.position)
    return _status(standing, desk)


def _status(standing: BreakerStanding, desk: House) -> CircuitBreakerStatus:
    breaker, now = standing.breaker or CircuitBreaker(tripped=False), desk.clock.now()
    return CircuitBreakerStatus(
        state=breaker.state_at(now).value,
        enabled=desk.about.circuit_breaker_enabled,
        tripped_at=breaker.tripped_at,
        trip_reason=breaker.trip_reason,
        trip_details=breaker.trip_details,
        reset_at=breaker.reset_at,
        reset_by=breaker.reset_by,
        quiet_period_ends_at=breaker.quiet_period_ends_at,
        trip_count_today=breaker.trips_today(now.date()),
        ledger_position=standing.position,
        mirror=cast(Mirror, standing.mirror),
    )
