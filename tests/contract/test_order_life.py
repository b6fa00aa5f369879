"""An order's whole life at a broker that is slow, busy, silent, or changes its mind."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from gateway.adapters.alpaca import AlpacaBroker
from gateway.aggregates.refusals import LedgerUnavailable
from gateway.aggregates.vocabulary import ClientOrderId, Ticket
from gateway.commands import watch_slowed
from gateway.ports import Found
from tests.contract.relay import about, deliver, fill
from tests.contract.steps import ORDERS, fill_at_exchange, flags, holds, metric, resting_order, told
from tests.kit.covers import covers
from tests.kit.house import House
from tests.kit.slicing import Ahead

OTHER = "61e69015-8549-4bfd-b9c3-01e75843f47d"
WASH_TRADE = {
    "code": 40310000,
    "message": "potential wash trade detected. use complex orders",
    "existing_order_id": OTHER,
    "reject_reason": "opposite side limit order exists",
}
BEYOND_FLAT = {
    "code": 40310000,
    "message": "insufficient qty available for order (requested: 150, available: 100)",
    "related_orders": [OTHER],
    "symbol": "AAPL",
}


# --- answers that say less than they seem to ------------------------------------------------------------


@covers("FC:A-17", "FM:F-071")
async def test_an_order_taken_in_spite_of_slow_down_is_found_within_the_minute(house: House) -> None:
    """Answered 429, not found at once, taken all the same."""
    house.exchange.arm("ws.lose", times=-1)
    house.exchange.arm("order.lookup_lag", seconds=2, scope="cid")
    house.exchange.arm("http.status_after", match=ORDERS, status=429, body="")
    response = await house.submit(client_order_id="busy", qty=600, type="limit", limit_price="90")
    assert (response.status_code, response.json()["code"]) == (503, "broker_rate_limited")
    assert (await house.order("busy"))["status"] == "failed"
    await house.until_status("busy", "new", "accepted", "pending_new")
    assert "unexpected_at_broker" in await flags(house, "busy")
    assert (await house.submit(qty=401, type="limit", limit_price="90")).status_code == 422, (
        "its room is back"
    )
    assert house.posts("busy") == 1


@covers("FC:A-17")
async def test_an_order_found_at_the_last_look_is_recorded_though_the_ledger_is_away_just_then(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_slowed, "LOOK_AT", (0.0,))
    gateway, away = house.gateway, [LedgerUnavailable("away"), LedgerUnavailable("away")]
    await gateway.background.stop("slowed")

    async def record(*told: Any, **more: Any) -> Any:
        if away:
            raise away.pop()
        return await gateway.record_report(*told, **more)

    watch = watch_slowed.WatchSlowed(
        ledger=gateway.ledger,
        broker=gateway.broker,
        clock=gateway.clock,
        record_report=record,  # type: ignore[arg-type]
    )
    gateway.outcome.notice_slowed = watch.notice
    house.exchange.arm("ws.lose", times=-1)
    house.exchange.arm("order.lookup_lag", seconds=2, scope="cid")
    house.exchange.arm("http.status_after", match=ORDERS, status=429, body="")
    await house.submit(client_order_id="busy", type="limit", limit_price="90")

    async def listed() -> bool:
        return isinstance(await gateway.broker.order_by_client_id(ClientOrderId("busy")), Found)

    await house.until(listed)
    for _ in range(3):
        await watch.run_once()
    assert "unexpected_at_broker" in await flags(house, "busy")


@covers("FC:A-17")
async def test_an_order_that_slow_down_refused_stays_closed(house: House) -> None:
    """And may be tried again, after a look."""
    slow_down = {"status": 429, "body": "", "headers": {"Retry-After": "1"}}
    house.exchange.arm("http.status", match=ORDERS, **slow_down)
    refused = await house.submit(client_order_id="busy")
    assert (refused.status_code, refused.json()["code"]) == (503, "broker_rate_limited")
    await asyncio.sleep(int(refused.headers["Retry-After"]))
    again = await house.submit(client_order_id="busy")
    assert again.status_code == 200, again.text
    assert house.posts("busy") == 2


@pytest.mark.parametrize("garbled", ["\\u0000", "\\ud800"])
async def test_a_refusal_in_words_that_nothing_can_store_is_a_refusal_and_stops_no_table(
    house: House, garbled: str
) -> None:
    body = f'{{"code": "4{garbled}", "message": "no{garbled}", "existing_order_id": "{garbled}"}}'
    house.exchange.arm("http.status", match=ORDERS, status=422, body=body)
    response = await house.submit(client_order_id="refused", type="limit", limit_price="90")
    assert (response.status_code, response.json()["broker_message"]) == (422, "no\N{REPLACEMENT CHARACTER}")
    assert (await house.order("refused"))["status"] == "rejected"


@covers("FC:A-19", "FC:A-20")
@pytest.mark.parametrize("body", [WASH_TRADE, BEYOND_FLAT], ids=["wash trade", "long to short"])
async def test_a_refusal_names_the_order_that_stands_in_the_way(house: House, body: dict[str, Any]) -> None:
    house.exchange.arm("http.status", match=ORDERS, status=403, body=body)
    response = await house.submit(client_order_id="refused", side="sell", type="limit", limit_price="90")
    assert (response.status_code, response.json()["code"]) == (422, "broker_rejected")
    (rejected,) = await told(house, "refused", "order.rejected")
    assert rejected.related_order_id == OTHER
    assert rejected.reason == body["message"]


@covers("FC:A-18")
async def test_an_order_held_for_the_open_is_not_stale(house: House, clock: Ahead) -> None:
    house.exchange.arm("order.stuck", status="pending_new", until="cleared")
    order = await resting_order(house, qty=600)
    clock.move(3600)
    await house.gateway.resolver.run_once()
    shown = await house.order(order["client_order_id"])
    assert shown["status"] == shown["broker_status"] == "pending_new"
    assert (await house.submit(qty=401, type="limit", limit_price="90")).status_code == 422
    assert metric(house, "unknown_outcomes") == 0


# --- cancels --------------------------------------------------------------------------------------------


@covers("FC:C-03", "FM:F-102")
async def test_a_cancel_asked_for_during_our_own_post_goes_out_when_its_outcome_is_recorded(
    house: House,
) -> None:
    house.exchange.arm("http.hang", match=ORDERS, phase="before", seconds=1)
    posting = asyncio.create_task(house.submit(client_order_id="hasty", type="limit", limit_price="90"))

    async def intended() -> bool:
        found = await house.client.get("/api/v1/orders/hasty", params={"min_position": 1})
        return found.status_code == 200

    await house.until(intended, what="the intent")
    canceled = await house.client.post("/api/v1/orders/hasty/cancel")
    assert (canceled.status_code, canceled.json()["status"]) == (200, "pending_cancel")
    await posting
    answered_at = time.monotonic()
    await house.until_status("hasty", "canceled")
    assert time.monotonic() - answered_at < 5, "not left to the background"
    assert house.posts("hasty") == 1


@covers("FC:C-02")
async def test_a_cancel_the_broker_never_confirms_is_asked_again_and_then_shown_as_stuck(
    house: House, clock: Ahead
) -> None:
    house.exchange.arm("order.stuck", status="pending_cancel")
    order = await resting_order(house)
    cid = order["client_order_id"]
    await house.client.post(f"/api/v1/orders/{cid}/cancel")
    assert "cancel_stuck" not in await flags(house, cid)
    clock.move(601)

    async def stuck() -> bool:
        return "cancel_stuck" in await flags(house, cid)

    await house.until(stuck, what="the flag")

    async def shown() -> bool:
        return metric(house, "cancels_stuck") == 1 and _deletes(house, order) > 1

    await house.until(shown, what="the gauge, and another request")
    assert (await house.order(cid))["status"] == "pending_cancel", "no timer ends an order"
    assert len(await told(house, cid, "order.cancel_stuck")) == 1
    await deliver(house, {"event": "canceled", "order": about(order, status="canceled")})
    assert (await house.order(cid))["status"] == "canceled"


def _deletes(house: House, order: dict[str, Any]) -> int:
    path = f"/v2/orders/{order['broker_order_id']}"
    asked = house.exchange.ctl("GET", "requests?after=0")
    return sum(entry["method"] == "DELETE" and entry["path"] == path for entry in asked)


@covers("FC:C-12")
async def test_a_cancel_by_the_broker_keeps_its_reason(house: House) -> None:
    order = await resting_order(house)
    body = {"event": "canceled", "reason": "CORPORATE_ACTION", "order": about(order, status="canceled")}
    await deliver(house, body)
    (canceled,) = await told(house, order["client_order_id"], "order.canceled")
    assert canceled.reason == "CORPORATE_ACTION"


@covers("FC:C-14")
async def test_terms_the_broker_changed_are_flagged_and_executions_stay_exact(house: House) -> None:
    order = await resting_order(house, qty=100)
    terms = {"type": "limit", "time_in_force": "day", "limit_price": "90", "status": "new"}
    restated = about(order, **terms, filled_qty="0") | {"qty": "60"}
    await deliver(house, {"event": "restated", "order": restated})
    assert "ticket_mismatch" in await flags(house, order["client_order_id"])
    await deliver(house, fill(order, execution_id="x-1", qty="60", price="90", total="60"))
    shown = await house.order(order["client_order_id"])
    assert (shown["filled_qty"], shown["filled_avg_price"]) == ("60", "90")


@covers("FC:A-16")
async def test_a_rejection_after_the_acceptance_releases_the_rest_once(house: House) -> None:
    """Executions stand."""
    order = await resting_order(house, qty=1000)
    await deliver(
        house, fill(order, execution_id="x-1", qty="40", price="90", total="40", event="partial_fill")
    )
    for _ in range(2):
        await deliver(
            house, {"event": "rejected", "reason": "halted", "order": about(order, status="rejected")}
        )
    shown = await house.order(order["client_order_id"])
    assert (shown["status"], shown["filled_qty"]) == ("rejected", "40")
    assert (await house.submit(qty=960, type="limit", limit_price="90")).status_code == 200


@covers("FC:C-01", "FM:F-101")
async def test_a_cancel_refused_because_the_order_has_filled_leads_to_the_fill(
    house: House, clock: Ahead
) -> None:
    """Told by nobody but the look-up that follows the refusal."""
    house.exchange.arm("ws.lose", times=-1)
    order = await resting_order(house, qty=10)
    fill_at_exchange(house, order, "10", "90")
    answer = await house.client.post(f"/api/v1/orders/{order['client_order_id']}/cancel")
    assert answer.status_code == 200
    clock.move(11)
    await house.until_status(order["client_order_id"], "filled")
    assert await holds(house, "10")


@covers("FC:A-13")
async def test_an_id_means_one_order_for_ever(house: House, clock: Ahead) -> None:
    order = await resting_order(house, client_order_id="once")
    await house.client.post("/api/v1/orders/once/cancel")
    await house.until_status("once", "canceled")
    clock.move(25 * 3600)
    tomorrow = house.as_role("admin")
    ticket = {"symbol": "AAPL", "side": "buy", "qty": 10, "type": "limit", "limit_price": "90"}
    again = await tomorrow.post("/api/v1/orders", json=ticket | {"client_order_id": "once"})
    assert (again.status_code, again.json()["status"]) == (200, "canceled")
    assert again.json()["broker_order_id"] == order["broker_order_id"]
    other = await tomorrow.post("/api/v1/orders", json=ticket | {"client_order_id": "once", "qty": 11})
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
    assert house.posts("once") == 1


@covers("FC:A-10")
async def test_a_second_order_alike_needs_a_name_of_its_own(house: House) -> None:
    first, repeated = [await house.submit(type="limit", limit_price="90") for _ in range(2)]
    assert repeated.json()["client_order_id"] == first.json()["client_order_id"]
    assert repeated.json()["message"] != first.json()["message"]
    named = await house.submit(type="limit", limit_price="90", client_order_id="another")
    assert named.status_code == 200
    assert house.posts() == 2


@covers("FC:A-14")
@pytest.mark.parametrize("name", ["x" * 65, "two words", "naïve"])
async def test_a_name_nobody_can_use_takes_no_room_and_goes_nowhere(house: House, name: str) -> None:
    assert (await house.submit(client_order_id=name, qty=1000)).status_code == 422
    assert house.posts() == 0
    assert (await house.submit(qty=1000, type="limit", limit_price="50")).status_code == 200


@covers("FC:A-09")
async def test_whatever_is_raised_after_the_broker_took_the_order_is_unknown(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = AlpacaBroker.submit

    async def stumble(broker: AlpacaBroker, client_order_id: ClientOrderId, ticket: Ticket) -> None:
        await submit(broker, client_order_id, ticket)
        raise RuntimeError("our own bug")

    house.exchange.arm("ws.lose", times=-1)
    monkeypatch.setattr(AlpacaBroker, "submit", stumble)
    response = await house.submit(client_order_id="stumbled", type="limit", limit_price="90")
    assert (response.status_code, response.json()["status"]) == (202, "submitted_unconfirmed")
    await house.until_status("stumbled", "new", "accepted", "pending_new")
    assert house.posts("stumbled") == 1


@covers("FC:C-04")
async def test_nobody_cancels_what_is_not_there(house: House) -> None:
    """One answer for what does not exist and for what is not the caller's."""
    await resting_order(house, client_order_id="mine")
    stranger = house.as_role("operator", strategies=("another",))
    answers = [
        await house.client.post("/api/v1/orders/never/cancel"),
        await stranger.post("/api/v1/orders/mine/cancel"),
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (404, "order_not_found")
    ] * 2
    assert (await house.order("mine"))["status"] != "pending_cancel"
