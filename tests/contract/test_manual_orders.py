"""Orders by hand walk every gate; thresholds are the operator's to change."""

from __future__ import annotations

from datetime import timedelta
from itertools import count

from tests.contract.by_hand import asked, topics, trade
from tests.contract.conftest import CreateTestApp
from tests.contract.steps import ORDERS
from tests.contract.test_gates import NAMES
from tests.kit.covers import covers
from tests.kit.house import GateLogger, House

MANUAL = [*NAMES[:2], "strategy_scope", *NAMES[2:]]
THRESHOLDS = "/api/v1/fat-finger/thresholds"


async def test_a_manual_order_walks_the_gates_of_an_order_after_its_scope(
    create_test_app: CreateTestApp,
) -> None:
    gates = GateLogger()
    async with create_test_app(gate_logger=gates) as house:
        response = await trade(house, qty="10")
        assert response.status_code == 200, response.text
        assert gates == MANUAL
        assert response.json()["message"] == "Order submitted (manual)"
        assert response.json()["strategy_id"] == "manual_controls_trade"
        assert response.json()["qty"] == 10


@covers("FC:F-02")
async def test_trap_22_manual_orders_respect_every_limit_of_the_desk(create_test_app: CreateTestApp) -> None:
    async with create_test_app() as house:
        refusals = {
            "position_limit_exceeded": {"qty": 1001},
            "fat_finger_rejected": {"qty": 900, "order_type": "limit", "limit_price": "5000"},
        }
        for code, fields in refusals.items():
            assert (await trade(house, **fields)).json()["code"] == code
        await house.trip_circuit_breaker()
        assert (await trade(house)).json()["code"] == "circuit_breaker_tripped"
        await house.engage_kill_switch(scope="strategy", target="manual_controls_trade")
        assert (await trade(house)).json()["code"] == "kill_switch_engaged"
        assert house.posts() == 0
        refused = await topics(house, "order.refused")
        assert [event["data"]["code"] for event in refused] == [
            *refusals,
            "circuit_breaker_tripped",
            "kill_switch_engaged",
        ]
    async with create_test_app(block_reconciliation=True) as house:
        await house.disengage_kill_switch(scope="strategy", target="manual_controls_trade")
        await house.client.post("/api/v1/circuit-breaker/reset", json={"reason": "all is well"})
        assert (await trade(house)).json()["code"] == "reconciliation_in_progress"


async def test_a_manual_order_repeated_later_is_the_first_one(house: House) -> None:
    body = asked(symbol="AAPL", side="buy", qty=10, ago=timedelta(minutes=3))
    first = await house.client.post("/api/v1/manual/orders", json=body)
    again = await house.client.post(
        "/api/v1/manual/orders", json=body | {"reason": "the same for another reason"}
    )
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json()["client_order_id"] == again.json()["client_order_id"]
    assert again.json()["message"] == "Order already submitted (idempotent retry)"
    other = await house.client.post("/api/v1/manual/orders", json=body | {"strategy_id": "beta"})
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
    assert house.posts() == 1


async def test_a_manual_order_ends_as_the_broker_says(create_test_app: CreateTestApp) -> None:
    async with create_test_app() as house:
        verdict = {"code": 40310000, "message": "insufficient buying power"}
        house.exchange.arm("http.status", match=ORDERS, times=1, status=403, body=verdict)
        rejected = await trade(house, qty=1)
        assert (rejected.status_code, rejected.json()["code"]) == (422, "broker_rejected")
        house.exchange.arm("http.hang", match=ORDERS, phase="before", times=1, seconds=4)
        unknown = await trade(house, qty=2)
        assert (unknown.status_code, unknown.json()["status"]) == (202, "submitted_unconfirmed")
        await house.until_status(unknown.json()["client_order_id"], "filled")
    async with create_test_app(environment={"DRY_RUN": "true"}) as house:
        dry = await trade(house, qty=3)
        assert dry.json()["message"] == "Order logged (manual DRY_RUN)"


