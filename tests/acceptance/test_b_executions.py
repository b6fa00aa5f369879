"""Acknowledgements, fills and quantities: repeated, unexplained, undone later, and what they cost."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.contract.relay import deliver, fill
from tests.contract.steps import holds, quarantined, reconcile, resting_order, told, traded
from tests.kit.covers import covers
from tests.kit.house import House
from tests.kit.slicing import Ahead

DAY = 24 * 3600


@covers("FC:B-02", "FM:F-083")
async def test_one_message_a_hundred_times_at_once_is_one_booking(house: House) -> None:
    order = await resting_order(house)
    body = fill(order, execution_id="x-1", qty="10", price="90", total="10")
    answers = await asyncio.gather(*(deliver(house, body) for _ in range(100)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(await told(house, order["client_order_id"], "order.filled")) == 1
    assert await holds(house, "10")


@covers("FC:B-01", "FM:F-085")
async def test_a_fill_of_an_order_nobody_knows_is_booked_outside_of_every_strategy(house: House) -> None:
    house.exchange.arm("ws.lose", times=-1)
    body = {"symbol": "AAPL", "side": "buy", "qty": "10", "type": "market", "time_in_force": "day"}
    foreign = house.exchange.ctl("POST", "foreign_order", body)
    (execution,) = house.exchange.truth()["executions"]["live"]
    known = {**foreign, "broker_order_id": foreign["id"]}
    said = fill(known, execution_id=execution["id"], qty="10", price=execution["price"], total="10")
    assert (await deliver(house, said)).status_code == 200
    assert await holds(house, "10")
    (orphaned,) = await house.gateway.ledger.log.read(0, 100, name="order.orphaned")
    (booked,) = await house.gateway.ledger.log.read(0, 100, name="order.filled", stream=orphaned.stream)
    assert booked.event.strategy_id == "external"  # type: ignore[attr-defined]
    assert [entry["symbol"] for entry in await quarantined(house)] == ["AAPL"]


@covers("FC:B-13", "FM:F-089")
async def test_a_bust_after_the_day_ended_restates_that_day(house: House, clock: Ahead) -> None:
    await traded(house, "buy", "100", "10", name="bought")
    sold = await traded(house, "sell", "40", "15", name="sold")
    (sale,) = await told(house, "sold", "order.filled")
    then = await house.gateway.ledger.log.head()
    clock.move(DAY)
    house.client.headers["Authorization"] = f"Bearer {house.token()}"
    house.exchange.ctl("POST", f"executions/{sold}/bust", {})
    await house.until(lambda: holds(house, "100"), what="the bust")
    (busted,) = await house.gateway.ledger.log.read(then, 100, name="position.busted")
    restated: Any = busted.event
    assert (restated.restatement.before.realized, restated.restatement.after.realized) == (200, 0)
    (difference,) = restated.restatement.daily
    assert difference.date == sale.trade.transact_time.date()
    assert difference.account_realized == difference.strategy_realized == -200
    before = (await house.client.get("/api/v1/positions", params={"as_of": then})).json()
    assert (before["positions"][0]["qty"], before["total_realized_pl"]) == ("60", "200")


@covers("FC:B-21")
async def test_fees_of_the_day_come_after_it_and_change_no_fill_and_no_result(house: House) -> None:
    exchange = house.exchange
    exchange.ctl("PUT", "config", {"fees": True})
    exchange.ctl("POST", "clock", {"mode": "manual", "now": house.gateway.clock.now().isoformat()})
    await traded(house, "buy", "100", "100", name="bought")
    await traded(house, "sell", "100", "101", name="sold")
    filled = await told(house, "sold", "order.filled")
    exchange.ctl("POST", "clock/advance", {"seconds": DAY})
    await reconcile(house)
    fees = [event.event for event in await house.gateway.ledger.log.read(0, 1000, name="activity.recorded")]
    assert {fee.kind for fee in fees} == {"FEE"}  # type: ignore[attr-defined]
    assert all(fee.net_amount < 0 for fee in fees)  # type: ignore[attr-defined]
    assert await told(house, "sold", "order.filled") == filled
    positions = (await house.client.get("/api/v1/positions")).json()
    assert positions["total_realized_pl"] == "100"


@covers("FC:B-22")
@pytest.mark.parametrize("amount", [None, "", "n/a"], ids=["null", "empty", "no number"])
async def test_a_fee_nobody_knows_yet_is_not_zero_and_stops_nothing(house: House, amount: object) -> None:
    row = {
        "activity_type": "FEE",
        "activity_sub_type": "REG",
        "id": "20261120000000000::1",
        "date": "2026-11-20",
        "created_at": "2026-11-20T05:00:00Z",
        "net_amount": amount,
        "status": "executed",
    }
    lists = {"path": "/v2/account/activities", "method": "GET"}
    house.exchange.arm("http.body", match=lists, times=1, body=json.dumps([row]))
    assert (await reconcile(house))["breaks_open"] == 0
    (fee,) = await house.gateway.ledger.log.read(0, 1000, name="activity.recorded")
    assert fee.event.net_amount is None  # type: ignore[attr-defined]
