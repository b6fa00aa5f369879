"""Who may do what: every role at every route, and nothing that is not listed."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.routing import Match

from gateway.aggregates.vocabulary import ActorKind
from gateway.api.roles import ROLES, SERVICES, Permission
from gateway.api.routes import ROUTERS
from tests.api.house import Straw, straw_house
from tests.kit.covers import covers

ROUTES = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
NAMED = {f"{method} {route.path}": route for route in ROUTES for method in route.methods}

V = Permission
EXPECTED: dict[str, Permission | str] = {
    "GET /": "public",
    "GET /health": "public",
    "GET /health/live": "public",
    "GET /health/ready": "public",
    "GET /metrics": "public",
    "GET /api/v1/config": "any",
    "GET /api/v1/fat-finger/thresholds": "any",
    "PUT /api/v1/fat-finger/thresholds": V.MANAGE_STRATEGIES,
    "POST /api/v1/kill-switch/engage": V.OPERATE_KILL_SWITCH,
    "POST /api/v1/kill-switch/disengage": V.OPERATE_KILL_SWITCH,
    "GET /api/v1/kill-switch/status": V.VIEW_CIRCUIT_BREAKER,
    "GET /api/v1/circuit-breaker/status": V.VIEW_CIRCUIT_BREAKER,
    "POST /api/v1/circuit-breaker/trip": V.TRIP_CIRCUIT,
    "POST /api/v1/circuit-breaker/reset": V.RESET_CIRCUIT,
    "GET /api/v1/quarantine": V.VIEW_CIRCUIT_BREAKER,
    "POST /api/v1/quarantine/{symbol}/release": V.MANAGE_RECONCILIATION,
    "GET /api/v1/reconciliation/status": "any",
    "POST /api/v1/reconciliation/run": V.MANAGE_RECONCILIATION,
    "POST /api/v1/reconciliation/force-complete": V.MANAGE_RECONCILIATION,
    "POST /api/v1/reconciliation/fills-backfill": V.MANAGE_RECONCILIATION,
    "GET /api/v1/reconciliation/breaks": V.VIEW_LEDGER,
    "POST /api/v1/reconciliation/breaks/{break_id}/resolve": V.MANAGE_RECONCILIATION,
    "GET /api/v1/orphans": V.VIEW_LEDGER,
    "POST /api/v1/orphans/{broker_order_id}/adopt": V.MANAGE_RECONCILIATION,
    "POST /api/v1/orphans/{broker_order_id}/ignore": V.MANAGE_RECONCILIATION,
    "POST /api/v1/orphans/{broker_order_id}/cancel": V.MANAGE_RECONCILIATION,
    "GET /api/v1/strategies": V.VIEW_POSITIONS,
    "GET /api/v1/strategies/{strategy_id}": V.VIEW_POSITIONS,
    "GET /api/v1/events/stream": V.VIEW_LEDGER,
    "POST /api/v1/orders": V.SUBMIT_ORDER,
    "POST /api/v1/orders/slice": V.SUBMIT_ORDER,
    "GET /api/v1/orders/{parent_id}/slices": V.VIEW_POSITIONS,
    "DELETE /api/v1/orders/{parent_id}/slices": V.CANCEL_ORDER,
    "GET /api/v1/orders/pending": V.VIEW_TRADES,
    "GET /api/v1/orders/recent-fills": V.VIEW_TRADES,
    "GET /api/v1/orders/{client_order_id}": V.VIEW_POSITIONS,
    "POST /api/v1/orders/{client_order_id}/cancel": V.CANCEL_ORDER,
    "POST /api/v1/orders/cancel-all": V.CANCEL_ORDER,
    "POST /api/v1/manual/orders": V.SUBMIT_ORDER,
    "POST /api/v1/positions/{symbol}/close": V.CLOSE_POSITION,
    "POST /api/v1/positions/{symbol}/adjust": V.ADJUST_POSITION,
    "POST /api/v1/positions/flatten-all": V.FLATTEN_ALL,
    "GET /api/v1/orders/{client_order_id}/events": V.VIEW_LEDGER,
    "GET /api/v1/positions": V.VIEW_POSITIONS,
    "GET /api/v1/positions/pnl/realtime": V.VIEW_PNL,
    "GET /api/v1/performance/daily": V.VIEW_PNL,
    "POST /api/v1/webhooks/orders": "signature",
    "GET /api/v1/events": V.VIEW_LEDGER,
    "GET /api/v1/ledger/verify": V.VIEW_LEDGER,
    "GET /api/v1/projections": V.VIEW_LEDGER,
    "POST /api/v1/projections/{name}/rebuild": V.MANAGE_RECONCILIATION,
}

VIEWS = {V.VIEW_POSITIONS, V.VIEW_PNL, V.VIEW_TRADES, V.VIEW_LEDGER, V.VIEW_CIRCUIT_BREAKER}
TRADES = {V.SUBMIT_ORDER, V.CANCEL_ORDER, V.CLOSE_POSITION, V.ADJUST_POSITION, V.FLATTEN_ALL}
STEERS = {V.MANAGE_STRATEGIES, V.OPERATE_KILL_SWITCH, V.TRIP_CIRCUIT, V.RESET_CIRCUIT}
SERVES = {V.VIEW_POSITIONS, V.VIEW_CIRCUIT_BREAKER, V.SUBMIT_ORDER, V.CANCEL_ORDER}
HELD: dict[str, set[Permission]] = {
    "viewer": VIEWS,
    "researcher": set(),
    "operator": VIEWS | TRADES | STEERS,
    "admin": VIEWS | TRADES | STEERS | {V.MANAGE_RECONCILIATION, V.VIEW_ALL_STRATEGIES},
    "auditor": VIEWS | {V.VIEW_ALL_STRATEGIES},
    "orchestrator": SERVES,
    "signal_service": set(),
    "execution_gateway": SERVES,
}


@pytest.fixture(scope="module")
def shared() -> Straw:
    return straw_house()


@covers("SEC:S-01", "SEC:S-14", "SEC:S-20")
def test_every_route_is_in_the_table_and_nothing_else_is() -> None:
    assert set(NAMED) == set(EXPECTED)


@covers("SEC:S-14", "SEC:S-17", "SEC:S-19")
def test_the_table_of_roles_is_the_agreed_one() -> None:
    held = {name: set(permissions) for name, permissions in {**ROLES, **SERVICES}.items()}
    assert held == HELD


def path_of(route: APIRoute) -> str:
    filled = {
        "client_order_id": "c1",
        "parent_id": "c1",
        "broker_order_id": "b1",
        "break_id": "break-1",
        "strategy_id": "alpha_baseline",
        "symbol": "AAPL",
        "name": "nothing",
    }
    return route.path_format.format_map(filled)


@covers("SEC:S-14", "SEC:S-19")
@pytest.mark.parametrize("who", HELD)
@pytest.mark.parametrize("cell", [name for name, rule in EXPECTED.items() if isinstance(rule, Permission)])
async def test_a_role_passes_a_route_exactly_when_it_holds_its_permission(
    shared: Straw, who: str, cell: str
) -> None:
    """An empty body stops what passes: 422 says that the door was open, 403 that it was not."""
    service = who in SERVICES
    kind = ActorKind.SERVICE if service else ActorKind.USER
    role, sub = (None, who) if service else (who, f"{who}-{cell}")
    headers = shared.bearer(role, sub=sub, kind=kind, strategies=["*"])
    shared.allowance.taken.clear()
    route, method = NAMED[cell], cell.split(maxsplit=1)[0]
    query = "?min_position=0" if method == "GET" else "?a=1&a=2"
    answer = await shared.ask(method, path_of(route) + query, headers=headers)
    expected = 422 if EXPECTED[cell] in HELD[who] else 403
    assert answer.status_code == expected, answer.text
    if expected == 403:
        assert answer.json()["code"] == "permission_denied"


@covers("SEC:S-01")
@pytest.mark.parametrize(
    "cell", [name for name, rule in EXPECTED.items() if rule not in ("public", "signature")]
)
@pytest.mark.parametrize("body", [b"", b"{broken"])
async def test_without_credentials_every_route_is_401_before_anything_else(
    shared: Straw, cell: str, body: bytes
) -> None:
    before = len(shared.gate_logs)
    answer = await shared.ask(cell.split(maxsplit=1)[0], path_of(NAMED[cell]), content=body)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert [log.sequence for log in shared.gate_logs[before:]] == [["auth:block"]]


@pytest.mark.parametrize("cell", [name for name, rule in EXPECTED.items() if rule == "any"])
async def test_any_principal_will_do_where_the_table_says_so(shared: Straw, cell: str) -> None:
    headers = shared.bearer("researcher", strategies=[])
    answer = await shared.ask("GET", path_of(NAMED[cell]), headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize("cell", [name for name, rule in EXPECTED.items() if rule == "public"])
async def test_public_paths_ignore_bad_credentials(shared: Straw, cell: str) -> None:
    headers = {"Authorization": "Bearer nonsense", "X-Service-ID": "intruder"}
    assert (await shared.ask("GET", path_of(NAMED[cell]), headers=headers)).status_code == 200


def test_no_earlier_route_swallows_a_later_literal_path() -> None:
    for later, route in enumerate(ROUTES):
        if "{" in route.path:
            continue
        for method in route.methods:
            scope: dict[str, Any] = {"type": "http", "method": method, "path": route.path, "headers": []}
            matching = [r for r in ROUTES[: later + 1] if r.matches(dict(scope))[0] is Match.FULL]
            assert matching[0] is route, f"{matching[0].path} stands before {route.path}"


def test_the_application_mounts_the_routes_in_this_order(shared: Straw) -> None:
    document = shared.app.openapi()
    assert list(document["paths"]) == list(dict.fromkeys(route.path for route in ROUTES))


def test_operation_ids_are_names_and_unique(shared: Straw) -> None:
    document = shared.app.openapi()
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids)) == len(NAMED)
    assert all(name.isidentifier() for name in ids)


async def test_documentation_is_open_in_dev_and_test_only(shared: Straw) -> None:
    assert (await shared.ask("GET", "/openapi.json")).status_code == 200
    from_outside = straw_house(about=shared.house.about.__class__(**_elsewhere(shared)))
    assert (await from_outside.ask("GET", "/openapi.json")).status_code == 404
    assert (await from_outside.ask("GET", "/docs")).status_code == 404


def _elsewhere(straw: Straw) -> dict[str, Any]:
    about = straw.house.about
    return {name: getattr(about, name) for name in about.__slots__} | {"environment": "production"}
