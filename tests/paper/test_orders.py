"""Orders over HTTP, by alpaca-py's own client."""

from __future__ import annotations

from decimal import Decimal

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, OrderStatus, QueryOrderStatus, TimeInForce
from alpaca.trading.requests import (
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    ReplaceOrderRequest,
)

from tests.kit.exchange import Exchange
from tests.paper.tickets import submit


def test_the_typed_client_submits_reads_lists_and_cancels(typed: TradingClient) -> None:
    asked = LimitOrderRequest(
        symbol="AAPL", qty=100, limit_price=10.5, side=OrderSide.BUY, time_in_force=TimeInForce.DAY
    )
    order = typed.submit_order(asked)
    assert order.status is OrderStatus.PENDING_NEW
    assert typed.get_order_by_id(order.id).status is OrderStatus.NEW
    assert typed.get_order_by_client_id(order.client_order_id).id == order.id
    assert [o.id for o in typed.get_orders()] == [order.id]
    typed.cancel_order_by_id(order.id)
    assert typed.get_order_by_id(order.id).status is OrderStatus.CANCELED
    assert typed.get_orders() == []
    closed = typed.get_orders(GetOrdersRequest(status=QueryOrderStatus.CLOSED))
    assert [o.status for o in closed] == [OrderStatus.CANCELED]


def test_a_market_order_takes_the_far_side_and_moves_position_and_cash(
    exchange: Exchange, typed: TradingClient
) -> None:
    exchange.price("AAPL", "99.99", "100.01")
    typed.submit_order(
        MarketOrderRequest(symbol="AAPL", qty=10, side=OrderSide.BUY, time_in_force=TimeInForce.DAY)
    )
    position = typed.get_open_position("AAPL")
    assert (position.qty, position.avg_entry_price) == ("10", "100.01")
    assert typed.get_account().cash == "98999.9"
    typed.submit_order(
        MarketOrderRequest(symbol="AAPL", qty=10, side=OrderSide.SELL, time_in_force=TimeInForce.DAY)
    )
    assert typed.get_all_positions() == []
    assert typed.get_account().cash == "99999.8"


def test_a_limit_order_larger_than_the_quote_fills_in_parts(
    exchange: Exchange, client: TradingClient
) -> None:
    exchange.price("AAPL", "9.98", "10", ask_size="40")
    order = submit(client, client_order_id="parts")
    assert (order["status"], order["filled_qty"]) == ("pending_new", "0")
    after = client.get_order_by_client_id("parts")
    assert (after["status"], after["filled_qty"], after["filled_avg_price"]) == (
        "partially_filled",
        "40",
        "10",
    )
    exchange.price("AAPL", "9.97", "9.99", ask_size="1000")
    after = client.get_order_by_client_id("parts")
    assert (after["status"], after["filled_qty"]) == ("filled", "100")


def test_a_taker_keeps_the_price_improvement_and_a_resting_order_trades_at_its_limit(
    exchange: Exchange, client: TradingClient
) -> None:
    exchange.price("AAPL", "9.40", "9.50", ask_size="60")
    submit(client)
    exchange.price("AAPL", "9.40", "9.50", ask_size="60")
    fills = client.get("/account/activities/FILL", {"direction": "asc"})
    assert [(f["qty"], f["price"]) for f in fills] == [("60", "9.5"), ("40", "10")]


def test_an_immediate_order_gives_up_its_remainder(exchange: Exchange, client: TradingClient) -> None:
    exchange.price("AAPL", "9.98", "10", ask_size="40")
    order = submit(client, time_in_force="ioc")
    after = client.get_order_by_id(order["id"])
    assert (after["status"], after["filled_qty"]) == ("canceled", "40")


@pytest.mark.parametrize(("size", "status", "filled"), [("99", "canceled", "0"), ("100", "filled", "100")])
def test_fill_or_kill_takes_all_or_nothing(
    exchange: Exchange, client: TradingClient, size: str, status: str, filled: str
) -> None:
    exchange.price("AAPL", "9.98", "10", ask_size=size)
    order = submit(client, time_in_force="fok")
    after = client.get_order_by_id(order["id"])
    assert (after["status"], after["filled_qty"]) == (status, filled)


