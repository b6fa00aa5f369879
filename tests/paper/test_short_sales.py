"""What an account may borrow, and what that costs it."""

from __future__ import annotations

import pytest
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, PositionIntent, PositionSide, TimeInForce
from alpaca.trading.requests import LimitOrderRequest, MarketOrderRequest

from tests.kit.exchange import Exchange
from tests.paper.tickets import refusal, refused, submit


def sell(**changes: object) -> dict[str, object]:
    return {"side": "sell", "qty": "10", "limit_price": "11", **changes}


def test_a_sale_without_shares_opens_a_short_position(exchange: Exchange, typed: TradingClient) -> None:
    exchange.price("AAPL", "10", "10.02")
    order = typed.submit_order(
        MarketOrderRequest(symbol="AAPL", qty=100, side=OrderSide.SELL, time_in_force=TimeInForce.DAY)
    )
    assert order.position_intent is PositionIntent.SELL_TO_OPEN
    exchange.price("AAPL", "10.98", "11", last="11")
    position = typed.get_open_position("AAPL")
    assert (position.side, position.qty) == (PositionSide.SHORT, "-100")
    assert (position.market_value, position.unrealized_pl) == ("-1100", "-100")
    account = typed.get_account()
    assert (account.cash, account.short_market_value, account.equity) == ("101000", "-1100", "99900")
    typed.submit_order(
        LimitOrderRequest(
            symbol="AAPL", qty=100, limit_price=11, side=OrderSide.BUY, time_in_force=TimeInForce.DAY
        )
    )
    assert typed.get_all_positions() == []
    assert typed.get_account().cash == "99900"


def test_a_short_sale_reserves_three_percent_more_than_the_market_asks(
    exchange: Exchange, client: TradingClient
) -> None:
    exchange.price("AAPL", "9.98", "10")
    submit(client, **sell(qty="100", limit_price="10.20"))
    assert client.get_account()["buying_power"] == "198970"
    submit(client, **sell(qty="100", limit_price="10.50"))
    assert client.get_account()["buying_power"] == "197920"
    status, body = refused(lambda: submit(client, **sell(qty="100000", limit_price="10.50")))
    assert (status, body) == (
        403,
        {
            "code": 40310000,
            "message": "insufficient buying power",
            "buying_power": "197920",
            "cost_basis": "1050000",
        },
    )


@pytest.mark.parametrize("terms", [{"shortable": False}, {"easy_to_borrow": False}])
def test_what_cannot_be_borrowed_cannot_be_sold_short(
    exchange: Exchange, client: TradingClient, terms: dict[str, bool]
) -> None:
    exchange.ctl("PUT", "assets/AAPL", terms)
    assert refusal(client, **sell()) == (422, 42210000, 'asset "AAPL" cannot be sold short')
    exchange.ctl("POST", "account", {"positions": {"AAPL": {"qty": "10", "price": "9"}}})
    assert submit(client, **sell())["position_intent"] == "sell_to_close"


def test_hard_to_borrow_is_told_with_the_asset(exchange: Exchange, typed: TradingClient) -> None:
    assert typed.get_asset("AAPL").easy_to_borrow is True
    exchange.ctl("PUT", "assets/AAPL", {"easy_to_borrow": False})
    assert typed.get_asset("AAPL").easy_to_borrow is False


def test_an_account_can_forbid_itself_to_short(client: TradingClient) -> None:
    client.patch("/account/configurations", {"no_shorting": True, "suspend_trade": None})
    assert client.get("/account/configurations")["no_shorting"] is True
    assert client.get_account()["shorting_enabled"] is False
    assert refusal(client, **sell()) == (403, 40310000, "account is not allowed to short")
    client.patch("/account/configurations", {"no_shorting": False})
    assert submit(client, **sell())["side"] == "sell"


def test_one_order_never_turns_a_position_over(exchange: Exchange, client: TradingClient) -> None:
    exchange.ctl("POST", "account", {"positions": {"AAPL": {"qty": "-10", "price": "9"}}})
    status, body = refused(lambda: submit(client, qty="11"))
    assert (status, body["message"]) == (
        403,
        "insufficient qty available for order (requested: 11, available: 10)",
    )
    assert submit(client, qty="10")["position_intent"] == "buy_to_close"


def test_a_long_buy_is_not_opened_while_a_short_sale_is_open(client: TradingClient) -> None:
    submit(client, **sell())
    expected = (403, 40310000, "cannot open a long buy while a short sell order is open")
    assert refusal(client) == expected


def test_beyond_six_times_its_equity_an_account_may_only_close(
    exchange: Exchange, client: TradingClient
) -> None:
    exchange.price("AAPL", "10", "10")
    exchange.ctl(
        "POST", "account", {"cash": "-510000", "positions": {"AAPL": {"qty": "61000", "price": "10"}}}
    )
    expected = (403, 40310000, "account is restricted to liquidation only")
    assert refusal(client, symbol="IBM", qty="1") == expected
    assert submit(client, side="sell", qty="61000")["position_intent"] == "sell_to_close"


def test_what_is_not_tradable_is_refused(exchange: Exchange, client: TradingClient) -> None:
    exchange.ctl("PUT", "assets/AAPL", {"tradable": False})
    assert refusal(client) == (422, 42210000, 'asset "AAPL" is not tradable')


def test_the_terms_of_a_listing_survive_a_restart(own_exchange: Exchange) -> None:
    own_exchange.ctl("PUT", "assets/AAPL", {"shortable": False, "margin_requirement": "50"})
    own_exchange.kill()
    own_exchange.restart()
    client = TradingClient(
        own_exchange.key, own_exchange.secret, url_override=own_exchange.url, raw_data=True
    )
    asset = client.get_asset("AAPL")
    assert (asset["shortable"], asset["margin_requirement_long"]) == (False, "50")


@pytest.mark.parametrize("terms", [{"shortable": "perhaps"}, {"colour": "red"}])
def test_unknown_terms_are_refused(exchange: Exchange, terms: dict[str, str]) -> None:
    with pytest.raises(AssertionError, match="422"):
        exchange.ctl("PUT", "assets/AAPL", terms)


@pytest.mark.parametrize(("multiplier", "buying_power"), [("1", "99000"), ("2", "199000"), ("4", "398800")])
def test_buying_power_follows_the_multiplier_of_the_account(
    exchange: Exchange, client: TradingClient, multiplier: str, buying_power: str
) -> None:
    exchange.price("AAPL", "10", "10")
    submit(client, qty="100")
    client.patch("/account/configurations", {"max_margin_multiplier": multiplier})
    account = client.get_account()
    assert (account["multiplier"], account["buying_power"]) == (multiplier, buying_power)
    assert account["regt_buying_power"] == "199000"


def test_an_asset_can_ask_for_more_margin(exchange: Exchange, client: TradingClient) -> None:
    exchange.price("AAPL", "10", "10")
    submit(client, qty="100")
    assert client.get_account()["maintenance_margin"] == "300"
    exchange.ctl("PUT", "assets/AAPL", {"margin_requirement": "75"})
    assert client.get_account()["maintenance_margin"] == "750"
    assert client.get_asset("AAPL")["margin_requirement_long"] == "75"
