"""Starting, stopping, and the order of the doors a request passes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest

from gateway.adapters.embedded import EmbeddedValkey
from tests.contract.conftest import CreateTestApp
from tests.contract.steps import ORDERS, holds
from tests.kit.covers import covers
from tests.kit.environment import bare
from tests.kit.house import House

ENFORCED = {"RATE_LIMIT_MODE": "enforce", "ORDER_SUBMIT_RATE_LIMIT": "3"}


async def test_startup_order(create_test_app: CreateTestApp) -> None:
    steps: list[str] = []
    async with create_test_app(startup_tracker=steps.append):
        assert steps == [
            "db_connect",
            "redis_connect",
            "alpaca_connect",
            "reconciliation_start",
            "routes_ready",
        ]


async def test_shutdown_order(create_test_app: CreateTestApp) -> None:
    steps: list[str] = []
    async with create_test_app(shutdown_tracker=steps.append):
        assert steps == []
    assert steps == [
        "routes_drain",
        "reconciliation_stop",
        "slice_scheduler_stop",
        "alpaca_disconnect",
        "redis_disconnect",
        "db_disconnect",
    ]


@covers("FM:F-013")
async def test_shutdown_lets_the_order_under_way_finish(create_test_app: CreateTestApp) -> None:
    """The caller has hung up, the order is at the broker: its outcome is recorded before the doors close."""
    async with create_test_app() as house:
        house.exchange.arm("http.hang", match=ORDERS, phase="after", seconds=1)
        asked = house.submit(client_order_id="under-way", type="limit", limit_price="90")
        caller = asyncio.create_task(asked)
        await house.until(lambda: _has_arrived(house, "under-way"), what="the POST at the exchange")
        caller.cancel()
    async with create_test_app() as house:
        events = await house.gateway.ledger.log.stream("order-under-way")
        assert "OrderAccepted" in {type(event.event).__name__ for event in events}


async def _has_arrived(house: House, client_order_id: str) -> bool:
    return house.posts(client_order_id) == 1


@covers("FM:F-013")
async def test_a_draining_gateway_answers_health_and_nothing_else(house: House) -> None:
    house.gateway.phase.draining = True
    refused = await house.submit()
    assert (refused.status_code, refused.json()["code"]) == (503, "draining")
    assert (await house.client.get("/health")).status_code == 200
    ready = await house.client.get("/health/ready")
    assert (ready.status_code, ready.json()["checks"]["draining"]) == (503, "fail")


async def test_reconciliation_gate_blocks_orders_until_ready(create_test_app: CreateTestApp) -> None:
    async with create_test_app(block_reconciliation=True) as house:
        blocked = await house.submit()
        assert blocked.status_code == 503
        assert "reconciliation" in blocked.json()["detail"].lower()
        assert house.posts() == 0
        assert (await house.client.get("/health/ready")).status_code == 200
        house.release_reconciliation.set()
        await house.until_gate_opens()
        assert (await house.submit()).status_code == 200


async def test_a_closed_gate_lets_only_what_reduces_pass(create_test_app: CreateTestApp) -> None:
    async with create_test_app() as house:
        assert (await house.submit(qty=100)).status_code == 200
        await house.until(lambda: holds(house, "100"), what="the fill")
    async with create_test_app(block_reconciliation=True) as house:
        too_much = await house.submit(side="sell", qty=101)
        increase = await house.submit(side="buy", qty=1)
        reducing = await house.submit(side="sell", qty=60)
        rest = await house.submit(side="sell", qty=41)
        codes = [answer.status_code for answer in (too_much, increase, reducing, rest)]
        assert codes == [503, 503, 200, 503]
        await house.until(lambda: holds(house, "40"), what="the reduction")


async def test_background_task_crash_triggers_graceful_degradation(create_test_app: CreateTestApp) -> None:
    async with create_test_app(crash_reconciliation_loop=True) as house:
        health = await house.until(lambda: _degraded(house), what="degraded health")
        assert health["details"]["components"]["reconciliation"]["state"] == "crashed"
        refused = await house.submit()
        assert (refused.status_code, refused.json()["code"]) == (503, "reconciliation_in_progress")
        house.loop_may_live.set()
        await house.until_gate_opens()
        assert (await house.submit()).status_code == 200


async def test_a_loop_that_dies_later_closes_the_gate_until_it_has_passed_again(house: House) -> None:
    one_pass = house.gateway.reconciler.one_pass
    holdings = one_pass.holdings

    async def broken() -> Any:
        raise RuntimeError("a test wants the loop to crash")

    one_pass.holdings = broken
    house.gateway.reconciler.wake()
    await house.until(lambda: _degraded(house), what="degraded health")
    assert (await house.submit()).status_code == 503
    await house.until(lambda: _restarted(house), what="the restart")
    assert (await house.submit()).status_code == 503
    one_pass.holdings = holdings
    await house.until_gate_opens()
    assert (await house.submit()).status_code == 200


async def _degraded(house: House) -> dict[str, Any] | None:
    response = await house.client.get("/health")
    assert response.status_code == 200
    health: dict[str, Any] = response.json()
    return health if health["status"] == "degraded" else None


async def _restarted(house: House) -> bool:
    return house.gateway.background.is_up("reconciliation")


async def test_middleware_order_matches_specification(create_test_app: CreateTestApp) -> None:
    doors: list[str] = []
    async with create_test_app(door_tracker=doors.append) as house:
        for path in ("/health", "/api/v1/config"):
            doors.clear()
            assert (await house.client.get(path)).status_code == 200
            assert doors == ["proxy_headers", "auth", "rate_limit"]


async def test_auth_middleware_runs_before_route(house: House) -> None:
    head = await house.gateway.ledger.log.head()
    body = {"reason": "a stranger says so", "operator": "mallory"}
    response = await house.as_nobody().post("/api/v1/kill-switch/engage", json=body)
    assert response.status_code == 401
    assert await house.gateway.ledger.log.head() == head
    status = await house.client.get("/api/v1/kill-switch/status")
    assert status.json()["state"] == "ACTIVE"


async def test_rate_limit_runs_after_auth(create_test_app: CreateTestApp) -> None:
    """A flood of strangers uses nobody's allowance; one user's allowance is not another's."""
    async with create_test_app(environment=ENFORCED) as house:
        nobody = house.as_nobody()
        flood = [await nobody.post("/api/v1/orders", json={}) for _ in range(10)]
        assert {answer.status_code for answer in flood} == {401}
        bob = house.as_role("operator", sub="bob")
        body = {"symbol": "AAPL", "side": "buy", "type": "limit", "limit_price": "90"}
        answers = [await bob.post("/api/v1/orders", json=body | {"qty": qty}) for qty in (1, 2, 3, 4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert answers[-1].json()["reason"] == "per_user_limit_exceeded"
        assert int(answers[-1].headers["retry-after"]) > 0
        carol = house.as_role("operator", sub="carol")
        assert (await carol.post("/api/v1/orders", json=body | {"qty": 5})).status_code == 200


async def test_the_process_starts_without_redis_and_trades_once_it_is_there(
    create_test_app: CreateTestApp, private_valkey: EmbeddedValkey
) -> None:
    private_valkey.stop()
    async with create_test_app(redis_url=private_valkey.url) as house:
        refused = await house.submit()
        assert (refused.status_code, refused.json()["code"]) == (503, "kill_switch_unavailable")
        assert (await house.client.get("/health/ready")).json()["checks"]["mirror"] == "fail"
        EmbeddedValkey.start(private_valkey.directory)
        await house.until(lambda: _trades(house), what="an order")


async def _trades(house: House) -> bool:
    return (await house.submit()).status_code == 200


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"DRY_RUN": "maybe"}, "DRY_RUN"),
        ({"DRY_RUN": "false"}, "ALPACA_API_KEY_ID"),
        ({"ENVIRONMENT": "production"}, "WEBHOOK_SECRET"),
    ],
)
def test_a_configuration_that_contradicts_itself_stops_the_start(
    variables: dict[str, str], says: str
) -> None:
    command = [sys.executable, "-m", "gateway", "serve"]
    ended = subprocess.run(
        command, env=bare(**variables), capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode != 0
    assert says in ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr
