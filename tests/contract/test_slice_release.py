"""Slices released in time, each once, through every gate, whatever happens on the way."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from gateway.adapters.embedded import EmbeddedValkey
from tests.contract.conftest import CreateTestApp
from tests.contract.test_gates import NAMES
from tests.kit.covers import covers
from tests.kit.house import House
from tests.kit.slicing import SPACED, Ahead, planned, slices_of, until_slice


@covers("FC:F-16")
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


@covers("FM:F-160")
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


@covers("FC:F-16")
async def test_trap_17_a_restart_releases_the_remaining_slices_once_each(
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


@covers("FC:F-16")
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


@covers("FM:F-160")
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


@covers("FC:F-16")
async def test_a_slice_that_surely_did_not_reach_the_broker_is_sent_again(house: House) -> None:
    house.exchange.arm("http.status", match={"method": "POST", "path": "/v2/orders"}, times=1, status=429)
    plan = await planned(house)
    first = await until_slice(house, plan["parent_order_id"], 0, "filled")
    assert first["retry_count"] == 1
    assert house.posts(first["client_order_id"]) == 2


async def test_a_slice_the_broker_rejects_does_not_stop_the_others(house: House, clock: Ahead) -> None:
    refusal = '{"code": 42210000, "message": "no"}'
    order_entry = {"method": "POST", "path": "/v2/orders"}
    house.exchange.arm("http.status", match=order_entry, times=1, status=422, body=refusal)
    plan = await planned(house, **SPACED)
    parent = plan["parent_order_id"]
    await until_slice(house, parent, 0, "rejected")
    clock.move(130)
    shown = await house.until_status(parent, "failed")
    assert shown["error_message"] == "1 rejected, 2 filled"

    async def nothing_is_pending() -> bool:
        return bool((await house.client.get("/api/v1/orders/pending")).json()["total"] == 0)

    await house.until(nothing_is_pending, what="the end of the parent")


@covers("FC:F-16")
async def test_of_two_gateways_one_releases_and_the_other_takes_over(
    create_test_app: CreateTestApp, clock: Ahead
) -> None:
    async with create_test_app() as first, create_test_app(standby=True) as second:
        plan = await planned(second, **SPACED)
        parent = plan["parent_order_id"]
        await until_slice(second, parent, 0, "filled")
        await first.gateway.background.stop("slice_releaser")
        clock.move(130)
        await second.until_status(parent, "filled")
        assert [second.posts(one["client_order_id"]) for one in plan["slices"]] == [1, 1, 1]
        taken = (await second.client.get("/api/v1/events", params={"topic": "slice.released"})).json()
        epochs = (await second.client.get("/api/v1/events", params={"stream": "lease-releaser"})).json()
        assert len(taken["events"]) == 3
        assert [event["data"]["epoch"] for event in epochs["events"]] == [1, 2]
