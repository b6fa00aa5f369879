"""What the exchange refuses, and in which words."""

from __future__ import annotations

import json
from contextlib import suppress
from decimal import Decimal
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from hypothesis import given
from hypothesis import strategies as st

from gateway.paper.errors import Refusal
from gateway.paper.terms import read_ticket
from gateway.paper.ticket import read_body
from tests.kit.exchange import Exchange
from tests.paper.tickets import refusal, submit, ticket


def ask(exchange: Exchange, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, Any]:
    address = urlsplit(exchange.url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=5)
    connection.request(method, path, body, headers or exchange.headers)
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return response.status, json.loads(text) if text else None


@pytest.mark.parametrize(
    ("changes", "status", "code", "message"),
    [
        ({"symbol": None}, 422, 40010001, "symbol is required"),
        ({"time_in_force": None}, 422, 40010001, "time_in_force is required"),
        ({"qty": None}, 422, 40010001, "qty or notional is required"),
        ({"qty": "-1"}, 422, 40010001, "qty must be > 0"),
        ({"qty": "many"}, 422, 40010001, "invalid qty"),
        ({"qty": "NaN"}, 422, 40010001, "invalid qty"),
        ({"qty": "1e999999"}, 422, 40010001, "invalid qty"),
        ({"limit_price": "1e400"}, 422, 40010001, "invalid limit_price"),
        ({"qty": True}, 422, 40010001, "invalid qty"),
        ({"side": "long"}, 422, 40010001, "invalid side"),
        ({"type": "iceberg"}, 422, 40010001, "invalid type"),
        ({"limit_price": None}, 422, 40010001, "limit orders require a limit price"),
        ({"type": "stop", "limit_price": None}, 422, 40010001, "stop orders require a stop price"),
        ({"type": "market"}, 422, 40010001, "market orders must not have a limit price"),
        ({"client_order_id": "x" * 129}, 422, 40010001, "invalid client_order_id"),
        ({"symbol": "NOPE"}, 422, 40010001, "could not find us_equity 'NOPE'"),
        ({"qty": "0.5", "time_in_force": "gtc"}, 422, 42210000, "fractional orders must be DAY orders"),
        (
            {"extended_hours": True, "time_in_force": "ioc"},
            422,
            42210000,
            "extended hours order must be DAY or GTC limit orders",
        ),
        (
            {"limit_price": "10.001"},
            422,
            42210000,
            "invalid limit_price 10.001. sub-penny increment does not fulfill minimum pricing criteria",
        ),
        (
            {"position_intent": "buy_to_close"},
            422,
            42210000,
            "position intent mismatch, inferred: buy_to_open, specified: buy_to_close",
        ),
    ],
)
def test_a_bad_order_is_refused_with_its_code_and_message(
    client: TradingClient, changes: dict[str, object], status: int, code: int, message: str
) -> None:
    assert refusal(client, **changes) == (status, code, message)
    assert client.get("/orders", {"status": "all"}) == []


def test_below_one_dollar_four_decimals_are_allowed(client: TradingClient) -> None:
    assert submit(client, limit_price="0.9999")["limit_price"] == "0.9999"


@pytest.mark.parametrize("end", ["open", "canceled", "filled"])
def test_a_client_order_id_is_unique_for_ever(exchange: Exchange, client: TradingClient, end: str) -> None:
    order = submit(client, client_order_id="once")
    if end == "canceled":
        client.cancel_order_by_id(order["id"])
    if end == "filled":
        exchange.price("AAPL", "9.90", "9.95")
    assert refusal(client, client_order_id="once") == (422, 40010001, "client_order_id must be unique")
    assert client.get_order_by_client_id("once")["id"] == order["id"]


def test_a_refused_order_does_not_burn_its_client_order_id(client: TradingClient) -> None:
    assert refusal(client, client_order_id="again", qty="1000000")[0] == 403
    assert submit(client, client_order_id="again")["client_order_id"] == "again"


def test_buying_power_is_cash_times_two_less_what_open_orders_reserve(client: TradingClient) -> None:
    submit(client, qty="19999")
    assert client.get_account()["buying_power"] == "10"
    with pytest.raises(APIError) as caught:
        submit(client, qty="2")
    body = json.loads(str(caught.value))
    assert body == {
        "code": 40310000,
        "message": "insufficient buying power",
        "buying_power": "10",
        "cost_basis": "20",
    }
    assert submit(client, qty="1")["qty"] == "1"


def test_an_account_without_margin_buys_for_its_cash_and_cannot_short(
    exchange: Exchange, client: TradingClient
) -> None:
    exchange.ctl("POST", "account", {"cash": "1999"})
    assert client.get_account()["buying_power"] == "1999"
    assert refusal(client, qty="200")[2] == "insufficient buying power"
    assert refusal(client, side="sell", qty="1")[2] == "account is not allowed to short"


