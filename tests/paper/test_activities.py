"""Paging through what was traded."""

from __future__ import annotations

from typing import Any

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient

from tests.kit.exchange import Exchange
from tests.paper.tickets import submit


@pytest.fixture
def fills(exchange: Exchange, client: TradingClient) -> list[Any]:
    """Five fills a second apart, the oldest first."""
    exchange.ctl("POST", "clock", {"mode": "manual", "now": "2026-11-20T15:00:00Z"})
    exchange.price("AAPL", "9.98", "10")
    for _ in range(5):
        submit(client, qty="1")
        exchange.ctl("POST", "clock/advance", {"seconds": 1})
    return list(client.get("/account/activities/FILL", {"direction": "asc"}))


def test_the_newest_comes_first_unless_asked_otherwise(fills: list[Any], client: TradingClient) -> None:
    assert len(fills) == 5
    assert client.get("/account/activities") == fills[::-1]


@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_pages_follow_each_other_without_gap_or_overlap(
    fills: list[Any], client: TradingClient, direction: str
) -> None:
    query = {"direction": direction, "page_size": "2"}
    paged: list[Any] = []
    while page := client.get("/account/activities/FILL", query):
        paged += page
        query["page_token"] = page[-1]["id"]
    assert paged == (fills if direction == "asc" else fills[::-1])


def test_after_is_exclusive_until_is_inclusive_and_an_order_can_be_asked_for(
    fills: list[Any], client: TradingClient
) -> None:
    def ids(**query: str) -> list[str]:
        return [a["id"] for a in client.get("/account/activities", {"direction": "asc", **query})]

    everything = [a["id"] for a in fills]
    times = [a["transaction_time"] for a in fills]
    assert ids(after=times[1]) == everything[2:]
    assert ids(until=times[1]) == everything[:2]
    assert ids(date="2026-11-20") == everything
    assert ids(date="2026-11-21") == []
    assert ids(order_id=fills[3]["order_id"]) == [everything[3]]


def test_other_kinds_are_empty_and_unknown_kinds_are_refused(fills: list[Any], client: TradingClient) -> None:
    assert client.get("/account/activities/FEE") == []
    assert client.get("/account/activities", {"category": "non_trade_activity"}) == []
    assert len(client.get("/account/activities", {"activity_types": "FEE,FILL"})) == 5
    for path, message in (
        ("/account/activities/GIFT", "invalid activity type: GIFT"),
        ("/account/activities?page_size=101", "invalid page_size"),
        ("/account/activities?after=soon", "invalid date"),
    ):
        with pytest.raises(APIError) as caught:
            client.get(path)
        assert (caught.value.status_code, caught.value.message) == (422, message)


def test_an_activity_carries_the_order_but_no_client_order_id(fills: list[Any]) -> None:
    assert fills[0]["order_id"]
    assert "client_order_id" not in fills[0]
    kept = {name: fills[0][name] for name in ("type", "qty", "cum_qty", "leaves_qty", "order_status", "side")}
    assert kept == {
        "type": "fill",
        "qty": "1",
        "cum_qty": "1",
        "leaves_qty": "0",
        "order_status": "filled",
        "side": "buy",
    }