async def test_a_manual_order_for_a_foreign_strategy_stops_at_its_scope(
    create_test_app: CreateTestApp,
) -> None:
    gates = GateLogger()
    async with create_test_app(gate_logger=gates) as house:
        alpha = house.as_role("operator", strategies=("alpha_baseline",))
        body = asked("bob", symbol="AAPL", side="buy", qty=10)
        refused = await alpha.post("/api/v1/manual/orders", json=body | {"strategy_id": "beta"})
        assert (refused.status_code, refused.json()["code"]) == (403, "strategy_unauthorized")
        assert gates.sequence == ["auth:pass", "rate_limit:pass", "strategy_scope:block"]
        own = await alpha.post("/api/v1/manual/orders", json=body)
        assert (own.status_code, own.json()["strategy_id"]) == (200, "manual_controls_trade")
        half = await alpha.post("/api/v1/manual/orders", json=body | {"qty": "10.5"})
        assert half.status_code == 422


async def test_trap_35_changed_thresholds_survive_a_restart_and_hold_in_every_process(
    create_test_app: CreateTestApp,
) -> None:
    dry_run = {"DRY_RUN": "true"}
    async with create_test_app() as house, create_test_app(environment=dry_run) as beside:
        body = {"default_thresholds": {"max_qty": 50}, "symbol_overrides": {"msft": {"max_qty": 500}}}
        response = await house.client.put(THRESHOLDS, json=body)
        assert response.status_code == 200, response.text
        assert response.json()["default_thresholds"] == {
            "max_notional": None,
            "max_qty": 50,
            "max_adv_pct": None,
        }
        assert int(response.headers["X-Ledger-Position"]) > 0

        numbers = count()

        async def refused_beside() -> bool:
            answer = await beside.submit(qty=51, client_order_id=f"beside-{next(numbers)}")
            return bool(answer.json().get("code") == "fat_finger_rejected")

        await beside.until(refused_beside, within=3, what="the new thresholds in the other process")
        assert (await beside.submit(symbol="MSFT", qty=60)).status_code == 200
    async with create_test_app() as house:
        assert (await house.submit(qty=51)).json()["code"] == "fat_finger_rejected"
        shown = (await house.client.get(THRESHOLDS)).json()
        assert (shown["default_thresholds"]["max_qty"], shown["updated_by"]) == (50, "alice")


async def test_one_field_of_an_override_can_be_unset_and_the_default_applies_again(house: House) -> None:
    """Known trap 35."""

    async def put(**body: object) -> dict[str, object]:
        response = await house.client.put(THRESHOLDS, json=body)
        assert response.status_code == 200, response.text
        overrides: dict[str, object] = response.json()["symbol_overrides"]
        return overrides

    await put(
        default_thresholds={"max_qty": 50},
        symbol_overrides={"AAPL": {"max_qty": 500, "max_notional": "1000000.50"}},
    )
    assert (await house.submit(qty=60, client_order_id="wide")).status_code == 200
    left = await put(symbol_overrides={"AAPL": {"max_qty": None}})
    assert left == {"AAPL": {"max_notional": "1000000.5", "max_qty": None, "max_adv_pct": None}}
    assert (await house.submit(qty=60, client_order_id="narrow")).json()["code"] == "fat_finger_rejected"
    assert await put(symbol_overrides={"AAPL": None}) == {}


async def test_thresholds_that_say_nothing_or_nonsense_are_refused(house: House) -> None:
    for body in (
        {},
        {"default_thresholds": {"max_qty": 0}},
        {"default_thresholds": {"max_adv_pct": "1.1"}},
        {"symbol_overrides": {"not a symbol": None}},
        {"default_thresholds": {"max_quantity": 5}},
    ):
        refused = await house.client.put(THRESHOLDS, json=body)
        assert (refused.status_code, refused.json()["code"]) == (422, "request_validation"), body
    viewer = await house.as_role("viewer").put(THRESHOLDS, json={"default_thresholds": {}})
    assert (viewer.status_code, viewer.json()["code"]) == (403, "permission_denied")
    assert [event["actor"]["sub"] for event in await topics(house, "control.refused")][-1] == "bob"
