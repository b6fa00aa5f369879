"""Brackets, one-cancels-other and one-triggers-other."""

from __future__ import annotations

import json
from typing import Any

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderClass, OrderSide, OrderStatus, QueryOrderStatus, TimeInForce
from alpaca.trading.models import Order
from alpaca.trading.requests import (
    GetOrderByIdRequest,
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    ReplaceOrderRequest,
    StopLossRequest,
    TakeProfitRequest,
)

from tests.kit.exchange import Exchange
from tests.paper.listener import Listener
from tests.paper.tickets import refused, submit, ticket

SUB_PENNY = "sub-penny increment does not fulfill minimum pricing criteria"
NESTED = GetOrderByIdRequest(nested=True)
BRACKET = {
    "order_class": "bracket",
    "take_profit": {"limit_price": "12"},
    "stop_loss": {"stop_price": "8"},
}


def bracket(**changes: Any) -> LimitOrderRequest:
    """Buy 100 AAPL at 10, to be sold at 12 or when it falls to 8."""
    fields: dict[str, Any] = {
        "symbol": "AAPL",
        "qty": 100,
        "limit_price": 10,
        "side": OrderSide.BUY,
        "time_in_force": TimeInForce.GTC,
        "order_class": OrderClass.BRACKET,
        "take_profit": TakeProfitRequest(limit_price=12),
        "stop_loss": StopLossRequest(stop_price=8),
        **changes,
    }
    return LimitOrderRequest(**fields)


def statuses(client: TradingClient, parent: Order) -> list[str]:
    """Of the parent, the profit taker and the loss stopper."""
    now = client.get_order_by_id(parent.id, NESTED)
    return [order.status.value for order in (now, *(now.legs or []))]


def enter(exchange: Exchange, typed: TradingClient, **changes: Any) -> Order:
    """A bracket whose entry is filled at 10."""
    exchange.price("AAPL", "9.98", "10")
    order = typed.submit_order(bracket(**changes))
    assert isinstance(order, Order)
    return order


def test_the_exits_wait_until_the_entry_is_completely_filled(
    exchange: Exchange, typed: TradingClient
) -> None:
    exchange.price("AAPL", "9.98", "10", ask_size="40")
    parent = typed.submit_order(bracket())
    assert (parent.order_class, [leg.status for leg in parent.legs or []]) == (
        OrderClass.BRACKET,
        [OrderStatus.HELD, OrderStatus.HELD],
    )
    take_profit, stop_loss = parent.legs or []
    assert (take_profit.side, take_profit.qty, take_profit.limit_price) == (OrderSide.SELL, "100", "12")
    assert (stop_loss.side, stop_loss.type.value, stop_loss.stop_price) == (OrderSide.SELL, "stop", "8")
    assert statuses(typed, parent) == ["partially_filled", "held", "held"]
    exchange.price("AAPL", "9.98", "10")
    assert statuses(typed, parent) == ["filled", "new", "new"]
    assert typed.get_open_position("AAPL").qty_available == "0"


def test_a_taken_profit_cancels_the_stop(exchange: Exchange, typed: TradingClient) -> None:
    parent = enter(exchange, typed)
    exchange.price("AAPL", "12", "12.02")
    assert statuses(typed, parent) == ["filled", "filled", "canceled"]
    assert typed.get_all_positions() == []
    assert typed.get_account().cash == "100200"


def test_a_stopped_loss_cancels_the_profit_taker(exchange: Exchange, typed: TradingClient) -> None:
    parent = enter(exchange, typed)
    exchange.price("AAPL", "7.90", "7.95")
    assert statuses(typed, parent) == ["filled", "canceled", "filled"]
    assert typed.get_all_positions() == []


def test_a_stop_loss_with_a_limit_is_a_stop_limit_order(exchange: Exchange, typed: TradingClient) -> None:
    parent = enter(exchange, typed, stop_loss=StopLossRequest(stop_price=8, limit_price=7.9))
    stop_loss = (parent.legs or [])[1]
    assert (stop_loss.type.value, stop_loss.limit_price) == ("stop_limit", "7.9")
    exchange.price("AAPL", "7.50", "7.55")
    assert statuses(typed, parent) == ["filled", "new", "new"]
    exchange.price("AAPL", "7.90", "7.95")
    assert statuses(typed, parent) == ["filled", "canceled", "filled"]


