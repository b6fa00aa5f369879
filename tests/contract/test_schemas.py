"""What clients are promised: what every refusal looks like, and the names and labels of every metric."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.contract.conftest import CreateTestApp
from tests.contract.promised import ORDER, PROBLEM, promised
from tests.contract.relay import deliver, fill
from tests.contract.steps import holds, reconcile, resting_order
from tests.kit.covers import covers
from tests.kit.exchange import Exchange
from tests.kit.house import House


async def test_submit_order_response_schema(house: House) -> None:
    response = await house.submit(type="limit", limit_price="90.50")
    assert response.status_code == 200
    promised(response.json(), ORDER)
    assert (response.json()["qty"], response.json()["limit_price"]) == (10, "90.5")
    assert int(response.headers["x-ledger-position"]) == response.json()["ledger_position"]


@covers("SEC:S-43")
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
    f"{_P}inferred_executions": "",
    f"{_P}slices_total": "result",
    f"{_P}ledger_position": "",
    f"{_P}ledger_append_conflicts_total": "",
    f"{_P}projection_lag_events": "projection",
    f"{_P}projection_lag_seconds": "projection",
    f"{_P}stream_connected": "",
    f"{_P}last_fact_timestamp": "source",
    f"{_P}order_flags_total": "flag",
    f"{_P}dead_letters": "",
    f"{_P}stream_silences_total": "",
    f"{_P}broker_clock_skew_seconds": "",
    f"{_P}cancels_stuck": "",
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


async def test_intents_and_filled_orders_are_counted_once_each(house: House) -> None:
    order = await resting_order(house)
    for _ in range(2):
        await deliver(house, fill(order, execution_id="x-1", qty="10", price="90", total="10"))
        await resting_order(house)
    body = {"symbol": "MSFT", "side": "buy", "qty": "1", "type": "market", "time_in_force": "day"}
    house.exchange.ctl("POST", "foreign_order", body)
    await house.until(lambda: holds(house, "1", "MSFT"), what="the foreign fill")
    shown = await exposed(house)
    assert shown[f"{_P}orders_submitted_total"][()] == 1
    assert shown[f"{_P}orders_filled_total"][()] == 2  # ours and the foreign one


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
