"""Executions as the broker tells them: late, twice, backwards, in parts, undone."""

from __future__ import annotations

import pytest

from tests.contract.relay import about, deliver, fill
from tests.contract.steps import ORDERS, holds, metric, resting_order, told
from tests.kit.covers import covers
from tests.kit.house import House


@covers("FC:B-18")
async def test_fractions_add_up_exactly(house: House) -> None:
    order = await resting_order(house, qty=1)
    for number, (qty, total) in enumerate((("0.300000000", "0.3"), ("0.4", "0.7"), ("0.3", "1")), start=1):
        await deliver(house, fill(order, execution_id=f"x-{number}", qty=qty, price="90.10", total=total))
    assert (await house.order(order["client_order_id"]))["status"] == "filled"
    assert await holds(house, "1")
    filled = await told(house, order["client_order_id"], "order.filled")
    assert [str(event.trade.last_qty) for event in filled] == ["0.3", "0.4", "0.3"]
    assert {str(event.trade.last_px) for event in filled} == {"90.1"}


@covers("FC:B-08")
async def test_more_than_was_asked_for_is_booked_and_flagged(house: House) -> None:
    order = await resting_order(house, qty=10)
    await deliver(house, fill(order, execution_id="x-1", qty="12", price="90", total="12"))
    shown = await house.order(order["client_order_id"])
    assert (shown["status"], shown["filled_qty"]) == ("filled", "12")
    assert "overfilled" in shown["flags"]
    assert await holds(house, "12")


@covers("FC:B-09", "FC:B-10")
@pytest.mark.parametrize("end", ["canceled", "expired"])
async def test_a_fill_after_the_end_counts_and_is_flagged(house: House, end: str) -> None:
    order = await resting_order(house, qty=10)
    await deliver(house, {"event": end, "order": about(order, status=end)})
    await deliver(
        house, fill(order, execution_id="x-1", qty="4", price="90", total="4", event="partial_fill")
    )
    shown = await house.order(order["client_order_id"])
    assert (shown["status"], shown["filled_qty"]) == (end, "4")
    assert "late_fill" in shown["flags"]


@covers("FC:B-17")
@pytest.mark.parametrize("backwards", [False, True])
async def test_of_a_chain_of_corrections_the_last_link_counts_in_whatever_order_it_comes(
    house: House, backwards: bool
) -> None:
    order = await resting_order(house, qty=10)
    chain = [fill(order, execution_id="e", qty="10", price="90", total="10")]
    for name, ref, price in (("c1", "e", "91"), ("c2", "c1", "92")):
        link = fill(order, execution_id=name, qty="10", price=price, total="10", event="trade_correct")
        chain.append(link | {"previous_execution_id": ref})
    for link in reversed(chain) if backwards else chain:
        assert (await deliver(house, link)).status_code == 200
    shown = await house.order(order["client_order_id"])
    assert (shown["filled_qty"], shown["filled_avg_price"]) == ("10", "92")
    assert await holds(house, "10")


@covers("FC:B-15")
async def test_a_bust_of_an_execution_nobody_has_seen_waits_for_it(house: House) -> None:
    """Told under two names, and before what it undoes."""
    order = await resting_order(house, qty=10)
    executed = fill(order, execution_id="e", qty="10", price="90", total="10")
    busts = [
        fill(order, execution_id=name, qty="-10", price="90", total="0", event="trade_bust")
        | {"previous_execution_id": "e"}
        for name in ("b1", "b2", "b1")
    ]
    for body in busts[:1]:
        await deliver(house, body)
    assert await holds(house, "0")
    for body in (executed, *busts[1:], executed):
        await deliver(house, body)
    assert await holds(house, "0")
    shown = await house.order(order["client_order_id"])
    assert shown["filled_qty"] == "0"
    assert "busted" in shown["flags"]


