"""Flatten, cancel-all and the kill switch's flags: the whole desk at once, each order on record."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.adapters.embedded import EmbeddedValkey
from tests.contract.by_hand import (
    REASON,
    asked,
    bought,
    cancel_all,
    flatten,
    held_at_exchange,
    hold_at_exchange,
    topics,
)
from tests.contract.conftest import CreateTestApp
from tests.contract.steps import ORDERS, holds, resting_order
from tests.kit.covers import covers
from tests.kit.house import GateLogger, House
from tests.kit.issuer import STRANGER, Issuer

CANCELS = {"method": "DELETE"}


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with Issuer.running() as running:
        yield running


@pytest.fixture
async def house(create_test_app: CreateTestApp, issuer: Issuer) -> AsyncIterator[House]:
    async with create_test_app(environment=issuer.environment) as running_house:
        yield running_house


@covers("FC:F-05")
async def test_flatten_cancels_waits_and_closes_every_symbol(
    create_test_app: CreateTestApp, issuer: Issuer
) -> None:
    gates = GateLogger()
    async with create_test_app(gate_logger=gates, environment=issuer.environment) as house:
        await bought(house)
        await bought(house, 50, "MSFT", strategy_id="beta")
        resting = await resting_order(house, side="sell", qty=60, limit_price="150")
        response = await flatten(house, issuer.id_token())
        assert response.status_code == 200, response.text
        assert gates.sequence[:4] == ["auth:pass", "rate_limit:pass", "strategy_scope:pass", "mfa:pass"]
        assert gates.sequence[-1] == "submit:success"
        answer = response.json()
        assert (answer["status"], answer["positions_closed"]) == ("flattening", 2)
        assert [(one["symbol"], one["status"]) for one in answer["results"]] == [
            ("AAPL", "closing"),
            ("MSFT", "closing"),
        ]
        assert answer["strategies_affected"] == ["alpha_baseline", "beta"]
        for order_id in answer["orders_created"]:
            await house.until_status(order_id, "filled")
        assert (await house.order(resting["client_order_id"]))["status"] == "canceled"
        assert (held_at_exchange(house), held_at_exchange(house, "MSFT")) == ("0", "0")


@covers("INV-16")
async def test_flatten_needs_no_redis_and_no_open_gate(
    create_test_app: CreateTestApp, issuer: Issuer, private_valkey: EmbeddedValkey
) -> None:
    async with create_test_app(redis_url=private_valkey.url, environment=issuer.environment) as house:
        await bought(house)
        await house.engage_kill_switch()
        await house.trip_circuit_breaker()
        private_valkey.stop()
        response = await flatten(house, issuer.id_token())
        assert (response.status_code, response.json()["status"]) == (200, "flattening"), response.text
        await house.until(lambda: holds(house, "0"), what="the close")


@covers("FC:F-05", "FM:F-105")
async def test_a_fill_that_races_the_cancel_never_flips_the_position(house: House, issuer: Issuer) -> None:
    await bought(house)
    await resting_order(house, side="sell", qty=60, limit_price="150")
    house.exchange.arm("order.fill_on_cancel", qty="25")
    response = await flatten(house, issuer.id_token())
    assert response.status_code == 200, response.text
    await house.until(lambda: holds(house, "0"), what="the close")
    assert held_at_exchange(house) == "0"


@covers("FC:F-06", "FM:F-104")
async def test_flatten_clicked_twice_closes_once(house: House, issuer: Issuer) -> None:
    await bought(house)
    house.exchange.ctl("POST", "halt", {"symbol": "AAPL", "on": True})
    zoe = house.as_role("operator", sub="zoe")
    clicks = (
        flatten(house, issuer.id_token()),
        zoe.post(
            "/api/v1/positions/flatten-all",
            json=asked("zoe", id_token=issuer.id_token("zoe")),
        ),
    )
    answers = await asyncio.gather(*clicks)
    assert [answer.json()["status"] for answer in answers] == ["flattening", "flattening"]
    assert len({answer.json()["results"][0]["order_id"] for answer in answers}) == 1
    assert house.posts() == 2


async def test_a_symbol_that_fails_does_not_stop_the_others(house: House, issuer: Issuer) -> None:
    await bought(house)
    await bought(house, 50, "MSFT")
    unreadable = {"method": "GET", "path": "/v2/positions/MSFT"}
    house.exchange.arm("http.status", match=unreadable, times=-1, status=500)
    response = await flatten(house, issuer.id_token())
    assert (response.status_code, response.json()["status"]) == (200, "partial")
    failed = response.json()["results"][1]
    assert (failed["symbol"], failed["status"], failed["code"]) == (
        "MSFT",
        "failed",
        "reconciliation_broker_unavailable",
    )
    await house.until(lambda: holds(house, "0"), what="the close")
    assert held_at_exchange(house) == "0"
    (told,) = await topics(house, "control.performed")
    assert told["data"]["outcome"] == "partial"
    again = await flatten(house, issuer.id_token(), by="alice")
    assert (again.status_code, again.json()["code"]) == (502, "flatten_failed")


async def test_a_flat_desk_is_flat_already(house: House, issuer: Issuer) -> None:
    response = await flatten(house, issuer.id_token())
    assert response.json()["status"] == "already_flat"
    (told,) = await topics(house, "control.performed")
    assert (told["data"]["action"], told["data"]["outcome"]) == ("flatten_all", "no_op")


async def test_shares_only_the_broker_knows_of_are_flattened_too(
    create_test_app: CreateTestApp, issuer: Issuer
) -> None:
    async with create_test_app(block_reconciliation=True, environment=issuer.environment) as house:
        hold_at_exchange(house, MSFT="12")
        alpha = house.as_role("operator", sub="bob", strategies=("alpha_baseline",))
        body = asked("bob", id_token=issuer.id_token("bob"))
        foreign = await alpha.post("/api/v1/positions/flatten-all", json=body)
        assert (foreign.status_code, foreign.json()["code"]) == (403, "strategy_unauthorized")
        response = await flatten(house, issuer.id_token())
        assert [one["symbol"] for one in response.json()["results"]] == ["MSFT"]
        await house.until_status(response.json()["orders_created"][0], "filled")
        assert held_at_exchange(house, "MSFT") == "0"


@covers("FC:F-05")
async def test_a_cancel_the_broker_does_not_confirm_is_waited_for_and_then_left(
    house: House, issuer: Issuer
) -> None:
    await bought(house)
    await resting_order(house, side="sell", qty=60, limit_price="150")
    house.exchange.arm("order.stuck", status="pending_cancel")
    started = time.monotonic()
    response = await flatten(house, issuer.id_token())
    assert 5 <= time.monotonic() - started < 8
    assert response.json()["results"][0]["status"] == "closing"
    await house.until(lambda: holds(house, "60"), what="the close of the rest")


async def test_flatten_without_a_fresh_second_factor_is_refused_and_costs_nothing(
    create_test_app: CreateTestApp, issuer: Issuer
) -> None:
    environment = {**issuer.environment, "RATE_LIMIT_MODE": "enforce"}
    async with create_test_app(environment=environment) as house:
        for token, code in (
            (None, "mfa_required"),
            (issuer.id_token("mallory"), "token_mismatch"),
            (issuer.id_token(auth_time=0), "mfa_expired"),
            (issuer.id_token(key=STRANGER), "mfa_invalid"),
        ):
            refused = await flatten(house, token)
            assert (refused.status_code, refused.json()["code"]) == (403, code)
            assert refused.headers["X-RateLimit-Remaining"] == "1"
        assert (await flatten(house, issuer.id_token())).status_code == 200
        limited = await flatten(house, issuer.id_token())
        assert (limited.status_code, limited.json()["code"]) == (429, "rate_limited")
        told = await topics(house, "control.refused")
        assert told[0]["data"]["outcome"] == "denied"
        assert "eyJ" not in str(told)


async def test_without_an_issuer_nobody_flattens_not_even_in_a_dry_run(
    create_test_app: CreateTestApp, issuer: Issuer
) -> None:
    unreachable = {**issuer.environment, "MFA_JWKS_URL": "http://127.0.0.1:1/keys"}
    for environment in ({"DRY_RUN": "true"}, unreachable):
        async with create_test_app(environment=environment) as house:
            refused = await flatten(house, issuer.id_token())
            assert (refused.status_code, refused.json()["code"]) == (503, "mfa_unavailable")


async def test_a_dry_run_records_what_it_would_have_closed(
    create_test_app: CreateTestApp, issuer: Issuer
) -> None:
    async with create_test_app() as house:
        await bought(house)
    async with create_test_app(environment={**issuer.environment, "DRY_RUN": "true"}) as house:
        response = await flatten(house, issuer.id_token())
        (order_id,) = response.json()["orders_created"]
        assert (await house.order(order_id))["status"] == "dry_run"
        assert house.posts() == 1


async def test_flatten_takes_a_whole_desk_in_scope_and_a_long_reason(house: House, issuer: Issuer) -> None:
    await bought(house, strategy_id="beta")
    alpha = house.as_role("operator", sub="bob", strategies=("alpha_baseline",))
    body = asked("bob", id_token=issuer.id_token("bob"))
    refused = await alpha.post("/api/v1/positions/flatten-all", json=body)
    assert (refused.status_code, refused.json()["code"]) == (403, "strategy_unauthorized")
    short = await flatten(house, issuer.id_token(), reason="not long enough")
    assert (short.status_code, short.json()["code"]) == (422, "request_validation")


async def test_cancel_all_asks_for_every_order_of_the_symbol_and_no_other(
    create_test_app: CreateTestApp, private_valkey: EmbeddedValkey
) -> None:
    gates = GateLogger()
    async with create_test_app(redis_url=private_valkey.url, gate_logger=gates) as house:
        mine = [
            (await resting_order(house, limit_price=price))["client_order_id"] for price in ("90", "91", "92")
        ]
        other = await resting_order(house, symbol="MSFT", limit_price="90")
        await house.engage_kill_switch()
        private_valkey.stop()
        response = await cancel_all(house)
        assert gates.sequence == ["auth:pass", "rate_limit:pass", "cancel:success"]
        assert response.status_code == 200, response.text
        answer = response.json()
        assert (answer["status"], answer["cancelled_count"], answer["failed"]) == ("cancelled", 3, [])
        assert sorted(answer["order_ids"]) == sorted(mine)
        for order_id in mine:
            order = await house.until_status(order_id, "canceled")
            assert order["cancel_requested_at"] is not None
        assert (await house.order(other["client_order_id"]))["status"] not in ("canceled", "pending_cancel")
        reasons = {event["data"]["reason"] for event in await topics(house, "order.cancel_requested")}
        assert reasons == {REASON}


async def test_cancel_all_and_flatten_end_the_slices_that_wait_too(house: House, issuer: Issuer) -> None:
    plans = {}
    for symbol in ("AAPL", "MSFT"):
        body = {"symbol": symbol, "side": "buy", "qty": 30, "duration_minutes": 10, "interval_seconds": 60}
        plan = await house.client.post("/api/v1/orders/slice", json=body)
        assert plan.status_code == 200, plan.text
        plans[symbol] = plan.json()["parent_order_id"]
    canceled = await cancel_all(house)
    assert canceled.status_code == 200, canceled.text
    assert canceled.json()["cancelled_count"] >= 9
    response = await flatten(house, issuer.id_token())
    assert response.status_code == 200, response.text
    for parent in plans.values():
        slices = (await house.client.get(f"/api/v1/orders/{parent}/slices")).json()
        assert {one["status"] for one in slices[1:]} == {"canceled"}


async def test_an_unreadable_broker_is_no_flat_desk_and_keeps_nobody_from_engaging(
    create_test_app: CreateTestApp, issuer: Issuer
) -> None:
    async with create_test_app(environment=issuer.environment) as house:
        unreadable = {"method": "GET", "path": "/v2/positions"}
        house.exchange.arm("http.status", match=unreadable, times=-1, status=500)
        refused = await flatten(house, issuer.id_token())
        assert (refused.status_code, refused.json()["code"]) == (503, "reconciliation_broker_unavailable")
        engaged = await engage(house, flatten=True, id_token=issuer.id_token())
        assert (engaged.status_code, engaged.json()["state"]) == (200, "ENGAGED")


@covers("FC:C-05", "SEC:S-23")
async def test_cancel_all_tells_what_the_broker_did_not_take(house: House) -> None:
    for price in ("90", "91", "92"):
        await resting_order(house, limit_price=price)
    house.exchange.arm("http.status", match=CANCELS, times=1, status=500)
    some = await cancel_all(house)
    assert (some.status_code, some.json()["status"], some.json()["cancelled_count"]) == (200, "partial", 2)
    (failed,) = some.json()["failed"]
    assert failed["code"] == "broker_unavailable"
    await house.until_status(failed["order_id"], "canceled", "pending_cancel")


@covers("FC:C-05")
async def test_cancel_all_fails_only_when_every_request_failed(house: House) -> None:
    order = await resting_order(house)
    house.exchange.arm("http.status", match=CANCELS, times=1, status=500)
    none = await cancel_all(house)
    assert (none.status_code, none.json()["code"]) == (502, "cancel_all_failed")
    assert none.json()["failed"][0]["order_id"] == order["client_order_id"]
    assert (await house.order(order["client_order_id"]))["cancel_requested_at"] is not None
    nothing = await cancel_all(house, "MSFT")
    assert (nothing.status_code, nothing.json()["code"]) == (404, "order_not_found")


async def test_cancel_all_needs_every_owner_of_the_orders_in_scope(house: House) -> None:
    await resting_order(house, strategy_id="beta")
    alpha = house.as_role("operator", strategies=("alpha_baseline",))
    refused = await alpha.post("/api/v1/orders/cancel-all", json=asked("bob", symbol="AAPL"))
    assert (refused.status_code, refused.json()["code"]) == (403, "strategy_unauthorized")


@covers("FC:F-04")
async def test_a_kill_switch_that_cancels_covers_exactly_its_scope(house: House) -> None:
    await bought(house, strategy_id="beta")
    mine = await resting_order(house)
    theirs = await resting_order(house, strategy_id="beta", limit_price="91")
    response = await engage(house, scope="strategy", target="alpha_baseline", cancel_open_orders=True)
    assert response.status_code == 200, response.text
    assert response.json()["state"] == "ENGAGED"
    assert [one["order_id"] for one in response.json()["cancel_results"]] == [mine["client_order_id"]]
    assert response.json()["flatten_results"] is None
    await house.until_status(mine["client_order_id"], "canceled")
    assert (await house.order(theirs["client_order_id"]))["status"] not in ("canceled", "pending_cancel")


@covers("FC:F-04")
async def test_a_kill_switch_that_flattens_closes_the_strategys_own_shares(
    house: House, issuer: Issuer
) -> None:
    await bought(house)
    assert (await house.submit(qty=40, strategy_id="beta")).status_code == 200
    await house.until(lambda: holds(house, "140"), what="the fill")
    await resting_order(house, strategy_id="beta", limit_price="91")
    response = await engage(house, scope="strategy", target="beta", flatten=True, id_token=issuer.id_token())
    assert response.status_code == 200, response.text
    answer = response.json()
    assert len(answer["cancel_results"]) == 1
    (result,) = answer["flatten_results"]
    assert (result["symbol"], result["status"]) == ("AAPL", "closing")
    order = await house.until_status(result["order_id"], "filled")
    assert (order["qty"], order["strategy_id"]) == (40, "beta")
    assert held_at_exchange(house) == "100"


async def test_a_kill_switch_is_engaged_even_when_nothing_can_be_closed(house: House, issuer: Issuer) -> None:
    await bought(house)
    house.exchange.arm("http.status", match=ORDERS, status=503)
    response = await engage(house, flatten=True, id_token=issuer.id_token())
    assert (response.status_code, response.json()["state"]) == (200, "ENGAGED")
    assert response.json()["flatten_results"][0]["status"] in ("failed", "unconfirmed")
    assert (await house.submit(client_order_id="late")).json()["code"] == "kill_switch_engaged"


async def test_a_kill_switch_that_flattens_needs_the_second_factor_before_anything_happens(
    house: House,
) -> None:
    await bought(house)
    refused = await engage(house, flatten=True)
    assert (refused.status_code, refused.json()["code"]) == (403, "mfa_required")
    status = await house.client.get("/api/v1/kill-switch/status")
    assert status.json()["state"] == "ACTIVE"


async def engage(house: House, **fields: Any) -> Any:
    body = {"reason": "a strategy runs wild", "operator": "alice"} | fields
    return await house.client.post("/api/v1/kill-switch/engage", json=body)