def test_a_stop_waits_for_a_print_and_a_stop_limit_then_waits_for_its_limit(
    exchange: Exchange, client: TradingClient
) -> None:
    exchange.price("AAPL", "9.98", "10")
    stop = submit(client, type="stop", limit_price=None, stop_price="10.5", qty="10")
    capped = submit(client, type="stop_limit", limit_price="10.4", stop_price="10.5", qty="10")
    exchange.price("AAPL", "10.40", "10.49", last="10.49")
    assert client.get_order_by_id(stop["id"])["status"] == "new"
    exchange.price("AAPL", "10.48", "10.60", last="10.50")
    assert client.get_order_by_id(stop["id"])["filled_avg_price"] == "10.6"
    assert client.get_order_by_id(capped["id"])["status"] == "new"
    exchange.price("AAPL", "10.30", "10.35")
    assert client.get_order_by_id(capped["id"])["filled_avg_price"] == "10.4"


def test_an_elected_buy_stop_reaches_no_further_than_its_collar(
    exchange: Exchange, client: TradingClient
) -> None:
    stop = submit(client, type="stop", limit_price=None, stop_price="10", qty="10")
    exchange.price("AAPL", "10", "10.41", last="10")
    assert client.get_order_by_id(stop["id"])["status"] == "new"
    exchange.price("AAPL", "10.30", "10.40")
    assert client.get_order_by_id(stop["id"])["status"] == "filled"


def test_a_sell_stop_becomes_a_market_order(exchange: Exchange, client: TradingClient) -> None:
    exchange.ctl("POST", "account", {"positions": {"AAPL": {"qty": "10", "price": "9"}}})
    stop = submit(client, side="sell", type="stop", limit_price=None, stop_price="9", qty="10")
    exchange.price("AAPL", "7", "7.05")
    assert client.get_order_by_id(stop["id"])["filled_avg_price"] == "7"


def test_a_print_at_the_limit_must_first_pass_the_queue(exchange: Exchange, client: TradingClient) -> None:
    exchange.price("AAPL", "10", "10.02", bid_size="50")
    order = submit(client)
    exchange.ctl("POST", "trade", {"symbol": "AAPL", "price": "10", "size": "30"})
    assert client.get_order_by_id(order["id"])["filled_qty"] == "0"
    exchange.ctl("POST", "trade", {"symbol": "AAPL", "price": "10", "size": "30"})
    assert client.get_order_by_id(order["id"])["filled_qty"] == "10"
    exchange.ctl("POST", "trade", {"symbol": "AAPL", "price": "9.99", "size": "30"})
    assert client.get_order_by_id(order["id"])["filled_qty"] == "40"


def test_two_accounts_trade_with_each_other_at_the_price_of_the_older_order(exchange: Exchange) -> None:
    keys = [
        {"key_id": exchange.key, "secret": exchange.secret, "account": "PA1"},
        {"key_id": "other", "secret": "other", "account": "PA2"},
    ]
    exchange.ctl("PUT", "config", {"keys": keys})
    one = TradingClient(exchange.key, exchange.secret, url_override=exchange.url, raw_data=True)
    other = TradingClient("other", "other", url_override=exchange.url, raw_data=True)
    submit(one, limit_price="10.05")
    submit(other, side="sell", limit_price="10", qty="30")
    assert one.get_open_position("AAPL")["avg_entry_price"] == "10.05"
    assert other.get_open_position("AAPL")["qty"] == "-30"
    cash = [Decimal(c.get_account()["cash"]) for c in (one, other)]
    assert sum(cash) == 200_000


def test_lists_filter_by_status_symbol_side_and_time_and_count_from_the_newest(
    exchange: Exchange, client: TradingClient
) -> None:
    first = submit(client, symbol="IBM")
    second = submit(client, symbol="MSFT")
    third = submit(client, symbol="GOOG", side="sell", limit_price="20")

    def ids(**query: str) -> list[str]:
        return [order["id"] for order in client.get("/orders", query)]

    client.delete(f"/orders/{first['id']}")
    assert ids(status="open") == [third["id"], second["id"]]
    assert ids(status="closed") == [first["id"]]
    assert ids(status="all", direction="asc", limit="2") == [first["id"], second["id"]]
    assert ids(status="all", symbols="IBM,AAPL") == [first["id"]]
    assert ids(status="all", side="sell") == [third["id"]]
    assert ids(status="all", after=second["submitted_at"]) == [third["id"]]
    assert ids(status="all", until=second["submitted_at"]) == [first["id"]]


def test_lists_go_on_from_one_order(client: TradingClient) -> None:
    ids = [submit(client, symbol=symbol)["id"] for symbol in ("IBM", "MSFT", "GOOG")]

    def listed(**query: str) -> list[str]:
        return [order["id"] for order in client.get("/orders", query)]

    assert listed(before_order_id=ids[2]) == [ids[1], ids[0]]
    assert listed(after_order_id=ids[0], direction="asc", limit="1") == [ids[1]]
    assert listed(asset_class="us_equity,crypto") == ids[::-1]
    assert listed(asset_class="crypto") == []
    for query in (
        {"before_order_id": ids[0], "after_order_id": ids[1]},
        {"before_order_id": ids[0], "after": "2026-01-01"},
        {"after_order_id": "nobody"},
    ):
        with pytest.raises(APIError) as caught:
            listed(**query)
        assert (caught.value.status_code, caught.value.code) == (422, 40010001)


