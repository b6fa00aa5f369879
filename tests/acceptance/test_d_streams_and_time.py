"""The stream, its gaps and its owner; and clocks that cannot be trusted."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.aggregates.vocabulary import position_stream
from gateway.main import health
from tests.contract.conftest import CreateTestApp
from tests.contract.relay import deliver, fill
from tests.contract.steps import (
    fill_at_exchange,
    holds,
    reconcile,
    resting_order,
    streams_written_after,
    told,
)
from tests.kit.covers import covers
from tests.kit.house import House
from tests.kit.slicing import Ahead

TEN_MINUTES = 600


def listeners(house: House) -> int:
    return len(house.exchange.ctl("GET", "connections"))


@covers("FC:D-04")
async def test_one_gateway_owns_the_stream_and_another_takes_it_over(create_test_app: CreateTestApp) -> None:
    async with create_test_app(standby=True) as other, create_test_app(standby=True) as one:
        owner, standby = (one, other) if "trade-updates" in one.gateway.leading else (other, one)
        await owner.until_gate_opens()
        order = await resting_order(standby, qty=10)
        fill_at_exchange(standby, order, "4", "90")
        await standby.until_status(order["client_order_id"], "partially_filled")
        assert listeners(one) == 1
        assert "trade-updates" not in standby.gateway.leading
        await owner.gateway.updates.stop()
        await owner.gateway.background.stop("trade_updates")

        async def taken_over() -> bool:
            updates = standby.gateway.updates
            return "trade-updates" in standby.gateway.leading and updates.connected

        await standby.until(taken_over, what="the succession")
        fill_at_exchange(standby, order, "6", "90")
        await owner.until_status(order["client_order_id"], "filled")
        assert listeners(one) == 1
        assert len(await told(other, order["client_order_id"], "order.filled")) == 2


@covers("FC:D-05")
async def test_a_message_that_never_got_through_is_a_gap_that_is_closed(house: House) -> None:
    """Larger than any socket takes: the connection ends, and what it told is gone."""
    order = await resting_order(house)
    await house.until_status(order["client_order_id"], "new")
    house.exchange.arm("ws.big_frame", match={"event": "*fill"}, bytes=9_000_000)
    fill_at_exchange(house, order, "10", "90")
    await house.until_status(order["client_order_id"], "filled")
    assert await holds(house, "10")
    assert len(await told(house, order["client_order_id"], "order.filled")) == 1


@covers("FC:D-06")
async def test_orders_go_out_while_the_stream_is_away_and_health_says_so_after_a_minute(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert health.STREAM_GRACE_SECONDS == 60
    monkeypatch.setattr(health, "STREAM_GRACE_SECONDS", 0.2)
    fault = house.exchange.arm("ws.upgrade", status=503, times=-1)
    house.exchange.ctl("POST", "connections/all/drop", {"code": 1006})

    async def says(status: str) -> bool:
        return bool((await house.client.get("/health")).json()["status"] == status)

    await house.until(lambda: says("degraded"), what="word of the silence")
    order = await resting_order(house)
    fill_at_exchange(house, order, "10", "90")
    await reconcile(house)
    assert (await house.order(order["client_order_id"]))["status"] == "filled"
    house.exchange.ctl("DELETE", f"faults/{fault}")
    await house.until(lambda: says("healthy"), within=20, what="the reconnect")
    assert await holds(house, "10")


@covers("FM:F-087", "FC:D-01")
async def test_a_stream_that_tells_everything_again_tells_nothing_new(house: House) -> None:
    order = await resting_order(house)
    for qty in ("4", "6"):
        fill_at_exchange(house, order, qty, "90")
    await house.until_status(order["client_order_id"], "filled")
    await reconcile(house)
    head = await house.gateway.ledger.log.head()
    house.exchange.arm("ws.replay", last=10)
    asked = len(house.exchange.ctl("GET", "requests?after=0"))
    house.exchange.ctl("POST", "connections/all/drop", {"code": 1006})

    async def caught_up() -> bool:
        again = len(house.exchange.ctl("GET", "requests?after=0")) > asked
        return again and house.gateway.updates.connected and house.gateway.reconciler.idle

    await house.until(caught_up, what="the pass after the reconnect")
    another = await resting_order(house, client_order_id="another")
    fill_at_exchange(house, another, "10", "90")
    await house.until_status("another", "filled")
    written = await streams_written_after(house, head)
    assert f"order-{order['client_order_id']}" not in written
    assert await holds(house, "20")


@covers("FC:D-12", "INV-26", "FM:F-145")
@pytest.mark.parametrize("by", [-TEN_MINUTES, TEN_MINUTES, 24 * 3600], ids=["behind", "ahead", "a day ahead"])
async def test_a_clock_that_jumps_in_the_middle_of_a_trade_changes_nothing(
    house: House, clock: Ahead, by: int
) -> None:
    """The same facts, told twice and out of turn, as on a clock that can be trusted."""
    order = await resting_order(house)
    name = order["client_order_id"]
    said = [
        fill(order, execution_id=f"x-{n}", qty=qty, price="90", total=total, event="partial_fill")
        for n, (qty, total) in enumerate((("3", "3"), ("2", "5"), ("5", "10")))
    ]
    await deliver(house, said[0])
    clock.move(by)
    house.client.headers["Authorization"] = f"Bearer {house.token()}"
    for body in (said[2], said[0], said[1], said[2]):
        assert (await deliver(house, body)).status_code == 200
    clock.move(-by)
    house.client.headers["Authorization"] = f"Bearer {house.token()}"
    found = await house.order(name)
    assert (found["status"], found["filled_qty"], found["flags"]) == ("filled", "10", [])
    booked = [event.trade.exec_id for event in await told(house, name, "order.filled")]
    assert sorted(booked) == ["x-0", "x-1", "x-2"]
    position, _ = await house.gateway.ledger.load(position_stream("AAPL"))
    assert (position.qty, position.reserved_buy, position.account.cost) == (10, 0, 900)
    events: list[Any] = await house.gateway.ledger.log.read(0, 1000)
    assert [event.position for event in events] == [*range(1, len(events) + 1)]
    assert [event.recorded_at for event in events] == sorted(event.recorded_at for event in events)
    again = await house.submit(client_order_id=name, type="limit", limit_price="90")
    assert (again.status_code, again.json()["status"]) == (200, "filled")
    assert house.posts(name) == 1
