"""Regression cases of section 10, by number: where an earlier system of this kind went wrong."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import redis

from gateway.adapters.embedded import EmbeddedValkey
from gateway.settings import ConfigurationErrors, load_settings
from tests.contract.conftest import CreateTestApp
from tests.contract.relay import about, deliver, fill
from tests.contract.steps import (
    ORDERS,
    fill_at_exchange,
    holds,
    quarantined,
    reconcile,
    resting_order,
    traded,
)
from tests.kit.covers import covers
from tests.kit.house import House

LONG_AGO = "2026-01-02T15:00:00Z"


@covers("FC:B-01", "FM:F-084")
async def test_trap_1_a_fill_older_than_our_acknowledgement_counts_once(house: House) -> None:
    order = await resting_order(house, qty=100)
    first = fill(order, execution_id="x-1", qty="50", price="90", total="50", event="partial_fill")
    second = fill(order, execution_id="x-2", qty="50", price="90", total="100")
    for body in (first | {"timestamp": LONG_AGO}, second, first | {"timestamp": LONG_AGO}):
        assert (await deliver(house, body)).status_code == 200
    assert await holds(house, "100")


@covers("FC:B-09")
async def test_trap_2_a_fill_after_a_cancel_request_thrice_moves_the_position_once(house: House) -> None:
    house.exchange.arm("order.stuck", status="pending_cancel")
    order = await resting_order(house, qty=100)
    canceled = await house.client.post(f"/api/v1/orders/{order['client_order_id']}/cancel")
    assert canceled.json()["status"] == "pending_cancel"
    late = fill(order, execution_id="x-1", qty="40", price="90", total="40", event="partial_fill")
    for _ in range(3):
        await deliver(house, late)
    assert await holds(house, "40")


@covers("FC:B-03")
async def test_trap_3_a_trade_seen_by_two_sources_is_one_execution(house: House) -> None:
    await traded(house, "buy", "100", "10", name="bought")
    await traded(house, "sell", "100", "12", name="sold")
    for _ in range(2):
        await reconcile(house)
    total = (await house.client.get("/api/v1/positions")).json()["total_realized_pl"]
    assert total == "200"


async def test_trap_7_canceled_buys_leave_nothing_reserved(house: House) -> None:
    for qty in (400, 401):
        order = await resting_order(house, qty=qty)
        await house.client.post(f"/api/v1/orders/{order['client_order_id']}/cancel")
        await house.until_status(order["client_order_id"], "canceled")
    assert (await house.submit(qty=300, type="limit", limit_price="90")).status_code == 200
    assert (await house.submit(qty=701, type="limit", limit_price="90")).status_code == 422


@covers("FC:F-15")
async def test_trap_8_room_is_exactly_the_leaves_of_known_orders(house: House, redis_url: str) -> None:
    """A token nobody's order stands behind is dropped; one with an order has no expiry."""
    await resting_order(house, qty=990)
    with redis.Redis.from_url(redis_url) as server:
        tokens = list(server.scan_iter("position_reservation:*token*"))
        assert tokens
        assert {server.ttl(key) for key in tokens} == {-1}
    assert (await house.submit(qty=11, type="limit", limit_price="90")).status_code == 422


@covers("FC:A-01", "FM:F-061")
async def test_trap_9_a_timeout_after_acceptance_keeps_its_room_and_is_adopted(house: House) -> None:
    house.exchange.arm("http.hang", match=ORDERS, phase="after", seconds=3)
    house.exchange.arm("ws.lose", times=-1)
    response = await house.submit(client_order_id="slow", qty=600, type="limit", limit_price="90")
    assert (response.status_code, response.json()["status"]) == (202, "submitted_unconfirmed")
    assert (await house.submit(qty=401, type="limit", limit_price="90")).status_code == 422
    await house.until_status("slow", "new", "accepted", "pending_new")
    assert house.posts("slow") == 1


@covers("FC:A-03", "FM:F-064")
async def test_trap_10_an_id_that_must_be_unique_is_looked_up_and_not_rejected(house: House) -> None:
    body = {"code": 40010001, "message": "client_order_id must be unique"}
    house.exchange.arm("http.status_after", match=ORDERS, status=422, body=body)
    response = await house.submit(client_order_id="twice-told", type="limit", limit_price="90")
    assert response.status_code == 200, response.text
    assert (await house.order("twice-told"))["status"] in {"new", "accepted", "pending_new"}
    assert house.posts("twice-told") == 1


