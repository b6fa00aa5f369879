"""Orders for the opening and for the close."""

from __future__ import annotations

from typing import Any

import pytest
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, OrderStatus, TimeInForce
from alpaca.trading.requests import LimitOrderRequest, MarketOrderRequest

from tests.kit.exchange import Exchange
from tests.paper.tickets import refusal

FRIDAY, MONDAY = "2026-11-20", "2026-11-23"


@pytest.fixture(autouse=True)
def new_york_hours(exchange: Exchange) -> None:
    exchange.ctl("PUT", "config", {"session": "regular"})


def at(exchange: Exchange, time: str, day: str = FRIDAY) -> None:
    exchange.ctl("POST", "clock", {"mode": "manual", "now": f"{day}T{time}:00-05:00"})


def advance(exchange: Exchange, time: str, day: str = FRIDAY) -> None:
    exchange.ctl("POST", "clock/advance", {"to": f"{day}T{time}:00-05:00"})


def order(kind: str, limit: float | None = None, **changes: Any) -> MarketOrderRequest | LimitOrderRequest:
    fields = {"symbol": "AAPL", "qty": 100, "side": OrderSide.BUY, "time_in_force": TimeInForce(kind)}
    if limit is None:
        return MarketOrderRequest(**fields, **changes)
    return LimitOrderRequest(**fields, limit_price=limit, **changes)


def outcome(client: TradingClient, order_id: Any) -> tuple[object, ...]:
    now = client.get_order_by_id(order_id)
    return now.status.value, now.filled_qty, now.filled_avg_price


def test_orders_for_the_opening_trade_once_at_the_first_print(
    exchange: Exchange, typed: TradingClient
) -> None:
    at(exchange, "09:00")
    exchange.price("AAPL", "9.90", "9.95")
    market, limit, shy = (typed.submit_order(order("opg", price)).id for price in (None, 10, 9.99))
    assert outcome(typed, market)[0] == "accepted"
    advance(exchange, "09:30")
    assert outcome(typed, market) == ("new", "0", None)
    exchange.price("AAPL", "9.98", "10.02", last="10")
    assert outcome(typed, market) == ("filled", "100", "10")
    assert outcome(typed, limit) == ("filled", "100", "10")
    assert outcome(typed, shy) == ("canceled", "0", None)


def test_orders_for_the_close_trade_once_at_the_last_print(exchange: Exchange, typed: TradingClient) -> None:
    at(exchange, "15:00")
    market, limit, shy = (typed.submit_order(order("cls", price)).id for price in (None, 10, 9.99))
    exchange.price("AAPL", "9.50", "9.52")
    assert outcome(typed, limit) == ("new", "0", None)
    exchange.price("AAPL", "9.98", "10.02", last="10")
    advance(exchange, "16:00")
    assert outcome(typed, market) == ("filled", "100", "10")
    assert outcome(typed, limit) == ("filled", "100", "10")
    assert outcome(typed, shy) == ("canceled", "0", None)


def test_an_auction_gives_no_more_than_the_other_side_shows(exchange: Exchange, typed: TradingClient) -> None:
    at(exchange, "15:00")
    first, second = (typed.submit_order(order("cls")).id for _ in range(2))
    exchange.price("AAPL", "9.98", "10.02", last="10", ask_size="130")
    advance(exchange, "16:00")
    assert outcome(typed, first) == ("filled", "100", "10")
    assert outcome(typed, second) == ("canceled", "30", "10")


def test_orders_for_the_close_that_come_in_the_evening_wait_for_the_next_day(
    exchange: Exchange, typed: TradingClient
) -> None:
    at(exchange, "19:00")
    placed = typed.submit_order(order("cls"))
    assert placed.status is OrderStatus.ACCEPTED
    advance(exchange, "09:30", MONDAY)
    exchange.price("AAPL", "9.98", "10.02", last="10")
    assert outcome(typed, placed.id)[0] == "new"
    advance(exchange, "16:00", MONDAY)
    assert outcome(typed, placed.id) == ("filled", "100", "10")


def test_without_a_print_an_order_for_the_opening_ends_with_the_day(
    exchange: Exchange, typed: TradingClient
) -> None:
    at(exchange, "09:00")
    placed = typed.submit_order(order("opg"))
    advance(exchange, "16:00")
    assert outcome(typed, placed.id) == ("canceled", "0", None)


@pytest.mark.parametrize(
    ("kind", "day", "time", "taken"),
    [
        ("opg", FRIDAY, "09:27", True),
        ("opg", FRIDAY, "09:28", False),
        ("opg", FRIDAY, "18:59", False),
        ("opg", FRIDAY, "19:00", True),
        ("cls", FRIDAY, "09:28", True),
        ("cls", FRIDAY, "15:49", True),
        ("cls", FRIDAY, "15:50", False),
        ("cls", FRIDAY, "19:00", True),
        ("cls", "2026-11-27", "12:50", False),
        ("opg", "2026-11-26", "12:00", True),
    ],
)
def test_shortly_before_an_auction_and_until_the_evening_none_are_taken(
    exchange: Exchange, client: TradingClient, kind: str, day: str, time: str, taken: bool
) -> None:
    at(exchange, time, day)
    exchange.price("AAPL", "9.98", "10.02")
    body = order(kind).to_request_fields()
    if taken:
        assert client.post("/orders", body)["time_in_force"] == kind
    else:
        expected = (422, 42210000, f"{kind} orders are not accepted at this time")
        assert refusal(client, limit_price=None, **body) == expected


@pytest.mark.parametrize("kind", ["opg", "cls"])
def test_an_auction_takes_market_and_limit_orders_only(client: TradingClient, kind: str) -> None:
    expected = (422, 42210000, "stop orders must be DAY or GTC orders")
    assert refusal(client, type="stop", limit_price=None, stop_price="9", time_in_force=kind) == expected


def test_an_order_for_the_opening_survives_a_restart_in_the_night(own_exchange: Exchange) -> None:
    typed = TradingClient(own_exchange.key, own_exchange.secret, url_override=own_exchange.url)
    own_exchange.ctl("PUT", "config", {"session": "regular"})
    at(own_exchange, "20:00")
    placed = typed.submit_order(order("opg"))
    own_exchange.kill()
    own_exchange.restart()
    advance(own_exchange, "09:30", MONDAY)
    own_exchange.kill()
    own_exchange.restart()
    own_exchange.price("AAPL", "9.98", "10.02", last="10")
    assert outcome(typed, placed.id) == ("filled", "100", "10")


def test_the_alpaca_profile_has_no_auctions_but_its_quote(exchange: Exchange, typed: TradingClient) -> None:
    exchange.ctl("PUT", "config", {"profile": "alpaca"})
    at(exchange, "15:00")
    placed = typed.submit_order(order("cls"))
    exchange.price("AAPL", "9.98", "10.02", last="10", ask_size="1")
    advance(exchange, "16:00")
    assert outcome(typed, placed.id) == ("filled", "100", "10.02")