def test_what_the_profit_taker_sells_the_stop_no_longer_covers(
    exchange: Exchange, typed: TradingClient, listener: Listener
) -> None:
    parent = enter(exchange, typed)
    listener.next(4)  # the entry and its two exits
    exchange.price("AAPL", "12", "12.02", bid_size="30")
    now = typed.get_order_by_id(parent.id, NESTED)
    assert [(leg.qty, leg.filled_qty) for leg in now.legs or []] == [("100", "30"), ("70", "0")]
    told = [(update["event"], update["order"]["qty"]) for update in listener.next(2)]
    assert told == [("partial_fill", "100"), ("restated", "70")]
    exchange.price("AAPL", "7.90", "7.95")
    assert statuses(typed, parent) == ["filled", "canceled", "filled"]
    assert typed.get_all_positions() == []


@pytest.mark.parametrize("number", [0, 1])
def test_canceling_one_exit_cancels_the_other_and_frees_the_shares(
    exchange: Exchange, typed: TradingClient, number: int
) -> None:
    parent = enter(exchange, typed)
    typed.cancel_order_by_id((parent.legs or [])[number].id)
    assert statuses(typed, parent) == ["filled", "canceled", "canceled"]
    assert typed.get_open_position("AAPL").qty_available == "100"


def test_canceling_the_entry_cancels_its_exits(typed: TradingClient, listener: Listener) -> None:
    parent = typed.submit_order(bracket())
    typed.cancel_order_by_id(parent.id)
    assert statuses(typed, parent) == ["canceled"] * 3
    assert listener.events(5) == ["new", "pending_cancel", "canceled", "canceled", "canceled"]


def test_a_rejected_entry_takes_its_exits_along(exchange: Exchange, typed: TradingClient) -> None:
    exchange.arm("order.async_reject", reason="no")
    assert statuses(typed, typed.submit_order(bracket())) == ["rejected", "canceled", "canceled"]


def test_cancel_all_reports_a_whole_family_as_canceled(typed: TradingClient) -> None:
    parent = typed.submit_order(bracket())
    report = typed.cancel_orders()
    assert [item.status for item in report] == [200, 200, 200]
    assert statuses(typed, parent) == ["canceled"] * 3


def test_a_family_expires_together(exchange: Exchange, typed: TradingClient) -> None:
    exchange.ctl("PUT", "config", {"session": "regular"})
    exchange.ctl("POST", "clock", {"mode": "manual", "now": "2026-11-20T15:00:00-05:00"})
    parent = typed.submit_order(bracket(time_in_force=TimeInForce.DAY))
    exchange.ctl("POST", "clock/advance", {"to": "close"})
    assert statuses(typed, parent) == ["expired", "canceled", "canceled"]


def test_a_short_bracket_stands_upside_down(exchange: Exchange, typed: TradingClient) -> None:
    exchange.price("AAPL", "10", "10.02")
    asked = bracket(
        side=OrderSide.SELL,
        take_profit=TakeProfitRequest(limit_price=8),
        stop_loss=StopLossRequest(stop_price=12),
    )
    parent = typed.submit_order(asked)
    assert typed.get_open_position("AAPL").qty == "-100"
    exchange.price("AAPL", "7.98", "8")
    assert statuses(typed, parent) == ["filled", "filled", "canceled"]
    assert typed.get_all_positions() == []


def test_a_market_entry_is_measured_against_the_last_price(exchange: Exchange, typed: TradingClient) -> None:
    exchange.price("AAPL", "9.98", "10", last="10")
    asked = MarketOrderRequest(
        symbol="AAPL",
        qty=100,
        side=OrderSide.BUY,
        time_in_force=TimeInForce.DAY,
        order_class=OrderClass.BRACKET,
        take_profit=TakeProfitRequest(limit_price=10.01),
        stop_loss=StopLossRequest(stop_price=9.99),
    )
    assert statuses(typed, typed.submit_order(asked))[0] == "filled"
    for close in (
        {"take_profit": TakeProfitRequest(limit_price=10)},
        {"stop_loss": StopLossRequest(stop_price=10)},
    ):
        with pytest.raises(APIError) as caught:
            typed.submit_order(asked.model_copy(update={"symbol": "AAPL", **close}))
        assert caught.value.code == 42210000


