"""The desk trips its own breaker, says why, and can be told not to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.contract.conftest import CreateTestApp
from tests.contract.steps import ORDERS, reconcile, resting_order, traded
from tests.kit.covers import covers
from tests.kit.house import House

QUIET = {
    "RISK_DAILY_LOSS_LIMIT": "0",
    "RISK_MAX_DRAWDOWN_PCT": "0",
    "CIRCUIT_BREAKER_STALE_DATA_SECONDS": "0",
    "CIRCUIT_BREAKER_BROKER_ERRORS": "0",
    "CIRCUIT_BREAKER_QUIET_PERIOD_SECONDS": "0",
}


async def breaker(house: House) -> dict[str, Any]:
    found: dict[str, Any] = (await house.client.get("/api/v1/circuit-breaker/status")).json()
    return found


async def until_tripped(house: House) -> dict[str, Any]:
    async def tripped() -> dict[str, Any] | None:
        standing = await breaker(house)
        return standing if standing["state"] == "TRIPPED" else None

    found: dict[str, Any] = await house.until(tripped, what="the trip")
    return found


async def reset(house: House) -> None:
    response = await house.client.post("/api/v1/circuit-breaker/reset", json={"reason": "looked at it"})
    assert response.status_code == 200, response.text


async def stays_open(house: House, seconds: float = 2.5) -> bool:
    """Longer than any watch waits between two looks."""
    with pytest.raises(AssertionError, match="the trip did not happen"):
        await house.until(lambda: _is_tripped(house), within=seconds, what="the trip")
    return True


async def _is_tripped(house: House) -> bool:
    return bool((await breaker(house))["state"] == "TRIPPED")


async def lose(house: House, money: int, name: str) -> None:
    await traded(house, "buy", "10", str(money), name=f"{name}-in")
    await traded(house, "sell", "10", "10", name=f"{name}-out")


async def test_a_daily_loss_trips_with_its_evidence_and_blocks_new_risk(
    create_test_app: CreateTestApp,
) -> None:
    async with create_test_app(environment={**QUIET, "RISK_DAILY_LOSS_LIMIT": "100"}) as house:
        await lose(house, 19, "small")
        assert await stays_open(house)
        await lose(house, 11, "more")
        standing = await until_tripped(house)
        assert standing["trip_reason"] == "DAILY_LOSS_EXCEEDED"
        assert standing["trip_details"] == {
            "date": datetime.now(UTC).date().isoformat(),
            "realized_pl": "-100",
            "limit": "100",
        }
        (tripped,) = await house.gateway.ledger.log.read(0, 10_000, name="circuit_breaker.tripped")
        assert (tripped.actor.sub, tripped.actor.kind, tripped.source) == ("gateway", "system", "system")
        refused = await house.submit()
        assert (refused.status_code, refused.json()["code"]) == (503, "circuit_breaker_tripped")


async def test_a_loss_accepted_by_a_reset_trips_again_only_when_it_grows(
    create_test_app: CreateTestApp,
) -> None:
    async with create_test_app(environment={**QUIET, "RISK_DAILY_LOSS_LIMIT": "100"}) as house:
        await lose(house, 25, "first")
        await until_tripped(house)
        await reset(house)
        assert await stays_open(house)
        await lose(house, 11, "second")
        standing = await until_tripped(house)
        assert standing["trip_details"]["realized_pl"] == "-160"
        assert standing["trip_count_today"] == 2


async def test_a_fall_from_the_peak_trips_and_a_reset_begins_another_peak(
    create_test_app: CreateTestApp, exchange: Any
) -> None:
    exchange.ctl("POST", "account", {"cash": "100000"})
    async with create_test_app(environment={**QUIET, "RISK_MAX_DRAWDOWN_PCT": "0.10"}) as house:
        await reconcile(house)
        exchange.ctl("POST", "account", {"cash": "90001"})
        await reconcile(house)
        assert await stays_open(house)
        exchange.ctl("POST", "account", {"cash": "90000"})
        await reconcile(house)
        standing = await until_tripped(house)
        assert standing["trip_reason"] == "MAX_DRAWDOWN"
        assert standing["trip_details"] == {
            "equity": "90000",
            "peak_equity": "100000",
            "drawdown": "0.1",
            "limit": "0.1",
        }
        await reset(house)
        await reconcile(house)
        assert await stays_open(house)
        exchange.ctl("POST", "account", {"cash": "80000"})
        await reconcile(house)
        assert (await until_tripped(house))["trip_details"]["peak_equity"] == "90000"


async def test_stale_prices_trip_while_something_is_live_and_the_market_is_open(
    create_test_app: CreateTestApp, exchange: Any
) -> None:
    async with create_test_app(environment={**QUIET, "CIRCUIT_BREAKER_STALE_DATA_SECONDS": "2"}) as house:
        old = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        exchange.price("AAPL", "99.99", "100.01", at=old)
        assert await stays_open(house)
        exchange.price("AAPL", "99.99", "100.01")
        await resting_order(house)
        exchange.price("AAPL", "99.99", "100.01", at=old)
        standing = await until_tripped(house)
        assert standing["trip_reason"] == "DATA_STALE"
        assert standing["trip_details"]["symbols"] == ["AAPL"]
        assert standing["trip_details"]["limit_seconds"] == "2.0"


@covers("FM:F-066", "FM:F-156")
async def test_submissions_that_fail_in_a_row_trip(create_test_app: CreateTestApp) -> None:
    async with create_test_app(environment={**QUIET, "CIRCUIT_BREAKER_BROKER_ERRORS": "3"}) as house:
        fault = house.exchange.arm("http.status", match=ORDERS, times=-1, status=504, body="")
        for number in range(2):
            assert (await house.submit(client_order_id=f"lost-{number}")).status_code == 202
        house.exchange.ctl("DELETE", f"faults/{fault}")
        assert (await house.submit(client_order_id="fine")).status_code == 200
        house.exchange.arm("http.status", match=ORDERS, times=-1, status=504, body="")
        for number in range(2, 4):
            assert (await house.submit(client_order_id=f"lost-{number}")).status_code == 202
        assert (await breaker(house))["state"] == "OPEN"
        assert (await house.submit(client_order_id="lost-4")).status_code == 202
        standing = await until_tripped(house)
        assert (standing["trip_reason"], standing["trip_details"]) == (
            "BROKER_ERRORS",
            {"consecutive": 3, "limit": 3},
        )


async def test_orders_that_never_left_count_and_refused_ones_do_not(create_test_app: CreateTestApp) -> None:
    async with create_test_app(environment={**QUIET, "CIRCUIT_BREAKER_BROKER_ERRORS": "2"}) as house:
        body = {"code": 40310000, "message": "insufficient buying power"}
        house.exchange.arm("http.status", match=ORDERS, times=3, status=403, body=body)
        for number in range(3):
            assert (await house.submit(client_order_id=f"poor-{number}")).status_code == 422
        assert await stays_open(house, 1)
        house.exchange.kill()
        try:
            for number in range(2):
                refused = await house.submit(
                    client_order_id=f"nobody-{number}", type="limit", limit_price="90"
                )
                assert refused.json()["code"] == "broker_unavailable"
            await until_tripped(house)
        finally:
            house.exchange.restart()


async def test_every_trip_can_be_switched_off(create_test_app: CreateTestApp, exchange: Any) -> None:
    async with create_test_app(environment=QUIET) as house:
        await reconcile(house)
        await lose(house, 5000, "big")
        await resting_order(house, client_order_id="live")
        exchange.ctl("POST", "account", {"cash": "1"})
        old = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        exchange.price("AAPL", "99.99", "100.01", at=old)
        house.exchange.arm("http.status", match=ORDERS, times=-1, status=504, body="")
        for number in range(4):
            limit = {"type": "limit", "limit_price": "50", "client_order_id": f"lost-{number}"}
            assert (await house.submit(**limit)).status_code == 202
        await reconcile(house)
        assert await stays_open(house)


async def test_a_disabled_breaker_still_records_its_trips(create_test_app: CreateTestApp) -> None:
    environment = {**QUIET, "CIRCUIT_BREAKER_ENABLED": "false", "RISK_DAILY_LOSS_LIMIT": "100"}
    async with create_test_app(environment=environment) as house:
        await lose(house, 25, "first")
        standing = await until_tripped(house)
        assert (standing["enabled"], standing["trip_reason"]) == (False, "DAILY_LOSS_EXCEEDED")
        assert (await house.submit(type="limit", limit_price="50")).status_code == 200


@covers("FC:F-10")
async def test_a_trip_at_the_end_of_the_quiet_period_stays_a_trip(create_test_app: CreateTestApp) -> None:
    environment = {**QUIET, "CIRCUIT_BREAKER_QUIET_PERIOD_SECONDS": "1"}
    async with create_test_app(environment=environment) as house:
        await house.trip_circuit_breaker()
        await reset(house)
        assert (await breaker(house))["state"] == "QUIET_PERIOD"
        await house.trip_circuit_breaker()
        assert not await _left_tripped(house)


async def _left_tripped(house: House) -> bool:
    with pytest.raises(AssertionError):
        await house.until(lambda: _is_open(house), within=1.5, what="the end of the trip")
    return not await _is_tripped(house)


async def _is_open(house: House) -> bool:
    return bool((await breaker(house))["state"] != "TRIPPED")
