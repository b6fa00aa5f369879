"""Submitting an order: what is durable when, and that no broker behaviour doubles or loses one."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from gateway.aggregates.refusals import LedgerUnavailable
from gateway.aggregates.vocabulary import position_stream
from gateway.ledger.decision import Decision
from tests.contract.conftest import CreateTestApp
from tests.kit.covers import covers
from tests.kit.house import House

ORDERS = {"method": "POST", "path": "/v2/orders"}
SHORT_GRACE = {"RECONCILIATION_SUBMITTED_UNCONFIRMED_GRACE_SECONDS": "10"}


async def reserved(house: House, symbol: str = "AAPL") -> str:
    """Room taken on the buy side, in the ledger."""
    position, _ = await house.gateway.ledger.load(position_stream(symbol))
    return str(position.reserved_buy) if position else "0"


async def mirror_equals_ledger(house: House) -> bool:
    return await house.gateway.keep_mirror.audit() == 0


async def test_order_submission_position_limit_blocks_order(house: House) -> None:
    response = await house.submit(qty=1001)
    assert response.status_code == 422
    problem = response.json()
    assert problem["code"] == "position_limit_exceeded"
    assert "Position limit exceeded: 1001 > 1000" in problem["detail"]
    assert house.posts() == 0
    assert await house.gateway.ledger.load(position_stream("AAPL")) == (None, 0)
    assert (await house.submit(qty=1000, type="limit", limit_price="50")).status_code == 200


@covers("FC:A-15", "FM:F-060", "FM:F-065")
async def test_order_submission_broker_failure_releases_reservation(house: House) -> None:
    house.exchange.arm(
        "http.status",
        match=ORDERS,
        status=403,
        body={"code": 40310000, "message": "insufficient buying power"},
    )
    rejected = await house.submit(client_order_id="refused-by-broker")
    assert (rejected.status_code, rejected.json()["code"]) == (422, "broker_rejected")
    assert rejected.json()["broker_message"] == "insufficient buying power"
    assert (await house.order("refused-by-broker"))["status"] == "rejected"
    assert await reserved(house) == "0"
    house.exchange.kill()
    try:
        refused = await house.submit(client_order_id="nobody-there", type="limit", limit_price="90")
    finally:
        house.exchange.restart()
    assert (refused.status_code, refused.json()["code"]) == (503, "broker_unavailable")
    assert await reserved(house) == "0"
    await house.until(lambda: mirror_equals_ledger(house), what="mirror equal to ledger")


async def test_order_submission_rollback_on_broker_failure(house: House) -> None:
    house.exchange.arm(
        "http.status", match=ORDERS, status=422, body={"code": 42210000, "message": "invalid limit_price"}
    )
    await house.submit(client_order_id="one-append")
    last = await house.gateway.ledger.log.read(0, 100, name="order.rejected")
    released = await house.gateway.ledger.log.read(0, 100, name="position.released")
    assert [event.command_id for event in last] == [event.command_id for event in released]
    assert released[0].position == last[0].position + 1


@covers("FM:F-062", "FC:A-01")
async def test_order_submission_partial_failure_no_duplicate(house: House) -> None:
    house.exchange.arm("http.status_after", match=ORDERS, status=504, body="<html>bad gateway</html>")
    house.exchange.arm("ws.lose", times=-1)  # the stream must not tell first
    first = await house.submit(client_order_id="maybe-there", type="limit", limit_price="90")
    assert first.status_code == 202
    assert first.json()["status"] == "submitted_unconfirmed"
    again = await house.submit(client_order_id="maybe-there", type="limit", limit_price="90")
    assert again.status_code in (200, 202)
    found = await house.until_status("maybe-there", "new", "accepted", "pending_new")
    assert found["broker_order_id"]
    assert house.posts("maybe-there") == 1
    assert await reserved(house) == "10"


@covers("INV-21")
async def test_order_submission_no_long_held_locks(house: House, database: str) -> None:
    house.exchange.arm("http.hang", match=ORDERS | {"symbol": "AAPL"}, phase="before", seconds=1.5)
    slow = asyncio.create_task(house.submit(client_order_id="slow-one", type="limit", limit_price="90"))
    await house.until(lambda: _submitted(house, "slow-one"), what="the intent")
    with psycopg.connect(database, autocommit=True) as connection:
        row = connection.execute(
            "select count(*) from pg_stat_activity where datname = current_database()"
            " and pid <> pg_backend_pid() and state like 'idle in transaction%'"
            " and now() - state_change > interval '200 ms'"
        ).fetchone()
    assert row == (0,)
    quick = await house.submit(symbol="MSFT", client_order_id="quick-one")
    assert quick.status_code == 200
    assert not slow.done()
    assert (await slow).status_code == 200


async def _submitted(house: House, client_order_id: str) -> bool:
    order, _ = await house.gateway.ledger.load(f"order-{client_order_id}")
    return order is not None


@covers("FC:A-12")
async def test_two_identical_requests_at_once_make_one_order(house: House) -> None:
    answers = await asyncio.gather(*(house.submit(client_order_id="twins") for _ in range(8)))
    assert {answer.status_code for answer in answers} <= {200, 202}
    assert {answer.json()["client_order_id"] for answer in answers} == {"twins"}
    assert house.posts("twins") == 1
    await house.until_status("twins", "filled")
    assert (await house.position())["qty"] == "10"  # type: ignore[index]
    await house.until(lambda: mirror_equals_ledger(house), what="mirror equal to ledger")


@covers("FC:A-11")
async def test_the_same_id_with_another_ticket_is_a_conflict(house: House) -> None:
    await house.submit(client_order_id="taken")
    other = await house.submit(client_order_id="taken", qty=11)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
    assert other.json()["differences"] == ["qty"]
    assert house.posts("taken") == 1


async def test_a_retry_at_the_position_limit_returns_the_order(house: House) -> None:
    first = await house.submit(qty=1000, type="limit", limit_price="50")
    again = await house.submit(qty=1000, type="limit", limit_price="50")
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json()["message"] == "Order already exists (idempotent retry)"
    assert await reserved(house) == "1000"


@covers("FC:A-13", "FM:F-060")
async def test_an_order_that_closed_unsent_is_tried_again(house: House) -> None:
    await house.submit(client_order_id="so-that-the-volume-is-known")
    house.exchange.kill()
    try:
        refused = await house.submit(client_order_id="second-try", type="limit", limit_price="101")
    finally:
        house.exchange.restart()
        house.exchange.price("AAPL", "99.99", "100.01")
    assert refused.status_code == 503
    again = await house.submit(client_order_id="second-try", type="limit", limit_price="101")
    assert again.status_code == 200, again.text
    order = await house.until_status("second-try", "filled")
    assert order["retry_count"] == 1


@covers("FC:A-03")
async def test_a_duplicate_answer_leads_to_a_look_up(house: House) -> None:
    """The broker took the order; our connection broke; a stale answer says duplicate: adopt, never reject."""
    house.exchange.arm(
        "http.status_after",
        match=ORDERS,
        status=422,
        body={"code": 40010001, "message": "client_order_id must be unique"},
    )
    response = await house.submit(client_order_id="twice-told", type="limit", limit_price="90")
    assert response.status_code == 200, response.text
    assert response.json()["broker_order_id"]


async def test_fill_processing_atomic_position_update(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """An append that fails leaves neither the fill nor the position; the next delivery writes both."""
    await house.submit(client_order_id="filled-once", type="limit", limit_price="90")
    writer = house.gateway.ledger.writer
    change, failures = writer.change, 1

    async def failing(streams: Any, decide: Any, cause: Any, **options: Any) -> Any:
        nonlocal failures

        def spoilt(states: Any) -> Decision:
            nonlocal failures
            decision: Decision = decide(states)
            names = {type(event.event).__name__ for event in decision.events}
            if "OrderFilled" in names and failures:
                failures -= 1
                raise LedgerUnavailable("injected between decision and insert")
            return decision

        return await change(streams, spoilt, cause, **options)

    monkeypatch.setattr(writer, "change", failing)
    house.exchange.price("AAPL", "89.98", "89.99")
    await house.until_status("filled-once", "filled")
    assert failures == 0
    filled = await house.gateway.ledger.log.read(0, 100, name="order.filled")
    moved = await house.gateway.ledger.log.read(0, 100, name="position.filled")
    assert len(filled) == len(moved) == 1
    assert filled[0].command_id == moved[0].command_id


async def test_reconciliation_cas_conflict_no_data_loss(house: House) -> None:
    await house.submit(client_order_id="raced", qty=100, type="limit", limit_price="90")
    order = await house.until_status("raced", "new")
    passes = [house.client.post("/api/v1/reconciliation/run") for _ in range(4)]
    for _ in range(5):
        house.exchange.ctl("POST", f"orders/{order['broker_order_id']}/fill", {"qty": "20", "price": "90"})
    answers = await asyncio.gather(*passes)
    assert {answer.status_code for answer in answers} <= {200, 503}
    filled = await house.until_status("raced", "filled")
    assert filled["filled_qty"] == "100"
    executions = await house.gateway.ledger.log.read(0, 1000, name="order.filled")
    real = [event for event in executions if not event.event.trade.provisional]  # type: ignore[attr-defined]
    assert len(real) == 5


@covers("FC:A-02")
async def test_an_order_proved_absent_gives_its_room_back(create_test_app: CreateTestApp) -> None:
    async with create_test_app(environment=SHORT_GRACE) as house:
        house.exchange.arm("http.status", match=ORDERS, status=504, body="")
        response = await house.submit(client_order_id="never-arrived")
        assert response.status_code == 202
        assert await reserved(house) == "10"
        gone = await house.until(
            lambda: _has_status(house, "never-arrived", "not_accepted"), within=25, what="proof of absence"
        )
        assert gone
        assert await reserved(house) == "0"
        (proved,) = await house.gateway.ledger.log.read(0, 100, name="order.not_accepted")
        assert proved.event.evidence  # type: ignore[attr-defined]
        assert house.posts("never-arrived") == 1, "nothing is sent again on its own"
        assert (await house.submit(client_order_id="never-arrived")).status_code == 200
        assert (await house.order("never-arrived"))["retry_count"] == 1
        assert house.posts("never-arrived") == 2


async def _has_status(house: House, client_order_id: str, status: str) -> bool:
    return bool((await house.order(client_order_id))["status"] == status)
