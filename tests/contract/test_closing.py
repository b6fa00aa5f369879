"""Getting out of a position: whatever blocks new risk does not block this, and nothing ever flips."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from gateway.adapters.embedded import EmbeddedValkey
from tests.contract.by_hand import adjust, asked, bought, close, held_at_exchange, hold_at_exchange, topics
from tests.contract.conftest import CreateTestApp
from tests.contract.steps import ORDERS, holds, reconcile, resting_order
from tests.kit.covers import covers
from tests.kit.house import GateLogger, House

WAY_OUT = ["auth", "rate_limit", "strategy_scope", "reduce_only_lock", "reduce_only", "idempotency", "submit"]


def halt(house: House, symbol: str = "AAPL", *, on: bool = True) -> None:
    """While trading is halted orders are taken and do not trade."""
    house.exchange.ctl("POST", "halt", {"symbol": symbol, "on": on})


async def test_a_close_sells_what_is_held_and_walks_the_gates_of_the_way_out(
    create_test_app: CreateTestApp,
) -> None:
    gates = GateLogger()
    async with create_test_app(gate_logger=gates) as house:
        await bought(house)
        response = await close(house)
        assert gates == WAY_OUT
        assert gates.sequence[-1] == "submit:success"
        assert response.status_code == 200, response.text
        answer = response.json()
        assert (answer["status"], answer["qty_to_close"]) == ("closing", "100")
        order = await house.until_status(answer["order_id"], "filled")
        assert (order["side"], order["order_type"], order["time_in_force"]) == ("sell", "market", "day")
        assert order["strategy_id"] == "alpha_baseline"
        assert held_at_exchange(house) == "0"


async def test_trap_34_a_part_is_closed_and_a_repetition_a_minute_later_finds_the_first_order(
    house: House,
) -> None:
    await bought(house)
    body = asked(qty="30", ago=timedelta(minutes=2))
    first = await house.client.post("/api/v1/positions/AAPL/close", json=body)
    await house.until(lambda: holds(house, "70"), what="the close")
    again = await house.client.post("/api/v1/positions/AAPL/close", json=body)
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json()["order_id"] == again.json()["order_id"]
    assert held_at_exchange(house) == "70"


async def test_a_close_that_is_repeated_after_the_position_is_gone_does_not_open_a_new_one(
    house: House,
) -> None:
    await bought(house)
    body = asked(qty="100")
    first = await house.client.post("/api/v1/positions/AAPL/close", json=body)
    await house.until(lambda: holds(house, "0"), what="the close")
    again = await house.client.post("/api/v1/positions/AAPL/close", json=body)
    assert again.json()["order_id"] == first.json()["order_id"]
    later = await close(house)
    assert (later.status_code, later.json()["status"]) == (200, "already_flat")
    assert held_at_exchange(house) == "0"
    (told,) = await topics(house, "control.performed")
    assert (told["data"]["action"], told["data"]["outcome"]) == ("close_position", "no_op")


@covers("FC:F-11")
async def test_two_closes_at_once_lead_to_one_closing_order(house: House) -> None:
    await bought(house)
    halt(house)
    answers = await asyncio.gather(close(house, by="alice"), close(house, qty="100", by="zoe"), close(house))
    assert {answer.status_code for answer in answers} <= {200, 202}, [one.text for one in answers]
    assert len({answer.json()["order_id"] for answer in answers}) == 1
    assert house.posts() == 2
    halt(house, on=False)
    house.exchange.price("AAPL", "99.98", "100.02")
    await house.until(lambda: holds(house, "0"), what="the close")
    assert held_at_exchange(house) == "0"


@covers("FC:F-11")
async def test_two_reducing_sells_by_hand_cannot_both_have_the_same_shares(house: House) -> None:
    """Known trap 31: also when they are sent together, and by the way out."""
    await bought(house)
    halt(house)
    answers = await asyncio.gather(close(house, qty="60"), adjust(house, "40"))
    assert sorted(answer.status_code for answer in answers) == [200, 422]
    refused = next(answer for answer in answers if answer.status_code == 422).json()
    assert (refused["code"], refused["gate"], refused["closable"]) == (
        "qty_exceeds_position",
        "reduce_only",
        "40",
    )


async def test_reducing_sells_sent_together_while_the_gate_is_closed_pass_once(
    create_test_app: CreateTestApp,
) -> None:
    """Known trap 31."""
    async with create_test_app(block_reconciliation=True) as house:
        hold_at_exchange(house, AAPL="100")
        halt(house)
        sells = (
            house.submit(side="sell", qty=100, client_order_id="first"),
            house.submit(side="sell", qty=100, client_order_id="second"),
        )
        answers = await asyncio.gather(*sells)
        assert sorted(answer.status_code for answer in answers) == [200, 503]
        assert house.posts() == 1


@covers("INV-16")
async def test_the_way_out_is_open_when_everything_else_is_shut(
    create_test_app: CreateTestApp, private_valkey: EmbeddedValkey
) -> None:
    async with create_test_app(redis_url=private_valkey.url) as house:
        await bought(house)
        thresholds = {"default_thresholds": {"max_qty": 5}}
        assert (await house.client.put("/api/v1/fat-finger/thresholds", json=thresholds)).status_code == 200
        await house.engage_kill_switch()
        await house.trip_circuit_breaker()
        private_valkey.stop()
        part = await close(house, qty="40")
        assert part.status_code == 200, part.text
        await house.until_status(part.json()["order_id"], "filled")
        less = await adjust(house, "10")
        assert less.status_code == 200, less.text
        await house.until_status(less.json()["order_id"], "filled")
        rest = await close(house)
        await house.until_status(rest.json()["order_id"], "filled")
        assert held_at_exchange(house) == "0"
        refused = await adjust(house, "50")
        assert (refused.status_code, refused.json()["code"]) == (503, "kill_switch_unavailable")
        metrics = (await house.client.get("/metrics")).text
        assert 'execution_gateway_fat_finger_warnings_total{threshold_type="qty"} 3.0' in metrics


@covers("INV-16")
async def test_a_closed_gate_lets_a_close_through_and_an_increase_not(create_test_app: CreateTestApp) -> None:
    async with create_test_app() as house:
        await bought(house)
    async with create_test_app(block_reconciliation=True) as house:
        increase = await adjust(house, "150")
        assert (increase.status_code, increase.json()["code"]) == (503, "reconciliation_in_progress")
        response = await close(house)
        assert response.status_code == 200, response.text
        await house.until_status(response.json()["order_id"], "filled")
        assert held_at_exchange(house) == "0"


async def test_shares_nobody_here_bought_can_be_closed_while_the_gate_is_closed(
    create_test_app: CreateTestApp,
) -> None:
    async with create_test_app(block_reconciliation=True) as house:
        hold_at_exchange(house, AAPL="25")
        response = await close(house)
        assert response.status_code == 200, response.text
        order = await house.until_status(response.json()["order_id"], "filled")
        assert order["strategy_id"] == "manual_controls_close_position"
        assert held_at_exchange(house) == "0"


@covers("INV-16")
async def test_a_quarantined_symbol_can_be_closed(house: House) -> None:
    await bought(house)
    hold_at_exchange(house, AAPL="7")  # a difference nobody can explain
    await reconcile(house)
    await reconcile(house)
    blocked = await house.submit(qty=1, client_order_id="blocked")
    assert (blocked.status_code, blocked.json()["code"]) == (503, "quarantined")
    response = await close(house)
    assert response.status_code == 200, response.text


async def test_a_fraction_is_closed_whole_and_never_asked_for_in_part(house: House) -> None:
    """Known trap 32: nothing waits for a whole share."""
    await bought(house, qty=10)
    hold_at_exchange(house, AAPL="0.5")
    part = await close(house, qty="0.5")
    assert (part.status_code, part.json()["code"]) == (422, "fractional_qty")
    more = await adjust(house, "20")
    assert (more.status_code, more.json()["code"]) == (422, "fractional_qty")
    response = await close(house)
    assert response.json()["qty_to_close"] == "10.5"
    await house.until_status(response.json()["order_id"], "filled")
    assert held_at_exchange(house) == "0"


async def test_more_than_is_held_and_what_was_never_held_are_refused(house: House) -> None:
    await bought(house)
    too_much = await close(house, qty="101")
    assert (too_much.status_code, too_much.json()["code"]) == (422, "qty_exceeds_position")
    assert too_much.json()["held"] == "100"
    unknown = await close(house, "MSFT")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "position_not_found")
    assert house.posts() == 1
    refused = await topics(house, "control.refused")
    assert [event["data"]["action"] for event in refused] == ["close_position"]


@covers("FC:F-11")
async def test_a_resting_sell_leaves_only_the_rest_to_be_closed(house: House) -> None:
    await bought(house)
    await resting_order(house, side="sell", qty=30, limit_price="150")
    response = await close(house)
    assert response.json()["qty_to_close"] == "70"
    await house.until(lambda: holds(house, "30"), what="the close")


async def test_a_close_without_an_answer_of_the_broker_is_202_and_closes_once(house: House) -> None:
    await bought(house)
    house.exchange.arm("http.hang", match=ORDERS, phase="before", times=1, seconds=4)
    response = await close(house)
    assert (response.status_code, response.json()["status"]) == (202, "closing")
    assert "unknown" in response.json()["message"]
    await house.until_status(response.json()["order_id"], "filled")
    assert held_at_exchange(house) == "0"


@covers("FC:F-12")
async def test_a_broker_that_cannot_be_read_is_not_taken_for_flat(house: House) -> None:
    await bought(house)
    house.exchange.arm("http.status", match={"method": "GET", "path": "/v2/positions/AAPL"}, status=500)
    response = await close(house)
    assert (response.status_code, response.json()["code"]) == (503, "reconciliation_broker_unavailable")
    assert response.json()["gate"] == "reduce_only_lock", "the way out passes no reconciliation gate"
    assert house.posts() == 1


@covers("FC:F-17")
async def test_an_adjust_goes_up_down_and_nowhere(house: House) -> None:
    await bought(house)
    more = await adjust(house, "150")
    assert more.status_code == 200, more.text
    await house.until(lambda: holds(house, "150"), what="the increase")
    less = await adjust(house, "120", order_type="limit", limit_price="99")
    assert (less.json()["status"], less.json()["current_qty"]) == ("adjusting", "150")
    await house.until(lambda: holds(house, "120"), what="the decrease")
    still = await adjust(house, "120")
    assert (still.json()["status"], still.json()["order_id"]) == ("no_change", None)
    assert held_at_exchange(house) == "120"


async def test_an_adjust_that_is_repeated_halfway_does_not_buy_twice(house: House) -> None:
    await bought(house, qty=10)
    body = asked(target_qty="50", order_type="limit", limit_price="90")
    first = await house.client.post("/api/v1/positions/AAPL/adjust", json=body)
    order = await house.order(first.json()["order_id"])
    house.exchange.ctl("POST", f"orders/{order['broker_order_id']}/fill", {"qty": "15", "price": "90"})
    await house.until(lambda: holds(house, "25"), what="a part of it")
    again = await house.client.post("/api/v1/positions/AAPL/adjust", json=body)
    assert again.json()["order_id"] == first.json()["order_id"]
    assert house.posts() == 2


async def test_a_change_of_sign_is_new_risk_and_meets_the_gates(create_test_app: CreateTestApp) -> None:
    gates = GateLogger()
    async with create_test_app(gate_logger=gates) as house:
        await bought(house)
        await house.engage_kill_switch()
        refused = await adjust(house, "-10")
        assert (refused.status_code, refused.json()["code"]) == (503, "kill_switch_engaged")
        assert gates.sequence[2:] == [
            "strategy_scope:pass",
            "kill_switch_avail:pass",
            "circuit_breaker_avail:pass",
            "position_reservation_avail:pass",
            "kill_switch:block",
        ]


@covers("INV-14")
async def test_a_dry_run_records_the_close_and_sends_nothing(create_test_app: CreateTestApp) -> None:
    async with create_test_app() as house:
        await bought(house)
    async with create_test_app(environment={"DRY_RUN": "true"}) as house:
        response = await close(house)
        assert response.status_code == 200, response.text
        assert (response.json()["status"], "(DRY_RUN)" in response.json()["message"]) == ("closing", True)
        assert (await house.order(response.json()["order_id"]))["status"] == "dry_run"
        assert house.posts() == 1
        assert held_at_exchange(house) == "100"


async def test_a_request_from_yesterday_is_stale(house: House) -> None:
    await bought(house)
    for ago in (timedelta(minutes=16), timedelta(seconds=-90)):
        response = await close(house, ago=ago)
        assert (response.status_code, response.json()["code"]) == (422, "stale_request")
    short = await close(house, reason="too short")
    assert (short.status_code, short.json()["code"]) == (422, "request_validation")
    assert house.posts() == 1


@covers("SEC:S-15")
async def test_a_symbol_others_have_a_stake_in_cannot_be_closed(create_test_app: CreateTestApp) -> None:
    gates = GateLogger()
    async with create_test_app(gate_logger=gates) as house:
        await bought(house)
        assert (await house.submit(qty=5, strategy_id="beta")).status_code == 200
        await house.until(lambda: holds(house, "105"), what="the fill")
        alpha = house.as_role("operator", strategies=("alpha_baseline",))
        refused = await alpha.post("/api/v1/positions/AAPL/close", json=asked("bob"))
        assert (refused.status_code, refused.json()["code"]) == (403, "strategy_unauthorized")
        assert gates.sequence[-1] == "strategy_scope:block"
        (told,) = await topics(house, "control.refused")
        assert (told["data"]["outcome"], told["actor"]["sub"]) == ("denied", "bob")
        both = house.as_role("operator", strategies=("alpha_baseline", "beta"))
        closed = await both.post("/api/v1/positions/AAPL/close", json=asked("bob"))
        order = await house.until_status(closed.json()["order_id"], "filled")
        assert order["strategy_id"] == "manual_controls_close_position"
        viewer = await house.as_role("viewer").post("/api/v1/positions/AAPL/close", json=asked("bob"))
        assert (viewer.status_code, viewer.json()["code"]) == (403, "permission_denied")


async def test_the_order_remembers_who_why_and_in_whose_name(house: House) -> None:
    await bought(house)
    response = await close(house, by="zoe from the desk")
    (event, *_) = [
        one
        for one in await topics(house, "order.submitted")
        if one["client_order_id"] == response.json()["order_id"]
    ]
    assert (event["actor"]["sub"], event["actor"]["on_behalf_of"]) == ("alice", "zoe from the desk")
    assert event["data"]["reason"] == "getting out before the announcement"