@covers("FM:F-040", "INV-15")
async def test_trap_11_without_redis_an_order_is_refused_at_once_and_others_are_not_held_up(
    create_test_app: CreateTestApp, private_valkey: EmbeddedValkey
) -> None:
    async with create_test_app(redis_url=private_valkey.url) as house:
        private_valkey.stop()
        started = time.monotonic()
        orders = [house.submit(client_order_id=f"refused-{number}") for number in range(5)]
        *refused, read = await asyncio.gather(*orders, house.client.get("/api/v1/positions"))
        assert time.monotonic() - started < 1
        assert {answer.status_code for answer in refused} == {503}
        assert read.status_code == 200


@covers("FC:F-07")
async def test_trap_12_a_flush_and_a_restart_leave_the_kill_switch_engaged(
    create_test_app: CreateTestApp, redis_url: str
) -> None:
    async with create_test_app() as house:
        await house.engage_kill_switch()
        with redis.Redis.from_url(redis_url) as server:
            server.flushdb()
    async with create_test_app() as house:
        assert (await house.submit()).json()["code"] == "kill_switch_engaged"


@covers("FC:F-10")
async def test_trap_13_a_trip_in_the_quiet_period_stays_a_trip(create_test_app: CreateTestApp) -> None:
    async with create_test_app(environment={"CIRCUIT_BREAKER_QUIET_PERIOD_SECONDS": "1"}) as house:
        await house.trip_circuit_breaker()
        await house.client.post("/api/v1/circuit-breaker/reset", json={"reason": "all is well again"})
        await house.trip_circuit_breaker()
        await asyncio.sleep(1.1)
        status = (await house.client.get("/api/v1/circuit-breaker/status")).json()
        assert (status["state"], status["trip_count_today"]) == ("TRIPPED", 2)
        assert (await house.submit()).json()["code"] == "circuit_breaker_tripped"


@covers("INV-14")
async def test_trap_14_a_fresh_installation_accepts_the_documented_order(
    create_test_app: CreateTestApp,
) -> None:
    async with create_test_app(environment={"DRY_RUN": "true"}) as house:
        body = {"symbol": "AAPL", "side": "buy", "qty": 10, "type": "market", "time_in_force": "day"}
        response = await house.client.post("/api/v1/orders", json=body)
        assert response.status_code == 200, response.text
        assert response.json()["status"] == "dry_run"
        assert response.json()["message"] == "Order logged (DRY_RUN mode)"


async def test_trap_15_lists_and_both_cancels_reach_their_handlers(house: House) -> None:
    order = await resting_order(house)
    pending = (await house.client.get("/api/v1/orders/pending")).json()
    assert [entry["client_order_id"] for entry in pending["orders"]] == [order["client_order_id"]]
    assert (await house.client.get("/api/v1/orders/recent-fills")).json()["events"] == []
    path = f"/api/v1/orders/{order['client_order_id']}/cancel"
    by_hand = {
        "reason": "the price has moved away",
        "requested_by": "alice",
        "requested_at": datetime.now(UTC).isoformat(),
    }
    assert (await house.client.post(path)).json()["message"] == "Cancel requested"
    assert (await house.client.post(path, json=by_hand)).status_code == 200


async def test_trap_18_many_old_orders_do_not_keep_an_unknown_one_from_being_looked_up(
    create_test_app: CreateTestApp,
) -> None:
    async with create_test_app(environment={"RECONCILIATION_MAX_LOOKUPS": "3"}) as house:
        for number in range(8):
            await resting_order(house, qty=1, client_order_id=f"old-{number}")
        house.exchange.arm("read.list_gap", times=-1)
        house.exchange.arm("http.status_after", match=ORDERS, status=504, body="")
        await house.submit(client_order_id="new-one", type="limit", limit_price="90")
        await house.gateway.background.stop("resolver")
        await reconcile(house)
        await house.until_status("new-one", "new", "accepted", "pending_new")


