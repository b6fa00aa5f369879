"""What `/metrics` shows between events, kept up to date without anybody asking for it."""

from __future__ import annotations

from tests.contract.conftest import CreateTestApp
from tests.contract.steps import fill_at_exchange, reconcile, resting_order, traded
from tests.kit.house import House

P = "execution_gateway_"


def shown(house: House, name: str, **labels: str) -> float | None:
    value: float | None = house.gateway.metrics.registry.get_sample_value(f"{P}{name}", labels)
    return value


async def until_shown(house: House, value: float, name: str, **labels: str) -> None:
    async def is_shown() -> bool:
        return shown(house, name, **labels) == value

    await house.until(is_shown, within=15, what=f"{name}{labels} at {value}")


async def test_holdings_and_results_are_the_accounts(house: House) -> None:
    await traded(house, "buy", "10", "90", name="in")
    await traded(house, "sell", "4", "95", name="out")
    await until_shown(house, 6, "positions_current", symbol="AAPL")
    await until_shown(house, 20, "pnl_dollars", type="realized")
    await until_shown(house, 60, "pnl_dollars", type="unrealized")
    assert shown(house, "pnl_dollars", type="total") == 80
    await traded(house, "sell", "6", "95", name="rest")
    await until_shown(house, 0, "positions_current", symbol="AAPL")


async def test_the_breakers_state_is_shown_at_once_and_its_quiet_periods_end_without_an_event(
    create_test_app: CreateTestApp,
) -> None:
    async with create_test_app(environment={"CIRCUIT_BREAKER_QUIET_PERIOD_SECONDS": "2"}) as house:
        await until_shown(house, 1, "circuit_breaker_state", state="OPEN")
        await house.trip_circuit_breaker()
        assert shown(house, "circuit_breaker_state", state="TRIPPED") == 1
        assert shown(house, "circuit_breaker_state", state="OPEN") == 0
        await house.client.post("/api/v1/circuit-breaker/reset", json={"reason": "looked at it"})
        assert shown(house, "circuit_breaker_state", state="QUIET_PERIOD") == 1
        await until_shown(house, 1, "circuit_breaker_state", state="OPEN")


async def test_breaks_and_connections_are_shown(house: House) -> None:
    body = {"symbol": "AAPL", "side": "buy", "qty": "10", "type": "limit", "limit_price": "90"}
    house.exchange.ctl("POST", "foreign_order", {**body, "time_in_force": "day"})
    await until_shown(house, 1, "open_breaks", kind="orphan")
    assert shown(house, "orphans_open") == 1
    for name in ("database", "redis", "alpaca"):
        await until_shown(house, 1, f"{name}_connection_status")


async def test_an_inferred_execution_is_shown_until_the_real_one_takes_its_place(house: House) -> None:
    house.gateway.fill_gap.settle_window *= 0
    order = await resting_order(house)
    house.exchange.arm("ws.lose", match={"event": "*fill"}, times=-1)
    gap = house.exchange.arm("read.activities_gap", times=-1)
    fill_at_exchange(house, order, "10", "90")
    await reconcile(house)
    await until_shown(house, 1, "inferred_executions")
    house.exchange.ctl("DELETE", f"faults/{gap}")
    await reconcile(house)
    await until_shown(house, 0, "inferred_executions")


async def test_projections_at_the_head_lag_by_nothing(house: House) -> None:
    await traded(house, "buy", "10", "90", name="in")
    for name in house.gateway.projections.positions:
        await until_shown(house, 0, "projection_lag_seconds", projection=name)
        await until_shown(house, 0, "projection_lag_events", projection=name)
