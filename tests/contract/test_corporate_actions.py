"""What changes an account without a trade: splits in the books, the rest on record and no part of P&L."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from gateway.aggregates.vocabulary import StrategyId, position_stream
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


async def book(house: House) -> Any:
    position, _ = await house.gateway.ledger.load(position_stream("AAPL"))
    return position


async def activities(house: House, kind: str) -> list[Any]:
    found = await house.gateway.ledger.log.read(0, 1000, name="activity.recorded")
    return [event.event for event in found if event.event.kind == kind]  # type: ignore[attr-defined]


async def splits(house: House) -> list[Any]:
    return [event.event for event in await house.gateway.ledger.log.read(0, 1000, name="position.split")]


def split(house: House, ratio: str, orders: str = "cancel") -> None:
    house.exchange.ctl("POST", "split", {"symbol": "AAPL", "ratio": ratio, "orders": orders})


@covers("FC:E-05")
@pytest.mark.parametrize(("ratio", "qty", "average"), [("2", "200", "45"), ("0.1", "10", "900")])
async def test_a_split_changes_the_quantity_and_keeps_the_cost(
    house: House, ratio: str, qty: str, average: str
) -> None:
    await traded(house, "buy", "100", "90", name="bought")
    split(house, ratio)
    assert (await reconcile(house))["breaks_open"] == 0
    holding = await house.position()
    assert holding is not None
    assert (holding["qty"], holding["avg_entry_price"], holding["realized_pl"]) == (qty, average, "0")
    (event,) = await splits(house)
    assert (event.added, event.account.cost) == (Decimal(qty) - 100, 9000)
    again = await reconcile(house)
    assert again["breaks_open"] == 0
    assert len(await splits(house)) == 1
    assert await quarantined(house) == []
    report = (await house.client.get("/api/v1/ledger/verify")).json()
    assert report["ok"], report


@covers("FC:E-05", "FC:E-11", "INV-30")
async def test_a_split_is_in_every_book_and_a_second_pass_writes_nothing(house: House) -> None:
    for strategy, qty in (("alpha", 30), ("beta", 10)):
        order = await resting_order(house, client_order_id=strategy, qty=qty, strategy_id=strategy)
        fill_at_exchange(house, order, str(qty), "90")
        await house.until_status(strategy, "filled")
    split(house, "3")
    await reconcile(house)
    position = await book(house)
    held = {name: mine.qty for name, mine in position.strategies.items()}
    assert (position.qty, held) == (120, {StrategyId("alpha"): 90, StrategyId("beta"): 30})
    before = await house.gateway.ledger.log.head()
    await reconcile(house)
    assert await streams_written_after(house, before) == {"recon-gate"}


@covers("FC:E-05")
async def test_what_is_bought_after_the_split_and_booked_before_it_is_not_split(house: House) -> None:
    await traded(house, "buy", "100", "90", name="before")
    split(house, "2")
    order = await resting_order(house, client_order_id="after", limit_price="40")
    fill_at_exchange(house, order, "10", "45")
    await house.until_status("after", "filled")
    assert (await reconcile(house))["breaks_open"] == 0
    position = await book(house)
    assert (position.qty, position.account.cost) == (210, 9450)


@covers("FC:E-05")
async def test_a_resting_order_follows_the_brokers_own_word(house: House) -> None:
    await traded(house, "buy", "100", "90", name="held")
    await resting_order(house, client_order_id="resting", time_in_force="gtc")
    split(house, "2")
    found = await house.until_status("resting", "canceled")
    assert (found["leaves_qty"], (await book(house)).reserved_buy) == ("0", 0)


@covers("FC:E-05")
async def test_an_execution_from_before_the_split_is_undone_in_new_shares(house: House) -> None:
    await traded(house, "buy", "30", "90", name="kept")
    undone = await traded(house, "buy", "10", "50", name="undone")
    split(house, "2")
    await reconcile(house)
    assert await holds(house, "80")
    house.exchange.ctl("POST", f"executions/{undone}/bust", {})
    await house.until(lambda: holds(house, "60"), what="the bust")
    assert (await book(house)).account.cost == 2700
    assert (await reconcile(house))["breaks_open"] == 0
    report = (await house.client.get("/api/v1/ledger/verify")).json()
    assert report["ok"], report


@covers("FC:E-06")
async def test_money_without_a_trade_is_on_record_and_no_part_of_the_result(house: House) -> None:
    await traded(house, "buy", "100", "90", name="bought")
    house.exchange.ctl("POST", "dividend", {"symbol": "AAPL", "amount": "0.25"})
    house.exchange.ctl("POST", "transfer", {"amount": "-1000"})
    assert (await reconcile(house))["breaks_open"] == 0
    await reconcile(house)
    (dividend,) = await activities(house, "DIV")
    assert (dividend.symbol, dividend.qty, dividend.net_amount) == ("AAPL", 100, 25)
    (withdrawal,) = await activities(house, "CSW")
    assert withdrawal.net_amount == -1000
    holding = await house.position()
    assert holding is not None
    assert (holding["qty"], holding["realized_pl"]) == ("100", "0")
    shown = await house.client.get("/api/v1/events", params={"topic": "activity.", "symbol": "AAPL"})
    assert [event["data"]["kind"] for event in shown.json()["events"]] == ["DIV"]
    scoped = house.as_role("viewer", strategies=("alpha_baseline",))
    hidden = await scoped.get("/api/v1/events", params={"topic": "activity."})
    assert (hidden.status_code, hidden.json()["events"]) == (200, [])


@covers("FC:E-06", "FM:F-116")
async def test_shares_that_come_by_transfer_are_a_break_for_a_person(house: House) -> None:
    transfer = {"symbol": "AAPL", "qty": "25", "price": "120"}
    house.exchange.ctl("POST", "transfer", transfer)
    await reconcile(house)
    assert (await reconcile(house))["breaks_open"] == 1
    (journal,) = await activities(house, "JNLS")
    assert (journal.qty, journal.price) == (25, 120)
    assert await holds(house, "0")
    assert await splits(house) == []


@covers("FC:D-09")
async def test_activities_that_cannot_be_read_move_nothing_and_compare_nothing(house: House) -> None:
    await traded(house, "buy", "100", "90", name="bought")
    split(house, "2")
    fault = house.exchange.arm("http.status", match={"path": "/v2/account/activities"}, status=500, times=-1)
    for _ in range(3):
        assert (await reconcile(house))["breaks_open"] == 0
    assert (await book(house)).qty == 100
    house.exchange.ctl("DELETE", f"faults/{fault}")
    assert (await reconcile(house))["breaks_open"] == 0
    assert (await book(house)).qty == 200


@covers("FC:E-08")
async def test_two_gateways_split_once(create_test_app: CreateTestApp) -> None:
    async with create_test_app() as one, create_test_app(standby=True) as other:
        await traded(one, "buy", "100", "90", name="bought")
        split(one, "2")
        await reconcile(one)
        await reconcile(other)
        assert len(await splits(one)) == 1
        assert await holds(other, "200")


@covers("FC:E-05")
async def test_a_split_whose_outcome_a_person_has_accepted_is_not_booked_once_more(house: House) -> None:
    """The broker lists it long after its books have changed."""
    await traded(house, "buy", "100", "90", name="bought")
    listed = {"method": "GET", "path": "/v2/account/activities"}
    unlisted = house.exchange.arm("http.body", match=listed, times=-1, body="[]")
    split(house, "2")
    for _ in range(2):
        await reconcile(house)
    (entry,) = (await house.client.get("/api/v1/reconciliation/breaks")).json()["breaks"]
    decision = {"action": "accept_broker", "reason": "the shares were split"}
    path = f"/api/v1/reconciliation/breaks/{entry['break_id']}/resolve"
    (await house.client.post(path, json=decision)).raise_for_status()
    assert (await book(house)).qty == 200
    house.exchange.ctl("DELETE", f"faults/{unlisted}")
    assert (await reconcile(house))["breaks_open"] == 0
    assert len(await activities(house, "SPLIT")) == 2
    assert (await splits(house), (await book(house)).qty) == ([], 200)


@covers("FC:E-05")
async def test_the_two_halves_of_a_split_are_one_occasion_though_nothing_holds_them_together(
    house: House,
) -> None:
    await traded(house, "buy", "100", "90", name="bought")
    now = house.gateway.clock.now()
    row = {"activity_type": "SPLIT", "date": f"{now:%Y-%m-%d}", "created_at": now.isoformat()}
    halves = [row | {"symbol": "AAPL", "id": f"split-{qty}", "qty": qty} for qty in ("-100", "200")]
    listed = {"method": "GET", "path": "/v2/account/activities"}
    house.exchange.arm("http.body", match=listed, times=-1, body=json.dumps(halves))
    await reconcile(house)
    assert (await book(house)).qty == 200
