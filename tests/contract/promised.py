"""The keys of every model, as the contract lists them."""

from __future__ import annotations

import re
from typing import Any, Final

ORDER: Final = (
    "client_order_id status broker_order_id symbol side qty order_type limit_price stop_price time_in_force"
    " strategy_id filled_qty created_at message ledger_position"
)
ORDER_DETAIL: Final = (
    "client_order_id strategy_id symbol side qty order_type limit_price stop_price time_in_force status"
    " broker_order_id broker_status error_message retry_count created_at updated_at submitted_at"
    " cancel_requested_at filled_at filled_qty filled_avg_price leaves_qty metadata parent_order_id slice_num"
    " total_slices scheduled_time flags ledger_position"
)
SWITCH: Final = (
    "state scope target engaged_at engaged_by engagement_reason on_behalf_of disengaged_at disengaged_by"
    " engagement_count_today ledger_position mirror"
)
BREAKER: Final = (
    "state enabled tripped_at trip_reason trip_details reset_at reset_by quiet_period_ends_at"
    " trip_count_today ledger_position mirror"
)
PROBLEM: Final = "type title status detail code gate instance request_id timestamp fail_closed"
PNL: Final = (
    "positions total_positions total_unrealized_pl total_unrealized_pl_pct realtime_prices_available"
    " timestamp"
)
HEALTH: Final = (
    "status service version dry_run database_connected redis_connected alpaca_connected timestamp details"
)
RECONCILED: Final = "status message run_id reports_recorded breaks_open orphans_found"
RECONCILIATION: Final = (
    "startup_complete dry_run gate startup_elapsed_seconds startup_timed_out override_active override_context"
    " last_run_at last_success_at last_error loop_state open_breaks message"
)
DAILY: Final = (
    "daily_pnl total_realized_pl max_drawdown_pct start_date end_date data_source note data_available_from"
    " last_updated"
)
CONFIG: Final = (
    "service version environment dry_run alpaca_paper circuit_breaker_enabled liquidity_check_enabled"
    " max_slice_pct_of_adv rate_limit_mode strategy_id max_position_size timestamp"
)
CANCEL: Final = (
    "client_order_id order_id status message cancel_requested_at cancelled_at broker_notified ledger_position"
)
STRATEGY: Final = (
    "strategy_id name status model_version model_status last_signal_at last_error positions_count"
    " open_orders_count today_pnl timestamp"
)
QUARANTINE: Final = "symbol strategy_id reason since cause orphan_notional released_at released_by"
ORPHAN: Final = (
    "broker_order_id client_order_id symbol strategy_id side qty filled_qty estimated_notional broker_status"
    " status detected_at resolved_at resolved_by"
)
BREAK: Final = (
    "break_id kind symbol client_order_id broker_order_id ledger_value broker_value first_seen last_seen"
    " age_seconds status resolution resolved_by"
)
PLAN: Final = (
    "parent_order_id parent_strategy_id strategy_id symbol side total_qty total_slices duration_minutes"
    " interval_seconds slices status liquidity message ledger_position"
)
THRESHOLDS: Final = "default_thresholds symbol_overrides updated_at updated_by"
POSITION: Final = (
    "symbol qty avg_entry_price current_price unrealized_pl realized_pl reserved_buy reserved_sell"
    " updated_at last_trade_at quarantined strategy_id"
)
EVENT: Final = (
    "position stream version topic schema_version recorded_at occurred_at actor correlation_id"
    " causation_position symbol strategy_id client_order_id data"
)
PROJECTION: Final = "name version state position head lag_events lag_seconds last_error"
READS: Final = [
    ("/", "service version status dry_run"),
    ("/health", HEALTH),
    ("/health/live", "status"),
    ("/health/ready", "ready checks reconciliation_gate"),
    ("/api/v1/config", CONFIG),
    ("/api/v1/fat-finger/thresholds", THRESHOLDS),
    ("/api/v1/kill-switch/status", f"{SWITCH} scopes"),
    ("/api/v1/circuit-breaker/status", BREAKER),
    ("/api/v1/reconciliation/status", RECONCILIATION),
    ("/api/v1/quarantine", "quarantined total"),
    ("/api/v1/orders/shown", ORDER_DETAIL),
    ("/api/v1/orders/shown/events", "client_order_id events gates last_look"),
    (
        "/api/v1/orders/pending",
        "orders total limit offset filtered_by_strategy user_strategies",
    ),
    ("/api/v1/orders/recent-fills", "events total limit filtered_by_strategy user_strategies"),
    (
        "/api/v1/positions",
        "positions total_positions total_unrealized_pl total_realized_pl as_of ledger_position",
    ),
    ("/api/v1/positions/pnl/realtime", PNL),
    ("/api/v1/performance/daily", DAILY),
    ("/api/v1/events", "events next_after head has_more"),
    ("/api/v1/ledger/verify", "ok head events_checked duration_ms checks"),
    ("/api/v1/projections", "projections"),
    ("/api/v1/strategies", "strategies total_count timestamp"),
    ("/api/v1/strategies/alpha_baseline", STRATEGY),
    ("/api/v1/orders/shown/slices", ""),
    ("/api/v1/orphans", "orphans total"),
    ("/api/v1/reconciliation/breaks", "breaks total"),
]
STAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
PLAIN: Final = re.compile(r"-?(0|[1-9]\d*)(\.\d*[1-9])?")
DECIMALS: Final = {
    "filled_qty",
    "leaves_qty",
    "filled_avg_price",
    "limit_price",
    "avg_entry_price",
    "realized_pl",
}


def promised(body: dict[str, Any], keys: str) -> None:
    """Every key is there; decimals are plain strings, instants have six digits and a Z."""
    assert set(keys.split()) <= body.keys(), set(keys.split()) - body.keys()
    for name, value in body.items():
        if name.endswith("_at") or name == "timestamp":
            assert value is None or STAMP.fullmatch(value), (name, value)
        if name in DECIMALS and value is not None:
            assert isinstance(value, str), (name, value)
            assert PLAIN.fullmatch(value), (name, value)
            assert value != "-0"
        if isinstance(value, list):
            for entry in value:
                if isinstance(entry, dict):
                    promised(entry, "")
