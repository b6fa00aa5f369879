"""The tests that were promised by name or number are there."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).parents[1]
TRAPS: Final = range(1, 36)
NAMED: Final = [
    "test_order_submission_position_limit_blocks_order",
    "test_order_submission_broker_failure_releases_reservation",
    "test_order_submission_phase3_failure_idempotent_retry",
    "test_order_submission_no_long_held_locks",
    "test_order_submission_rollback_on_broker_failure",
    "test_order_submission_partial_failure_no_duplicate",
    "test_reconciliation_cas_conflict_no_data_loss",
    "test_fill_processing_atomic_position_update",
    "test_gate_order_matches_specification",
    "test_full_gate_sequence_happy_path",
    "test_unauthenticated_request_rejected_before_gate_checks",
    "test_kill_switch_blocks_before_broker_call",
    "test_kill_switch_short_circuits",
    "test_order_submit_blocked_when_redis_unavailable",
    "test_slice_blocked_when_redis_unavailable",
    "test_slice_blocked_on_redis_unavailable",
    "test_cancel_no_trading_gates",
    "test_slice_gate_order",
    "test_admin_bypasses_trading_gates",
    "test_kill_switch_engage_requires_operator_permission",
    "test_webhook_not_gated_by_kill_switch",
    "test_webhook_not_gated_by_circuit_breaker",
    "test_webhook_bypasses_bearer_token_auth",
    "test_webhook_rejects_invalid_signature",
    "test_global_auth_middleware_not_invoked_for_webhooks",
    "test_non_webhook_routes_require_bearer_token",
    "test_startup_order",
    "test_shutdown_order",
    "test_reconciliation_gate_blocks_orders_until_ready",
    "test_background_task_crash_triggers_graceful_degradation",
    "test_middleware_order_matches_specification",
    "test_auth_middleware_runs_before_route",
    "test_rate_limit_runs_after_auth",
    "test_submit_order_response_schema",
    "test_all_endpoints_response_schemas",
    "test_metrics_names_unchanged",
    "test_metrics_labels_unchanged",
]


def suite() -> Counter[str]:
    """Every test function of the suite, and how often its name is given."""
    return Counter(
        node.name
        for file in TESTS.rglob("test_*.py")
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    )


def test_every_test_promised_by_name_is_there_once() -> None:
    found = suite()
    assert {name: found[name] for name in NAMED if found[name] != 1} == {}


def test_every_known_trap_has_a_test_with_its_number() -> None:
    numbers = {int(number) for name in suite() for number in re.findall(r"^test_trap_(\d+)_", name)}
    assert numbers == set(TRAPS)
