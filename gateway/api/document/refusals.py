"""Which refusals each operation can answer with, beside those that any guarded operation has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Final

from gateway.api.errors import STATUS
from gateway.api.guard import Access

_BROKER: Final = "broker_unavailable broker_rate_limited broker_rejected broker_id_conflict"
_SAFETY: Final = (
    "kill_switch_unavailable circuit_breaker_unavailable position_reservation_unavailable"
    " kill_switch_engaged circuit_breaker_tripped quarantined quarantine_unavailable"
)
_GATED: Final = (
    "reconciliation_in_progress reconciliation_broker_unavailable reconciliation_lock_unavailable"
    " reconciliation_lock_timeout"
)
_TRADE: Final = (
    f"strategy_unauthorized idempotency_conflict position_limit_exceeded fat_finger_rejected"
    f" {_SAFETY} {_GATED} {_BROKER}"
)
_WAY_OUT: Final = (
    "strategy_unauthorized stale_request idempotency_conflict qty_exceeds_position"
    " reconciliation_broker_unavailable reconciliation_lock_unavailable reconciliation_lock_timeout"
    f" {_BROKER}"
)
_MFA: Final = "mfa_required mfa_expired mfa_invalid token_mismatch mfa_unavailable"

SPECIFIC: Final[Mapping[str, str]] = {
    "submit_order": _TRADE,
    "submit_manual_order": f"{_TRADE} stale_request",
    "slice_order": (
        "strategy_unauthorized scheduler_unavailable kill_switch_unavailable kill_switch_engaged quarantined"
        " quarantine_unavailable reconciliation_in_progress liquidity_unavailable slicing_plan_invalid"
        " fat_finger_rejected position_limit_exceeded idempotency_conflict"
    ),
    "order_detail": "order_not_found projection_behind",
    "order_timeline": "order_not_found",
    "list_slices": "parent_order_not_found",
    "cancel_order": "order_not_found stale_request",
    "cancel_slices": "parent_order_not_found",
    "cancel_all_orders": "order_not_found stale_request strategy_unauthorized cancel_all_failed",
    "list_pending_orders": "strategy_unauthorized",
    "close_position": f"{_WAY_OUT} position_not_found fractional_qty",
    "adjust_position": f"{_TRADE} {_WAY_OUT} position_not_found fractional_qty",
    "flatten_all": f"{_WAY_OUT} {_MFA} flatten_failed",
    "list_positions": "strategy_unauthorized rate_limited",
    "realtime_pnl": "no_strategy_access",
    "performance_by_day": "performance_disabled no_strategy_access strategy_unauthorized rate_limited",
    "list_strategies": "no_strategy_access",
    "strategy_status": "no_strategy_access strategy_unauthorized strategy_not_found",
    "engage_kill_switch": f"kill_switch_already_engaged strategy_unauthorized {_MFA}",
    "disengage_kill_switch": "kill_switch_not_engaged kill_switch_unavailable",
    "reset_circuit_breaker": "circuit_breaker_not_tripped circuit_breaker_unavailable",
    "release_quarantine": "quarantine_not_active unresolved_orphans quarantine_unavailable",
    "adopt_orphan": "not_found idempotency_conflict",
    "ignore_orphan": "not_found idempotency_conflict",
    "cancel_orphan": "not_found idempotency_conflict",
    "resolve_break": "not_found idempotency_conflict projection_behind reconciliation_broker_unavailable",
    "run_reconciliation": "reconciliation_broker_unavailable",
    "force_complete": "reason_required reconciliation_not_attempted",
    "backfill_fills": "reconciliation_broker_unavailable",
    "list_events": "strategy_unauthorized",
    "stream_events": "strategy_unauthorized",
    "rebuild_projection": "not_found rebuild_in_progress",
    "receive_order_update": (
        "webhook_signature_missing webhook_signature_invalid webhook_body_invalid webhook_unavailable"
        " ledger_unavailable draining request_timeout body_too_large"
    ),
}


def codes_of(operation_id: str, rule: Access | None, *, body: bool, path: bool) -> dict[int, list[str]]:
    """Every code an operation may answer with, by status. `rule` None stands for the webhook's own door."""
    codes = {*SPECIFIC.get(operation_id, "").split(), *_general(rule), "headers_too_large", "internal_error"}
    if body:
        codes |= {"request_timeout", "body_too_large"}
    if path:
        codes.add("not_found")
    by_status: dict[int, list[str]] = {}
    for code in sorted(codes):
        by_status.setdefault(STATUS[code], []).append(code)
    return dict(sorted(by_status.items()))


def _general(rule: Access | None) -> Iterator[str]:
    if rule is None:
        return
    yield "request_validation"
    if rule.public:
        return
    yield from (code for code, status in STATUS.items() if _is_about_the_caller(code, status))
    yield from ("auth_unavailable", "ledger_unavailable", "draining")
    if rule.permission is not None:
        yield "permission_denied"
    if rule.limit is not None:
        yield "rate_limited"
    if rule.reads:
        yield "projection_behind"


def _is_about_the_caller(code: str, status: int) -> bool:
    return status == HTTPStatus.UNAUTHORIZED and not code.startswith("webhook")
