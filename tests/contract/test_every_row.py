"""Every row of the contract's table: what it answers, and how it refuses a stranger."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from fastapi.routing import APIRoute

from gateway.api.guard import Access
from gateway.api.routes import ROUTERS
from tests.contract.by_hand import asked
from tests.contract.conftest import CreateTestApp
from tests.contract.promised import (
    BREAK,
    BREAKER,
    CANCEL,
    EVENT,
    ORDER,
    ORDER_DETAIL,
    ORPHAN,
    PLAN,
    POSITION,
    PROBLEM,
    PROJECTION,
    QUARANTINE,
    READS,
    RECONCILED,
    STRATEGY,
    SWITCH,
    THRESHOLDS,
    promised,
)
from tests.contract.relay import deliver, fill
from tests.contract.steps import resting_order, traded
from tests.contract.test_orphans import found_orphan
from tests.kit.house import House
from tests.kit.issuer import Issuer

ROUTES: Final = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
UNREAD: Final = {"GET /metrics", "GET /api/v1/events/stream"}
"""Answers that are no JSON; others look at what they say."""


def row_of(method: str, path: str) -> str:
    """The first route that takes it."""
    return next(
        f"{method} {route.path}"
        for route in ROUTES
        if method in (route.methods or ()) and route.path_regex.match(path)
    )


@dataclass(slots=True)
class Caller:
    """Asks, holds the answer against what was promised, and remembers which rows it has seen."""

    house: House
    seen: set[str] = field(default_factory=set)

    async def __call__(self, method: str, path: str, keys: str, body: Any = None, status: int = 200) -> Any:
        answer = await self.house.client.request(method, path, json=body)
        assert answer.status_code == status, f"{method} {path}: {answer.text}"
        self.seen.add(row_of(method, path))
        told = answer.json()
        for one in told if isinstance(told, list) else [told]:
            promised(one, keys)
        assert method == "GET" or int(answer.headers["x-ledger-position"]) > 0
        return told


async def test_all_endpoints_response_schemas(create_test_app: CreateTestApp) -> None:
    """Every row of the contract: what it answers, and how it refuses a stranger."""
    async with Issuer.running() as issuer, create_test_app(environment=issuer.environment) as house:
        ask = Caller(house)
        await traded(house, "buy", "10", "100", name="shown")
        await resting_order(house, client_order_id="open")
        for path, keys in READS:
            await ask("GET", path, keys)
        await _inner_models(ask)
        await _trade(ask, issuer)
        await _steer(ask)
        await _decide(ask)
        order = await resting_order(house, symbol="MSFT")
        told = await deliver(house, fill(order, execution_id="x-1", qty="1", price="90", total="1"))
        promised(told.json(), "status client_order_id disposition ledger_position")
        rows = {f"{method} {route.path}" for route in ROUTES for method in route.methods or ()}
        assert ask.seen | UNREAD | {"POST /api/v1/webhooks/orders"} == rows
        await _refuse_strangers(house)


async def _inner_models(ask: Caller) -> None:
    for path, name, keys in (
        ("/api/v1/orders/pending", "orders", ORDER_DETAIL),
        ("/api/v1/positions", "positions", POSITION),
        ("/api/v1/events", "events", EVENT),
        ("/api/v1/strategies", "strategies", STRATEGY),
        ("/api/v1/projections", "projections", PROJECTION),
    ):
        listed = (await ask("GET", path, name))[name]
        assert listed, path
        for one in listed:
            promised(one, keys)


async def _trade(ask: Caller, issuer: Issuer) -> None:
    v1 = "/api/v1"
    order = {"symbol": "AAPL", "side": "buy", "qty": 10}
    resting = order | {"type": "limit", "limit_price": "90"}
    await ask("POST", f"{v1}/orders", ORDER, order)
    await ask("POST", f"{v1}/manual/orders", ORDER, asked(**resting))
    await ask("POST", f"{v1}/orders/open/cancel", CANCEL)
    plan = await ask("POST", f"{v1}/orders/slice", PLAN, order | {"duration_minutes": 5})
    slices = f"{v1}/orders/{plan['parent_order_id']}/slices"
    await ask("GET", slices, ORDER_DETAIL)
    await ask("DELETE", slices, "parent_order_id scheduler_canceled db_canceled cancel_requested message")
    await ask(
        "POST",
        f"{v1}/orders/cancel-all",
        "status symbol cancelled_count order_ids failed strategies_affected",
        asked(symbol="AAPL"),
    )
    close = "status symbol order_id qty_to_close message"
    await ask("POST", f"{v1}/positions/AAPL/close", close, asked(qty="1"))
    adjust = "status symbol current_qty target_qty order_id message"
    await ask("POST", f"{v1}/positions/AAPL/adjust", adjust, asked(target_qty="2"))
    flatten = "status positions_closed orders_created strategies_affected results"
    await ask("POST", f"{v1}/positions/flatten-all", flatten, asked(id_token=issuer.id_token()))


async def _steer(ask: Caller) -> None:
    why = {"reason": "a test says so"}
    for method, path, body, keys in (
        ("POST", "kill-switch/engage", why | {"operator": "carol"}, f"{SWITCH} engagement_details"),
        ("POST", "kill-switch/disengage", {"operator": "carol"}, f"{SWITCH} disengagement_notes"),
        ("POST", "circuit-breaker/trip", why, BREAKER),
        ("POST", "circuit-breaker/reset", why, BREAKER),
        ("PUT", "fat-finger/thresholds", {"symbol_overrides": {"MSFT": {"max_qty": 900}}}, THRESHOLDS),
        ("POST", "reconciliation/run", None, RECONCILED),
        ("POST", "reconciliation/force-complete", why, "status message user_id reason"),
        ("POST", "reconciliation/fills-backfill", None, "status message result"),
    ):
        await ask(method, f"/api/v1/{path}", keys, body)
    await ask("POST", "/api/v1/projections/fills/rebuild", PROJECTION, status=202)


async def _decide(ask: Caller) -> None:
    """Three orders nobody sent, the breaks they are, and the quarantine they lead to."""
    why, house = {"reason": "checked with the desk by phone"}, ask.house
    found = [await found_orphan(house, limit_price=price) for price in ("90", "91", "92", "93")]
    adopt, ignore, cancel = (f"/api/v1/orphans/{order['id']}" for order in found[:3])
    (entry, *_) = (await ask("GET", "/api/v1/orphans", "orphans total"))["orphans"]
    promised(entry, ORPHAN)
    listed = (await ask("GET", "/api/v1/reconciliation/breaks", "breaks total"))["breaks"]
    (last,) = [entry for entry in listed if entry["broker_order_id"] == found[-1]["id"]]
    promised(last, BREAK)
    resolve = f"/api/v1/reconciliation/breaks/{last['break_id']}/resolve"
    await ask("POST", resolve, BREAK, why | {"action": "ignore"})
    await ask("POST", f"{adopt}/adopt", ORPHAN, why | {"strategy_id": "alpha_baseline"})
    await ask("POST", f"{ignore}/ignore", ORPHAN, why)
    await ask("POST", f"{cancel}/cancel", ORPHAN, why)
    await ask("POST", "/api/v1/quarantine/AAPL/release", QUARANTINE, why | {"force": True})


async def _refuse_strangers(house: House) -> None:
    nobody = house.as_nobody()
    for route in ROUTES:
        rule: Access | None = route.endpoint.__dict__.get("access")
        for method in route.methods or ():
            if rule is not None and not rule.public:
                answer = await nobody.request(method, route.path)
                assert answer.status_code == 401, (method, route.path, answer.text)
                promised(answer.json(), PROBLEM)
