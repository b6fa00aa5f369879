"""The catalogue's bodies against a whole gateway: refused at once, and nothing else happens anywhere."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any
from uuid import uuid4

import pytest

from tests.corpus.bad.bodies import ORDER, REFUSED
from tests.kit.covers import covers
from tests.kit.serving import Served

JSON = {"Content-Type": "application/json"}
RESTING = {**ORDER, "order_type": "limit", "limit_price": "90"}
WHO = {"operator": "alice"}


def good_order(served: Served, **fields: Any) -> dict[str, Any]:
    """One that rests on the exchange's book under a name of its own."""
    body = {**RESTING, "qty": 1, "client_order_id": uuid4().hex, **fields}
    answer = served.ask("POST", "/api/v1/orders", json=body)
    assert answer.status_code == 200, answer.text
    order: dict[str, Any] = answer.json()
    return order


def requests_logged(served: Served, mark: str) -> list[str]:
    return [line for line in served.log_lines(mark) if '"message": "request"' in line]


@covers("FC:B-20", "SEC:S-33", "SEC:S-35")
def test_no_bad_body_leaves_a_trace_and_they_are_answered_within_a_second(served: Served) -> None:
    """The oracles of the catalogue, for every body of the table at once."""
    head, sent, mark, seconds = served.head(), served.orders_at_exchange(), uuid4().hex, []
    for name, body in REFUSED.items():
        started, headers = time.monotonic(), JSON | {"X-Request-ID": f"{mark}-{name}".replace(" ", "-")}
        answer = served.ask("POST", "/api/v1/orders", content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "request_validation"), name
        seconds.append(time.monotonic() - started)
    assert median(seconds) < 1
    served.until(lambda: len(requests_logged(served, mark)) == len(REFUSED), "one line in the log for each")
    assert served.recorded_after(head) == []
    assert served.orders_at_exchange() == sent
    good_order(served)


@covers("BI:B-03")
@pytest.mark.parametrize(("qty", "status"), [(1, 200), (1000, 422), (1001, 422)])
def test_room_is_counted_to_the_last_share(served: Served, qty: int, status: int) -> None:
    """A sell of MSFT, of which nothing is held, up to the limit of 1000 and beyond it."""
    body = {**RESTING, "symbol": "MSFT", "side": "sell", "limit_price": "210", "qty": qty}
    answer = served.ask("POST", "/api/v1/orders", json=body)
    assert answer.status_code == status, answer.text


@covers("BI:B-25")
@pytest.mark.parametrize("symbol", ["A.B", "brk.b"])
def test_what_the_broker_does_not_list_is_the_brokers_word(served: Served, symbol: str) -> None:
    answer = served.ask("POST", "/api/v1/orders", json={**ORDER, "symbol": symbol})
    assert (answer.status_code, answer.json()["code"]) in (
        (422, "broker_rejected"),
        (400, "fat_finger_rejected"),
    )


@covers("BI:B-48")
@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"qty": 100, "duration_minutes": 0}, 422),
        ({"qty": 100, "duration_minutes": -5}, 422),
        ({"qty": 100, "duration_minutes": 1441}, 422),
        ({"qty": 100, "duration_minutes": 5, "interval_seconds": 0}, 422),
        ({"qty": 100, "duration_minutes": 5, "interval_seconds": 0.5}, 422),
        ({"qty": 1_000_000, "duration_minutes": 1440, "interval_seconds": 1}, 422),
        ({"qty": 4, "duration_minutes": 5}, 422),
        ({"qty": 103, "duration_minutes": 5}, 200),
    ],
)
def test_a_plan_that_cannot_be_cut_is_refused_and_a_remainder_is_not_lost(
    served: Served, fields: dict[str, Any], status: int
) -> None:
    body = {"symbol": "AAPL", "side": "buy", "client_order_id": uuid4().hex, **fields}
    answer = served.ask("POST", "/api/v1/orders/slice", json=body)
    assert answer.status_code == status, answer.text
    if status == 200:
        plan = answer.json()
        assert sorted(one["qty"] for one in plan["slices"]) == [20, 20, 21, 21, 21]
        served.ask("DELETE", f"/api/v1/orders/{plan['parent_order_id']}/slices?cancel_live=true")


@covers("BI:B-49")
def test_a_name_that_is_taken_is_a_conflict_and_strangers_learn_nothing(served: Served) -> None:
    """With another ticket, by another user, on another route."""
    order = good_order(served)
    again = {**RESTING, "qty": 2, "client_order_id": order["client_order_id"]}
    own = served.ask("POST", "/api/v1/orders", json=again)
    assert (own.status_code, bool(own.json()["differences"])) == (409, True)
    stranger = served.bearer_of("operator", sub="mallory", strategies=("beta",))
    other = served.ask("POST", "/api/v1/orders", json=again | {"strategy_id": "beta"}, headers=stranger)
    assert (other.status_code, other.json()["differences"]) == (409, [])
    plan = {"symbol": "AAPL", "side": "buy", "qty": 100, "duration_minutes": 5}
    plan["client_order_id"] = order["client_order_id"]
    assert served.ask("POST", "/api/v1/orders/slice", json=plan).status_code == 409


