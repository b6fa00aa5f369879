"""Slicing over the whole running system: planned at once, released in time, each slice once."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx2
import pytest

from gateway.adapters.embedded import EmbeddedValkey
from gateway.adapters.system_clock import SystemClock
from tests.contract.conftest import CreateTestApp
from tests.contract.test_gates import NAMES
from tests.kit.house import GateLogger, House

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
LONG = {"symbol": "AAPL", "side": "buy", "qty": 103, "duration_minutes": 5}
SPACED = {"qty": 30, "duration_minutes": 3, "type": "limit", "limit_price": "100.01"}
"""Three slices a minute apart, with a price of their own: the exchange's quotes do not travel in time."""


class Ahead:
    """How far the gateway's clock is ahead of the wall's."""

    def __init__(self) -> None:
        self.by = timedelta()

    def move(self, seconds: int) -> None:
        self.by += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Ahead:
    ahead, now = Ahead(), SystemClock.now
    monkeypatch.setattr(SystemClock, "now", lambda self: now(self) + ahead.by)
    return ahead


async def ask(house: House, **fields: Any) -> httpx2.Response:
    return await house.client.post("/api/v1/orders/slice", json=LONG | fields)


async def planned(house: House, **fields: Any) -> dict[str, Any]:
    response = await ask(house, **fields)
    assert response.status_code == 200, response.text
    plan: dict[str, Any] = response.json()
    return plan


async def slices_of(house: House, parent: str) -> list[dict[str, Any]]:
    head = await house.gateway.ledger.log.head()
    response = await house.client.get(f"/api/v1/orders/{parent}/slices", params={"min_position": head})
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()
    return found


async def until_slice(house: House, parent: str, number: int, *statuses: str) -> dict[str, Any]:
    async def reached() -> dict[str, Any] | None:
        one = (await slices_of(house, parent))[number]
        return one if one["status"] in statuses else None

    found: dict[str, Any] = await house.until(reached, what=f"slice {number} {statuses}")
    return found


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


async def test_a_plan_is_there_completely_and_its_first_slice_goes_at_once(house: House) -> None:
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


async def test_a_plan_that_can_never_fit_is_refused_at_submission(house: House) -> None:
    refused = await ask(house, qty=500_000, duration_minutes=60)
    assert (refused.status_code, refused.json()["code"]) == (422, "position_limit_exceeded")
    assert "Position limit exceeded: 500000 > 1000" in refused.json()["detail"]
    assert house.posts() == 0


async def test_a_slice_that_is_too_large_is_refused_with_its_breaches(house: House) -> None:
    refused = await ask(house, qty=900, duration_minutes=1, type="limit", limit_price="5000")
    assert (refused.status_code, refused.json()["code"]) == (400, "fat_finger_rejected")
    assert refused.json()["breaches"] == ["notional"]


async def test_every_slice_walks_all_gates_at_its_release(house: House) -> None:
    plan = await planned(house)
    first = await until_slice(house, plan["parent_order_id"], 0, "filled")
    response = await house.client.get(f"/api/v1/orders/{first['client_order_id']}/events")
    assert [step["gate"] for step in response.json()["gates"]] == NAMES[2:-1]
    released = [
        event
        for event in (await house.client.get("/api/v1/events", params={"topic": "slice.released"})).json()[
            "events"
        ]
        if event["data"]["slice_num"] == 0
    ]
    assert len(released) == 1
    assert released[0]["position"] == response.json()["events"][0]["position"] - 1