def test_a_sell_beyond_the_available_shares_is_refused(exchange: Exchange, client: TradingClient) -> None:
    exchange.ctl("POST", "account", {"positions": {"AAPL": {"qty": "100", "price": "9"}}})
    resting = submit(client, side="sell", qty="80", limit_price="20")
    with pytest.raises(APIError) as caught:
        submit(client, side="sell", qty="23", limit_price="20")
    assert json.loads(str(caught.value)) == {
        "code": 40310000,
        "message": "insufficient qty available for order (requested: 23, available: 20)",
        "symbol": "AAPL",
        "available": "20",
        "existing_qty": "100",
        "held_for_orders": "80",
        "related_orders": [resting["id"]],
    }
    assert client.get_open_position("AAPL")["qty_available"] == "20"


def test_orders_that_would_trade_with_oneself_are_refused(exchange: Exchange, client: TradingClient) -> None:
    exchange.ctl("POST", "account", {"positions": {"AAPL": {"qty": "100", "price": "9"}}})
    resting = submit(client, side="sell", limit_price="11")
    with pytest.raises(APIError) as caught:
        submit(client, limit_price="11")
    assert json.loads(str(caught.value)) == {
        "code": 40310000,
        "message": "potential wash trade detected. use complex orders",
        "existing_order_id": resting["id"],
        "reject_reason": "opposite side limit order exists",
    }
    with pytest.raises(APIError, match="opposite side market/stop order exists"):
        submit(client, type="market", limit_price=None)
    assert submit(client, limit_price="10.99")["limit_price"] == "10.99"


def test_a_short_cannot_be_opened_while_a_long_buy_is_open(client: TradingClient) -> None:
    submit(client)
    expected = (403, 40310000, "cannot open a short sell while a long buy order is open")
    assert refusal(client, side="sell", limit_price="20") == expected


def test_wrong_keys_are_unauthorized_before_anything_else(exchange: Exchange) -> None:
    wrong = {"APCA-API-KEY-ID": exchange.key, "APCA-API-SECRET-KEY": "wrong"}
    for method, path in (("GET", "/v2/account"), ("POST", "/v2/orders"), ("GET", "/v2/stocks/bars")):
        status, body = ask(exchange, method, path, b"{", **wrong)
        assert (status, body) == (401, {"code": 40110000, "message": "request is not authorized"})


def test_a_body_that_is_not_json_is_malformed(exchange: Exchange) -> None:
    for body in (b"{", b"[]", b"\xff", b"null"):
        status, answer = ask(exchange, "POST", "/v2/orders", body)
        assert (status, answer["code"]) == (400, 40010000)


def test_an_unknown_path_is_a_json_404_and_never_a_redirect(exchange: Exchange) -> None:
    for path in ("/v2/nothing", "/v2/orders/", "//v2/orders"):
        assert ask(exchange, "GET", path)[0] in {404, 422}
    assert ask(exchange, "GET", "/v2/nothing") == (404, {"code": 40410000, "message": "endpoint not found"})


def test_numbers_may_come_as_numbers_or_as_strings(exchange: Exchange) -> None:
    body = json.dumps(ticket(qty=100, limit_price=10.1)).encode()
    status, order = ask(exchange, "POST", "/v2/orders", body)
    assert (status, order["qty"], order["limit_price"]) == (200, "100", "10.1")


texts = st.sampled_from(
    (
        *("", "x", "-1", "0", "1", "1.5", "1e30", "1e999", "NaN", "AAPL", "buy", "limit", "day", "stop"),
        *("trailing_stop", "opg", "bracket", "oco", "oto", "mleg", "9", "11"),
    )
)
values: st.SearchStrategy[object] = (
    st.none() | st.booleans() | texts | st.integers().map(Decimal) | st.just([]) | st.just({})
)


legs = st.dictionaries(st.sampled_from(("limit_price", "stop_price")), values)
names = (
    *("notional", "stop_price", "trail_price", "trail_percent", "extended_hours"),
    *("order_class", "take_profit", "stop_loss"),
)


@given(st.dictionaries(st.sampled_from([*ticket(), *names]), values | legs))
def test_a_ticket_is_read_or_refused_whatever_is_in_it(changes: dict[str, object]) -> None:
    with suppress(Refusal):
        read = read_ticket({**ticket(), **changes})
        assert (read.qty > 0) != (read.notional is not None)


@given(st.binary(max_size=60))
def test_a_body_is_read_or_refused_whatever_its_bytes(raw: bytes) -> None:
    with suppress(Refusal):
        assert isinstance(read_body(raw), dict)
