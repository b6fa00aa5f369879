"""The broker's executions read again: nothing twice, nothing skipped, and an answer of its own."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.contract.conftest import CreateTestApp
from tests.contract.steps import fill_at_exchange, holds, reconcile, resting_order, traded
from tests.kit.covers import covers
from tests.kit.house import House

PATH = "/api/v1/reconciliation/fills-backfill"
UNSEEN = {"event": "*fill"}
ONE_AT_A_TIME = {"ALPACA_FILLS_BACKFILL_PAGE_SIZE": "1", "ALPACA_FILLS_BACKFILL_MAX_PAGES": "1"}


async def backfill(house: House, body: dict[str, Any] | None = None) -> dict[str, Any]:
    response = await house.client.post(PATH, json=body) if body else await house.client.post(PATH)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def missed_fills(house: House, *qtys: str) -> dict[str, Any]:
    """An order whose executions the stream never told."""
    total = str(sum(int(qty) for qty in qtys))
    order = await resting_order(house, client_order_id="missed", qty=int(total))
    house.exchange.arm("ws.lose", match=UNSEEN, times=-1)
    for qty in qtys:
        fill_at_exchange(house, order, qty, "90")
    return order


@covers("FM:F-088")
async def test_missed_executions_are_booked_and_counted(house: House) -> None:
    await missed_fills(house, "4", "6")
    done = await backfill(house)
    assert (done["status"], done["message"]) == ("ok", "2 of 2 fills were new")
    result = done["result"]
    assert (result["fills_seen"], result["fills_inserted"], result["duplicates"]) == (2, 2, 0)
    assert (result["unmatched"], result["pnl_updates"], result["complete"]) == (0, 0, True)
    assert result["high_water_mark"] is not None
    assert await holds(house, "10")


async def test_a_round_trip_stays_what_it_was_after_a_backfill(house: House) -> None:
    """Bought at 90, sold at 110: 200, however often the same executions are seen again."""
    await traded(house, "buy", "10", "90", name="in")
    await traded(house, "sell", "10", "110", name="out")
    for body in ({"recalc_all_trades": True}, {"lookback_hours": 24}):
        result = (await backfill(house, body))["result"]
        assert (result["fills_seen"], result["fills_inserted"], result["duplicates"]) == (2, 0, 2)
        assert (result["pnl_updates"], result["pnl_failures"]) == (0, 0)
    positions = (await house.client.get("/api/v1/positions")).json()
    assert positions["total_realized_pl"] == "200"


async def test_changed_results_are_counted_per_strategy_and_symbol(house: House) -> None:
    await traded(house, "buy", "10", "80", name="in")
    order = await resting_order(house, client_order_id="out", side="sell", limit_price="150")
    house.exchange.arm("ws.lose", match=UNSEEN, times=-1)
    fill_at_exchange(house, order, "10", "90")
    result = (await backfill(house, {"recalc_all_trades": True}))["result"]
    assert (result["fills_inserted"], result["pnl_updates"], result["pnl_failures"]) == (1, 1, 0)


async def test_missed_executions_realize_and_every_view_of_it_agrees(house: House) -> None:
    await traded(house, "buy", "3", "80.01", name="in")
    order = await resting_order(house, client_order_id="out", side="sell", qty=3, limit_price="150")
    house.exchange.arm("ws.lose", match=UNSEEN, times=-1)
    fill_at_exchange(house, order, "1", "90.07")
    fill_at_exchange(house, order, "2", "79.99")
    await backfill(house)
    assert await holds(house, "0")
    positions = (await house.client.get("/api/v1/positions")).json()
    fills = (await house.client.get("/api/v1/orders/recent-fills")).json()["events"]
    daily = (await house.client.get("/api/v1/performance/daily")).json()
    assert positions["total_realized_pl"] == daily["total_realized_pl"] == "10.02"
    assert sum(Decimal(fill["realized_pl"]) for fill in fills) == Decimal("10.02")


async def test_trap_25_a_backfill_cut_off_by_its_limit_goes_on_where_it_stopped(
    create_test_app: CreateTestApp,
) -> None:
    async with create_test_app(environment=ONE_AT_A_TIME) as house:
        await missed_fills(house, "1", "2", "3")
        found = [(await backfill(house))["result"] for _ in range(4)]
        assert [result["fills_inserted"] for result in found] == [1, 1, 1, 0]
        assert [result["complete"] for result in found] == [False, False, False, True]
        marks = [result["high_water_mark"] for result in found[:3]]
        assert marks == sorted(marks)
        assert await holds(house, "6")


async def test_positions_are_not_compared_while_a_backfill_is_incomplete(
    create_test_app: CreateTestApp,
) -> None:
    """What has not been read yet is no difference between two books."""
    async with create_test_app(environment=ONE_AT_A_TIME) as house:
        house.exchange.arm("read.list_gap", times=-1)
        await missed_fills(house, "1", "2", "3")
        for _ in range(4):
            await reconcile(house)
        shown = await house.client.get("/api/v1/reconciliation/breaks", params={"status": "all"})
        assert shown.json()["breaks"] == []


async def test_a_short_window_leaves_the_mark_where_it_is(house: House) -> None:
    """Reading only the last hour says nothing about the hours between it and the mark."""
    await traded(house, "buy", "10", "90", name="in")
    await backfill(house)
    gate = house.gateway.ledger.desk.state("recon-gate")
    before = gate.cursors["alpaca_fills"]
    result = (await backfill(house, {"lookback_hours": 1}))["result"]
    assert result["fills_seen"] == 1
    assert house.gateway.ledger.desk.state("recon-gate").cursors["alpaca_fills"] == before


async def test_the_request_is_on_record_with_its_actor(house: House) -> None:
    await backfill(house, {"lookback_hours": 2, "recalc_all_trades": True})
    (asked,) = await house.gateway.ledger.log.read(0, 1000, name="reconciliation.backfill_requested")
    event: Any = asked.event
    assert (event.lookback_hours, event.recalc_all_trades, asked.actor.sub) == (2, True, "alice")


async def test_trap_5_the_endpoint_answers_its_own_result_and_its_limit_is_active(
    create_test_app: CreateTestApp,
) -> None:
    environment = {"RATE_LIMIT_MODE": "enforce", "FILLS_BACKFILL_LIMIT": "1"}
    async with create_test_app(environment=environment) as house:
        first = await house.client.post(PATH)
        assert (first.status_code, first.headers["x-ratelimit-remaining"]) == (200, "0")
        assert (first.json()["status"], first.json()["result"]["complete"]) == ("ok", True)
        second = await house.client.post(PATH)
        assert (second.status_code, second.json()["code"]) == (429, "rate_limited")
        assert int(second.headers["retry-after"]) >= 1


async def test_without_a_broker_nothing_is_read(create_test_app: CreateTestApp) -> None:
    async with create_test_app(environment={"DRY_RUN": "true"}) as house:
        skipped = await backfill(house)
        assert (skipped["status"], skipped["result"]["status"]) == ("skipped", "skipped")
        assert skipped["result"]["fills_seen"] == 0


async def test_switched_off_it_says_so(create_test_app: CreateTestApp) -> None:
    async with create_test_app(environment={"ALPACA_FILLS_BACKFILL_ENABLED": "false"}) as house:
        assert (await backfill(house))["status"] == "disabled"


async def test_who_may_ask_and_for_what(house: House) -> None:
    refused = await house.as_role("operator").post(PATH)
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    for body in ({"lookback_hours": 0}, {"lookback_hours": 721}, {"lookback_hours": "2"}, {"hours": 2}):
        wrong = await house.client.post(PATH, json=body)
        assert (wrong.status_code, wrong.json()["code"]) == (422, "request_validation")
    house.exchange.arm(
        "http.status", match={"path": "/v2/account/activities*"}, times=-1, status=503, body=""
    )
    unreadable = await house.client.post(PATH)
    assert (unreadable.status_code, unreadable.json()["code"]) == (503, "reconciliation_broker_unavailable")
