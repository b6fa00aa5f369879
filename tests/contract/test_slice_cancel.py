"""Canceling a plan, a parent or one slice."""

from __future__ import annotations

import asyncio

from gateway.adapters.embedded import EmbeddedValkey
from tests.contract.conftest import CreateTestApp
from tests.kit.covers import covers
from tests.kit.house import House
from tests.kit.slicing import SPACED, Ahead, planned, slices_of, until_slice


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


@covers("FM:F-160")
async def test_canceling_the_parent_has_the_effect_of_canceling_its_slices(house: House) -> None:
    plan = await planned(house)
    parent = plan["parent_order_id"]
    await until_slice(house, parent, 0, "filled")
    body = (await house.client.post(f"/api/v1/orders/{parent}/cancel")).json()
    assert body["message"] == "4 slices canceled before their release"
    assert [one["status"] for one in await slices_of(house, parent)][1:] == ["canceled"] * 4
    assert (await house.until_status(parent, "canceled"))["cancel_requested_at"] is not None


@covers("SEC:S-15")
async def test_a_plan_of_another_strategy_does_not_exist(house: House) -> None:
    plan = await planned(house)
    path = f"/api/v1/orders/{plan['parent_order_id']}/slices"
    stranger = house.as_role("operator", strategies=("elsewhere",))
    assert (await stranger.get(path)).json()["code"] == "parent_order_not_found"
    assert (await stranger.delete(path)).json()["code"] == "parent_order_not_found"
    plain = (await house.submit()).json()["client_order_id"]
    assert await slices_of(house, plain) == []


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
    assert (await house.order(second))["status"] == "canceled"
    clock.move(130)
    await until_slice(house, parent, 2, "filled")
    assert [one["status"] for one in await slices_of(house, parent)] == ["filled", "canceled", "filled"]
    assert house.posts(second) == 0


async def test_the_largest_plan_is_made_shown_and_canceled_as_a_whole(house: House) -> None:
    plan = await planned(house, qty=1000, duration_minutes=1000)
    parent = plan["parent_order_id"]
    await until_slice(house, parent, 0, "filled")
    assert len(await slices_of(house, parent)) == 1000
    canceled = (await house.client.delete(f"/api/v1/orders/{parent}/slices")).json()
    assert canceled["db_canceled"] == 999
    assert (await house.until_status(parent, "canceled"))["filled_qty"] == "1"
