"""Reconciliation: where it stands, and what a pass found."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from gateway.api.json_types import AS_INTEGER, Flag, Text, Timestamp
from gateway.api.schemas.common import RequestBody, Shown


class OverrideContext(Shown):
    user_id: str
    reason: str
    timestamp: Timestamp
    last_reconciliation_result: str | None


class ReconciliationStatus(Shown):
    startup_complete: bool
    dry_run: bool
    gate: Literal["open", "closed", "override"]
    startup_elapsed_seconds: float
    startup_timed_out: bool
    override_active: bool
    override_context: OverrideContext | dict[str, str]
    last_run_at: Timestamp | None
    last_success_at: Timestamp | None
    last_error: str | None
    loop_state: Literal["running", "stopped", "crashed"]
    open_breaks: int
    message: str | None


class ReconciliationRunResponse(Shown):
    status: Literal["ok", "skipped", "failed"]
    message: str
    run_id: str
    reports_recorded: int
    breaks_open: int
    orphans_found: int
    shadow_reports: list[Any] | None = Field(description="Only after a shadow pass.")


class ForceCompleteBody(RequestBody):
    reason: Text | None = None


class ReconciliationOverrideResponse(Shown):
    status: Literal["override_enabled", "skipped"]
    message: str
    user_id: str
    reason: str


class FillsBackfillBody(RequestBody):
    lookback_hours: Annotated[int, Field(ge=1, le=720), AS_INTEGER] | None = None
    recalc_all_trades: Flag = False


class FillsBackfillResult(Shown):
    status: Literal["ok", "skipped", "disabled"]
    fills_seen: int
    fills_inserted: int
    duplicates: int
    unmatched: int
    pnl_updates: int
    pnl_failures: int
    complete: bool
    high_water_mark: Timestamp | None


class FillsBackfillResponse(Shown):
    status: Literal["ok", "skipped", "disabled"]
    message: str
    result: FillsBackfillResult
