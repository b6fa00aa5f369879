"""The trading breaker. OPEN means trading; a trip stops new risk until a person resets it.

After a reset there is a quiet period, computed from event times and never written, so that a trip can never
be overwritten by its end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from gateway.aggregates.refusals import CircuitBreakerNotTripped


class BreakerState(StrEnum):
    OPEN = "OPEN"
    TRIPPED = "TRIPPED"
    QUIET_PERIOD = "QUIET_PERIOD"


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitBreakerTripped:
    """`details` is the evidence of an automatic trip."""

    reason: str
    at: datetime
    by: str
    details: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitBreakerReset:
    """A person lets trading go on, watched for a quiet period."""

    reason: str
    at: datetime
    by: str
    quiet_period_ends_at: datetime


CircuitBreakerEvent = CircuitBreakerTripped | CircuitBreakerReset


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitBreaker:
    tripped: bool
    tripped_at: datetime | None = None
    trip_reason: str | None = None
    trip_details: dict[str, Any] | None = None
    reset_at: datetime | None = None
    reset_by: str | None = None
    quiet_period_ends_at: datetime | None = None
    trips_on: tuple[date | None, int] = (None, 0)

    def state_at(self, now: datetime) -> BreakerState:
        if self.tripped:
            return BreakerState.TRIPPED
        if self.quiet_period_ends_at is not None and now < self.quiet_period_ends_at:
            return BreakerState.QUIET_PERIOD
        return BreakerState.OPEN

    def trips_today(self, today: date) -> int:
        """How often it tripped on a UTC date."""
        day, count = self.trips_on
        return count if day == today else 0


def trip(
    breaker: CircuitBreaker | None,
    *,
    reason: str,
    at: datetime,
    by: str,
    details: Mapping[str, Any] | None = None,
) -> tuple[CircuitBreakerEvent, ...]:
    """Tripping a tripped breaker adds nothing."""
    if breaker is not None and breaker.tripped:
        return ()
    return (
        CircuitBreakerTripped(
            reason=reason, at=at, by=by, details=dict(details) if details is not None else None
        ),
    )


def reset(
    breaker: CircuitBreaker | None, *, reason: str, at: datetime, by: str, quiet_period: timedelta
) -> tuple[CircuitBreakerEvent, ...]:
    """Raises CircuitBreakerNotTripped."""
    if breaker is None or not breaker.tripped:
        raise CircuitBreakerNotTripped("the circuit breaker is not tripped")
    return (CircuitBreakerReset(reason=reason, at=at, by=by, quiet_period_ends_at=at + quiet_period),)


def evolve(breaker: CircuitBreaker | None, event: CircuitBreakerEvent) -> CircuitBreaker:
    """Apply one recorded fact."""
    before = breaker or CircuitBreaker(tripped=False)
    match event:
        case CircuitBreakerTripped():
            today = event.at.date()
            return replace(
                before,
                tripped=True,
                tripped_at=event.at,
                trip_reason=event.reason,
                trip_details=event.details,
                quiet_period_ends_at=None,
                trips_on=(today, before.trips_today(today) + 1),
            )
        case CircuitBreakerReset():
            return replace(
                before,
                tripped=False,
                reset_at=event.at,
                reset_by=event.by,
                quiet_period_ends_at=event.quiet_period_ends_at,
            )
