"""Which gates a request walks, endpoint by endpoint: the contract's table against logs of real requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import httpx2
from fastapi.routing import APIRoute

from gateway.api.routes import ROUTERS
from tests.contract.by_hand import asked, bought, close, flatten, trade
from tests.contract.conftest import CreateTestApp
from tests.contract.relay import deliver
from tests.contract.steps import resting_order
from tests.contract.test_closing import WAY_OUT
from tests.contract.test_gates import NAMES
from tests.contract.test_manual_orders import MANUAL
from tests.contract.test_slices import GATES as SLICE
from tests.kit.covers import covers
from tests.kit.house import GateLogger, House
from tests.kit.issuer import Issuer
from tests.kit.slicing import ask

V1: Final = "/api/v1"
CANCEL: Final = ["auth", "rate_limit", "cancel"]
OPERATOR: Final = ["auth", "kill_switch_operator_permission"]
FLATTEN: Final = [*WAY_OUT[:3], "mfa", *WAY_OUT[3:]]


def steers(action: str, *, limited: bool = True) -> list[str]:
    return ["auth", *(["rate_limit"] if limited else []), "admin_permission", action]


TRADING: Final[Mapping[str, list[str]]] = {
    "POST /orders": NAMES,
    "POST /orders/slice": SLICE,
    "POST /manual/orders": MANUAL,
    "POST /positions/{symbol}/close": WAY_OUT,
    "POST /positions/{symbol}/adjust": WAY_OUT,
    "POST /positions/flatten-all": FLATTEN,
    "POST /orders/{client_order_id}/cancel": CANCEL,
    "POST /orders/cancel-all": CANCEL,
    "DELETE /orders/{parent_id}/slices": CANCEL,
    "POST /webhooks/orders": ["signature", "process"],
}
STEERING: Final[Mapping[str, list[str]]] = {
    "POST /kill-switch/engage": [*OPERATOR, "engage"],
    "POST /kill-switch/disengage": [*OPERATOR, "disengage"],
    "PUT /fat-finger/thresholds": steers("thresholds_update"),
    "POST /circuit-breaker/trip": steers("circuit_breaker_trip", limited=False),
    "POST /circuit-breaker/reset": steers("circuit_breaker_reset", limited=False),
    "POST /quarantine/{symbol}/release": steers("quarantine_release"),
    "POST /orphans/{broker_order_id}/adopt": steers("orphan_adopt"),
    "POST /orphans/{broker_order_id}/ignore": steers("orphan_ignore"),
    "POST /orphans/{broker_order_id}/cancel": steers("orphan_cancel"),
    "POST /reconciliation/run": steers("reconciliation_run"),
    "POST /reconciliation/force-complete": steers("reconciliation_force_complete"),
    "POST /reconciliation/fills-backfill": steers("fills_backfill"),
    "POST /reconciliation/breaks/{break_id}/resolve": steers("break_resolve"),
    "POST /projections/{name}/rebuild": steers("projection_rebuild"),
}
SEGMENTS: Final = {
    "symbol": "AAPL",
    "broker_order_id": "nobody-knows-it",
    "break_id": "nobody-knows-it",
    "name": "nobody-knows-it",
}
BODIES: Final[Mapping[str, dict[str, Any]]] = {
    "PUT /fat-finger/thresholds": {"symbol_overrides": {"AAPL": {"max_qty": 500}}},
    "POST /kill-switch/engage": {"reason": "a test says so", "operator": "alice"},
    "POST /kill-switch/disengage": {"operator": "alice"},
    "POST /orphans/{broker_order_id}/adopt": {"strategy_id": "alpha_baseline", "reason": "a test says so"},
    "POST /reconciliation/fills-backfill": {"lookback_hours": 1},
    "POST /reconciliation/breaks/{break_id}/resolve": {"action": "ignore", "reason": "a test says so"},
}


async def steer(house: House, client: httpx2.AsyncClient, row: str) -> httpx2.Response:
    method, path = row.split()
    body = BODIES.get(row, {"reason": "a test says so"})
    sent = None if path.endswith("/rebuild") else body
    return await client.request(method, f"{V1}{path.format(**SEGMENTS)}", json=sent)


def test_every_endpoint_that_changes_something_has_its_row() -> None:
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    changing = {
        f"{method} {route.path.removeprefix(V1)}"
        for route in routes
        for method in route.methods or ()
        if method != "GET"
    }
    assert changing == TRADING.keys() | STEERING.keys()


@covers("SEC:S-18")
async def test_every_way_to_steer_the_desk_logs_its_permission_and_its_own_name(
    create_test_app: CreateTestApp,
) -> None:
    """Also where it finds nothing to do: then its own step is the one that refuses."""
    gates = GateLogger()
    async with create_test_app(gate_logger=gates) as house:
        for row, names in STEERING.items():
            answer = await steer(house, house.client, row)
            assert gates == names, (row, gates, answer.text)
            outcome = "success" if answer.is_success else "block"
            assert gates.sequence[-1] == f"{names[-1]}:{outcome}", (row, answer.text)


async def test_who_may_not_steer_is_stopped_at_the_permission_and_uses_up_no_allowance(
    create_test_app: CreateTestApp,
) -> None:
    gates = GateLogger()
    async with create_test_app(gate_logger=gates, environment={"RATE_LIMIT_MODE": "enforce"}) as house:
        viewer = house.as_role("viewer")
        for row, names in STEERING.items():
            for _ in range(3):  # the whole service may order two backfills
                answer = await steer(house, viewer, row)
                assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
                permission = next(name for name in names if name.endswith("permission"))
                assert gates.sequence == ["auth:pass", f"{permission}:block"], row
        backfill = await steer(house, house.client, "POST /reconciliation/fills-backfill")
        assert backfill.status_code == 200, backfill.text


async def test_the_flags_of_the_kill_switch_walk_their_own_gates(create_test_app: CreateTestApp) -> None:
    gates = GateLogger()
    async with (
        Issuer.running() as issuer,
        create_test_app(gate_logger=gates, environment=issuer.environment) as house,
    ):
        await bought(house)
        flags = {"flatten": True}
        body = BODIES["POST /kill-switch/engage"] | flags
        refused = await house.client.post(f"{V1}/kill-switch/engage", json=body)
        assert (refused.status_code, refused.json()["code"]) == (403, "mfa_required")
        assert gates.sequence[-1] == "mfa:block"
        done = await house.client.post(
            f"{V1}/kill-switch/engage", json=body | {"id_token": issuer.id_token()}
        )
        assert done.status_code == 200, done.text
        assert gates == [*OPERATOR, "strategy_scope", "mfa", "engage", *WAY_OUT[3:]]


async def test_every_way_to_trade_walks_its_list(create_test_app: CreateTestApp) -> None:
    gates = GateLogger()
    walked: dict[str, bool] = {}

    def done(row: str, answer: httpx2.Response) -> None:
        assert answer.status_code in (200, 202), (row, answer.text)
        assert gates == TRADING[row], (row, gates)
        walked[row] = True

    async with (
        Issuer.running() as issuer,
        create_test_app(gate_logger=gates, environment=issuer.environment) as house,
    ):
        await bought(house)
        done("POST /orders", await house.submit(qty=1))
        done("POST /manual/orders", await trade(house))
        done("POST /positions/{symbol}/close", await close(house, qty="5"))
        body = asked(target_qty="20")
        done(
            "POST /positions/{symbol}/adjust",
            await house.client.post(f"{V1}/positions/AAPL/adjust", json=body),
        )
        done("POST /positions/flatten-all", await flatten(house, issuer.id_token()))
        order = await resting_order(house)
        path = f"{V1}/orders/{order['client_order_id']}"
        done("POST /orders/{client_order_id}/cancel", await house.client.post(f"{path}/cancel"))
        plan = await ask(house)
        done("POST /orders/slice", plan)
        slices = f"{V1}/orders/{plan.json()['parent_order_id']}/slices"
        done("DELETE /orders/{parent_id}/slices", await house.client.delete(slices))
        await resting_order(house, symbol="MSFT")
        everything = asked(symbol="MSFT")
        done("POST /orders/cancel-all", await house.client.post(f"{V1}/orders/cancel-all", json=everything))
        done("POST /webhooks/orders", await deliver(house, {"event": "a_new_word"}))
    assert walked.keys() == TRADING.keys()


async def test_a_webhook_with_a_wrong_signature_walks_no_further(create_test_app: CreateTestApp) -> None:
    gates = GateLogger()
    async with create_test_app(gate_logger=gates) as house:
        answer = await deliver(house, {}, {"X-Alpaca-Signature": "00"})
        assert answer.status_code == 401
        assert gates.sequence == ["signature:block"]