def test_lists_are_flat_unless_families_are_asked_for(exchange: Exchange, typed: TradingClient) -> None:
    parent = enter(exchange, typed)
    legs = [leg.id for leg in parent.legs or []]
    assert [order.id for order in typed.get_orders()] == legs[::-1]
    nested = typed.get_orders(GetOrdersRequest(nested=True))
    assert [(order.id, [leg.id for leg in order.legs or []]) for order in nested] == [(parent.id, legs)]
    every = typed.get_orders(GetOrdersRequest(status=QueryOrderStatus.ALL))
    assert [(order.id, order.legs) for order in every] == [(i, None) for i in (*legs[::-1], parent.id)]
    assert typed.get_order_by_id(parent.id).legs is None


def test_an_exit_can_be_replaced_and_stays_in_the_family(exchange: Exchange, typed: TradingClient) -> None:
    parent = enter(exchange, typed)
    take_profit = (parent.legs or [])[0]
    new = typed.replace_order_by_id(take_profit.id, ReplaceOrderRequest(limit_price=11))
    now = typed.get_order_by_id(parent.id, NESTED)
    assert {leg.id for leg in now.legs or []} == {new.id, (parent.legs or [])[1].id}
    exchange.price("AAPL", "11", "11.02")
    assert typed.get_order_by_id(new.id).status is OrderStatus.FILLED
    assert typed.get_orders() == []


def test_a_replaced_entry_keeps_its_exits(exchange: Exchange, typed: TradingClient) -> None:
    parent = typed.submit_order(bracket())
    new = typed.replace_order_by_id(parent.id, ReplaceOrderRequest(limit_price=9.5))
    held = typed.replace_order_by_id((parent.legs or [])[1].id, ReplaceOrderRequest(stop_price=7))
    assert held.status is OrderStatus.HELD
    exchange.price("AAPL", "9.48", "9.50")
    assert statuses(typed, new) == ["filled", "new", "new"]
    exchange.price("AAPL", "6.90", "6.95")
    assert typed.get_order_by_id(held.id).status is OrderStatus.FILLED
    assert typed.get_orders() == []


def test_the_quantity_of_a_family_cannot_be_replaced(typed: TradingClient, client: TradingClient) -> None:
    parent = typed.submit_order(bracket())
    status, body = refused(lambda: client.patch(f"/orders/{parent.id}", {"qty": "50"}))
    assert (status, body["message"]) == (422, "the quantity of complex orders cannot be replaced")


# One cancels the other.


def oco(**changes: Any) -> LimitOrderRequest:
    return bracket(order_class=OrderClass.OCO, side=OrderSide.SELL, limit_price=None, **changes)


def test_one_cancels_the_other_and_together_they_hold_the_shares_once(
    exchange: Exchange, typed: TradingClient
) -> None:
    exchange.price("AAPL", "9.98", "10")
    exchange.ctl("POST", "account", {"positions": {"AAPL": {"qty": "150", "price": "9"}}})
    parent = typed.submit_order(oco())
    assert (parent.side, parent.limit_price) == (OrderSide.SELL, "12")
    assert [leg.stop_price for leg in parent.legs or []] == ["8"]
    assert statuses(typed, parent) == ["new", "new"]
    assert typed.get_open_position("AAPL").qty_available == "50"
    exchange.price("AAPL", "7.90", "7.95")
    assert statuses(typed, parent) == ["canceled", "filled"]
    assert typed.get_open_position("AAPL").qty == "50"


def test_canceling_the_parent_of_a_pair_cancels_both(exchange: Exchange, typed: TradingClient) -> None:
    exchange.ctl("POST", "account", {"positions": {"AAPL": {"qty": "100", "price": "9"}}})
    parent = typed.submit_order(oco())
    typed.cancel_order_by_id(parent.id)
    assert statuses(typed, parent) == ["canceled", "canceled"]


# One triggers the other.


def test_one_triggers_the_other(exchange: Exchange, typed: TradingClient) -> None:
    parent = enter(exchange, typed, order_class=OrderClass.OTO, take_profit=None)
    assert statuses(typed, parent) == ["filled", "new"]
    exchange.price("AAPL", "7.90", "7.95")
    assert statuses(typed, parent) == ["filled", "filled"]


