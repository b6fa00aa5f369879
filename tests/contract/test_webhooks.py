"""The broker's door: only a signature opens it, and nothing else stands in the way of a fact."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from tests.contract.conftest import CreateTestApp
from tests.contract.relay import WEBHOOK, about, deliver, fill
from tests.contract.steps import fill_at_exchange, resting_order
from tests.kit.covers import covers
from tests.kit.house import House

PUBLIC = {"/", "/health", "/health/live", "/health/ready", "/metrics", WEBHOOK}


async def filled_by_webhook(house: House, order: dict[str, Any]) -> None:
    response = await deliver(house, fill(order, execution_id="x-1", qty="10", price="90", total="10"))
    assert response.status_code == 200, response.text
    assert response.json()["status"] == "ok"
    assert response.json()["disposition"] == "applied"
    holding = await house.position()
    assert holding is not None
    assert (holding["qty"], holding["avg_entry_price"]) == ("10", "90")


@covers("FC:D-14", "FM:F-096")
async def test_webhook_not_gated_by_kill_switch(house: House) -> None:
    order = await resting_order(house)
    await house.engage_kill_switch()
    await filled_by_webhook(house, order)


@covers("FC:D-14", "FM:F-096")
async def test_webhook_not_gated_by_circuit_breaker(house: House) -> None:
    order = await resting_order(house)
    await house.trip_circuit_breaker()
    await filled_by_webhook(house, order)


@pytest.mark.parametrize("bearer", [None, "Bearer not-a-token", "Basic bm9ib2R5OnNlY3JldA=="])
async def test_webhook_bypasses_bearer_token_auth(house: House, bearer: str | None) -> None:
    order = await resting_order(house)
    body = fill(order, execution_id="x-1", qty="10", price="90", total="10")
    response = await deliver(house, body, {"Authorization": bearer} if bearer else None)
    assert response.status_code == 200, response.text
    assert (await house.order(order["client_order_id"]))["status"] == "filled"


@covers("FC:D-13", "FM:F-092")
@pytest.mark.parametrize(
    ("given", "code"),
    [
        (None, "webhook_signature_missing"),
        ("00" * 32, "webhook_signature_invalid"),
        ("not hex at all", "webhook_signature_invalid"),
    ],
)
async def test_webhook_rejects_invalid_signature(
    house: House, database: str, given: str | None, code: str
) -> None:
    order = await resting_order(house)
    await house.until_status(order["client_order_id"], "new")
    head = await house.gateway.ledger.log.head()
    body = fill(order, execution_id="x-1", qty="10", price="90", total="10")
    headers = {"X-Alpaca-Signature": given} if given else {}
    response = await house.as_nobody().post(WEBHOOK, content=json.dumps(body).encode(), headers=headers)
    assert (response.status_code, response.json()["code"]) == (401, code)
    assert await house.gateway.ledger.log.head() == head
    with psycopg.connect(database) as connection:
        kept = connection.execute("select count(*) from ledger.inbox where source = 'webhook'").fetchone()
    assert kept == (0,)


async def test_global_auth_middleware_not_invoked_for_webhooks(create_test_app: CreateTestApp) -> None:
    doors: list[str] = []
    async with create_test_app(door_tracker=doors.append) as house:
        order = await resting_order(house)
        doors.clear()
        response = await deliver(house, fill(order, execution_id="x-1", qty="10", price="90", total="10"))
        assert response.status_code == 200
        assert "auth" not in doors
        await house.client.get("/api/v1/config")
        assert "auth" in doors


@covers("SEC:S-01")
async def test_non_webhook_routes_require_bearer_token(house: House) -> None:
    nobody, asked = house.as_nobody(), 0
    for template, methods in house.app.openapi()["paths"].items():
        path = template.replace("{", "").replace("}", "")
        for method in () if template in PUBLIC else methods:
            response = await nobody.request(method, path, json={"nonsense": True})
            assert response.status_code == 401, f"{method} {path}: {response.status_code}"
            assert response.json()["code"] == "authentication_required"
            assert response.headers["www-authenticate"] == "Bearer"
            asked += 1
    assert asked > 20


@covers("FC:B-02", "FM:F-094", "SEC:S-27", "FC:D-13", "FM:F-082")
async def test_the_same_fill_three_times_is_one_fill(house: House) -> None:
    order = await resting_order(house)
    body = fill(order, execution_id="x-1", qty="10", price="90", total="10")
    answers = [(await deliver(house, body)).json() for _ in range(3)]
    assert [answer["status"] for answer in answers] == ["ok", "duplicate", "duplicate"]
    holding = await house.position()
    assert holding is not None
    assert holding["qty"] == "10"


@pytest.mark.parametrize("form", ["flat", "envelope", "stream"])
async def test_a_fill_is_understood_in_every_form(house: House, form: str) -> None:
    order = await resting_order(house)
    flat = fill(order, execution_id="x-1", qty="10", price="90", total="10")
    body = {
        "flat": flat,
        "envelope": {"event": "fill", "data": flat},
        "stream": {"stream": "trade_updates", "data": flat},
    }[form]
    assert (await deliver(house, body)).json()["disposition"] == "applied"
    assert (await house.order(order["client_order_id"]))["filled_qty"] == "10"


@covers("FC:D-13")
async def test_a_stale_timestamp_is_an_invalid_signature(house: House) -> None:
    headers = {"X-Webhook-Timestamp": "1729175400"}
    response = await deliver(house, {"event": "fill"}, headers)
    assert (response.status_code, response.json()["code"]) == (401, "webhook_signature_invalid")


async def test_a_body_that_is_no_object_is_kept_and_refused(house: House, database: str) -> None:
    response = await deliver(house, [1, 2, 3])
    assert (response.status_code, response.json()["code"]) == (400, "webhook_body_invalid")
    with psycopg.connect(database) as connection:
        kept = connection.execute("select raw from ledger.inbox where source = 'webhook'").fetchall()
    assert [bytes(row[0]) for row in kept] == [b"[1, 2, 3]"]


async def test_a_status_that_carries_a_filled_quantity_books_it_once_the_executions_come(
    house: House,
) -> None:
    order = await resting_order(house)
    house.exchange.arm("ws.lose", match={"event": "fill"}, times=-1)
    fill_at_exchange(house, order, "10", "90")
    said = about(order, status="filled", filled_qty="10", filled_avg_price="90")
    response = await deliver(house, {"event": "calculated", "order": said})
    assert response.status_code == 200
    await house.client.post("/api/v1/reconciliation/run")
    found = await house.until_status(order["client_order_id"], "filled")
    assert (found["filled_qty"], found["flags"]) == ("10", [])