async def test_the_kill_switch_stops_a_plan_on_its_way_for_good(house: House, clock: Ahead) -> None:
    plan = await planned(house, **SPACED)
    parent = plan["parent_order_id"]
    await until_slice(house, parent, 0, "filled")
    await house.engage_kill_switch()
    clock.move(60)
    blocked = await until_slice(house, parent, 1, "blocked_kill_switch")
    assert blocked["error_message"].startswith("kill_switch_engaged: ")
    await house.disengage_kill_switch()
    clock.move(60)
    await until_slice(house, parent, 2, "filled")
    shown = await house.until_status(parent, "failed")
    assert shown["error_message"] == "2 filled, 1 blocked_kill_switch"
    assert shown["filled_qty"] == str(plan["slices"][0]["qty"] + plan["slices"][2]["qty"])
    assert house.posts() == 2


async def test_a_tripped_breaker_blocks_a_slice_but_not_a_plan(house: House) -> None:
    await house.trip_circuit_breaker()
    plan = await planned(house)
    blocked = await until_slice(house, plan["parent_order_id"], 0, "blocked_circuit_breaker")
    assert blocked["submitted_at"] is None
    assert house.posts() == 0


async def test_a_restart_releases_the_remaining_slices_once_each(
    create_test_app: CreateTestApp, clock: Ahead
) -> None:
    async with create_test_app() as house:
        plan = await planned(house, **SPACED)
        parent = plan["parent_order_id"]
        await until_slice(house, parent, 0, "filled")
    clock.move(130)
    async with create_test_app() as house:
        shown = await house.until_status(parent, "filled")
        assert shown["filled_qty"] == "30"
        assert shown["filled_avg_price"] == "100.01"
        assert [house.posts(one["client_order_id"]) for one in plan["slices"]] == [1, 1, 1]
        again = await planned(house, **SPACED)
        assert [one["status"] for one in again["slices"]] == ["filled"] * 3
        before = {"as_of": plan["ledger_position"]}
        past = (await house.client.get(f"/api/v1/orders/{parent}", params=before)).json()
        assert (past["status"], past["filled_qty"], past["leaves_qty"]) == ("pending_new", "0", "30")


async def test_overdue_slices_go_oldest_first_and_one_in_an_interval(
    create_test_app: CreateTestApp, clock: Ahead
) -> None:
    crowd = SPACED | {"qty": 60, "duration_minutes": 2, "interval_seconds": 2}
    async with create_test_app(environment={"MISFIRE_GRACE_SECONDS": "1"}) as house:
        parent = (await planned(house, **crowd))["parent_order_id"]
        await until_slice(house, parent, 0, "filled")
    clock.move(110)
    async with create_test_app(environment={"MISFIRE_GRACE_SECONDS": "1"}) as house:

        async def three_late() -> list[dict[str, Any]]:
            events = await house.client.get(
                "/api/v1/events", params={"topic": "slice.released", "limit": 100}
            )
            late = [event for event in events.json()["events"] if event["data"]["late"]]
            return late if len(late) >= 3 else []

        late = await house.until(three_late, within=15, what="three late releases")
    numbers = [event["data"]["slice_num"] for event in late[:3]]
    assert numbers == sorted(numbers)
    times = [datetime.fromisoformat(event["data"]["at"]) for event in late[:3]]
    assert min(b - a for a, b in pairwise(times)) >= timedelta(seconds=2)


async def test_what_is_too_old_expires(create_test_app: CreateTestApp, clock: Ahead) -> None:
    rules = {"MISFIRE_GRACE_SECONDS": "1", "STALE_SLICE_EXPIRY_SECONDS": "30"}
    async with create_test_app(environment=rules) as house:
        plan = await planned(house, **SPACED)
        parent = plan["parent_order_id"]
        await until_slice(house, parent, 0, "filled")
        clock.move(200)
        shown = await house.until_status(parent, "failed")
        assert shown["error_message"] == "1 filled, 2 expired"
        assert house.posts() == 1