@covers("BI:B-49")
def test_a_key_names_one_manual_order_whenever_it_is_asked_for(served: Served) -> None:
    """The key alone decides."""
    key = {"Idempotency-Key": uuid4().hex}

    def asked(qty: int, seconds_ago: int) -> Any:
        at = (datetime.now(UTC) - timedelta(seconds=seconds_ago)).isoformat()
        by_hand = {"reason": "a test says so", "requested_by": "alice", "requested_at": at}
        return served.ask(
            "POST", "/api/v1/manual/orders", json={**RESTING, "qty": qty, **by_hand}, headers=key
        )

    first, again, other = asked(1, 0), asked(1, 120), asked(2, 240)
    assert [answer.status_code for answer in (first, again, other)] == [200, 200, 409]
    assert first.json()["client_order_id"] == again.json()["client_order_id"]


@covers("BI:B-51")
@pytest.mark.parametrize("spelt", [str.upper, lambda name: f"{{{name}}}", lambda name: name.replace("-", "")])
def test_a_name_is_only_its_own_spelling(served: Served, spelt: Any) -> None:
    name = spelt(good_order(served, client_order_id=f"{uuid4()}a")["client_order_id"])
    assert served.ask("GET", f"/api/v1/orders/{name}").status_code == 404
    assert served.ask("POST", f"/api/v1/orders/{name}/cancel").status_code == 404
    if "{" in name:
        body = {**RESTING, "client_order_id": name}
        assert served.ask("POST", "/api/v1/orders", json=body).status_code == 422


@covers("BI:B-52")
def test_a_cancel_is_recorded_once_and_not_for_strangers(served: Served) -> None:
    path = f"/api/v1/orders/{good_order(served)['client_order_id']}/cancel"
    head = served.head()
    stranger = served.bearer_of("operator", sub="mallory", strategies=("beta",))
    assert served.ask("POST", path, headers=stranger).status_code == 404
    assert [served.ask("POST", path).status_code for _ in range(3)] == [200, 200, 200]
    asked = [topic for topic in served.recorded_after(head) if "cancel_requested" in topic]
    assert len(asked) == 1


@covers("BI:B-53", "FC:C-08", "FC:C-10")
@pytest.mark.parametrize(
    ("method", "tail", "status"),
    [("PATCH", "", 405), ("PUT", "", 405), ("POST", "/replace", 404), ("PATCH", "/replace", 404)],
)
def test_an_order_cannot_be_replaced(served: Served, method: str, tail: str, status: int) -> None:
    order = good_order(served)
    answer = served.ask(method, f"/api/v1/orders/{order['client_order_id']}{tail}", json={"qty": 5})
    assert answer.status_code == status


@covers("BI:B-56")
def test_a_switch_is_turned_once_each_way(served: Served) -> None:
    engage, disengage = "/api/v1/kill-switch/engage", "/api/v1/kill-switch/disengage"
    scope = {**WHO, "scope": "symbol", "target": "IBM"}
    assert served.ask("POST", disengage, json=scope).json()["code"] == "kill_switch_not_engaged"
    assert served.ask("POST", engage, json={**scope, "reason": "odd"}).status_code == 200
    again = served.ask("POST", engage, json={**scope, "reason": "odd"})
    assert (again.status_code, again.json()["code"]) == (400, "kill_switch_already_engaged")
    assert served.ask("POST", disengage, json=scope).status_code == 200


@covers("BI:B-16", "BI:B-18", "BI:B-19", "BI:B-22", "BI:B-23", "SEC:S-62")
@pytest.mark.parametrize(
    "text",
    [
        "{{7*7}} ${jndi:ldap://x/a} %(name)s {0.__class__}",
        "'; drop table ledger.events; -- $(reboot) `id` *)(uid=*",
        "cafe\u0301 is not café; \u202eright to left; a\u200djoiner; 🚀",
    ],
)
def test_free_text_is_shown_as_it_was_sent_and_logged_in_one_line(served: Served, text: str) -> None:
    scope = {**WHO, "scope": "symbol", "target": "IBM"}
    answer = served.ask("POST", "/api/v1/kill-switch/engage", json={**scope, "reason": text})
    served.ask("POST", "/api/v1/kill-switch/disengage", json=scope)
    assert answer.json()["engagement_reason"] == text
    events = served.ask("GET", "/api/v1/events?stream=kill-switch-symbol:IBM&limit=1000").json()["events"]
    assert text in [event["data"].get("reason") for event in events]


@covers("BI:B-12")
def test_numbers_are_exact_or_refused(served: Served) -> None:
    """A limit of many digits comes back as it went in."""
    limits = '{"symbol_overrides": {"IBM": {"max_notional": 12345678901234567890.123456789}}}'
    answer = served.ask("PUT", "/api/v1/fat-finger/thresholds", content=limits, headers=JSON)
    shown = answer.json()["symbol_overrides"]["IBM"]["max_notional"]
    assert shown == "12345678901234567890.123456789"


@covers("BI:B-55")
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("as_of=2999-01-01T00:00:00Z", 422),
        ("as_of=2026-11-20T15:00:00", 422),
        ("as_of=2020-01-01T00:00:00Z", 200),
        ("as_of=0", 200),
        ("min_position=1000000000", 422),
        ("min_position=0", 422),
    ],
)
def test_a_point_of_the_log_that_cannot_be_is_422(served: Served, query: str, status: int) -> None:
    answer = served.ask("GET", f"/api/v1/positions?{query}")
    assert answer.status_code == status
    if status == 200:
        assert answer.json()["positions"] == []


@covers("BI:B-55")
def test_an_order_is_not_there_before_it_was(served: Served) -> None:
    name = good_order(served)["client_order_id"]
    assert served.ask("GET", f"/api/v1/orders/{name}?as_of=0").status_code == 404
