"""Trade updates as server-sent events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from alpaca.trading.client import TradingClient

from tests.kit.exchange import Exchange
from tests.paper.listener import Listener, server_sent
from tests.paper.tickets import submit


def told(lines: Iterator[str], count: int) -> list[Any]:
    return [json.loads(next(lines).removeprefix("data: ")) for _ in range(count)]


def test_events_are_those_of_the_web_socket(
    exchange: Exchange, client: TradingClient, listener: Listener
) -> None:
    with server_sent(exchange) as lines:
        client.cancel_order_by_id(submit(client)["id"])
        assert told(lines, 3) == listener.next(3)


def test_the_past_comes_first_when_it_is_asked_for(exchange: Exchange, client: TradingClient) -> None:
    submit(client)
    with server_sent(exchange, since="2020-01-01") as lines:
        (first,) = told(lines, 1)
        second = submit(client)
        assert told(lines, 1)[0]["order"]["id"] == second["id"]
    with server_sent(exchange, since_id=first["event_id"]) as lines:
        assert told(lines, 1)[0]["order"]["id"] == second["id"]


def test_a_piece_of_the_past_ends(exchange: Exchange, client: TradingClient) -> None:
    for _ in range(2):
        submit(client)
    first, second = (event["data"] for event in exchange.ctl("GET", "events"))
    for bounds in (
        {"since": first["at"], "until": first["at"]},
        {"since_id": "0", "until_id": first["event_id"]},
    ):
        with server_sent(exchange, **bounds) as lines:
            assert [json.loads(line.removeprefix("data: ")) for line in lines] == [first]
    with server_sent(exchange, since="2020-01-01", until="2100-01-01") as lines:
        assert told(lines, 2) == [first, second]
        assert list(lines) == []


@pytest.mark.parametrize("query", ["until=2026-11-20", "since=2026-11-20&since_id=01", "since=yesterday"])
def test_bounds_that_do_not_fit_are_refused(exchange: Exchange, query: str) -> None:
    url = f"{exchange.url}/v2/events/trades?{query}"
    assert requests.get(url, headers=exchange.headers, timeout=3).status_code == 422


def test_a_stranger_hears_nothing(exchange: Exchange) -> None:
    assert requests.get(f"{exchange.url}/v2/events/trades", timeout=3).status_code == 401


def test_a_dropped_connection_ends_the_events(exchange: Exchange) -> None:
    with server_sent(exchange) as lines:
        exchange.ctl("POST", "connections/all/drop", {"code": 1000})
        assert list(lines) == []
    assert exchange.ctl("GET", "connections") == []
