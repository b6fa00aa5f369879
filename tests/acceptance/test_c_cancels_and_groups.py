"""Cancels, replacements at the broker, and orders that hang together: each order by its own facts."""

from __future__ import annotations

from typing import Any

from tests.contract.by_hand import cancel_all
from tests.contract.relay import about, deliver
from tests.contract.steps import flags, holds, metric, quarantined, reconcile, resting_order
from tests.kit.covers import covers
from tests.kit.house import House

BRACKET = {
    "symbol": "AAPL",
    "side": "buy",
    "qty": "10",
    "type": "limit",
    "time_in_force": "day",
    "order_class": "bracket",
    "take_profit": {"limit_price": "110"},
    "stop_loss": {"stop_price": "80"},
}


async def statuses(house: House) -> dict[str, str]:
    """What the ledger says of the orders nobody here sent, by the broker's ids."""
    ledger = house.gateway.ledger
    births = await ledger.log.read(0, 1000, name="order.orphaned")
    orders = [(await ledger.load(birth.stream))[0] for birth in births]
    return {str(order.order_id): str(order.status) for order in orders}


async def bracket(house: House, limit_price: str) -> tuple[dict[str, Any], list[str]]:
    """A bracket from the broker's own screens, known here with its exits: the entry, and their ids."""
    entry = house.exchange.ctl("POST", "foreign_order", BRACKET | {"limit_price": limit_price})
    await reconcile(house)

    async def are_known() -> bool:
        return len(await statuses(house)) == 3

    await house.until(are_known, what="three orders")
    orders = house.exchange.truth()["orders"]
    return entry, [str(order["id"]) for order in orders if order["id"] != entry["id"]]


@covers("FC:C-05", "FM:F-103", "SEC:S-23")
async def test_cancel_all_that_meets_a_limit_halfway_goes_on_and_the_rest_follows(house: House) -> None:
    names = [
        (await resting_order(house, limit_price=price))["client_order_id"] for price in ("90", "91", "92")
    ]
    slow_down = {"status": 429, "body": "", "headers": {"Retry-After": "1"}}
    house.exchange.arm("http.status", match={"method": "DELETE"}, after=1, times=1, **slow_down)
    some = await cancel_all(house)
    assert (some.status_code, some.json()["status"]) == (200, "partial")
    told = [*some.json()["order_ids"], *(entry["order_id"] for entry in some.json()["failed"])]
    assert sorted(told) == sorted(names)

    async def finished() -> bool:
        await cancel_all(house)
        return {(await house.order(name))["status"] for name in names} == {"canceled"}

    await house.until(finished, what="the rest, asked for again")


@covers("FC:C-11")
async def test_a_cancel_reported_for_a_replaced_order_is_shown_flagged_and_leaves_its_successor_alone(
    house: House,
) -> None:
    x = await resting_order(house)
    y = await resting_order(house, limit_price="91", client_order_id="successor")
    terms = {"type": "limit", "time_in_force": "day", "limit_price": "90", "filled_qty": "0"}
    now = house.gateway.clock.now().isoformat()
    gone = about(x, **terms, status="replaced", replaced_by=y["broker_order_id"])
    await deliver(house, {"event": "replaced", "timestamp": now, "order": gone})
    assert (await house.order(x["client_order_id"]))["status"] == "replaced"
    later = house.gateway.clock.now().isoformat()
    await deliver(house, {"event": "canceled", "timestamp": later, "order": gone | {"status": "canceled"}})
    assert (await house.order(x["client_order_id"]))["status"] == "canceled"
    assert "terminal_conflict" in await flags(house, x["client_order_id"])
    assert (await house.order("successor"))["status"] in ("new", "accepted", "pending_new")


@covers("FC:C-13")
async def test_two_exits_of_one_bracket_that_both_fill_are_both_booked_and_shown(house: House) -> None:
    _, (profit, stop) = await bracket(house, "100.50")
    await house.until(lambda: holds(house, "10"), what="the entry")
    house.exchange.arm("order.fill_after_terminal", status="canceled", qty="all")
    house.exchange.ctl("POST", f"orders/{profit}/fill", {"qty": "10", "price": "110"})
    await house.until(lambda: holds(house, "-10"), what="the flip")
    found = await statuses(house)
    assert (found[profit], found[stop]) == ("filled", "filled")
    assert metric(house, "order_flags_total", flag="late_fill") == 1
    assert {entry["symbol"] for entry in await quarantined(house)} == {"AAPL"}
    breaks = (await house.client.get("/api/v1/reconciliation/breaks")).json()["breaks"]
    assert {profit, stop} <= {entry["broker_order_id"] for entry in breaks}


@covers("FC:C-15")
async def test_the_exits_of_a_canceled_entry_end_by_the_brokers_word_about_each(house: House) -> None:
    entry, exits = await bracket(house, "90")
    house.exchange.arm("ws.lose", match={"event": "canceled"}, after=1, times=-1)
    house.exchange.ctl("POST", f"orders/{entry['id']}/cancel", {})

    async def is_canceled() -> bool:
        return (await statuses(house))[entry["id"]] == "canceled"

    await house.until(is_canceled, what="the entry's end")
    before = await statuses(house)
    assert [before[name] for name in exits if before[name] == "canceled"] == []
    await reconcile(house)
    assert set((await statuses(house)).values()) == {"canceled"}


@covers("FC:C-16")
async def test_a_day_order_ends_with_the_exchanges_day_and_one_for_longer_stays(house: House) -> None:
    house.exchange.ctl("PUT", "config", {"session": "regular"})
    house.exchange.ctl("POST", "clock", {"mode": "manual", "now": "2026-11-20T12:00:00-05:00"})
    day = await resting_order(house)
    longer = await resting_order(house, client_order_id="longer", time_in_force="gtc")
    house.exchange.ctl("POST", "clock/advance", {"to": "close"})
    ended = await house.until_status(day["client_order_id"], "expired")
    assert ended["leaves_qty"] == "0"
    assert (await house.order(longer["client_order_id"]))["status"] == "new"
    # The day after Thanksgiving: the exchange closes at one, and so does the order's day.
    house.exchange.ctl("POST", "clock/advance", {"to": "2026-11-27T10:00:00-05:00"})
    half = await resting_order(house, client_order_id="half")
    house.exchange.ctl("POST", "clock/advance", {"to": "2026-11-27T13:00:01-05:00"})
    await house.until_status(half["client_order_id"], "expired")
    assert (await house.order(longer["client_order_id"]))["status"] == "new"
