"""Stops that follow the market."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, OrderStatus, OrderType, TimeInForce
from alpaca.trading.requests import ReplaceOrderRequest, TrailingStopOrderRequest

from gateway.paper.orders import stop_behind
from tests.kit.exchange import Exchange
from tests.paper.tickets import refusal, submit


@pytest.fixture
def holder(exchange: Exchange, typed: TradingClient) -> TradingClient:
    """Holds ten shares that stand at 100."""
    exchange.ctl("POST", "account", {"positions": {"AAPL": {"qty": "10", "price": "90"}}})
    exchange.price("AAPL", "99.99", "100.01")
    return typed


def trailing(**changes: Any) -> TrailingStopOrderRequest:
    fields = {
        "symbol": "AAPL",
        "qty": 10,
        "side": OrderSide.SELL,
        "time_in_force": TimeInForce.GTC,
        **changes,
    }
    return TrailingStopOrderRequest(**fields)


def test_it_follows_the_best_price_and_sells_when_the_market_turns(
    exchange: Exchange, holder: TradingClient
) -> None:
    order = holder.submit_order(trailing(trail_price=2))
    assert (order.type, order.trail_price) == (OrderType.TRAILING_STOP, "2")

    def state() -> tuple[object, ...]:
        now = holder.get_order_by_id(order.id)
        return now.hwm, now.stop_price, now.filled_avg_price

    assert state() == ("100", "98", None)
    exchange.price("AAPL", "104.99", "105.01")
    assert state() == ("105", "103", None)
    exchange.price("AAPL", "103.49", "103.51")
    assert state() == ("105", "103", None)
    exchange.price("AAPL", "102.80", "102.90")
    assert state() == ("105", "103", "102.8")


def test_a_percentage_keeps_its_distance_in_proportion(exchange: Exchange, holder: TradingClient) -> None:
    order = holder.submit_order(trailing(trail_percent=1.5))
    assert holder.get_order_by_id(order.id).stop_price == "98.5"
    exchange.price("AAPL", "110.99", "111.01")
    after = holder.get_order_by_id(order.id)
    assert (after.trail_percent, after.hwm, after.stop_price) == ("1.5", "111", "109.34")


def test_a_buy_follows_the_market_down_and_reaches_no_further_than_its_collar(
    exchange: Exchange, typed: TradingClient
) -> None:
    exchange.price("AAPL", "99.99", "100.01")
    order = typed.submit_order(trailing(side=OrderSide.BUY, trail_price=2))
    exchange.price("AAPL", "94.99", "95.01")
    assert typed.get_order_by_id(order.id).stop_price == "97"
    exchange.price("AAPL", "97", "99.43", last="97")
    assert typed.get_order_by_id(order.id).status is OrderStatus.NEW
    exchange.price("AAPL", "97", "99.42")
    assert typed.get_order_by_id(order.id).filled_avg_price == "99.42"


def test_without_a_price_it_starts_at_the_first_print(exchange: Exchange, typed: TradingClient) -> None:
    order = typed.submit_order(trailing(side=OrderSide.BUY, trail_price=2))
    assert typed.get_order_by_id(order.id).hwm is None
    exchange.price("AAPL", "49.99", "50.01")
    assert typed.get_order_by_id(order.id).stop_price == "52"


def test_a_print_outside_the_quote_moves_no_stop(exchange: Exchange, holder: TradingClient) -> None:
    order = holder.submit_order(trailing(trail_price=2))
    for price in ("97", "103"):
        exchange.ctl("POST", "trade", {"symbol": "AAPL", "price": price, "size": "1"})
    after = holder.get_order_by_id(order.id)
    assert (after.status, after.hwm) == (OrderStatus.NEW, "100")


def test_a_shorter_trail_keeps_the_best_price_seen(exchange: Exchange, holder: TradingClient) -> None:
    order = holder.submit_order(trailing(trail_price=5))
    exchange.price("AAPL", "104.99", "105.01")
    exchange.price("AAPL", "102.99", "103.01")
    new = holder.replace_order_by_id(order.id, ReplaceOrderRequest(trail=3))
    after = holder.get_order_by_id(new.id)
    assert (after.trail_price, after.hwm, after.stop_price) == ("3", "105", "102")


def test_it_trails_on_after_a_restart(own_exchange: Exchange) -> None:
    client = TradingClient(own_exchange.key, own_exchange.secret, url_override=own_exchange.url)
    own_exchange.ctl("POST", "account", {"positions": {"AAPL": {"qty": "10", "price": "90"}}})
    own_exchange.price("AAPL", "99.99", "100.01")
    order = client.submit_order(trailing(trail_price=2))
    own_exchange.price("AAPL", "104.99", "105.01")
    own_exchange.kill()
    own_exchange.restart()
    after = client.get_order_by_id(order.id)
    assert (after.hwm, after.stop_price) == ("105", "103")
    own_exchange.price("AAPL", "102.80", "102.90")
    assert client.get_order_by_id(order.id).filled_avg_price == "102.8"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (422, 40010001, "trailing_stop orders require either trail_price or trail_percent")),
        (
            {"trail_price": "1", "trail_percent": "1"},
            (422, 40010001, "trailing_stop orders require either trail_price or trail_percent"),
        ),
        ({"trail_price": "0"}, (422, 40010001, "trail_price must be > 0")),
        (
            {"trail_price": "1", "stop_price": "9"},
            (422, 40010001, "trailing_stop orders must not have a stop price"),
        ),
        (
            {"trail_price": "1", "time_in_force": "ioc"},
            (422, 42210000, "trailing_stop orders must be DAY or GTC orders"),
        ),
        (
            {"trail_price": "1", "order_class": "oto", "stop_loss": {"stop_price": "9"}},
            (422, 40010001, "oto orders must be market or limit orders"),
        ),
    ],
)
def test_terms_a_trailing_stop_cannot_have(
    client: TradingClient, changes: dict[str, object], expected: tuple[int, int, str]
) -> None:
    assert refusal(client, type="trailing_stop", limit_price=None, **changes) == expected


def test_it_may_stand_against_an_order_of_ones_own(exchange: Exchange, client: TradingClient) -> None:
    exchange.ctl("POST", "account", {"positions": {"AAPL": {"qty": "10", "price": "9"}}})
    exchange.price("AAPL", "9.99", "10.01")
    submit(client, qty="1", limit_price="9")
    trail = {"type": "trailing_stop", "limit_price": None, "trail_price": "1", "side": "sell", "qty": "10"}
    assert submit(client, **trail)["status"] == "pending_new"


@pytest.mark.parametrize(
    ("best", "distance", "percent", "sell", "buy"),
    [
        ("100", "2", None, "98", "102"),
        ("100.33", None, "1", "99.33", "101.33"),
        ("0.5", None, "1", "0.495", "0.505"),
        ("1", "2", None, "0.01", "3"),
    ],
)
def test_the_stop_stands_on_a_price_that_can_be_quoted(
    best: str, distance: str | None, percent: str | None, sell: str, buy: str
) -> None:
    terms = [Decimal(text) if text else None for text in (distance, percent)]
    assert stop_behind("sell", Decimal(best), *terms) == Decimal(sell)
    assert stop_behind("buy", Decimal(best), *terms) == Decimal(buy)
