"""Hours before the opening and after the close, half days and holidays."""

from __future__ import annotations

from typing import Any

import pytest
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, OrderStatus, TimeInForce
from alpaca.trading.requests import GetCalendarRequest, LimitOrderRequest

from tests.kit.exchange import Exchange
from tests.paper.tickets import submit

FRIDAY = "2026-11-20"


@pytest.fixture(autouse=True)
def new_york_hours(exchange: Exchange) -> None:
    exchange.ctl("PUT", "config", {"session": "regular"})


def at(exchange: Exchange, time: str, day: str = FRIDAY) -> None:
    exchange.ctl("POST", "clock", {"mode": "manual", "now": f"{day}T{time}:00-05:00"})


def advance(exchange: Exchange, time: str, day: str = FRIDAY) -> None:
    exchange.ctl("POST", "clock/advance", {"to": f"{day}T{time}:00-05:00"})


def extended(**changes: Any) -> LimitOrderRequest:
    fields = {
        "symbol": "AAPL",
        "qty": 100,
        "limit_price": 10,
        "side": OrderSide.BUY,
        "time_in_force": TimeInForce.DAY,
        "extended_hours": True,
        **changes,
    }
    return LimitOrderRequest(**fields)


@pytest.mark.parametrize("time", ["04:00", "09:29", "16:00", "19:59"])
def test_an_order_for_extended_hours_trades_around_the_regular_session(
    exchange: Exchange, typed: TradingClient, time: str
) -> None:
    at(exchange, time)
    exchange.price("AAPL", "9.98", "10")
    patient = submit_regular(exchange)
    assert not typed.get_clock().is_open
    order = typed.submit_order(extended())
    assert typed.get_order_by_id(order.id).status is OrderStatus.FILLED
    assert typed.get_order_by_id(patient).status is OrderStatus.ACCEPTED


def submit_regular(exchange: Exchange) -> str:
    """The id of an order for the regular session only."""
    client = TradingClient(exchange.key, exchange.secret, url_override=exchange.url, raw_data=True)
    return str(submit(client, symbol="AAPL")["id"])


def test_in_the_night_it_waits_for_the_early_morning(exchange: Exchange, typed: TradingClient) -> None:
    at(exchange, "20:00")
    exchange.price("AAPL", "9.98", "10")
    order = typed.submit_order(extended())
    assert order.status is OrderStatus.ACCEPTED
    advance(exchange, "03:59", "2026-11-23")
    assert typed.get_order_by_id(order.id).status is OrderStatus.ACCEPTED
    advance(exchange, "04:00", "2026-11-23")
    assert typed.get_order_by_id(order.id).status is OrderStatus.FILLED


def test_a_day_order_for_extended_hours_ends_in_the_evening(exchange: Exchange, typed: TradingClient) -> None:
    at(exchange, "12:00")
    order = typed.submit_order(extended(limit_price=9))
    assert f"{order.expires_at:%H:%M}" == "01:00"
    advance(exchange, "16:30")
    assert typed.get_order_by_id(order.id).status is OrderStatus.NEW
    exchange.price("AAPL", "8.98", "9", ask_size="40")
    assert typed.get_order_by_id(order.id).filled_qty == "40"
    advance(exchange, "20:00")
    assert typed.get_order_by_id(order.id).status is OrderStatus.EXPIRED


def test_only_orders_that_ask_for_it_trade_after_the_close(exchange: Exchange, typed: TradingClient) -> None:
    at(exchange, "15:00")
    stays = typed.submit_order(extended(extended_hours=False, time_in_force=TimeInForce.GTC))
    trades = typed.submit_order(extended(time_in_force=TimeInForce.GTC))
    advance(exchange, "16:05")
    exchange.price("AAPL", "9.90", "9.95")
    assert typed.get_order_by_id(stays.id).status is OrderStatus.NEW
    assert typed.get_order_by_id(trades.id).status is OrderStatus.FILLED
    advance(exchange, "09:30", "2026-11-23")
    exchange.price("AAPL", "9.90", "9.95")
    assert typed.get_order_by_id(stays.id).status is OrderStatus.FILLED


def test_an_order_of_another_account_that_sleeps_is_not_met_either(exchange: Exchange) -> None:
    keys = [
        {"key_id": exchange.key, "secret": exchange.secret, "account": "PA1"},
        {"key_id": "other", "secret": "other", "account": "PA2"},
    ]
    exchange.ctl("PUT", "config", {"keys": keys})
    one = TradingClient(exchange.key, exchange.secret, url_override=exchange.url, raw_data=True)
    other = TradingClient("other", "other", url_override=exchange.url, raw_data=True)
    at(exchange, "15:00")
    sleeper = submit(one, time_in_force="gtc")
    advance(exchange, "17:00")
    taker = submit(other, side="sell", extended_hours=True, limit_price="9.90")
    assert one.get_order_by_id(sleeper["id"])["status"] == "new"
    assert other.get_order_by_id(taker["id"])["status"] == "new"


def test_a_stop_is_not_reached_outside_the_regular_session(exchange: Exchange, typed: TradingClient) -> None:
    at(exchange, "15:00")
    client = TradingClient(exchange.key, exchange.secret, url_override=exchange.url, raw_data=True)
    stop = submit(client, type="stop", limit_price=None, stop_price="11", time_in_force="gtc", qty="1")
    advance(exchange, "16:05")
    exchange.price("AAPL", "10.99", "11.01")
    assert typed.get_order_by_id(stop["id"]).status is OrderStatus.NEW
    advance(exchange, "09:31", "2026-11-23")
    exchange.price("AAPL", "10.99", "11.01")
    assert typed.get_order_by_id(stop["id"]).status is OrderStatus.FILLED


def test_a_half_day_closes_early_and_a_holiday_does_not_open(
    exchange: Exchange, typed: TradingClient
) -> None:
    at(exchange, "16:01", "2026-11-25")
    clock = typed.get_clock()
    assert f"{clock.next_open:%m-%d %H:%M}" == "11-27 09:30"
    assert f"{clock.next_close:%m-%d %H:%M}" == "11-27 13:00"
    at(exchange, "12:59", "2026-11-27")
    day, evening = typed.submit_order(extended(extended_hours=False)), typed.submit_order(extended())
    advance(exchange, "13:00", "2026-11-27")
    assert not typed.get_clock().is_open
    assert typed.get_order_by_id(day.id).status is OrderStatus.EXPIRED
    advance(exchange, "16:59", "2026-11-27")
    assert typed.get_order_by_id(evening.id).status is OrderStatus.NEW
    advance(exchange, "17:00", "2026-11-27")
    assert typed.get_order_by_id(evening.id).status is OrderStatus.EXPIRED


def test_the_calendar_knows_both(exchange: Exchange, typed: TradingClient) -> None:
    days = typed.get_calendar(GetCalendarRequest(start="2026-11-25", end="2026-11-30"))
    assert [(f"{day.date:%m-%d}", f"{day.open:%H:%M}", f"{day.close:%H:%M}") for day in days] == [
        ("11-25", "09:30", "16:00"),
        ("11-27", "09:30", "13:00"),
        ("11-30", "09:30", "16:00"),
    ]
    raw = TradingClient(exchange.key, exchange.secret, url_override=exchange.url, raw_data=True)
    assert raw.get("/calendar", {"start": "2026-11-27", "end": "2026-11-27"}) == [
        {
            "date": "2026-11-27",
            "open": "09:30",
            "close": "13:00",
            "session_open": "0400",
            "session_close": "1700",
            "settlement_date": "2026-11-30",
        }
    ]
