"""Strategies as the API shows them: from their orders, positions and results."""

from __future__ import annotations

from typing import Any

from tests.contract.conftest import CreateTestApp
from tests.contract.steps import resting_order, traded
from tests.kit.house import House

ORDERS = {"method": "POST", "path": "/v2/orders"}


async def strategies(house: House, **params: str) -> dict[str, dict[str, Any]]:
    head = await house.gateway.ledger.log.head()
    response = await house.client.get("/api/v1/strategies", params={"min_position": max(head, 1)} | params)
    assert response.status_code == 200, response.text
    assert response.json()["total_count"] == len(response.json()["strategies"])
    return {entry["strategy_id"]: entry for entry in response.json()["strategies"]}


async def strategy(house: House, strategy_id: str = "alpha_baseline") -> dict[str, Any]:
    head = await house.gateway.ledger.log.head()
    response = await house.client.get(
        f"/api/v1/strategies/{strategy_id}", params={"min_position": max(head, 1)}
    )
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def test_the_default_strategy_is_there_before_it_does_anything(house: House) -> None:
    (entry,) = (await strategies(house)).values()
    assert {name: value for name, value in entry.items() if name != "timestamp"} == {
        "strategy_id": "alpha_baseline",
        "name": "Alpha Baseline",
        "status": "inactive",
        "model_version": None,
        "model_status": None,
        "last_signal_at": None,
        "last_error": None,
        "positions_count": 0,
        "open_orders_count": 0,
        "today_pnl": "0",
    }


async def test_orders_positions_and_results_count_for_their_strategy_alone(house: House) -> None:
    await traded(house, "buy", "10", "90", name="in")
    await traded(house, "sell", "4", "95", name="out")
    await resting_order(house, client_order_id="waits", strategy_id="beta", symbol="MSFT", limit_price="150")
    found = await strategies(house)
    alpha, beta = found["alpha_baseline"], found["beta"]
    assert (alpha["status"], alpha["positions_count"], alpha["open_orders_count"]) == ("active", 1, 0)
    assert alpha["today_pnl"] == "20"
    assert (beta["status"], beta["positions_count"], beta["open_orders_count"]) == ("active", 0, 1)
    assert beta["today_pnl"] == "0"
    assert beta["last_signal_at"] == (await house.order("waits"))["created_at"]


async def test_a_refused_order_is_an_error_until_the_next_one_is_not(house: House) -> None:
    body = {"code": 40310000, "message": "insufficient buying power"}
    house.exchange.arm("http.status", match=ORDERS, times=1, status=403, body=body)
    assert (await house.submit(client_order_id="refused")).status_code == 422
    shown = await strategy(house)
    assert (shown["status"], shown["last_error"]) == ("error", "insufficient buying power")
    await resting_order(house, client_order_id="better")
    shown = await strategy(house)
    assert (shown["status"], shown["last_error"]) == ("active", "insufficient buying power")


async def test_a_kill_switch_pauses_its_strategy_and_a_global_one_all(house: House) -> None:
    await resting_order(house, strategy_id="beta")
    await house.engage_kill_switch(scope="strategy", target="beta")
    paused = {name for name, entry in (await strategies(house)).items() if entry["status"] == "paused"}
    assert paused == {"beta"}
    assert (await strategy(house, "beta"))["status"] == "paused"
    await house.disengage_kill_switch(scope="strategy", target="beta")
    await house.engage_kill_switch()
    assert {entry["status"] for entry in (await strategies(house)).values()} == {"paused"}


async def test_activity_ends_after_the_configured_time(create_test_app: CreateTestApp) -> None:
    async with create_test_app(environment={"STRATEGY_ACTIVITY_THRESHOLD_SECONDS": "1"}) as house:
        order = await resting_order(house, client_order_id="short-lived")
        await house.client.post(f"/api/v1/orders/{order['client_order_id']}/cancel")
        await house.until_status("short-lived", "canceled")

        async def is_inactive() -> bool:
            return bool((await strategy(house))["status"] == "inactive")

        await house.until(is_inactive, what="the end of the activity")


async def test_a_strategy_is_seen_by_those_it_is_in_scope_of(house: House) -> None:
    await resting_order(house, strategy_id="beta")
    viewer = house.as_role("viewer", strategies=("beta",))
    shown = (await viewer.get("/api/v1/strategies")).json()["strategies"]
    assert [entry["strategy_id"] for entry in shown] == ["beta"]
    foreign = await viewer.get("/api/v1/strategies/alpha_baseline")
    assert (foreign.status_code, foreign.json()["code"]) == (403, "strategy_unauthorized")
    unknown = await house.client.get("/api/v1/strategies/gamma")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "strategy_not_found")
    nobody = house.as_role("viewer", sub="dave", strategies=())
    for path in ("", "/beta"):
        none = await nobody.get(f"/api/v1/strategies{path}")
        assert (none.status_code, none.json()["code"]) == (403, "no_strategy_access")
