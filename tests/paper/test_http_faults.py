"""What can go wrong between a client and its answer."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient

from tests.kit.exchange import Exchange
from tests.paper.tickets import submit, ticket

POSTS = {"method": "POST", "path": "/v2/orders"}


def orders(exchange: Exchange) -> list[Any]:
    return list(exchange.truth()["orders"])


def post(exchange: Exchange, timeout: float = 3, **changes: object) -> requests.Response:
    url = f"{exchange.url}/v2/orders"
    return requests.post(
        url, json=ticket(**changes), headers=exchange.headers, timeout=timeout, allow_redirects=False
    )


def test_a_status_fault_answers_without_the_handler(exchange: Exchange) -> None:
    exchange.arm("http.status", match=POSTS, status=502, body="<html>bad</html>", content_type="text/html")
    response = post(exchange)
    assert (response.status_code, response.text) == (502, "<html>bad</html>")
    assert response.headers["content-type"] == "text/html"
    assert orders(exchange) == []
    assert post(exchange).status_code == 200


def test_a_status_after_fault_hides_an_accepted_order(exchange: Exchange) -> None:
    exchange.arm("http.status_after", match=POSTS, status=504)
    response = post(exchange, client_order_id="hidden")
    assert (response.status_code, response.text) == (504, "")
    assert [o["client_order_id"] for o in orders(exchange)] == ["hidden"]


def test_a_body_fault_replaces_what_the_handler_said(exchange: Exchange) -> None:
    for body, text in (("<html>", "<html>"), ([], "[]"), (None, ""), ({"id": "other"}, '{"id":"other"}')):
        exchange.arm("http.body", body=body)
        response = post(exchange)
        assert (response.status_code, response.text) == (200, text)
    assert len(orders(exchange)) == 4


def test_a_redirect_comes_after_the_handler_ran(exchange: Exchange) -> None:
    exchange.arm("http.redirect", status=307, location="/elsewhere")
    response = post(exchange)
    assert (response.status_code, response.headers["location"]) == (307, "/elsewhere")
    assert len(orders(exchange)) == 1


def test_a_request_that_hangs_before_its_handler_is_handled_although_the_client_has_left(
    exchange: Exchange,
) -> None:
    exchange.arm("http.hang", match=POSTS, phase="before", seconds=0.6)
    with pytest.raises(requests.ReadTimeout):
        post(exchange, timeout=0.1)
    assert orders(exchange) == []
    exchange.ctl("POST", "quiesce", {"timeout_s": 3})
    assert len(orders(exchange)) == 1


def test_a_request_that_hangs_into_another_world_is_lost(exchange: Exchange) -> None:
    exchange.arm("http.hang", match=POSTS, phase="before", seconds=0.5)
    with pytest.raises(requests.ReadTimeout):
        post(exchange, timeout=0.1)
    exchange.reset()
    time.sleep(0.7)
    assert orders(exchange) == []


def test_a_request_that_hangs_after_its_handler_is_accepted_at_once_and_answered_late(
    exchange: Exchange,
) -> None:
    exchange.arm("http.hang", match=POSTS, phase="after", seconds=0.6)
    with pytest.raises(requests.ReadTimeout):
        post(exchange, timeout=0.1)
    assert len(orders(exchange)) == 1


@pytest.mark.parametrize(("phase", "accepted"), [("before", 0), ("after", 1)])
@pytest.mark.parametrize("name", ["http.reset", "http.close"])
def test_a_cut_connection_gives_no_answer(exchange: Exchange, name: str, phase: str, accepted: int) -> None:
    exchange.arm(name, match=POSTS, phase=phase)
    with pytest.raises(requests.ConnectionError) as caught:
        post(exchange)
    cause = "Connection reset by peer" if name == "http.reset" else "Remote end closed connection"
    assert cause in str(caught.value)
    assert len(orders(exchange)) == accepted


@pytest.mark.parametrize("name", ["http.reset", "http.close"])
def test_a_connection_can_be_cut_in_the_middle_of_the_body(exchange: Exchange, name: str) -> None:
    exchange.arm(name, match=POSTS, phase="mid_body")
    with pytest.raises(requests.RequestException):
        post(exchange)
    assert len(orders(exchange)) == 1


def test_a_dripping_body_outlasts_a_timeout_per_read(exchange: Exchange) -> None:
    exchange.arm("http.drip", match=POSTS, bytes=200, every_s=0.1)
    began = time.monotonic()
    assert post(exchange, timeout=0.5).json()["status"] == "pending_new"
    assert time.monotonic() - began > 0.4


def test_latency_delays_the_request_and_the_answer(exchange: Exchange) -> None:
    exchange.arm("http.latency", match=POSTS, ms=100)
    began = time.monotonic()
    assert post(exchange).status_code == 200
    assert time.monotonic() - began >= 0.2


def test_a_rate_limit_is_a_bucket_with_the_headers_asked_for(exchange: Exchange) -> None:
    limit = exchange.arm("http.rate_limit", match=POSTS, limit=2, headers="alpaca")
    answers = [post(exchange) for _ in range(3)]
    assert [a.status_code for a in answers] == [200, 200, 429]
    assert answers[2].json() == {"code": 42910000, "message": "too many requests"}
    assert answers[2].headers["x-ratelimit-remaining"] == "0"
    assert len(orders(exchange)) == 2
    exchange.ctl("DELETE", f"faults/{limit}")
    assert post(exchange).status_code == 200


def test_a_rate_limit_starts_again_in_the_next_window(exchange: Exchange) -> None:
    exchange.arm("http.rate_limit", limit=1, window_s=0.6, headers="retry_after", body="<html>")
    assert post(exchange).status_code == 200
    refused = post(exchange)
    assert (refused.status_code, refused.text, refused.headers["retry-after"]) == (429, "<html>", "1")
    time.sleep(0.65)
    assert post(exchange).status_code == 200


def test_refused_keys_stay_refused_until_disarmed(exchange: Exchange, client: TradingClient) -> None:
    fault = exchange.arm("http.auth", status=403, body="forbidden.", content_type="text/plain")
    for _ in range(2):
        with pytest.raises(APIError) as caught:
            client.get_account()
        assert (caught.value.status_code, str(caught.value)) == (403, "forbidden.")
    exchange.ctl("DELETE", f"faults/{fault}")
    assert client.get_account()["status"] == "ACTIVE"


def test_a_fault_strikes_only_what_it_matches_after_and_as_often_as_asked(exchange: Exchange) -> None:
    exchange.arm("http.status", match={"cid": "bad-*"}, after=1, times=2, status=500)
    seen = [
        post(exchange, client_order_id=cid).status_code
        for cid in ("good", "bad-1", "bad-2", "bad-3", "bad-4")
    ]
    assert seen == [200, 200, 500, 500, 200]
    (fault,) = exchange.ctl("GET", "faults")["armed"]
    assert (fault["seen"], fault["hits"]) == (3, 2)


def test_an_unknown_fault_or_parameter_is_refused(exchange: Exchange) -> None:
    for fault in ({"name": "http.magic"}, {"name": "ws.malformed", "params": {"kind": "odd"}}):
        with pytest.raises(AssertionError, match="422"):
            exchange.ctl("POST", "faults", fault)


def test_every_exchange_is_recorded_with_what_became_of_it(exchange: Exchange, client: TradingClient) -> None:
    submit(client, client_order_id="one")
    exchange.arm("http.status", match=POSTS, status=500)
    post(exchange)
    exchange.arm("http.reset", match=POSTS, phase="after")
    with pytest.raises(requests.ConnectionError):
        post(exchange)
    records = exchange.ctl("GET", "requests")
    assert [(r["method"], r["handled"], r["status"]) for r in records] == [
        ("POST", True, 200),
        ("POST", False, 500),
        ("POST", True, 0),
    ]
    assert '"one"' in records[0]["body"]
    assert exchange.secret not in str(records)
    assert exchange.ctl("GET", f"requests?after={records[1]['number']}") == records[2:]


def test_alpacas_client_posts_again_on_a_504_unless_its_retries_are_off(exchange: Exchange) -> None:
    client = TradingClient(exchange.key, exchange.secret, url_override=exchange.url, raw_data=True)
    client._retry_wait = 0
    exchange.arm("http.status_after", match=POSTS, status=504)
    with pytest.raises(APIError, match="client_order_id must be unique"):
        submit(client, client_order_id="twice")
    assert len(exchange.ctl("GET", "requests")) == 2
