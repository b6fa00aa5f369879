"""What the broker's answers prove, what they do not, and what stands until they do."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx2

from gateway.aggregates.vocabulary import position_stream
from tests.contract.conftest import CreateTestApp
from tests.contract.steps import fill_at_exchange, holds, quarantined, reconcile, resting_order, traded
from tests.contract.test_breaks import breaks, endow
from tests.kit.covers import covers
from tests.kit.house import House
from tests.kit.slicing import Ahead

FILLS = {"event": "*fill"}
LISTS = {"method": "GET", "path": "/v2/orders"}


async def at_the_exchange(house: House, path: str) -> bytes:
    """What the exchange answers now."""
    async with httpx2.AsyncClient(base_url=house.exchange.url, headers=house.exchange.headers) as client:
        return (await client.get(path)).content


@covers("FC:D-07", "FC:E-09", "FM:F-112")
async def test_an_older_snapshot_regresses_nothing(house: House) -> None:
    """Lists and holdings from before the fill, answered after it."""
    order = await resting_order(house)
    await house.until_status(order["client_order_id"], "new")
    old = {path: await at_the_exchange(house, path) for path in ("/v2/orders?status=all", "/v2/positions")}
    fill_at_exchange(house, order, "10", "90")
    await house.until_status(order["client_order_id"], "filled")
    lists, holdings = (body.decode() for body in old.values())
    stale = house.exchange.arm("http.body", match=LISTS, times=-1, body=lists)
    assert (await reconcile(house))["reports_recorded"] == 0
    found = await house.order(order["client_order_id"])
    assert (found["status"], found["filled_qty"], found["leaves_qty"]) == ("filled", "10", "0")
    house.exchange.ctl("DELETE", f"faults/{stale}")
    house.exchange.arm("http.body", match={"path": "/v2/positions"}, times=1, body=holdings)
    for _ in range(2):
        assert (await reconcile(house))["breaks_open"] == 0
    assert await holds(house, "10")


@covers("FC:D-08")
async def test_an_order_no_list_mentions_is_asked_for_by_itself(house: House) -> None:
    order = await resting_order(house)
    await house.until_status(order["client_order_id"], "new")
    house.exchange.arm("http.body", match=LISTS, times=-1, body="[]")
    house.exchange.arm("ws.lose", match=FILLS, times=-1)
    fill_at_exchange(house, order, "10", "90")
    await reconcile(house)
    assert (await house.order(order["client_order_id"]))["status"] == "filled"
    assert await holds(house, "10")


@covers("FC:D-10", "FM:F-072")
async def test_an_outage_leaves_orders_unknown_and_what_filled_meanwhile_is_booked_after_it(
    house: House,
) -> None:
    """Nothing is dropped, and the room stays taken."""
    live = await resting_order(house, client_order_id="live")
    await house.until_status("live", "new")
    house.exchange.arm("ws.lose", times=-1)
    answers = house.exchange.arm("http.status", match={"method": "GET"}, times=-1, status=503, body="")
    posts = house.exchange.arm("http.status_after", match={"method": "POST"}, times=-1, status=504, body="")
    sent = await house.submit(client_order_id="unknown", type="limit", limit_price="90")
    assert sent.status_code == 202
    fill_at_exchange(house, live, "10", "90")
    for _ in range(3):
        assert (await house.client.post("/api/v1/reconciliation/run")).status_code == 503
    assert (await house.order("unknown"))["status"] == "submitted_unconfirmed"
    assert (await house.order("live"))["status"] == "new"
    position, _ = await house.gateway.ledger.load(position_stream("AAPL"))
    assert (position.reserved_buy, position.qty) == (20, 0)
    for fault in (answers, posts):
        house.exchange.ctl("DELETE", f"faults/{fault}")
    await house.until_status("unknown", "new", "accepted")
    await reconcile(house)
    assert (await house.order("live"))["status"] == "filled"
    assert await holds(house, "10")
    assert await breaks(house) == []


@covers("FC:E-04")
async def test_a_holding_older_than_the_brokers_lists_is_no_difficulty(house: House, clock: Ahead) -> None:
    """A month later nobody lists the trade any more, and the ledger still has it."""
    await traded(house, "buy", "10", "90", name="long-ago")
    await reconcile(house)
    clock.by += timedelta(days=31)
    house.client.headers["Authorization"] = f"Bearer {house.token()}"
    for path in ("/v2/orders", "/v2/account/activities*"):
        house.exchange.arm("http.body", match={"method": "GET", "path": path}, times=-1, body="[]")
    for _ in range(2):
        assert (await reconcile(house))["breaks_open"] == 0
    holding = await house.position()
    assert holding is not None
    assert (holding["qty"], holding["avg_entry_price"]) == ("10", "90")


@covers("FC:E-12")
async def test_dust_is_a_difference_like_any_other(house: House) -> None:
    """The tolerance is zero, and nothing is rounded away."""
    endow(house, "0.000000001", "100")
    await reconcile(house)
    await reconcile(house)
    (entry,) = await breaks(house)
    assert (entry["ledger_value"], entry["broker_value"]) == ("0", "0.000000001")


@covers("FC:E-11", "FC:E-02")
async def test_the_books_of_strategies_external_and_adjustments_make_the_account(house: House) -> None:
    """Two strategies, an order from the broker's own screen, and shares by transfer."""
    for strategy, side, qty in (("alpha", "buy", 30), ("beta", "buy", 20), ("beta", "sell", 5)):
        away = "50" if side == "buy" else "150"
        order = await resting_order(
            house,
            client_order_id=f"{strategy}-{side}",
            side=side,
            qty=qty,
            limit_price=away,
            strategy_id=strategy,
        )
        fill_at_exchange(house, order, str(qty), "90")
        await house.until_status(f"{strategy}-{side}", "filled")
    foreign = {"symbol": "AAPL", "side": "buy", "qty": "3", "type": "market", "time_in_force": "day"}
    house.exchange.ctl("POST", "foreign_order", foreign)
    await house.until(lambda: holds(house, "48"), what="the foreign fill")
    endow(house, "7", "100")
    await reconcile(house)
    await reconcile(house)
    (entry,) = await breaks(house, kind="position_qty")
    reason = {"action": "accept_broker", "reason": "transferred from the old account"}
    path = f"/api/v1/reconciliation/breaks/{entry['break_id']}/resolve"
    assert (await house.client.post(path, json=reason)).status_code == 200
    position, _ = await house.gateway.ledger.load(position_stream("AAPL"))
    books = {name: book.qty for name, book in position.strategies.items()}
    assert books == {"alpha": 30, "beta": 15, "external": 10}
    assert sum(books.values()) == position.qty == 55