@covers("FC:E-09")
async def test_trap_19_a_snapshot_never_overwrites_a_position(create_test_app: CreateTestApp) -> None:
    async with create_test_app(environment={"RECONCILIATION_BREAK_TOLERANCE_SECONDS": "30"}) as house:
        order = await resting_order(house, qty=100)
        house.exchange.arm("ws.delay", match={"event": "*fill"}, times=-1, seconds=1)
        house.exchange.arm("read.activities_gap", times=-1)
        fill_at_exchange(house, order, "100", "90")
        await reconcile(house)
        await house.until_status(order["client_order_id"], "filled")
        await asyncio.sleep(1.2)
        await reconcile(house)
        assert await holds(house, "100")
        assert await quarantined(house) == []


@covers("FM:F-088")
async def test_trap_20_missed_executions_agree_to_the_last_digit_everywhere(house: House) -> None:
    house.exchange.arm("ws.lose", match={"event": "*fill"}, times=-1)
    for side, qty, price in (("buy", "3", "10.01"), ("sell", "1", "10.04"), ("sell", "2", "10.07")):
        away = "50" if side == "buy" else "150"
        order = await resting_order(house, side=side, qty=int(qty), limit_price=away)
        fill_at_exchange(house, order, qty, price)
        await reconcile(house)
    positions = (await house.client.get("/api/v1/positions")).json()
    fills = (await house.client.get("/api/v1/orders/recent-fills")).json()["events"]
    daily = (await house.client.get("/api/v1/performance/daily")).json()
    amounts = {
        Decimal(positions["total_realized_pl"]),
        sum((Decimal(event["realized_pl"]) for event in fills), Decimal(0)),
        Decimal(daily["total_realized_pl"]),
    }
    assert amounts == {Decimal("0.15")}


async def test_trap_21_a_quarantine_can_be_inspected_and_lifted(house: House) -> None:
    body = {"symbol": "AAPL", "side": "buy", "qty": "1", "type": "market", "time_in_force": "day"}
    house.exchange.ctl("POST", "foreign_order", body)
    await house.until(lambda: quarantined(house), what="the quarantine")
    reason = {"reason": "seen and understood"}
    kept = await house.client.post("/api/v1/quarantine/AAPL/release", json=reason)
    assert (kept.status_code, kept.json()["code"]) == (409, "unresolved_orphans")
    assert kept.json()["broker_order_ids"]
    forced = await house.client.post("/api/v1/quarantine/AAPL/release", json=reason | {"force": True})
    assert (forced.status_code, forced.json()["released_by"]) == (200, "alice")
    assert await quarantined(house) == []


async def test_trap_23_force_complete_needs_an_attempt_and_a_reason(create_test_app: CreateTestApp) -> None:
    path = "/api/v1/reconciliation/force-complete"
    async with create_test_app(block_reconciliation=True) as house:
        for body in (None, {}, {"reason": "   "}):
            refused = await house.client.post(path, json=body)
            assert (refused.status_code, refused.json()["code"]) == (422, "reason_required")
        forced = await house.client.post(path, json={"reason": "the broker is away, we go on"})
        assert (forced.status_code, forced.json()["status"]) == (200, "override_enabled")
        assert (await house.submit()).status_code == 200
        house.release_reconciliation.set()
        await house.until_gate_opens()


@covers("INV-17")
async def test_trap_24_a_webhook_about_anything_is_kept_and_answered(house: House) -> None:
    order = await resting_order(house)
    unknown = about(order, id="7f3c", client_order_id="never-heard-of", status="new")
    for body in (
        {"event": "fill", "order": None},
        {"event": "fill", "order": {}},
        {"event": "new", "order": unknown},
        {"event": "an_unknown_type", "order": about(order)},
        {},
    ):
        response = await deliver(house, body)
        assert response.status_code == 200, response.text
        assert response.json()["status"] == "recorded"


async def test_trap_26_prices_and_tickets_make_different_orders(house: House) -> None:
    prices = [await house.submit(type="limit", limit_price=price) for price in ("0.1234", "0.12")]
    assert [answer.status_code for answer in prices] == [200, 200]
    assert len({answer.json()["client_order_id"] for answer in prices}) == 2
    mine = await house.submit(client_order_id="mine", type="limit", limit_price="90")
    other = await house.submit(client_order_id="mine", type="limit", limit_price="91")
    assert (mine.status_code, other.status_code) == (200, 409)


