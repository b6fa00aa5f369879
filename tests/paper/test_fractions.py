"""Parts of shares and sums of money."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, OrderStatus, TimeInForce
from alpaca.trading.requests import ClosePositionRequest, LimitOrderRequest, MarketOrderRequest

from tests.kit.exchange import Exchange
from tests.paper.listener import Listener
from tests.paper.tickets import refusal, submit


def market(**changes: Any) -> MarketOrderRequest:
    fields = {"symbol": "AAPL", "side": OrderSide.BUY, "time_in_force": TimeInForce.DAY, **changes}
    return MarketOrderRequest(**fields)


def test_part_of_a_share_is_bought_and_sold_again(exchange: Exchange, typed: TradingClient) -> None:
    exchange.price("AAPL", "99.99", "100.01")
    typed.submit_order(market(qty=0.123456789))
    position = typed.get_open_position("AAPL")
    assert (position.qty, position.avg_entry_price) == ("0.123456789", "100.01")
    order = typed.close_position("AAPL", ClosePositionRequest(percentage="33.3333333"))
    assert (order.side, order.qty) == (OrderSide.SELL, "0.041152262")
    assert typed.get_open_position("AAPL").qty == "0.082304527"
    typed.close_position("AAPL")
    assert typed.get_all_positions() == []


def test_a_sum_of_money_buys_what_it_can_at_the_price_it_meets(
    exchange: Exchange, typed: TradingClient, listener: Listener
) -> None:
    exchange.price("AAPL", "9.98", "7")
    order = typed.submit_order(market(notional=100))
    assert (order.qty, order.notional, order.filled_qty) == (None, "100", "0")
    after = typed.get_order_by_id(order.id)
    assert (after.status, after.qty, after.notional) == (OrderStatus.FILLED, None, "100")
    assert (after.filled_qty, after.filled_avg_price) == ("14.285714285", "7")
    assert listener.events(2) == ["new", "fill"]
    assert Decimal(typed.get_account().cash) == 100_000 - Decimal("14.285714285") * 7


def test_a_sum_of_money_meets_several_prices_and_ends_when_it_is_spent(
    exchange: Exchange, typed: TradingClient
) -> None:
    exchange.price("AAPL", "9.90", "10", ask_size="4")
    asked = LimitOrderRequest(
        symbol="AAPL", notional=100, limit_price=10, side=OrderSide.BUY, time_in_force=TimeInForce.DAY
    )
    order = typed.submit_order(asked)
    partly = typed.get_order_by_id(order.id)
    assert (partly.status, partly.filled_qty) == (OrderStatus.PARTIALLY_FILLED, "4")
    assert typed.get_account().buying_power == "199900"
    exchange.ctl("POST", "trade", {"symbol": "AAPL", "price": "9.99", "size": "2"})
    exchange.price("AAPL", "7.90", "8", ask_size="100")
    done = typed.get_order_by_id(order.id)
    assert (done.status, done.filled_qty) == (OrderStatus.FILLED, "10")


def test_a_sum_of_money_is_sold_out_of_a_position(exchange: Exchange, typed: TradingClient) -> None:
    exchange.price("AAPL", "10", "10.02")
    exchange.ctl("POST", "account", {"positions": {"AAPL": {"qty": "10", "price": "9"}}})
    typed.submit_order(market(notional=25.5, side=OrderSide.SELL))
    assert typed.get_open_position("AAPL").qty == "7.45"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"notional": "50"}, (422, 40010001, "only one of qty or notional is accepted")),
        (
            {"qty": None, "notional": "0.99"},
            (403, 40310000, "cost basis must be >= minimal amount of order 1"),
        ),
        (
            {"qty": None, "notional": "10.001"},
            (422, 42210000, "notional value must be limited to 2 decimal places"),
        ),
        ({"qty": "0.1234567891"}, (422, 40010001, "invalid qty")),
        ({"qty": "1.5", "time_in_force": "gtc"}, (422, 42210000, "fractional orders must be DAY orders")),
        (
            {"qty": None, "notional": "50", "time_in_force": "ioc"},
            (422, 42210000, "fractional orders must be DAY orders"),
        ),
        (
            {"qty": "1.5", "type": "trailing_stop", "limit_price": None, "trail_price": "1"},
            (422, 42210000, "fractional orders must be market, limit, stop or stop_limit orders"),
        ),
        (
            {
                "qty": "1.5",
                "order_class": "bracket",
                "take_profit": {"limit_price": "11"},
                "stop_loss": {"stop_price": "9"},
            },
            (422, 42210000, "fractional orders must be simple orders"),
        ),
        (
            {"qty": "1.5", "side": "sell"},
            (422, 42210000, "fractional orders are not allowed to short"),
        ),
    ],
)
def test_what_parts_of_shares_cannot_do(
    client: TradingClient, changes: dict[str, object], expected: tuple[int, int, str]
) -> None:
    assert refusal(client, **changes) == expected


def test_a_market_order_for_money_needs_a_price(client: TradingClient) -> None:
    fields = {"qty": None, "notional": "50", "type": "market", "limit_price": None}
    assert refusal(client, **fields) == (422, 42210000, 'no price is known for "AAPL"')


def test_an_asset_or_an_account_may_trade_whole_shares_only(
    exchange: Exchange, client: TradingClient
) -> None:
    expected = (403, 40310000, 'asset "AAPL" is not fractionable')
    exchange.ctl("PUT", "assets/AAPL", {"fractionable": False})
    assert refusal(client, qty="1.5") == expected
    assert client.get_asset("AAPL")["fractionable"] is False
    assert submit(client, qty="1.5", symbol="IBM")["qty"] == "1.5"
    client.patch("/account/configurations", {"fractional_trading": False, "no_shorting": None})
    assert refusal(client, qty="1.5", symbol="MSFT")[2] == 'asset "MSFT" is not fractionable'


def test_a_notional_order_survives_a_restart_half_spent(own_exchange: Exchange) -> None:
    client = TradingClient(
        own_exchange.key, own_exchange.secret, url_override=own_exchange.url, raw_data=True
    )
    own_exchange.price("AAPL", "9.90", "10", ask_size="4")
    order = submit(client, qty=None, notional="100")
    own_exchange.kill()
    own_exchange.restart()
    own_exchange.price("AAPL", "9.90", "10")
    after = client.get_order_by_id(order["id"])
    assert (after["status"], after["filled_qty"]) == ("filled", "10")