@covers("FC:E-10", "FM:F-115")
async def test_forcing_the_gate_open_needs_a_right_a_reason_and_an_attempt_and_ends_with_the_next_pass(
    create_test_app: CreateTestApp,
) -> None:
    path, reason = "/api/v1/reconciliation/force-complete", {"reason": "known outage of the broker"}
    async with create_test_app(block_reconciliation=True) as house:

        async def standing() -> dict[str, Any]:
            found: dict[str, Any] = (await house.client.get("/api/v1/reconciliation/status")).json()
            return found

        async def attempted() -> bool:
            return (await standing())["last_run_at"] is not None

        await house.until(attempted, what="an attempt")
        refused = await house.as_role("operator").post(path, json=reason)
        assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
        assert (await standing())["gate"] == "closed"
        assert (await house.client.post(path, json=reason)).status_code == 200
        found = await standing()
        assert (found["gate"], found["override_active"]) == ("override", True)
        assert found["override_context"]["user_id"] == "alice"
        (event,) = await house.gateway.ledger.log.read(0, 100, name="reconciliation.overridden")
        assert (event.actor.sub, event.event.reason) == ("alice", reason["reason"])  # type: ignore[attr-defined]
        house.release_reconciliation.set()
        await house.until_gate_opens()
        found = await standing()
        assert (found["gate"], found["override_active"], found["override_context"]) == ("open", False, {})


@covers("FC:E-10")
async def test_an_override_does_not_outlive_the_process(create_test_app: CreateTestApp) -> None:
    body = {"reason": "known outage of the broker"}
    async with create_test_app(block_reconciliation=True) as house:

        async def forced() -> bool:
            answer = await house.client.post("/api/v1/reconciliation/force-complete", json=body)
            return answer.status_code == 200

        await house.until(forced, what="an attempt to be overridden")
    async with create_test_app(block_reconciliation=True) as house:
        status = (await house.client.get("/api/v1/reconciliation/status")).json()
        assert (status["gate"], status["override_active"]) == ("closed", False)


@covers("FC:E-03")
async def test_the_broker_flat_while_we_are_long_is_shown_and_ends_by_itself(house: House) -> None:
    """Asked for fills, then a break with both figures; no loop, and the past stays."""
    await traded(house, "buy", "10", "90", name="held")
    flat = house.exchange.arm("http.body", match={"path": "/v2/positions"}, times=-1, body="[]")
    for _ in range(4):
        await reconcile(house)
    (entry,) = await breaks(house)
    assert (entry["ledger_value"], entry["broker_value"]) == ("10", "0")
    assert await holds(house, "10")
    house.exchange.ctl("DELETE", f"faults/{flat}")
    assert (await reconcile(house))["breaks_open"] == 0
    assert [q["reason"] for q in await quarantined(house)] == ["position_mismatch"]


@covers("FC:E-06")
async def test_activities_come_as_exact_numbers(house: House) -> None:
    """A dividend of a third of a cent is what it is."""
    await traded(house, "buy", "3", "90", name="held")
    row = json.loads(await at_the_exchange(house, "/v2/account"))
    assert Decimal(row["cash"]) > 0
    house.exchange.ctl("POST", "dividend", {"symbol": "AAPL", "amount": "0.0033333333"})
    await reconcile(house)
    (event,) = await house.gateway.ledger.log.read(0, 1000, name="activity.recorded")
    assert event.event.net_amount == Decimal("0.0099999999")  # type: ignore[attr-defined]
