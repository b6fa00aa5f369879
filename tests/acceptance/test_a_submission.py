"""Submission and identity: what an answer that says too little proves, and what it does not."""

from __future__ import annotations

from typing import Any

from gateway.aggregates.vocabulary import position_stream
from tests.contract.steps import ORDERS, quarantined, told
from tests.kit.covers import covers
from tests.kit.house import House

LIMIT = {"type": "limit", "limit_price": "90"}
MUST_BE_UNIQUE = {"code": 40010001, "message": "client_order_id must be unique"}
BY_NAME = {"method": "GET", "path": "/v2/orders:by_client_order_id"}
AT_THE_BROKER = ("new", "accepted", "pending_new")


async def room(house: House) -> int:
    position, _ = await house.gateway.ledger.load(position_stream("AAPL"))
    return int(position.reserved_buy) if position is not None else 0


@covers("FC:A-03", "FM:F-064", "FM:F-068")
async def test_a_name_that_another_ticket_has_at_the_broker_is_a_conflict(house: House) -> None:
    house.exchange.arm("ws.lose", times=-1)  # the stream would tell of the other order first
    other: dict[str, Any] = {"symbol": "AAPL", "side": "buy", "qty": "11", "time_in_force": "day"}
    house.exchange.ctl("POST", "foreign_order", other | LIMIT | {"client_order_id": "taken"})
    refused = await house.submit(client_order_id="taken", **LIMIT)
    assert (refused.status_code, refused.json()["code"]) == (409, "broker_id_conflict")
    assert (await house.order("taken"))["status"] == "rejected"
    assert await room(house) == 0
    assert [entry["symbol"] for entry in await quarantined(house)] == ["AAPL"]
    (held,) = house.exchange.truth()["orders"]
    assert (held["qty"], held["status"]) == ("11", "new")


@covers("FC:A-03", "FM:F-064")
async def test_a_duplicate_that_cannot_be_looked_up_is_unknown_until_it_can(house: House) -> None:
    house.exchange.arm("ws.lose", times=-1)
    house.exchange.arm("http.status_after", match=ORDERS, status=422, body=MUST_BE_UNIQUE)
    blind = house.exchange.arm("http.status", match=BY_NAME, times=-1, status=503, body="")
    sent = await house.submit(client_order_id="twice-told", **LIMIT)
    assert (sent.status_code, sent.json()["status"]) == (202, "submitted_unconfirmed")
    assert await room(house) == 10
    house.exchange.ctl("DELETE", f"faults/{blind}")
    await house.until_status("twice-told", *AT_THE_BROKER)
    assert (house.posts("twice-told"), await room(house)) == (1, 10)


@covers("FC:A-08", "FM:F-067")
async def test_an_answer_that_cannot_be_read_is_kept_and_unknown(house: House) -> None:
    house.exchange.arm("ws.lose", times=-1)
    house.exchange.arm("http.body", match=ORDERS, body="<html>well done</html>")
    sent = await house.submit(client_order_id="garbled", **LIMIT)
    assert (sent.status_code, sent.json()["status"]) == (202, "submitted_unconfirmed")
    (unknown,) = await told(house, "garbled", "order.outcome_unknown")
    assert "<html>well done</html>" in unknown.reason
    await house.until_status("garbled", *AT_THE_BROKER)
    assert (house.posts("garbled"), await room(house)) == (1, 10)
