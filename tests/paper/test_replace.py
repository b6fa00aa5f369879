"""Chains of replaced orders."""

from __future__ import annotations

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderStatus, TimeInForce
from alpaca.trading.requests import ReplaceOrderRequest

from tests.kit.exchange import Exchange
from tests.paper.listener import Listener
from tests.paper.tickets import refused, submit


def test_a_chain_of_replacements_can_be_walked_both_ways(client: TradingClient, typed: TradingClient) -> None:
    ids = [submit(client)["id"]]
    for price in (9.5, 9.0, 8.5):
        ids.append(str(typed.replace_order_by_id(ids[-1], ReplaceOrderRequest(limit_price=price)).id))
    chain = [typed.get_order_by_id(order_id) for order_id in ids]
    assert [order.status for order in chain] == [OrderStatus.REPLACED] * 3 + [OrderStatus.NEW]
    assert [str(order.replaced_by) for order in chain[:3]] == ids[1:]
    assert [str(order.replaces) for order in chain[1:]] == ids[:3]
    assert [str(order.id) for order in typed.get_orders()] == [ids[-1]]


def test_a_replacement_can_change_everything_and_bring_its_own_id(
    client: TradingClient, typed: TradingClient
) -> None:
    old = submit(client, type="stop_limit", stop_price="11", limit_price="12")
    change = ReplaceOrderRequest(
        qty=7, time_in_force=TimeInForce.GTC, limit_price=12.5, stop_price=11.5, client_order_id="mine"
    )
    new = typed.replace_order_by_id(old["id"], change)
    assert (new.qty, new.limit_price, new.stop_price) == ("7", "12.5", "11.5")
    assert (new.time_in_force, new.client_order_id) == (TimeInForce.GTC, "mine")


def test_the_stream_tells_of_the_old_order_and_then_of_the_new(
    listener: Listener, client: TradingClient
) -> None:
    old = submit(client)
    new = client.patch(f"/orders/{old['id']}", {"limit_price": "9"})
    told = [(update["event"], update["order"]["id"]) for update in listener.next(4)]
    assert told == [
        ("new", old["id"]),
        ("pending_replace", old["id"]),
        ("replaced", old["id"]),
        ("new", new["id"]),
    ]


def test_a_smaller_order_keeps_its_place_in_the_queue_and_a_larger_one_loses_it(
    exchange: Exchange, client: TradingClient
) -> None:
    first, second = submit(client, qty="20"), submit(client, qty="20")
    smaller = client.patch(f"/orders/{first['id']}", {"qty": "10"})
    exchange.ctl("POST", "trade", {"symbol": "AAPL", "price": "9.99", "size": "10"})
    assert client.get_order_by_id(smaller["id"])["status"] == "filled"
    larger = client.patch(f"/orders/{second['id']}", {"qty": "30"})
    third = submit(client, qty="30")
    client.patch(f"/orders/{larger['id']}", {"qty": "40"})
    exchange.ctl("POST", "trade", {"symbol": "AAPL", "price": "9.99", "size": "30"})
    assert client.get_order_by_id(third["id"])["status"] == "filled"


def test_buying_power_covers_the_larger_of_the_two(client: TradingClient) -> None:
    old = submit(client, qty="19000")
    new = client.patch(f"/orders/{old['id']}", {"qty": "20000"})
    assert client.get_account()["buying_power"] == "0"
    status, body = refused(lambda: client.patch(f"/orders/{new['id']}", {"qty": "20001"}))
    assert (status, body["message"]) == (403, "insufficient buying power")
    assert client.get_order_by_id(new["id"])["status"] == "new"


@pytest.mark.parametrize(
    ("fields", "change", "status", "message"),
    [
        ({}, {"limit_price": "10"}, 403, "order parameters are not changed"),
        ({}, {"qty": "1.5"}, 422, "invalid qty"),
        ({}, {"stop_price": "9"}, 422, "limit orders must not have a stop price"),
        (
            {},
            {"limit_price": "9.999"},
            422,
            "invalid limit_price 9.999. sub-penny increment does not fulfill",
        ),
        ({"qty": "1.5"}, {"qty": "2"}, 422, "the quantity of fractional orders cannot be replaced"),
        (
            {"qty": None, "notional": "50"},
            {"limit_price": "9"},
            422,
            "notional orders cannot be replaced",
        ),
    ],
)
def test_a_change_that_cannot_be_is_refused_and_the_order_stays(
    client: TradingClient, fields: dict[str, object], change: dict[str, str], status: int, message: str
) -> None:
    order = submit(client, **fields)
    with pytest.raises(APIError) as caught:
        client.patch(f"/orders/{order['id']}", change)
    assert caught.value.status_code == status
    assert caught.value.message.startswith(message)
    assert client.get_order_by_id(order["id"])["status"] == "new"


@pytest.mark.parametrize("status", ["pending_new", "pending_cancel"])
def test_an_order_that_is_on_its_way_cannot_be_replaced(
    exchange: Exchange, client: TradingClient, status: str
) -> None:
    exchange.arm("order.stuck", status=status)
    order = submit(client)
    if status == "pending_cancel":
        client.cancel_order_by_id(order["id"])
    answer, body = refused(lambda: client.patch(f"/orders/{order['id']}", {"limit_price": "9"}))
    assert (answer, body["code"]) == (422, 42210000)
    assert body["message"] == f'order is not replaceable in "{status}" state'


def test_what_is_over_cannot_be_replaced(client: TradingClient) -> None:
    order = submit(client)
    client.cancel_order_by_id(order["id"])
    status, body = refused(lambda: client.patch(f"/orders/{order['id']}", {"limit_price": "9"}))
    assert (status, body["message"]) == (422, 'order is already in "canceled" state')


def test_a_replace_that_is_refused_later_leaves_the_order_as_it_was_or_as_it_ended(
    exchange: Exchange, client: TradingClient
) -> None:
    exchange.arm("order.stuck", status="pending_replace", times=2)
    working, filled = submit(client), submit(client)
    for order in (working, filled):
        client.patch(f"/orders/{order['id']}", {"limit_price": "9"})
    exchange.ctl("POST", f"orders/{filled['id']}/fill", {"price": "9"})
    for order, status in ((working, "new"), (filled, "filled")):
        exchange.ctl("POST", f"orders/{order['id']}/replace_reject", {})
        assert client.get_order_by_id(order["id"])["status"] == status
