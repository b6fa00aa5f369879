from __future__ import annotations

import pytest

from gateway.aggregates.refusals import (
    BrokerRejected,
    IdempotencyConflict,
    KillSwitchEngaged,
    PositionLimitExceeded,
)
from tests.api.doubles import HEAD, NOW
from tests.api.house import Straw, refusing
from tests.kit.covers import covers

ORDER = {"symbol": "AAPL", "side": "buy", "qty": 10}
ORDERS = "/api/v1/orders"


async def test_an_order_is_submitted_under_its_deterministic_id(straw: Straw) -> None:
    answer = await straw.ask("POST", ORDERS, json=ORDER | {"symbol": " aapl "}, headers=straw.bearer())
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "client_order_id": "1b5445b3d1a61a15f64411be",
        "status": "pending_new",
        "broker_order_id": None,
        "symbol": "AAPL",
        "side": "buy",
        "qty": 10,
        "order_type": "market",
        "limit_price": None,
        "stop_price": None,
        "time_in_force": "day",
        "strategy_id": "alpha_baseline",
        "filled_qty": "0",
        "created_at": "2024-10-17T14:30:00.000000Z",
        "message": "Order submitted",
        "ledger_position": HEAD,
    }
    assert answer.headers["x-ledger-position"] == str(HEAD)


@covers("SEC:S-34")
async def test_prices_are_read_from_their_text_and_shown_in_plain_notation(straw: Straw) -> None:
    body = (
        '{"symbol":"BRK.B","side":"sell","qty":5,"type":"limit","limit_price":150.50,"time_in_force":"gtc"}'
    )
    headers = straw.bearer() | {"Content-Type": "application/json"}
    answer = await straw.ask("POST", ORDERS, content=body, headers=headers)
    assert answer.json()["limit_price"] == "150.5"
    (_, asked) = straw.desk.calls[0]
    assert str(asked["ticket"].limit_px) == "150.50"


@covers("SEC:S-37")
async def test_an_idempotency_key_alone_decides_the_id(straw: Straw) -> None:
    headers = straw.bearer() | {"Idempotency-Key": "rebalance-7"}
    answer = await straw.ask("POST", ORDERS, json=ORDER, headers=headers)
    assert answer.json()["client_order_id"] == "1d81422163550569830e7751"


async def test_a_given_id_is_the_id(straw: Straw) -> None:
    answer = await straw.ask(
        "POST", ORDERS, json=ORDER | {"client_order_id": "mine-1"}, headers=straw.bearer()
    )
    assert answer.json()["client_order_id"] == "mine-1"


async def test_a_given_id_and_a_key_exclude_each_other(straw: Straw) -> None:
    headers = straw.bearer() | {"Idempotency-Key": "k"}
    answer = await straw.ask("POST", ORDERS, json=ORDER | {"client_order_id": "mine"}, headers=headers)
    assert answer.status_code == 422
    assert straw.desk.calls == []


@pytest.mark.parametrize(
    ("outcome", "status", "message"),
    [
        ("submitted", 200, "Order submitted"),
        ("dry_run", 200, "Order logged (DRY_RUN mode)"),
        ("existing", 200, "Order already exists (idempotent retry)"),
        ("concurrent", 200, "Order already exists (concurrent retry)"),
        ("unconfirmed", 202, "Order outcome unknown; being resolved"),
    ],
)
async def test_every_outcome_has_its_status_and_message(
    straw: Straw, outcome: str, status: int, message: str
) -> None:
    straw.desk.answer = outcome
    answer = await straw.ask("POST", ORDERS, json=ORDER, headers=straw.bearer())
    assert (answer.status_code, answer.json()["message"]) == (status, message)


async def test_a_foreign_strategy_is_refused_before_any_gate(straw: Straw) -> None:
    answer = await straw.ask("POST", ORDERS, json=ORDER | {"strategy_id": "beta"}, headers=straw.bearer())
    assert (answer.status_code, answer.json()["code"]) == (403, "strategy_unauthorized")
    assert straw.desk.calls == []


async def test_the_gate_log_begins_with_auth_and_rate_limit(straw: Straw) -> None:
    await straw.ask("POST", ORDERS, json=ORDER, headers=straw.bearer())
    (_, asked) = straw.desk.calls[0]
    assert asked["log"] == ["auth:pass", "rate_limit:pass"]


async def test_a_refusal_is_a_problem_with_its_facts_beside_the_detail(straw: Straw) -> None:
    engaged = KillSwitchEngaged(
        "new orders are blocked (global, by alice: storm)",
        scope="global",
        engaged_by="alice",
        engaged_at=NOW,
        reason="storm",
    )
    answer = await refusing(straw, engaged).ask("POST", ORDERS, json=ORDER, headers=straw.bearer())
    body = answer.json()
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert body == {
        "scope": "global",
        "engaged_by": "alice",
        "engaged_at": "2024-10-17T14:30:00.000000Z",
        "reason": "storm",
        "gate": "kill_switch_engaged",
        "fail_closed": False,
        "type": "urn:execution-gateway:problem:kill_switch_engaged",
        "title": "Kill switch engaged",
        "status": 503,
        "detail": "kill_switch_engaged: new orders are blocked (global, by alice: storm)",
        "code": "kill_switch_engaged",
        "instance": ORDERS,
        "request_id": answer.headers["x-request-id"],
        "timestamp": "2024-10-17T14:30:00.000000Z",
    }


