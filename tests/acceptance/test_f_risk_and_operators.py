"""Risk, the kill switch, and who may undo what."""

from __future__ import annotations

import asyncio

from gateway.aggregates.vocabulary import Ticket, position_stream
from tests.contract.steps import ORDERS
from tests.kit.covers import covers
from tests.kit.house import House

LIMIT = {"type": "limit", "limit_price": "90"}


@covers("FC:F-03", "FM:F-050", "INV-13")
async def test_an_engagement_between_intent_and_departure_keeps_the_order_here(house: House) -> None:
    reached, may_look = asyncio.Event(), asyncio.Event()
    look = house.gateway.submit_order.last_look

    async def held(ticket: Ticket) -> None:
        reached.set()
        await may_look.wait()
        await look(ticket)

    house.gateway.submit_order.last_look = held  # type: ignore[assignment]
    submission = asyncio.create_task(house.submit(client_order_id="stopped", **LIMIT))
    await reached.wait()
    await house.engage_kill_switch()
    may_look.set()
    refused = await submission
    assert (refused.status_code, refused.json()["code"]) == (503, "kill_switch_engaged")
    assert (await house.order("stopped"))["status"] == "blocked_kill_switch"
    position, _ = await house.gateway.ledger.load(position_stream("AAPL"))
    assert position.reserved_buy == 0
    (submitted,) = await house.gateway.ledger.log.read(0, 100, name="order.submitted")
    (engaged,) = await house.gateway.ledger.log.read(0, 100, name="kill_switch.engaged")
    (blocked,) = await house.gateway.ledger.log.read(0, 100, name="order.blocked")
    assert submitted.position < engaged.position < blocked.position
    assert house.posts() == 0


@covers("FM:F-051", "FC:F-04")
async def test_an_order_whose_bytes_are_under_way_is_seen_and_canceled(house: House) -> None:
    house.exchange.arm("http.hang", match=ORDERS, phase="before", seconds=1)
    submission = asyncio.create_task(house.submit(client_order_id="under-way", **LIMIT))

    async def is_under_way() -> bool:
        return house.posts("under-way") == 1

    await house.until(is_under_way, what="the POST")
    await house.engage_kill_switch(cancel_open_orders=True)
    assert (await house.order("under-way"))["cancel_requested_at"] is not None
    assert (await submission).status_code in (200, 202)
    ended = await house.until_status("under-way", "canceled")
    assert (ended["filled_qty"], house.posts()) == ("0", 1)


@covers("FC:F-08")
async def test_what_was_released_is_named_and_nothing_else_is_released(house: House) -> None:
    await house.engage_kill_switch(scope="symbol", target="AAPL")
    await house.engage_kill_switch(scope="symbol", target="MSFT")
    await house.trip_circuit_breaker()
    post = house.client.post
    body = {"operator": "alice", "scope": "symbol", "target": "AAPL", "notes": "the feed is back"}
    released = (await post("/api/v1/kill-switch/disengage", json=body)).json()
    assert (released["state"], released["scope"], released["target"]) == ("ACTIVE", "symbol", "AAPL")
    (event,) = await house.gateway.ledger.log.read(0, 100, name="kill_switch.disengaged")
    assert (event.stream, event.actor.sub) == ("kill-switch-symbol:AAPL", "alice")
    assert (await house.submit(symbol="MSFT")).json()["code"] == "kill_switch_engaged"
    assert (await house.submit()).json()["code"] == "circuit_breaker_tripped"
    reset = (await post("/api/v1/circuit-breaker/reset", json={"reason": "all is well again"})).json()
    assert (reset["state"], reset["reset_by"]) == ("QUIET_PERIOD", "alice")
    assert reset["quiet_period_ends_at"] is not None
    assert (await house.submit()).status_code == 200
    assert (await house.submit(symbol="MSFT")).json()["code"] == "kill_switch_engaged"


@covers("FC:F-13", "FC:F-14")
async def test_no_market_order_goes_out_on_a_price_that_stands_still(house: House) -> None:
    """A halt shows in the age of the quote; an order with a price of its own needs none."""
    house.exchange.ctl("POST", "halt", {"symbol": "AAPL", "on": True})
    house.exchange.arm("data.stale", symbol="AAPL", seconds=3600)
    refused = await house.submit()
    assert (refused.status_code, refused.json()["code"]) == (400, "fat_finger_rejected")
    assert refused.json()["breaches"] == ["data_unavailable"]
    assert house.posts() == 0
    assert (await house.submit(symbol="MSFT")).status_code == 200
    assert (await house.submit(client_order_id="priced", **LIMIT)).status_code == 200
