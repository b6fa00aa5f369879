"""What clients are promised: the keys of every answer, and the names and labels of every metric."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.contract.conftest import CreateTestApp
from tests.contract.relay import deliver, fill
from tests.contract.steps import ORDERS, holds, reconcile, resting_order, traded
from tests.kit.exchange import Exchange
from tests.kit.house import House

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
READS: Final = [
    ("/", "service version status dry_run"),
    ("/health", HEALTH),
    ("/health/live", "status"),
    ("/health/ready", "ready checks reconciliation_gate"),
    ("/api/v1/config", CONFIG),
    ("/api/v1/fat-finger/thresholds", "default_thresholds symbol_overrides updated_at updated_by"),
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


async def test_submit_order_response_schema(house: House) -> None:
    response = await house.submit(type="limit", limit_price="90.50")
    assert response.status_code == 200
    promised(response.json(), ORDER)
    assert (response.json()["qty"], response.json()["limit_price"]) == (10, "90.5")
    assert int(response.headers["x-ledger-position"]) == response.json()["ledger_position"]


async def test_all_endpoints_response_schemas(house: House) -> None:
    await traded(house, "buy", "10", "100", name="shown")
    await resting_order(house, client_order_id="open")
    for path, keys in READS:
        response = await house.client.get(path)
        assert response.status_code == 200, f"{path}: {response.text}"
        promised(response.json(), keys)
    details = (await house.client.get("/api/v1/orders/pending")).json()["orders"]
    promised(details[0], ORDER_DETAIL)
    (shown,) = (await house.client.get("/api/v1/positions")).json()["positions"]
    promised(
        shown,
        "symbol qty avg_entry_price current_price unrealized_pl realized_pl reserved_buy reserved_sell"
        " updated_at last_trade_at quarantined strategy_id",
    )
    events = (await house.client.get("/api/v1/events")).json()["events"]
    for event in events:
        promised(
            event,
            "position stream version topic schema_version recorded_at occurred_at actor correlation_id"
            " causation_position symbol strategy_id client_order_id data",
        )


async def test_all_commands_answer_in_their_schema(house: House) -> None:
    order = await resting_order(house)
    post = house.client.post
    control = {"reason": "a test says so", "operator": "carol"}
    for path, body, keys in [
        ("kill-switch/engage", control, f"{SWITCH} engagement_details"),
        ("kill-switch/disengage", {"operator": "carol"}, f"{SWITCH} disengagement_notes"),
        ("circuit-breaker/trip", {"reason": "a test says so"}, BREAKER),
        ("circuit-breaker/reset", {"reason": "a test says so"}, BREAKER),
        ("reconciliation/run", None, RECONCILED),
        ("reconciliation/force-complete", {"reason": "a test says so"}, "status message user_id reason"),
        (f"orders/{order['client_order_id']}/cancel", None, CANCEL),
    ]:
        response = await post(f"/api/v1/{path}", json=body)
        assert response.status_code == 200, f"{path}: {response.text}"
        promised(response.json(), keys)
        assert int(response.headers["x-ledger-position"]) > 0
    response = await deliver(house, fill(order, execution_id="x-1", qty="1", price="90", total="1"))
    promised(response.json(), "status client_order_id disposition ledger_position")


async def test_every_refusal_is_a_problem(house: House) -> None:
    nobody = house.as_nobody()
    viewer = house.as_role("viewer")
    answers = [
        await nobody.get("/api/v1/config"),
        await viewer.post("/api/v1/orders", json={}),
        await house.client.get("/api/v1/orders/nobody-knows-me"),
        await house.client.post("/api/v1/orders", json={"symbol": "AAPL"}),
        await house.client.get("/nowhere"),
        await house.client.delete("/health"),
        await house.client.get("/api/v1/config/"),
        await house.submit(qty=1001),
    ]
    assert [answer.status_code for answer in answers] == [401, 403, 404, 422, 404, 405, 404, 422]
    for answer in answers:
        assert answer.headers["content-type"] == "application/problem+json"
        promised(answer.json(), PROBLEM)
        assert answer.json()["detail"].startswith(f"{answer.json()['code']}: ")
        assert answer.json()["type"] == f"urn:execution-gateway:problem:{answer.json()['code']}"


_P: Final = "execution_gateway_"
METRICS: Final = {
    f"{_P}orders_submitted_total": "",
    f"{_P}orders_filled_total": "",
    f"{_P}order_latency_seconds": "",
    f"{_P}orders_total": "symbol side status",
    f"{_P}order_placement_duration_seconds": "symbol side",
    "order_placement_duration_seconds": "",
    f"{_P}fat_finger_warnings_total": "threshold_type",
    f"{_P}fat_finger_rejections_total": "threshold_type",
    f"{_P}positions_current": "symbol",
    f"{_P}pnl_dollars": "type",
    f"{_P}database_connection_status": "",
    f"{_P}redis_connection_status": "",
    f"{_P}alpaca_connection_status": "",
    f"{_P}alpaca_api_requests_total": "operation status",
    f"{_P}webhook_received_total": "event_type",
    f"{_P}dry_run_mode": "",
    f"{_P}reconciliation_mismatches_total": "pod",
    f"{_P}reconciliation_conflicts_skipped_total": "pod",
    f"{_P}reconciliation_last_run_timestamp": "pod",
    f"{_P}symbols_quarantined_total": "pod symbol",
    "api_auth_checks_total": "action result auth_type mode",
    "s2s_auth_checks_total": "service_id result",
    "s2s_replay_detected_total": "service_id",
    "rate_limit_api_checks_total": "action result principal_type",
    "rate_limit_checks_total": "action result",
    "rate_limit_bypass_total": "method",
    "rate_limit_redis_timeout_total": "action",
    "rate_limit_redis_errors_total": "action",
    "audit_log_events_total": "event_type outcome",
    "audit_log_write_failures_total": "reason",
    "audit_write_latency_seconds": "",
    "admin_action_total": "action",
    f"{_P}circuit_breaker_enabled": "",
    f"{_P}circuit_breaker_state": "state",
    f"{_P}kill_switch_engaged": "scope",
    f"{_P}gate_verdicts_total": "gate verdict",
    f"{_P}unknown_outcomes": "",
    f"{_P}unknown_outcome_resolutions_total": "result",
    f"{_P}broker_facts_total": "source disposition",
    f"{_P}unknown_broker_events_total": "source",
    f"{_P}reservation_drift": "",
    f"{_P}mirror_rebuilds_total": "reason",
    f"{_P}open_breaks": "kind",
    f"{_P}orphans_open": "",
    f"{_P}slices_total": "result",
    f"{_P}ledger_position": "",
    f"{_P}ledger_append_conflicts_total": "",
    f"{_P}projection_lag_events": "projection",
    f"{_P}projection_lag_seconds": "projection",
    f"{_P}stream_connected": "",
    f"{_P}background_task_up": "task",
    f"{_P}http_request_duration_seconds": "method route status_class",
}


async def exposed(house: House) -> dict[str, dict[tuple[tuple[str, str], ...], Decimal]]:
    """Name to labels to value, as anybody may read it; a histogram by its count."""
    text = (await house.as_nobody().get("/metrics")).text
    found: dict[str, dict[tuple[tuple[str, str], ...], Decimal]] = {}
    for family in text_string_to_metric_families(text):
        suffix = {"counter": "_total", "histogram": "_count"}.get(family.type, "")
        for sample in family.samples:
            if sample.name == f"{family.name}{suffix}":
                name = sample.name.removesuffix("_count")
                labels = tuple(sorted(sample.labels.items()))
                found.setdefault(name, {})[labels] = Decimal(str(sample.value))
    return found


async def test_metrics_names_unchanged(house: House) -> None:
    text = (await house.as_nobody().get("/metrics")).text
    families = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in text_string_to_metric_families(text)
    }
    assert families == METRICS.keys()


async def test_metrics_labels_unchanged(house: House) -> None:
    found = {
        (metric._name + ("_total" if metric._type == "counter" else "")): " ".join(metric._labelnames)
        for name in dir(house.gateway.metrics)
        if hasattr(metric := getattr(house.gateway.metrics, name), "_labelnames")
    }
    assert found == METRICS


async def test_what_happens_moves_its_metric(house: House) -> None:
    """Each event once, and the metric that counts it has moved when the answer is there."""
    before = await exposed(house)
    order = await resting_order(house, client_order_id="counted")
    await deliver(house, fill(order, execution_id="x-1", qty="10", price="90", total="10"))
    await deliver(house, {"event": "a_new_word", "order": {"id": order["broker_order_id"]}})
    await house.submit(qty=900, type="limit", limit_price="5000")
    house.exchange.arm("http.status", match=ORDERS, status=504, body="")
    await house.submit(client_order_id="unknown", symbol="MSFT")
    body = {"symbol": "MSFT", "side": "buy", "qty": "1", "type": "market", "time_in_force": "day"}
    house.exchange.ctl("POST", "foreign_order", body)
    await house.until(lambda: holds(house, "1", "MSFT"), what="the foreign fill")
    await house.engage_kill_switch()
    await house.trip_circuit_breaker()
    await house.gateway.resolver.run_once()
    await reconcile(house)
    after = await exposed(house)
    moved = {name for name in METRICS if after.get(name) != before.get(name)}
    expected = {
        f"{_P}{name}"
        for name in (
            "orders_submitted_total",
            "orders_filled_total",
            "order_latency_seconds",
            "orders_total",
            "order_placement_duration_seconds",
            "fat_finger_rejections_total",
            "alpaca_api_requests_total",
            "webhook_received_total",
            "reconciliation_last_run_timestamp",
            "symbols_quarantined_total",
            "kill_switch_engaged",
            "gate_verdicts_total",
            "unknown_outcomes",
            "broker_facts_total",
            "unknown_broker_events_total",
            "open_breaks",
            "orphans_open",
            "http_request_duration_seconds",
        )
    } | {
        "order_placement_duration_seconds",
        "api_auth_checks_total",
        "rate_limit_api_checks_total",
        "rate_limit_checks_total",
        "audit_log_events_total",
        "audit_write_latency_seconds",
        "admin_action_total",
    }
    assert expected <= moved, expected - moved
    assert after[f"{_P}orders_filled_total"][()] == 2  # ours and the foreign one
    assert after[f"{_P}orders_submitted_total"][()] == 2


async def test_a_repaired_fill_counts_as_a_mismatch_and_a_quiet_pass_does_not(house: House) -> None:
    order = await resting_order(house)
    await house.until_status(order["client_order_id"], "new")
    house.exchange.arm("ws.lose", times=-1)
    name = f"{_P}reconciliation_mismatches_total"
    await reconcile(house)
    quiet = (await exposed(house)).get(name, {})
    assert sum(quiet.values()) == 0
    house.exchange.ctl("POST", f"orders/{order['broker_order_id']}/fill", {"qty": "10", "price": "90"})
    await reconcile(house)
    assert sum((await exposed(house))[name].values()) > 0


@pytest.mark.parametrize("text", ["true", "false"])
async def test_dry_run_shows_in_its_gauge(
    create_test_app: CreateTestApp, exchange: Exchange, text: str
) -> None:
    async with create_test_app(environment={"DRY_RUN": text}) as house:
        shown = (await exposed(house))[f"{_P}dry_run_mode"][()]
        assert shown == (1 if text == "true" else 0)