async def test_the_detail_names_the_gate_when_the_code_does_not(straw: Straw) -> None:
    full = PositionLimitExceeded(
        "Position limit exceeded: 1101 > 1000", symbol="AAPL", max_position_size=1000
    )
    answer = await refusing(straw, full).ask("POST", ORDERS, json=ORDER, headers=straw.bearer())
    assert answer.status_code == 422
    expected = "position_limit_exceeded: position_reservation: Position limit exceeded: 1101 > 1000"
    assert answer.json()["detail"] == expected


async def test_a_broker_rejection_is_422_with_the_broker_s_words(straw: Straw) -> None:
    rejected = BrokerRejected("insufficient buying power", broker_code="40310000", broker_message="no power")
    answer = await refusing(straw, rejected).ask("POST", ORDERS, json=ORDER, headers=straw.bearer())
    assert answer.status_code == 422
    assert answer.json()["broker_code"] == "40310000"


async def test_a_cancel_needs_no_body(straw: Straw) -> None:
    await straw.ask("POST", ORDERS, json=ORDER | {"client_order_id": "c1"}, headers=straw.bearer())
    answer = await straw.ask("POST", f"{ORDERS}/c1/cancel", headers=straw.bearer())
    assert answer.status_code == 200, answer.text
    assert answer.json()["message"] == "Cancel requested"
    assert answer.json()["order_id"] == "c1"


async def test_a_manual_cancel_records_operator_and_reason(straw: Straw) -> None:
    await straw.ask("POST", ORDERS, json=ORDER | {"client_order_id": "c1"}, headers=straw.bearer())
    body = {
        "reason": "  the price   ran away ",
        "requested_by": "bob",
        "requested_at": "2024-10-17T14:29:00Z",
    }
    answer = await straw.ask("POST", f"{ORDERS}/c1/cancel", json=body, headers=straw.bearer())
    assert answer.status_code == 200, answer.text
    name, asked = straw.desk.calls[-1]
    assert (name, asked["reason"], asked["by"].sub, asked["by"].on_behalf_of) == (
        "cancel_order",
        "the price ran away",
        "alice",
        "bob",
    )


async def test_a_stale_manual_cancel_is_refused(straw: Straw) -> None:
    await straw.ask("POST", ORDERS, json=ORDER | {"client_order_id": "c1"}, headers=straw.bearer())
    body = {"reason": "the price ran away", "requested_by": "bob", "requested_at": "2024-10-17T14:00:00Z"}
    answer = await straw.ask("POST", f"{ORDERS}/c1/cancel", json=body, headers=straw.bearer())
    assert (answer.status_code, answer.json()["code"]) == (422, "stale_request")


@covers("SEC:S-15", "SEC:S-45")
async def test_an_unknown_order_and_someone_else_s_cannot_be_told_apart(straw: Straw) -> None:
    await straw.ask("POST", ORDERS, json=ORDER | {"client_order_id": "c1"}, headers=straw.bearer())
    stranger = straw.bearer(sub="eve", strategies=["beta"])
    foreign = await straw.ask("POST", f"{ORDERS}/c1/cancel", headers=stranger)
    unknown = await straw.ask("POST", f"{ORDERS}/c2/cancel", headers=stranger)
    assert foreign.status_code == unknown.status_code == 404
    varying = {"request_id", "instance"}
    assert {k: v for k, v in foreign.json().items() if k not in varying} == {
        k: v for k, v in unknown.json().items() if k not in varying
    }
    assert "cancel_order" not in straw.desk.names


@covers("SEC:S-37")
@pytest.mark.parametrize(
    ("differences", "told"), [(["qty"], True), (["strategy_id"], False), (["qty", "strategy_id"], False)]
)
async def test_what_differs_is_told_only_when_the_stored_order_is_the_caller_s(
    straw: Straw, differences: list[str], told: bool
) -> None:
    conflict = IdempotencyConflict(
        f"another order ({', '.join(differences)} differ)", differences=differences
    )
    answer = await refusing(straw, conflict).ask("POST", ORDERS, json=ORDER, headers=straw.bearer())
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_conflict")
    assert (answer.json()["differences"] == differences) is told
    assert ("differ)" in answer.json()["detail"]) is told
    everybody = await straw.ask("POST", ORDERS, json=ORDER, headers=straw.bearer("admin"))
    assert everybody.json()["differences"] == differences


@pytest.mark.parametrize(
    ("done", "notified", "message"),
    [
        (True, True, "Order already in terminal state"),
        (False, True, "Cancel requested"),
        (False, False, "Cancel recorded; broker not reached yet, retrying"),
    ],
)
async def test_a_cancel_says_how_far_it_came(straw: Straw, done: bool, notified: bool, message: str) -> None:
    await straw.ask("POST", ORDERS, json=ORDER | {"client_order_id": "c1"}, headers=straw.bearer())
    straw.desk.already_done, straw.desk.broker_notified = done, notified
    answer = await straw.ask("POST", f"{ORDERS}/c1/cancel", headers=straw.bearer())
    assert (answer.status_code, answer.json()["message"]) == (200, message)
    assert answer.json()["broker_notified"] is notified