async def test_a_cancel_that_races_a_release_leaves_no_slice_in_between(house: House, clock: Ahead) -> None:
    plans = [await planned(house, **SPACED, client_order_id=f"race-{number}") for number in range(4)]
    for plan in plans:
        await until_slice(house, plan["parent_order_id"], 0, "filled")
    clock.move(60)
    for number, plan in enumerate(plans):
        await asyncio.sleep(0.06 * number)
        canceled = await house.client.delete(f"/api/v1/orders/{plan['parent_order_id']}/slices")
        assert canceled.status_code == 200, canceled.text
    for plan in plans:
        one = await until_slice(house, plan["parent_order_id"], 1, "filled", "canceled")
        assert house.posts(one["client_order_id"]) == (1 if one["status"] == "filled" else 0)
        assert (await house.until_status(plan["parent_order_id"], "canceled"))["status"] == "canceled"


async def test_canceling_needs_no_trading_gate_no_redis_and_no_scheduler(
    create_test_app: CreateTestApp, private_valkey: EmbeddedValkey
) -> None:
    async with create_test_app(redis_url=private_valkey.url) as house:
        plan = await planned(house, type="limit", limit_price="90")
        parent = plan["parent_order_id"]
        live = await until_slice(house, parent, 0, "new", "accepted")
        await house.engage_kill_switch()
        private_valkey.stop()
        await house.gateway.background.stop("slice_releaser")
        path = f"/api/v1/orders/{parent}/slices"
        first = (await house.client.delete(path)).json()
        assert (first["scheduler_canceled"], first["db_canceled"], first["cancel_requested"]) == (4, 4, 0)
        second = (await house.client.delete(path, params={"cancel_live": "true"})).json()
        assert (second["scheduler_canceled"], second["db_canceled"], second["cancel_requested"]) == (0, 0, 1)
        await house.until_status(live["client_order_id"], "canceled")
        assert (await house.order(parent))["status"] == "canceled"
        assert (await house.client.delete("/api/v1/orders/nobody/slices")).json()[
            "code"
        ] == "parent_order_not_found"


async def test_canceling_the_parent_has_the_effect_of_canceling_its_slices(house: House) -> None:
    plan = await planned(house)
    parent = plan["parent_order_id"]
    await until_slice(house, parent, 0, "filled")
    body = (await house.client.post(f"/api/v1/orders/{parent}/cancel")).json()
    assert body["message"] == "4 slices canceled before their release"
    assert [one["status"] for one in await slices_of(house, parent)][1:] == ["canceled"] * 4
    assert (await house.until_status(parent, "canceled"))["cancel_requested_at"] is not None


async def test_a_plan_of_another_strategy_does_not_exist(house: House) -> None:
    plan = await planned(house)
    path = f"/api/v1/orders/{plan['parent_order_id']}/slices"
    stranger = house.as_role("operator", strategies=("elsewhere",))
    assert (await stranger.get(path)).json()["code"] == "parent_order_not_found"
    assert (await stranger.delete(path)).json()["code"] == "parent_order_not_found"
    plain = (await house.submit()).json()["client_order_id"]
    assert await slices_of(house, plain) == []


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


async def test_slice_blocked_on_redis_unavailable(
    create_test_app: CreateTestApp, private_valkey: EmbeddedValkey, clock: Ahead
) -> None:
    async with create_test_app(redis_url=private_valkey.url) as house:
        parent = (await planned(house, **SPACED))["parent_order_id"]
        await until_slice(house, parent, 0, "filled")
        private_valkey.stop()
        clock.move(60)
        await asyncio.sleep(1)
        assert (await slices_of(house, parent))[1]["status"] == "pending_new"
        assert house.posts() == 1


async def test_without_a_releaser_nothing_is_planned(house: House) -> None:
    await house.gateway.background.stop("slice_releaser")
    refused = await ask(house)
    assert (refused.status_code, refused.json()["code"]) == (503, "scheduler_unavailable")


async def test_while_the_gate_is_closed_nothing_is_planned(create_test_app: CreateTestApp) -> None:
    async with create_test_app(block_reconciliation=True) as house:
        refused = await ask(house)
        assert (refused.status_code, refused.json()["code"]) == (503, "reconciliation_in_progress")