@covers("FC:B-04")
async def test_what_stays_inferred_is_priced_so_that_the_average_stays_the_brokers(house: House) -> None:
    """A total of 30 at 102; then ten of them turn out to have cost 100."""
    house.exchange.arm("ws.lose", times=-1)
    order = await resting_order(house, qty=30)
    unsized = {
        "event": "fill",
        "order": about(order, status="filled", filled_qty="30", filled_avg_price="102"),
    }
    details = {"type": "limit", "time_in_force": "day", "limit_price": "90"}
    unsized["order"] = {**about(order), **unsized["order"], **details}  # type: ignore[dict-item]
    await deliver(house, unsized)
    assert (await house.order(order["client_order_id"]))["filled_avg_price"] == "102"
    first = fill(order, execution_id="e1", qty="10", price="100", total="10", event="partial_fill")
    await deliver(house, first)
    shown = await house.order(order["client_order_id"])
    assert (shown["filled_qty"], shown["filled_avg_price"]) == ("30", "102")
    await deliver(house, fill(order, execution_id="e2", qty="20", price="103", total="30"))
    shown = await house.order(order["client_order_id"])
    assert (shown["filled_qty"], shown["filled_avg_price"]) == ("30", "102")
    assert "provisional" not in shown["flags"]
    assert await holds(house, "30")


@covers("FC:B-06", "FC:B-07")
@pytest.mark.parametrize("fill_comes", ["before", "after"])
async def test_no_order_of_arrival_takes_anything_back(house: House, fill_comes: str) -> None:
    """Totals that go down, and an acknowledgement after the fill."""
    order = await resting_order(house, qty=100)
    early = fill(order, execution_id="x-1", qty="70", price="90", total="70", event="partial_fill")
    late = fill(order, execution_id="x-2", qty="30", price="90", total="100")
    acknowledged = {"event": "new", "order": about(order, status="new")}
    for body in (late, early, acknowledged) if fill_comes == "before" else (acknowledged, late, early):
        await deliver(house, body)
    shown = await house.order(order["client_order_id"])
    assert (shown["status"], shown["filled_qty"]) == ("filled", "100")
    assert await holds(house, "100")


@covers("FC:B-11")
async def test_a_fill_of_an_order_that_was_never_sent_makes_it_live_again(house: House) -> None:
    """Its leaves are reserved whatever the limit."""
    house.exchange.arm("http.status", match=ORDERS, status=401, body={"message": "unauthorized."})
    refused = await house.submit(client_order_id="ghost", qty=600, type="limit", limit_price="90")
    assert refused.status_code == 503
    assert (await house.order("ghost"))["status"] == "failed"
    known = {
        "broker_order_id": "b-1",
        "client_order_id": "ghost",
        "symbol": "AAPL",
        "side": "buy",
        "qty": 600,
    }
    body = fill(known, execution_id="x-1", qty="100", price="90", total="100", event="partial_fill")
    await deliver(house, body)
    shown = await house.order("ghost")
    assert (shown["status"], shown["filled_qty"]) == ("partially_filled", "100")
    assert "unexpected_at_broker" in shown["flags"]
    assert metric(house, "order_flags_total", flag="unexpected_at_broker") == 1
    assert (await house.submit(qty=401, type="limit", limit_price="90")).status_code == 422
    assert await holds(house, "100")


@covers("FC:B-12", "FC:C-09")
async def test_a_fill_of_an_order_that_was_replaced_stays_with_it(house: House) -> None:
    order = await resting_order(house, qty=100)
    terms = {"type": "limit", "time_in_force": "day", "limit_price": "90", "filled_qty": "0"}
    gone = about(order, **terms, status="replaced", replaced_by="b-2")
    await deliver(house, {"event": "replaced", "order": gone})
    body = fill(order, execution_id="x-1", qty="30", price="90", total="30", event="partial_fill")
    await deliver(house, body)
    shown = await house.order(order["client_order_id"])
    assert (shown["status"], shown["filled_qty"]) == ("replaced", "30")
    assert "late_fill" in shown["flags"]
