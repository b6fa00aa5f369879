"""Two views of the truth, and what closes the gap between them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.contract.conftest import CreateTestApp
from tests.contract.steps import (
    fill_at_exchange,
    holds,
    quarantined,
    reconcile,
    resting_order,
    streams_written_after,
    traded,
)
from tests.kit.covers import covers
from tests.kit.house import House

FILLS = {"event": "*fill"}


async def head(house: House) -> int:
    return await house.gateway.ledger.log.head()


async def executions(house: House) -> list[Any]:
    found = await house.gateway.ledger.log.read(0, 1000, name="order.filled")
    return [event.event.trade for event in found]  # type: ignore[attr-defined]


@covers("FC:D-01", "FC:D-06")
async def test_a_fill_the_stream_lost_is_repaired_from_the_activities(house: House) -> None:
    order = await resting_order(house)
    house.exchange.arm("ws.lose", match=FILLS, times=-1)
    fill_at_exchange(house, order, "4", "90")
    fill_at_exchange(house, order, "6", "89.5")
    result = await reconcile(house)
    assert result["reports_recorded"] > 0
    assert (await house.order(order["client_order_id"]))["status"] == "filled"
    assert [(trade.last_qty, trade.last_px) for trade in await executions(house)] == [
        (Decimal(4), Decimal(90)),
        (Decimal(6), Decimal("89.5")),
    ]
    assert await holds(house, "10"), await house.position()


@covers("FC:E-08", "INV-30")
async def test_a_second_pass_writes_nothing_outside_its_own_stream(house: House) -> None:
    order = await resting_order(house)
    house.exchange.arm("ws.lose", match=FILLS, times=-1)
    fill_at_exchange(house, order, "4", "90")
    await resting_order(house, client_order_id="still-open")
    await reconcile(house)
    before = await head(house)
    result = await reconcile(house)
    assert result["reports_recorded"] == 0
    assert await streams_written_after(house, before) == {"recon-gate"}


async def test_a_shadow_pass_writes_nothing_and_repeats_itself(house: House) -> None:
    order = await resting_order(house)
    house.exchange.arm("ws.lose", match=FILLS, times=-1)
    await house.until_status(order["client_order_id"], "new")
    fill_at_exchange(house, order, "4", "90")
    before = await head(house)
    shadows = [(await reconcile(house, shadow=True))["shadow_reports"] for _ in range(2)]
    assert await head(house) == before
    assert shadows[0] == shadows[1]
    assert {"OrderFilled", "PositionFilled"} <= {report["event"] for report in shadows[0]}
    assert await holds(house, "0")
    await reconcile(house)
    assert (await reconcile(house, shadow=True))["shadow_reports"] == []


@covers("FC:B-04")
async def test_a_fill_no_source_explains_is_inferred_and_later_replaced(house: House) -> None:
    house.gateway.fill_gap.settle_window = timedelta()
    order = await resting_order(house)
    house.exchange.arm("ws.lose", match=FILLS, times=-1)
    gap = house.exchange.arm("read.activities_gap", times=-1)
    fill_at_exchange(house, order, "10", "90")
    await reconcile(house)
    inferred = await house.order(order["client_order_id"])
    assert (inferred["status"], inferred["filled_qty"], inferred["flags"]) == (
        "filled",
        "10",
        ["provisional"],
    )
    house.exchange.ctl("DELETE", f"faults/{gap}")
    await reconcile(house)
    replaced = await house.order(order["client_order_id"])
    assert (replaced["filled_qty"], replaced["flags"]) == ("10", [])
    assert await holds(house, "10"), await house.position()


@covers("FC:E-01")
async def test_an_order_nobody_here_sent_quarantines_its_symbol_once(house: House) -> None:
    body = {"symbol": "AAPL", "side": "buy", "qty": "3", "type": "market", "time_in_force": "day"}
    house.exchange.ctl("POST", "foreign_order", body)
    await house.until(lambda: holds(house, "3"), what="the foreign fill")
    await reconcile(house)
    (entry,) = await quarantined(house)
    assert (entry["symbol"], entry["reason"]) == ("AAPL", "orphan_order_detected")
    status = (await house.client.get("/api/v1/reconciliation/status")).json()
    assert status["open_breaks"] == 1
    refused = await house.submit()
    assert (refused.status_code, refused.json()["code"]) == (503, "quarantined")
    assert (await house.submit(symbol="MSFT")).status_code == 200
    orphaned = await house.gateway.ledger.log.read(0, 100, name="order.orphaned")
    assert len(orphaned) == 1


@covers("FC:E-01")
async def test_a_foreign_order_the_stream_never_told_is_found_by_the_pass(house: House) -> None:
    house.exchange.arm("ws.lose", times=-1)
    body = {"symbol": "MSFT", "side": "buy", "qty": "5", "type": "limit", "limit_price": "150"}
    house.exchange.ctl("POST", "foreign_order", body | {"time_in_force": "day"})
    result = await reconcile(house)
    assert (result["orphans_found"], result["breaks_open"]) == (1, 1)
    (entry,) = await quarantined(house)
    assert (entry["symbol"], entry["orphan_notional"]) == ("MSFT", "750")
    again = await reconcile(house)
    assert (again["orphans_found"], again["breaks_open"]) == (0, 1)


def endow(house: House, qty: str) -> None:
    """Shares that came to the account by no order."""
    holding = {"qty": qty, "price": "100"}
    house.exchange.ctl("POST", "account", {"positions": {"AAPL": holding}})


@covers("FC:E-02", "FC:E-03")
async def test_a_difference_becomes_a_break_and_closes_by_itself(house: House) -> None:
    endow(house, "100")
    assert (await reconcile(house))["breaks_open"] == 0
    assert (await reconcile(house))["breaks_open"] == 1
    assert await holds(house, "0")
    assert [entry["reason"] for entry in await quarantined(house)] == ["position_mismatch"]
    assert (await reconcile(house))["breaks_open"] == 1
    assert len(await house.gateway.ledger.log.read(0, 100, name="position.quarantined")) == 1
    endow(house, "-100")
    assert (await reconcile(house))["breaks_open"] == 0
    assert [entry["symbol"] for entry in await quarantined(house)] == ["AAPL"]
    body = {"reason": "the figures agree again"}
    assert (await house.client.post("/api/v1/quarantine/AAPL/release", json=body)).status_code == 200
    await house.until(lambda: _takes_orders(house), what="an order")


async def _takes_orders(house: House) -> bool:
    return (await house.submit()).status_code == 200


@covers("FC:D-09", "FM:F-113")
@pytest.mark.parametrize("path", ["/v2/positions", "/v2/orders"])
@pytest.mark.parametrize("trouble", [{"status": 500}, {"status": 200, "body": "<html>"}])
async def test_a_broker_that_cannot_be_read_closes_nothing_and_proves_nothing(
    house: House, path: str, trouble: dict[str, Any]
) -> None:
    await traded(house, "buy", "10", "100", name="held")
    open_order = await resting_order(house, client_order_id="still-open")
    endow(house, "100")
    await reconcile(house)
    assert (await reconcile(house))["breaks_open"] == 1
    before = await head(house)
    house.exchange.arm("http.status", match={"method": "GET", "path": path}, times=-1, **trouble)
    failed = await house.client.post("/api/v1/reconciliation/run")
    assert (failed.status_code, failed.json()["code"]) == (503, "reconciliation_broker_unavailable")
    written = await streams_written_after(house, before)
    assert {stream for stream in written if not stream.startswith("audit-")} == {"recon-gate"}
    status = (await house.client.get("/api/v1/reconciliation/status")).json()
    assert (status["open_breaks"], status["gate"]) == (1, "open")
    assert status["last_error"]
    assert (await house.order(open_order["client_order_id"]))["status"] == "new"
    assert await holds(house, "10"), await house.position()


@covers("FC:D-09")
async def test_an_unreadable_list_of_fills_compares_no_positions(house: House) -> None:
    endow(house, "100")
    house.exchange.arm("http.status", match={"path": "/v2/account/activities*"}, status=500, times=-1)
    for _ in range(3):
        assert (await reconcile(house))["breaks_open"] == 0


async def profit(house: House, **params: object) -> tuple[str, str]:
    """Quantity and realized P&L of the whole account in AAPL."""
    response = await house.client.get("/api/v1/positions", params=params)
    response.raise_for_status()
    body = response.json()
    quantities = [entry["qty"] for entry in body["positions"]]
    return (quantities[0] if quantities else "0", body["total_realized_pl"])


@covers("FC:B-13", "FM:F-089")
async def test_a_bust_restates_and_the_past_keeps_its_figures(house: House) -> None:
    await traded(house, "buy", "100", "10", name="e1")
    second = await traded(house, "buy", "100", "20", name="e2")
    await traded(house, "sell", "100", "18", name="e3")
    then = await head(house)
    assert await profit(house, min_position=then) == ("100", "300")
    house.exchange.ctl("POST", f"executions/{second}/bust", {})
    await house.until(lambda: holds(house, "0"), what="the bust")
    assert await profit(house) == ("0", "800")
    assert await profit(house, as_of=then) == ("100", "300")
    assert "busted" in (await house.order("e2"))["flags"]


@covers("FC:B-14", "FM:F-089")
async def test_a_correction_restates_and_the_past_keeps_its_figures(house: House) -> None:
    await traded(house, "buy", "100", "10", name="e1")
    second = await traded(house, "buy", "100", "20", name="e2")
    await traded(house, "sell", "100", "18", name="e3")
    then = await head(house)
    house.exchange.ctl("POST", f"executions/{second}/correct", {"qty": "100", "price": "12"})
    await house.until(lambda: _realized(house, "700"), what="the correction")
    holding = await house.position()
    assert holding is not None
    assert (holding["qty"], holding["avg_entry_price"]) == ("100", "11")
    assert await profit(house, as_of=then) == ("100", "300")


async def _realized(house: House, amount: str) -> bool:
    found = await profit(house, min_position=await head(house))
    return found[1] == amount


@covers("FM:F-090")
async def test_a_fill_after_the_cancel_counts_and_does_not_reopen_the_order(house: House) -> None:
    house.exchange.arm("order.fill_after_terminal", status="canceled", qty="4")
    order = await resting_order(house, client_order_id="too-late")
    await house.until_status("too-late", "new")
    house.exchange.ctl("POST", f"orders/{order['broker_order_id']}/cancel", {})
    await house.until(lambda: holds(house, "4"), what="the late fill")
    found = await house.order("too-late")
    assert (found["status"], found["filled_qty"], found["leaves_qty"]) == ("canceled", "4", "0")
    assert found["flags"] == ["late_fill"]


@covers("FM:F-086", "FC:B-02")
@pytest.mark.parametrize(
    "fault", [("ws.duplicate", {"copies": 2}), ("ws.reorder", {"mode": "reverse", "window": 3})]
)
async def test_frames_out_of_order_or_twice_book_each_execution_once(
    house: House, fault: tuple[str, dict[str, Any]]
) -> None:
    name, params = fault
    house.exchange.arm(name, times=-1, **params)
    order = await resting_order(house)
    for qty in ("1", "2", "3", "4"):
        fill_at_exchange(house, order, qty, "90")
    await reconcile(house)
    found = await house.until_status(order["client_order_id"], "filled")
    assert (found["filled_qty"], found["flags"]) == ("10", [])
    assert sorted(trade.last_qty for trade in await executions(house)) == [1, 2, 3, 4]
    assert await holds(house, "10"), await house.position()


@covers("FC:D-01", "FM:F-088")
async def test_what_fills_while_the_stream_is_away_is_booked_when_it_is_back(house: House) -> None:
    order = await resting_order(house)
    house.exchange.ctl("POST", "connections/all/drop", {"code": 1006})
    fill_at_exchange(house, order, "10", "90")
    await house.until_status(order["client_order_id"], "filled")
    assert await holds(house, "10"), await house.position()


@covers("FM:F-154", "FC:F-09")
async def test_two_gateways_on_one_ledger_share_its_limits_and_its_orders(
    create_test_app: CreateTestApp,
) -> None:
    async with create_test_app() as one, create_test_app(standby=True) as other:
        same = [house.submit(client_order_id="same") for house in (one, other, one, other)]
        answers = await asyncio.gather(*same)
        assert {answer.status_code for answer in answers} <= {200, 202}
        assert one.posts("same") == 1
        await one.until_status("same", "filled")
        assert await holds(other, "10")
        room = [
            house.submit(qty=100, type="limit", limit_price="50", client_order_id=f"room-{name}-{n}")
            for n in range(8)
            for name, house in (("one", one), ("other", other))
        ]
        codes = [answer.status_code for answer in await asyncio.gather(*room)]
        assert (codes.count(200), codes.count(422)) == (9, 7)
        await one.engage_kill_switch()
        assert (await other.submit()).json()["code"] == "kill_switch_engaged"


@covers("FC:E-08", "FM:F-114")
async def test_of_two_gateways_that_reconcile_at_once_each_fill_is_booked_once(
    create_test_app: CreateTestApp,
) -> None:
    async with create_test_app() as one, create_test_app(standby=True) as other:
        order = await resting_order(one)
        for qty in ("1", "2", "3", "4"):
            fill_at_exchange(one, order, qty, "90")
        await asyncio.gather(reconcile(one), reconcile(other))
        await other.until_status(order["client_order_id"], "filled")
        assert len(await executions(one)) == 4
        assert await holds(other, "10")
