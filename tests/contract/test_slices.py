"""Slicing plans over the whole running system: made at once and completely, or refused."""

from __future__ import annotations

import time

from gateway.adapters.embedded import EmbeddedValkey
from tests.contract.conftest import CreateTestApp
from tests.kit.covers import covers
from tests.kit.house import GateLogger, House
from tests.kit.slicing import ask, planned, slices_of, until_slice

GATES = [
    "auth",
    "rate_limit",
    "scheduler_unavailable",
    "kill_switch_unavailable",
    "kill_switch_engaged",
    "quarantine",
    "recon_gate",
    "liquidity",
    "slice",
]


async def test_slice_gate_order(create_test_app: CreateTestApp) -> None:
    gates = GateLogger()
    async with create_test_app(gate_logger=gates) as house:
        await planned(house)
        assert gates == GATES
        assert gates.sequence[-1] == "slice:success"
        await house.engage_kill_switch()
        refused = await ask(house, qty=104)
        assert refused.status_code == 503
        assert "kill_switch" in refused.json()["detail"]
        assert gates == GATES[: GATES.index("kill_switch_engaged") + 1]


async def test_trap_4_a_plan_is_there_completely_and_its_first_slice_goes_at_once(house: House) -> None:
    plan = await planned(house)
    assert sum(one["qty"] for one in plan["slices"]) == 103
    assert (plan["status"], plan["total_slices"], plan["interval_seconds"]) == ("pending_new", 5, 60)
    parent = plan["parent_order_id"]
    first = await until_slice(house, parent, 0, "filled")
    assert first["client_order_id"] == plan["slices"][0]["client_order_id"]
    assert (first["parent_order_id"], first["slice_num"], first["total_slices"]) == (parent, 0, 5)
    assert house.posts() == 1
    shown = await house.order(parent)
    assert shown["status"] == "partially_filled"
    assert shown["filled_qty"] == first["filled_qty"]
    assert shown["leaves_qty"] == str(103 - plan["slices"][0]["qty"])
    waiting = (await slices_of(house, parent))[1:]
    assert [one["status"] for one in waiting] == ["pending_new"] * 4


async def test_the_same_request_is_answered_with_the_plan_that_stands(house: House) -> None:
    first, second = await planned(house), await planned(house)
    assert second["slices"][0] | {"status": None} == first["slices"][0] | {"status": None}
    assert second["parent_order_id"] == first["parent_order_id"]
    assert second["message"] == "Slicing plan already exists (idempotent retry)"


async def test_a_parent_is_never_sent_and_its_id_is_never_an_order(house: House) -> None:
    plan = await planned(house)
    parent = plan["parent_order_id"]
    await until_slice(house, parent, 0, "filled")
    assert house.posts(parent) == 0
    for qty in (103, 5):
        order = await house.submit(qty=qty, client_order_id=parent)
        assert (order.status_code, order.json()["code"]) == (409, "idempotency_conflict")
    taken = await house.submit(client_order_id="mine-already")
    assert taken.status_code == 200
    refused = await ask(house, client_order_id="mine-already")
    assert (refused.status_code, refused.json()["code"]) == (409, "idempotency_conflict")
    await planned(house, client_order_id="by-name")
    other = await ask(house, client_order_id="by-name", interval_seconds=100)
    assert other.status_code == 409
    assert other.json()["differences"] == ["interval_seconds"]


@covers("FC:F-02")
async def test_trap_16_a_plan_that_can_never_fit_is_refused_at_submission(house: House) -> None:
    refused = await ask(house, qty=500_000, duration_minutes=60)
    assert (refused.status_code, refused.json()["code"]) == (422, "position_limit_exceeded")
    assert "Position limit exceeded: 500000 > 1000" in refused.json()["detail"]
    assert house.posts() == 0


