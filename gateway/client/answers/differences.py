"""Reconciliation, and what ledger and broker do not agree on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationStatus:
    """`override_context` is empty unless somebody has opened the gate by hand."""

    startup_complete: bool
    dry_run: bool
    gate: str
    startup_elapsed_seconds: Decimal
    startup_timed_out: bool
    override_active: bool
    override_context: Mapping[str, str | None]
    last_run_at: datetime | None
    last_success_at: datetime | None
    last_error: str | None
    loop_state: str
    open_breaks: int
    message: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationRunResponse:
    """`shadow_reports` is there after a shadow pass only: what it would have written."""

    status: str
    message: str
    run_id: str
    reports_recorded: int
    breaks_open: int
    orphans_found: int
    shadow_reports: tuple[Any, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationOverrideResponse:
    status: str
    message: str
    user_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FillsBackfillResult:
    status: str
    fills_seen: int
    fills_inserted: int
    duplicates: int
    unmatched: int
    pnl_updates: int
    pnl_failures: int
    complete: bool
    high_water_mark: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FillsBackfillResponse:
    status: str
    message: str
    result: FillsBackfillResult


@dataclass(frozen=True, slots=True, kw_only=True)
class OrphanEntry:
    broker_order_id: str
    client_order_id: str | None
    symbol: str
    strategy_id: str
    side: str
    qty: Decimal
    filled_qty: Decimal
    estimated_notional: Decimal
    broker_status: str | None
    status: str
    detected_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrphanList:
    orphans: tuple[OrphanEntry, ...]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEntry:
    break_id: str
    kind: str
    symbol: str | None
    client_order_id: str | None
    broker_order_id: str | None
    ledger_value: str
    broker_value: str
    first_seen: datetime
    last_seen: datetime
    age_seconds: Decimal
    status: str
    resolution: str | None
    resolved_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakList:
    breaks: tuple[BreakEntry, ...]
    total: int