# Refusals.


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"type": "stop", "limit_price": None, "stop_price": "11"},
            "bracket orders must be market or limit orders",
        ),
        ({"take_profit": None}, "bracket orders require take_profit.limit_price."),
        ({"stop_loss": None}, "bracket orders require stop_loss.stop_price."),
        ({"stop_loss": {"limit_price": "7"}}, "stop_loss.stop_price is required"),
        (
            {"order_class": "oto"},
            "oto orders require either take_profit.limit_price or stop_loss.stop_price.",
        ),
        ({"order_class": "oco", "type": "market", "limit_price": None}, "oco orders must be limit orders"),
        ({"order_class": ""}, "simple orders must not have take_profit or stop_loss"),
        ({"order_class": "triple"}, "invalid order_class"),
        ({"order_class": "mleg"}, "us_option orders not allowed for account"),
    ],
)
def test_a_family_needs_its_members(client: TradingClient, changes: dict[str, object], expected: str) -> None:
    body = ticket(**{**BRACKET, **changes})
    status, answer = refused(lambda: client.post("/orders", body))
    assert (status, answer) == (422, {"code": 40010001, "message": expected})


@pytest.mark.parametrize(
    ("changes", "message", "extras"),
    [
        ({"time_in_force": "ioc"}, "bracket orders must be DAY or GTC orders", {}),
        ({"extended_hours": True}, "extended hours order must be simple orders", {}),
        (
            {"stop_loss": {"stop_price": "9.995"}},
            f"invalid stop_loss.stop_price 9.995. {SUB_PENNY}",
            {},
        ),
        (
            {"stop_loss": {"stop_price": "10"}},
            "stop price must be less than base_price - 0.01",
            {"base_price": "10"},
        ),
        (
            {"take_profit": {"limit_price": "10"}},
            "take_profit.limit_price must be greater than base_price + 0.01",
            {"base_price": "10"},
        ),
        ({"order_class": "oco"}, "oco orders must be exit orders", {}),
    ],
)
def test_a_family_that_makes_no_sense_is_refused(
    client: TradingClient, changes: dict[str, object], message: str, extras: dict[str, str]
) -> None:
    body = ticket(**{**BRACKET, **changes})
    status, answer = refused(lambda: client.post("/orders", body))
    assert (status, answer) == (422, {"code": 42210000, "message": message, **extras})
    assert client.get("/orders", {"status": "all"}) == []


def test_a_bracket_does_not_close_a_position(exchange: Exchange, client: TradingClient) -> None:
    exchange.ctl("POST", "account", {"positions": {"AAPL": {"qty": "-100", "price": "9"}}})
    status, answer = refused(lambda: submit(client, **BRACKET))
    assert (status, answer["message"]) == (422, "bracket orders must be entry orders")


# Restarts.


@pytest.mark.parametrize("filled", ["40", "100"])
def test_a_family_stays_together_over_a_restart(own_exchange: Exchange, filled: str) -> None:
    typed = TradingClient(own_exchange.key, own_exchange.secret, url_override=own_exchange.url)
    own_exchange.price("AAPL", "9.98", "10", ask_size=filled)
    parent = typed.submit_order(bracket())
    own_exchange.kill()
    own_exchange.restart()
    own_exchange.price("AAPL", "9.98", "10")
    assert statuses(typed, parent) == ["filled", "new", "new"]
    own_exchange.price("AAPL", "12", "12.02")
    assert statuses(typed, parent) == ["filled", "filled", "canceled"]
    truth = json.dumps(own_exchange.truth(), default=str)
    own_exchange.kill()
    own_exchange.restart()
    assert json.dumps(own_exchange.truth(), default=str) == truth


def test_a_replacement_that_comes_too_late_takes_nothing_along(
    exchange: Exchange, typed: TradingClient, client: TradingClient
) -> None:
    exchange.price("AAPL", "10.48", "10.50")
    parent = typed.submit_order(bracket())
    exchange.arm("order.replace_race", mode="filled_first")
    new = client.patch(f"/orders/{parent.id}", {"limit_price": "9.5"})
    assert client.get_order_by_id(new["id"])["status"] == "rejected"
    assert statuses(typed, parent) == ["filled", "new", "new"]


def test_exits_can_be_stuck_where_they_are_held(exchange: Exchange, typed: TradingClient) -> None:
    exchange.arm("order.stuck", status="held", times=2)
    parent = enter(exchange, typed)
    assert statuses(typed, parent) == ["filled", "held", "held"]
    exchange.ctl("DELETE", "faults")
    assert statuses(typed, parent) == ["filled", "new", "new"]
