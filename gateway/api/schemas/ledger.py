"""The ledger as an auditor reads it."""

from __future__ import annotations

from typing import Any, Literal

from gateway.api.json_types import Timestamp
from gateway.api.schemas.common import ResponseBody, Shown


class EventActor(ResponseBody):
    sub: str
    kind: str
    on_behalf_of: str | None


class EventView(ResponseBody):
    position: int
    stream: str
    version: int
    topic: str
    schema_version: int
    recorded_at: Timestamp
    occurred_at: Timestamp
    actor: EventActor
    correlation_id: str
    causation_position: int | None
    symbol: str | None
    strategy_id: str | None
    client_order_id: str | None
    data: Any


class EventPage(ResponseBody):
    events: list[EventView]
    next_after: int
    head: int
    has_more: bool


class GateStep(ResponseBody):
    attempt: int
    gate: str
    verdict: str
    detail: str | None
    at: Timestamp


class LastLookView(ResponseBody):
    verdict: str
    at: Timestamp


class OrderTimeline(ResponseBody):
    client_order_id: str
    events: list[EventView]
    gates: list[GateStep]
    last_look: LastLookView | None


class Check(Shown):
    name: str
    ok: bool
    checked: int
    failures: list[Any]


class VerifyReport(Shown):
    ok: bool
    head: int
    events_checked: int
    duration_ms: int
    checks: list[Check]


class ProjectionEntry(Shown):
    name: str
    version: int
    state: Literal["live", "rebuilding", "failed", "stopped"]
    position: int
    head: int
    lag_events: int
    lag_seconds: float
    last_error: str | None


class ProjectionList(ResponseBody):
    projections: list[ProjectionEntry]
