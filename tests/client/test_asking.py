"""What is asked again, what is looked up first, and what is never sent twice."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import httpx2
import pytest

from gateway.client import (
    ClientError,
    Forbidden,
    NoAnswer,
    Patience,
    Problem,
    RateLimited,
    Unavailable,
    Unreadable,
)
from gateway.client.asking import Pause, asking
from gateway.client.call import Call
from gateway.client.calls import about, by_hand, orders, safety

ORDER = orders.submit_order(symbol="AAPL", side="buy", qty=10, client_order_id="mine")
LOST = NoAnswer("it broke", sent=True)
UNSENT = NoAnswer("nobody there", sent=False)
LIVE = httpx2.Response(200, json={"status": "alive"})


def stored(**more: object) -> httpx2.Response:
    order = {
        "client_order_id": "mine",
        "status": "new",
        "broker_order_id": "b1",
        "symbol": "AAPL",
        "side": "buy",
        "qty": 10,
        "order_type": "market",
        "limit_price": None,
        "stop_price": None,
        "time_in_force": "day",
        "strategy_id": "alpha",
        "filled_qty": "0",
        "created_at": "2026-11-20T15:00:00.120001Z",
        "ledger_position": 7,
    }
    return httpx2.Response(200, json=order | more)


def problem(status: int, code: str, retry_after: int | None = None) -> httpx2.Response:
    headers = {"content-type": "application/problem+json"}
    headers |= {} if retry_after is None else {"retry-after": str(retry_after)}
    body = {"code": code, "detail": f"{code}: no", "gate": None, "request_id": "r1", "limit": 3}
    return httpx2.Response(status, headers=headers, content=json.dumps(body))


def talk(call: Call[Any], *outcomes: httpx2.Response | NoAnswer) -> tuple[Any, list[str]]:
    """What is answered or raised after these outcomes, and what was done on the way; all have to be used."""
    steps, waiting, done = asking(call, Patience(tries=3)), list(outcomes), list[str]()
    outcome: Any = None
    try:
        while True:
            step = steps.send(outcome)
            if isinstance(step, Pause):
                done.append("wait")
                outcome = None
            else:
                done.append(f"{step.method} {step.path}")
                outcome = waiting.pop(0)
    except StopIteration as end:
        answer: Any = end.value
    except ClientError as error:
        answer = error
    assert waiting == []
    return answer, done


POST = "POST /api/v1/orders"
LOOK = "GET /api/v1/orders/mine"


def test_an_answer_is_read_into_its_type() -> None:
    order, done = talk(ORDER, stored(message="Order submitted", something_new=1))
    assert (order.message, str(order.qty), order.limit_price) == ("Order submitted", "10", None)
    assert order.created_at == datetime.fromisoformat("2026-11-20T15:00:00.120001+00:00")
    assert done == [POST]


def test_an_id_is_chosen_before_anything_is_sent() -> None:
    one, other = (orders.submit_order(symbol="AAPL", side="buy", qty=10) for _ in range(2))
    ids = [call.body["client_order_id"] for call in (one, other)]
    assert len(set(ids)) == 2
    assert one.look_up is not None and one.look_up.path.endswith(ids[0])


def test_an_order_without_an_answer_is_looked_up_and_not_sent_again() -> None:
    order, done = talk(ORDER, LOST, stored())
    assert (order.client_order_id, order.message) == ("mine", "")
    assert done == [POST, LOOK]


def test_an_order_nobody_knows_is_sent_again_under_its_own_id() -> None:
    order, done = talk(ORDER, LOST, problem(404, "order_not_found"), stored(message="Order submitted"))
    assert order.message == "Order submitted"
    assert done == [POST, LOOK, "wait", POST]


def test_a_look_up_that_fails_is_not_taken_for_an_absent_order() -> None:
    answer, done = talk(ORDER, LOST, UNSENT, UNSENT, UNSENT)
    assert answer is LOST
    assert done == [POST, LOOK, "wait", LOOK, "wait", LOOK]


def test_even_the_last_try_is_looked_up() -> None:
    absent = problem(404, "order_not_found")
    order, _ = talk(ORDER, LOST, absent, LOST, absent, LOST, stored())
    assert order.client_order_id == "mine"


def test_an_order_that_never_gets_an_answer_is_given_up_with_its_id() -> None:
    absent = problem(404, "order_not_found")
    answer, done = talk(ORDER, LOST, absent, LOST, absent, LOST, absent)
    assert answer is LOST
    assert done.count(POST) == 3


def test_what_was_surely_not_sent_is_sent_again() -> None:
    switch = safety.engage_kill_switch(reason="a test says so", operator="alice")
    _, done = talk(switch, UNSENT, problem(400, "kill_switch_already_engaged"))
    assert done == ["POST /api/v1/kill-switch/engage", "wait", "POST /api/v1/kill-switch/engage"]


def test_a_change_that_may_have_happened_is_its_caller_s_to_judge() -> None:
    close = by_hand.close_position("AAPL", reason="getting out of it", requested_by="alice")
    for call in (safety.engage_kill_switch(reason="why", operator="alice"), close):
        answer, done = talk(call, LOST)
        assert answer is LOST
        assert len(done) == 1


def test_a_read_is_asked_again_until_patience_ends() -> None:
    answer, done = talk(about.live(), LOST, LIVE)
    assert (answer.status, done) == ("alive", ["GET /health/live", "wait", "GET /health/live"])
    answer, done = talk(about.live(), LOST, LOST, LOST)
    assert (answer, done.count("wait")) == (LOST, 2)


def test_whoever_is_told_to_slow_down_waits_and_asks_again() -> None:
    answer, done = talk(ORDER, problem(429, "rate_limited", 2), stored(message="Order submitted"))
    assert (answer.message, done) == ("Order submitted", [POST, "wait", POST])
    answer, done = talk(ORDER, problem(429, "rate_limited", 250))
    assert (type(answer), answer.retry_after, done) == (RateLimited, 250, [POST])


def test_a_refused_order_is_not_tried_again_behind_its_owner_s_back() -> None:
    for code in ("broker_unavailable", "kill_switch_unavailable", "reconciliation_in_progress"):
        answer, done = talk(ORDER, problem(503, code, 1))
        assert (type(answer), answer.code, done) == (Unavailable, code, [POST])


def test_a_read_of_a_table_that_is_behind_is_asked_again() -> None:
    _, done = talk(about.live(), problem(503, "projection_behind", 1), LIVE)
    assert done == ["GET /health/live", "wait", "GET /health/live"]


def test_a_draining_gateway_has_done_nothing() -> None:
    _, done = talk(ORDER, problem(503, "draining", 1), stored(message="Order submitted"))
    assert done == [POST, "wait", POST]


def test_a_problem_keeps_what_it_says() -> None:
    answer, _ = talk(about.config(), problem(403, "permission_denied"))
    assert isinstance(answer, Forbidden)
    assert (answer.status, answer.detail, answer.request_id) == (403, "permission_denied: no", "r1")
    assert (answer.facts, str(answer)) == ({"limit": 3}, "403 permission_denied: no")


@pytest.mark.parametrize(
    "response",
    [
        httpx2.Response(502, text="<html>bad gateway</html>"),
        httpx2.Response(200, json={"status": 7}),
        httpx2.Response(503, headers={"content-type": "application/problem+json"}, text="{}"),
    ],
)
def test_what_the_gateway_would_never_say_is_unreadable(response: httpx2.Response) -> None:
    answer, _ = talk(about.live(), response)
    assert isinstance(answer, Unreadable)
    assert not isinstance(answer, Problem)


def test_being_not_ready_is_an_answer() -> None:
    body = {"ready": False, "checks": {"ledger": "fail"}, "reconciliation_gate": "closed"}
    answer, _ = talk(about.ready(), httpx2.Response(503, json=body))
    assert not answer.ready