async def test_trap_27_the_type_is_honoured_and_a_misspelt_field_is_refused(house: House) -> None:
    made = await house.submit(type="limit", limit_price="90")
    assert (made.status_code, made.json()["order_type"]) == (200, "limit")
    (held,) = house.exchange.truth()["orders"]
    assert (held["type"], held["limit_price"]) == ("limit", "90")
    for fields in ({"limitprice": "90"}, {"type": "limit"}, {"type": "market", "order_type": "limit"}):
        assert (await house.submit(**fields)).status_code == 422


def test_trap_28_booleans_read_alike_and_maybe_stops_the_start() -> None:
    for name in ("DRY_RUN", "CIRCUIT_BREAKER_ENABLED", "REDIS_AUTH_REQUIRED"):
        with pytest.raises(ConfigurationErrors, match=name):
            load_settings({name: "maybe"})
    assert load_settings({"DRY_RUN": "1"}).dry_run is True
    assert load_settings({"CIRCUIT_BREAKER_ENABLED": "0"}).circuit_breaker_enabled is False


async def test_trap_29_a_breaker_switched_off_is_obeyed_by_nobody_and_seen_by_everybody(
    create_test_app: CreateTestApp,
) -> None:
    async with create_test_app(environment={"CIRCUIT_BREAKER_ENABLED": "false"}) as house:
        await house.trip_circuit_breaker()
        status = (await house.client.get("/api/v1/circuit-breaker/status")).json()
        assert (status["state"], status["enabled"]) == ("TRIPPED", False)
        assert (await house.client.get("/api/v1/config")).json()["circuit_breaker_enabled"] is False
        assert (await house.submit()).status_code == 200


async def test_trap_30_a_retry_at_the_limit_takes_no_room(house: House) -> None:
    for _ in range(3):
        assert (
            await house.submit(client_order_id="whole", qty=1000, type="limit", limit_price="90")
        ).status_code == 200
    path = "/api/v1/orders/whole/cancel"
    assert (await house.client.post(path)).status_code == 200
    await house.until_status("whole", "canceled")
    assert (await house.submit(qty=1000, type="limit", limit_price="90")).status_code == 200


@covers("FC:F-11")
async def test_trap_31_of_two_reducing_sells_at_once_one_passes(create_test_app: CreateTestApp) -> None:
    async with create_test_app() as house:
        await traded(house, "buy", "100", "100", name="held")
    async with create_test_app(block_reconciliation=True) as house:
        sells = [
            house.submit(side="sell", qty=100, type="limit", limit_price="150", client_order_id=name)
            for name in ("first", "second")
        ]
        answers = await asyncio.gather(*sells)
        assert sorted(answer.status_code for answer in answers) == [200, 503]


@covers("FC:B-18")
async def test_trap_32_fractional_fills_are_recorded_exactly(house: House) -> None:
    order = await resting_order(house, qty=1)
    for name, qty, total in (("x-1", "0.4", "0.4"), ("x-2", "0.35", "0.75")):
        body = fill(order, execution_id=name, qty=qty, price="90", total=total, event="partial_fill")
        await deliver(house, body)
    assert await holds(house, "0.75")
    found = await house.order(order["client_order_id"])
    assert (found["filled_qty"], found["leaves_qty"]) == ("0.75", "0.25")


@covers("FC:F-12", "FM:F-113")
async def test_trap_33_open_orders_that_cannot_be_read_refuse_the_order(
    create_test_app: CreateTestApp,
) -> None:
    async with create_test_app() as house:
        await traded(house, "buy", "100", "100", name="held")
    async with create_test_app(block_reconciliation=True) as house:
        for path in ("/v2/orders", "/v2/positions/AAPL"):
            fault = house.exchange.arm(
                "http.status", match={"method": "GET", "path": path}, status=500, times=-1
            )
            refused = await house.submit(side="sell", qty=10)
            assert (refused.status_code, refused.json()["code"]) == (503, "reconciliation_broker_unavailable")
            house.exchange.ctl("DELETE", f"faults/{fault}")
        assert (await house.submit(side="sell", qty=10)).status_code == 200