async def test_dry_run_slices_walk_the_gates_and_are_not_sent(
    create_test_app: CreateTestApp, clock: Ahead
) -> None:
    async with create_test_app(environment={"DRY_RUN": "true"}) as house:
        parent = (await planned(house, **SPACED))["parent_order_id"]
        await until_slice(house, parent, 0, "dry_run")
        clock.move(130)
        shown = await house.until_status(parent, "dry_run")
        assert shown["filled_qty"] == "0"
        assert house.posts() == 0


async def test_a_closed_market_moves_slices_to_the_next_opening(house: House) -> None:
    saturday, monday = "2026-11-21T15:00:00Z", "2026-11-23T14:30:00.000000Z"
    house.exchange.ctl("PUT", "config", {"session": "regular"})
    house.exchange.ctl("POST", "clock", {"mode": "manual", "now": saturday})
    plan = await planned(house, type="limit", limit_price="100.01")
    parent = plan["parent_order_id"]

    async def moved() -> bool:
        first = (await slices_of(house, parent))[0]
        return bool(first["scheduled_time"] == monday)

    await house.until(moved, what="the move")
    assert (await slices_of(house, parent))[0]["status"] == "pending_new"
    assert house.posts() == 0


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


async def test_one_slice_that_waits_can_be_looked_at_and_canceled(house: House, clock: Ahead) -> None:
    plan = await planned(house, **SPACED)
    parent, second = plan["parent_order_id"], plan["slices"][1]["client_order_id"]
    shown = await house.order(second)
    assert (shown["status"], shown["slice_num"], shown["leaves_qty"]) == ("pending_new", 1, "10")
    stranger = house.as_role("operator", strategies=("elsewhere",))
    path = f"/api/v1/orders/{second}/cancel"
    assert (await stranger.post(path)).status_code == 404
    canceled = (await house.client.post(path)).json()
    assert (canceled["status"], canceled["message"]) == ("canceled", "Slice canceled before its release")
    assert (await house.client.post(path)).json()["message"] == "Order already in terminal state"
    clock.move(130)
    await until_slice(house, parent, 2, "filled")
    assert (await house.order(second))["status"] == "canceled"
    assert house.posts(second) == 0


async def test_a_slice_that_surely_did_not_reach_the_broker_is_sent_again(house: House) -> None:
    house.exchange.arm("http.status", match={"method": "POST", "path": "/v2/orders"}, times=1, status=429)
    plan = await planned(house)
    first = await until_slice(house, plan["parent_order_id"], 0, "filled")
    assert first["retry_count"] == 1
    assert house.posts(first["client_order_id"]) == 2


async def test_a_slice_the_broker_rejects_does_not_stop_the_others(house: House, clock: Ahead) -> None:
    house.exchange.arm("order.reject", times=1)
    plan = await planned(house, **SPACED)
    parent = plan["parent_order_id"]
    await until_slice(house, parent, 0, "rejected")
    clock.move(130)
    shown = await house.until_status(parent, "failed")
    assert shown["error_message"] == "1 rejected, 2 filled"
    pending = (await house.client.get("/api/v1/orders/pending")).json()
    assert pending["orders"] == []


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


async def test_of_two_gateways_one_releases_and_the_other_takes_over(
    create_test_app: CreateTestApp, clock: Ahead
) -> None:
    async with create_test_app() as second:
        async with create_test_app() as first:
            plan = await planned(first, **SPACED)
            parent = plan["parent_order_id"]
            await until_slice(first, parent, 0, "filled")
            clock.move(60)
            await until_slice(first, parent, 1, "filled")
        await second.gateway.background.stop("slice_releaser")
    async with create_test_app() as third:
        clock.move(60)
        await third.until_status(parent, "filled")
        assert [third.posts(one["client_order_id"]) for one in plan["slices"]] == [1, 1, 1]


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