def test_cancel_all_reports_each_order(client: TradingClient) -> None:
    ids = [submit(client)["id"] for _ in range(2)]
    report = client.cancel_orders()
    assert [(item["id"], item["status"]) for item in report] == [(ids[0], 200), (ids[1], 200)]
    assert client.get_orders() == []


def test_a_filled_order_cannot_be_canceled(exchange: Exchange, client: TradingClient) -> None:
    exchange.price("AAPL", "9.98", "10")
    order = submit(client)
    with pytest.raises(APIError) as caught:
        client.cancel_order_by_id(order["id"])
    assert (caught.value.status_code, caught.value.code) == (422, 42210000)
    assert caught.value.message == 'order is already in "filled" state'


def test_a_replacement_is_a_new_order_for_the_rest(
    exchange: Exchange, client: TradingClient, typed: TradingClient
) -> None:
    exchange.price("AAPL", "9.98", "10", ask_size="40")
    old = submit(client)
    new = typed.replace_order_by_id(old["id"], ReplaceOrderRequest(limit_price=9.5))
    before = typed.get_order_by_id(old["id"])
    assert (before.status, before.replaced_by) == (OrderStatus.REPLACED, new.id)
    assert (str(new.replaces), new.qty, new.limit_price) == (old["id"], "60", "9.5")
    with pytest.raises(APIError, match="order parameters are not changed"):
        typed.replace_order_by_id(new.id, ReplaceOrderRequest(limit_price=9.5))


def test_closing_a_position_sends_an_order_with_an_id_of_the_server(
    exchange: Exchange, typed: TradingClient
) -> None:
    exchange.price("AAPL", "9.98", "10")
    exchange.ctl("POST", "account", {"positions": {"AAPL": {"qty": "-10", "price": "9"}}})
    order = typed.close_position("AAPL")
    assert (order.side, order.qty) == (OrderSide.BUY, "10")
    assert typed.get_all_positions() == []


def test_the_same_seed_and_inputs_give_the_same_ids(exchange: Exchange, client: TradingClient) -> None:
    def run() -> list[str]:
        exchange.reset(seed=11)
        exchange.price("AAPL", "9.98", "10", ask_size="40")
        submit(client, client_order_id="a")
        executions = exchange.truth()["executions"]["live"]
        return [execution["id"] for execution in executions] + [o["id"] for o in exchange.truth()["orders"]]

    first = run()
    assert len(first) == 2
    assert run() == first


def test_nothing_trades_while_a_symbol_is_halted(exchange: Exchange, client: TradingClient) -> None:
    exchange.ctl("POST", "halt", {"symbol": "AAPL"})
    exchange.price("AAPL", "9.98", "10")
    order = submit(client)
    assert client.get_order_by_id(order["id"])["status"] == "new"
    exchange.ctl("POST", "halt", {"symbol": "AAPL", "on": False})
    exchange.price("AAPL", "9.98", "10")
    assert client.get_order_by_id(order["id"])["status"] == "filled"


def test_reading_an_order_that_was_never_sent_says_not_found(client: TradingClient) -> None:
    with pytest.raises(APIError) as caught:
        client.get_order_by_client_id("nobody")
    assert (caught.value.status_code, caught.value.code) == (404, 40410000)
    with pytest.raises(APIError) as caught:
        client.get("/orders/not-an-id")
    assert (caught.value.status_code, caught.value.message) == (422, "order_id is missing")


def test_the_alpaca_profile_fills_one_order_in_ten_in_parts(
    exchange: Exchange, client: TradingClient
) -> None:
    exchange.ctl("PUT", "config", {"profile": "alpaca"})
    exchange.price("AAPL", "9.98", "10", ask_size="1")
    orders = [submit(client, qty="10")["id"] for _ in range(150)]
    filled = [client.get_order_by_id(order_id)["filled_qty"] for order_id in orders]
    parts = [qty for qty in filled if qty != "10"]
    assert 5 <= len(parts) <= 30
    assert "0" not in parts
    for _ in range(5):
        exchange.price("AAPL", "9.98", "10", ask_size="1")
    assert client.get_open_position("AAPL")["qty"] == "1500"
