"""Kill switch, circuit breaker and quarantine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from gateway.client.answers.positions import FlattenResult


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelResult:
    order_id: str
    status: str
    code: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KillSwitchStatus:
    """`scopes` names every other scope that is engaged now; it stands on the answer of the status."""

    state: str
    scope: str
    target: str | None
    engaged_at: datetime | None
    engaged_by: str | None
    engagement_reason: str | None
    on_behalf_of: str | None
    disengaged_at: datetime | None
    disengaged_by: str | None
    engagement_count_today: int
    ledger_position: int
    mirror: str
    engagement_details: Mapping[str, Any] | None
    disengagement_notes: str | None
    cancel_results: tuple[CancelResult, ...] | None
    flatten_results: tuple[FlattenResult, ...] | None
    scopes: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitBreakerStatus:
    state: str
    enabled: bool
    tripped_at: datetime | None
    trip_reason: str | None
    trip_details: Mapping[str, Any] | None
    reset_at: datetime | None
    reset_by: str | None
    quiet_period_ends_at: datetime | None
    trip_count_today: int
    ledger_position: int
    mirror: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineCause:
    kind: str
    broker_order_id: str | None
    break_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineEntry:
    """`strategy_id` is `*` for every strategy."""

    symbol: str
    strategy_id: str
    reason: str
    since: datetime
    cause: QuarantineCause
    orphan_notional: Decimal | None
    released_at: datetime | None
    released_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineList:
    quarantined: tuple[QuarantineEntry, ...]
    total: int
