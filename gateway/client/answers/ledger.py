"""The ledger as an auditor reads it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class EventActor:
    sub: str
    kind: str
    on_behalf_of: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One recorded fact. `data` is as it was stored: decimals and instants in it are text."""

    position: int
    stream: str
    version: int
    topic: str
    schema_version: int
    recorded_at: datetime
    occurred_at: datetime
    actor: EventActor
    correlation_id: str
    causation_position: int | None
    symbol: str | None
    strategy_id: str | None
    client_order_id: str | None
    data: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    events: tuple[Event, ...]
    next_after: int
    head: int
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GateStep:
    attempt: int
    gate: str
    verdict: str
    detail: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LastLook:
    verdict: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTimeline:
    client_order_id: str
    events: tuple[Event, ...]
    gates: tuple[GateStep, ...]
    last_look: LastLook | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    name: str
    ok: bool
    checked: int
    failures: tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    ok: bool
    head: int
    events_checked: int
    duration_ms: int
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectionEntry:
    name: str
    version: int
    state: str
    position: int
    head: int
    lag_events: int
    lag_seconds: Decimal
    last_error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectionList:
    projections: tuple[ProjectionEntry, ...]
