"""The gates, in the order the contract names, each able to stop an order and no later one reached."""

from __future__ import annotations

import time

from gateway.adapters.embedded import EmbeddedValkey
from tests.contract.conftest import CreateTestApp
from tests.kit.covers import covers
from tests.kit.house import GateLogger, House

NAMES = [
    "auth",
    "rate_limit",
    "kill_switch_unavailable",
    "circuit_breaker_unavailable",
    "position_reservation_unavailable",
    "kill_switch_engaged",
    "circuit_breaker_tripped",
    "quarantine",
    "recon_gate",
    "position_reservation",
    "idempotency",
    "fat_finger",
    "submit",
]
SEQUENCE = [
    "auth:pass",
    "rate_limit:pass",
    "kill_switch_avail:pass",
    "circuit_breaker_avail:pass",
    "position_reservation_avail:pass",
    "kill_switch:pass",
    "circuit_breaker:pass",
    "quarantine:pass",
    "recon_gate:pass",
    "position_reservation:pass",
    "idempotency:pass",
    "fat_finger:pass",
    "submit:success",
]


async def test_gate_order_matches_specification(create_test_app: CreateTestApp) -> None:
    gates = GateLogger()
    async with create_test_app(gate_logger=gates) as house:
        response = await house.submit()
    assert response.status_code == 200, response.text
    assert gates == NAMES


async def test_full_gate_sequence_happy_path(create_test_app: CreateTestApp) -> None:
    gates = GateLogger()
    async with create_test_app(gate_logger=gates) as house:
        response = await house.submit()
    assert response.status_code == 200, response.text
    assert gates.sequence == SEQUENCE


async def test_unauthenticated_request_rejected_before_gate_checks(create_test_app: CreateTestApp) -> None:
    gates = GateLogger()
    async with create_test_app(gate_logger=gates) as house:
        nobody = house.as_nobody()
        for body in ({"symbol": "AAPL", "side": "buy", "qty": 10}, {"nonsense": True}):
            response = await nobody.post("/api/v1/orders", json=body)
            assert response.status_code == 401
            assert gates == ["auth"]
            assert gates.sequence == ["auth:block"]


async def test_kill_switch_blocks_before_broker_call(house: House) -> None:
    await house.engage_kill_switch()
    response = await house.submit()
    assert response.status_code == 503
    assert response.json()["code"] == "kill_switch_engaged"
    assert house.posts() == 0


async def test_kill_switch_short_circuits(create_test_app: CreateTestApp) -> None:
    gates = GateLogger()
    async with create_test_app(gate_logger=gates) as house:
        await house.engage_kill_switch()
        await house.submit()
    assert gates.sequence[-1] == "kill_switch:block"
    assert not any(entry.startswith("fat_finger") for entry in gates.sequence)


@covers("INV-15")
async def test_order_submit_blocked_when_redis_unavailable(
    create_test_app: CreateTestApp, private_valkey: EmbeddedValkey
) -> None:
    async with create_test_app(redis_url=private_valkey.url) as house:
        private_valkey.stop()
        started = time.monotonic()
        response = await house.submit()
        assert time.monotonic() - started < 1
        assert response.status_code == 503
        assert "unavailable" in response.json()["detail"].lower()
        assert house.posts() == 0


@covers("INV-16")
async def test_cancel_no_trading_gates(
    create_test_app: CreateTestApp, private_valkey: EmbeddedValkey
) -> None:
    async with create_test_app(redis_url=private_valkey.url) as house:
        resting = await house.submit(type="limit", limit_price="90")
        await house.engage_kill_switch()
        await house.trip_circuit_breaker()
        private_valkey.stop()
        cid = resting.json()["client_order_id"]
        canceled = await house.client.post(f"/api/v1/orders/{cid}/cancel")
        unknown = await house.client.post("/api/v1/orders/nobody-knows-me/cancel")
        assert canceled.status_code == 200, canceled.text
        assert unknown.status_code == 404
        assert (await house.until_status(cid, "canceled"))["filled_qty"] == "0"


async def test_admin_bypasses_trading_gates(house: House) -> None:
    await house.engage_kill_switch()
    await house.trip_circuit_breaker()
    for path in (
        "/api/v1/config",
        "/api/v1/fat-finger/thresholds",
        "/api/v1/reconciliation/status",
        "/api/v1/quarantine",
        "/api/v1/kill-switch/status",
        "/api/v1/circuit-breaker/status",
    ):
        assert (await house.client.get(path)).status_code == 200, path
    assert (await house.client.post("/api/v1/reconciliation/run")).status_code == 200


@covers("SEC:S-17")
async def test_kill_switch_engage_requires_operator_permission(house: House) -> None:
    body = {"reason": "a test says so", "operator": "bob"}
    viewer = await house.as_role("viewer").post("/api/v1/kill-switch/engage", json=body)
    assert viewer.status_code == 403
    operator = await house.as_role("operator").post("/api/v1/kill-switch/engage", json=body)
    assert operator.status_code == 200, operator.text
    events = (await house.client.get("/api/v1/events", params={"topic": "control.refused"})).json()["events"]
    assert [event["actor"]["sub"] for event in events] == ["bob"]


async def test_circuit_breaker_disabled_really_opens_the_gate(create_test_app: CreateTestApp) -> None:
    gates = GateLogger()
    async with create_test_app(gate_logger=gates, environment={"CIRCUIT_BREAKER_ENABLED": "false"}) as house:
        await house.trip_circuit_breaker()
        response = await house.submit()
    assert response.status_code == 200, response.text
    assert "circuit_breaker_avail:skip" in gates.sequence
    assert "circuit_breaker:skip" in gates.sequence


async def test_a_tripped_breaker_blocks_and_a_reset_lets_orders_through(house: House) -> None:
    await house.trip_circuit_breaker()
    blocked = await house.submit()
    assert (blocked.status_code, blocked.json()["code"]) == (503, "circuit_breaker_tripped")
    reset = await house.client.post("/api/v1/circuit-breaker/reset", json={"reason": "all is well again"})
    assert reset.json()["state"] == "QUIET_PERIOD"
    assert (await house.submit()).status_code == 200


@covers("FC:F-02", "INV-25")
async def test_a_fat_finger_is_refused_with_every_breach_and_on_record(house: House) -> None:
    response = await house.submit(qty=900, type="limit", limit_price="5000")
    assert response.status_code == 400
    assert response.json()["code"] == "fat_finger_rejected"
    assert response.json()["breaches"] == ["notional"]
    refused = (await house.client.get("/api/v1/events", params={"topic": "order.refused"})).json()["events"]
    assert refused[-1]["data"]["gate"] == "fat_finger"
    assert house.posts() == 0


async def test_engage_blocks_orders_and_disengage_lets_them_pass_again(house: House) -> None:
    await house.engage_kill_switch(scope="symbol", target="AAPL")
    assert (await house.submit()).status_code == 503
    assert (await house.submit(symbol="MSFT")).status_code == 200
    await house.disengage_kill_switch(scope="symbol", target="AAPL")
    assert (await house.submit()).status_code == 200