async def test_a_slice_that_is_too_large_is_refused_with_its_breaches(house: House) -> None:
    refused = await ask(house, qty=900, duration_minutes=1, type="limit", limit_price="5000")
    assert (refused.status_code, refused.json()["code"]) == (400, "fat_finger_rejected")
    assert refused.json()["breaches"] == ["notional"]


async def test_slice_blocked_when_redis_unavailable(
    create_test_app: CreateTestApp, private_valkey: EmbeddedValkey
) -> None:
    async with create_test_app(redis_url=private_valkey.url) as house:
        private_valkey.stop()
        started = time.monotonic()
        refused = await ask(house)
        assert time.monotonic() - started < 1
        assert refused.status_code == 503
        assert "unavailable" in refused.json()["detail"].lower()
        assert refused.json()["fail_closed"] is True
        assert house.posts() == 0


async def test_without_a_releaser_nothing_is_planned(house: House) -> None:
    await house.gateway.background.stop("slice_releaser")
    refused = await ask(house)
    assert (refused.status_code, refused.json()["code"]) == (503, "scheduler_unavailable")


async def test_while_the_gate_is_closed_nothing_is_planned(create_test_app: CreateTestApp) -> None:
    async with create_test_app(block_reconciliation=True) as house:
        refused = await ask(house)
        assert (refused.status_code, refused.json()["code"]) == (503, "reconciliation_in_progress")


async def test_the_rules_of_a_request(house: House) -> None:
    for fields in (
        {"qty": 4},
        {"duration_minutes": 0},
        {"duration_minutes": 1441},
        {"interval_seconds": 0},
        {"qty": 5000, "duration_minutes": 1440, "interval_seconds": 60},
        {"trade_date": "2024-10-17"},
    ):
        refused = await ask(house, **fields)
        assert (refused.status_code, refused.json()["code"]) == (422, "request_validation"), fields


async def test_without_a_known_volume_nothing_new_is_planned(create_test_app: CreateTestApp) -> None:
    async with create_test_app() as house:
        plan = await planned(house)
        assert plan["liquidity"]["enabled"] is True
        await until_slice(house, plan["parent_order_id"], 0, "filled")
        house.exchange.arm("http.status", match={"path": "/v2/stocks/bars"}, times=-1, status=500)
    async with create_test_app() as house:
        refused = await ask(house, qty=104)
        assert (refused.status_code, refused.json()["code"]) == (503, "liquidity_unavailable")
        assert (await planned(house))["parent_order_id"] == plan["parent_order_id"]
    async with create_test_app(environment={"LIQUIDITY_CHECK_ENABLED": "false"}) as house:
        unlimited = await planned(house, qty=104)
        assert unlimited["liquidity"]["enabled"] is False


async def test_a_volume_cap_makes_more_slices(create_test_app: CreateTestApp) -> None:
    async with create_test_app(environment={"MAX_SLICE_PCT_OF_ADV": "0.0000001"}) as house:
        plan = await planned(house, qty=20)
        cap = plan["liquidity"]["max_slice_qty"]
        assert max(one["qty"] for one in plan["slices"]) <= cap
        assert plan["total_slices"] > 5
        assert plan["interval_seconds"] < 60
        refused = await ask(house, qty=900, duration_minutes=1)
        assert (refused.status_code, refused.json()["code"]) == (400, "slicing_plan_invalid")


async def test_the_ledger_stands_every_check_with_a_plan_in_it(house: House) -> None:
    plan = await planned(house)
    await until_slice(house, plan["parent_order_id"], 0, "filled")
    await house.client.delete(f"/api/v1/orders/{plan['parent_order_id']}/slices")
    await house.until_status(plan["parent_order_id"], "canceled")

    async def sound() -> bool:
        report = (await house.client.get("/api/v1/ledger/verify")).json()
        return bool(report["ok"])

    await house.until(sound, what="a sound ledger")
    run = await house.client.post("/api/v1/reconciliation/run")
    assert run.json()["breaks_open"] == 0
