"""What a venue can do to an order, and the steps a test can force."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient

from tests.kit.exchange import Exchange
from tests.paper.listener import Listener
from tests.paper.tickets import refusal, submit


@pytest.fixture
def pass_time(exchange: Exchange) -> Callable[[float], None]:
    """A clock that moves only by hand."""
    exchange.ctl("POST", "clock", {"mode": "manual"})

    def advance(seconds: float) -> None:
        exchange.ctl("POST", "clock/advance", {"seconds": seconds})

    return advance


def force(exchange: Exchange, order: dict[str, Any], step: str, **asked: object) -> Any:
    return exchange.ctl("POST", f"orders/{order['id']}/{step}", asked)


def live(exchange: Exchange) -> list[Any]:
    return list(exchange.truth()["executions"]["live"])


def test_an_accepted_order_can_stay_invisible_for_a_while(
    exchange: Exchange, client: TradingClient, pass_time: Callable[[float], None]
) -> None:
    exchange.arm("order.lookup_lag", seconds=2)
    order = submit(client, client_order_id="late")
    assert client.get_orders() == []
    for look in (lambda: client.get_order_by_client_id("late"), lambda: client.get_order_by_id(order["id"])):
        with pytest.raises(APIError) as caught:
            look()  # type: ignore[no-untyped-call]
        assert caught.value.code == 40410000
    pass_time(2)
    assert client.get_order_by_client_id("late")["id"] == order["id"]
    assert len(client.get_orders()) == 1


def test_the_lag_can_concern_one_route_only(exchange: Exchange, client: TradingClient) -> None:
    exchange.arm("order.lookup_lag", seconds=60, scope="cid")
    order = submit(client, client_order_id="late")
    assert client.get_order_by_id(order["id"])["id"] == order["id"]
    with pytest.raises(APIError):
        client.get_order_by_client_id("late")


def test_an_order_can_be_rejected_after_its_200(
    exchange: Exchange, client: TradingClient, listener: Listener, pass_time: Callable[[float], None]
) -> None:
    exchange.arm("order.async_reject", delay_s=1, reason="venue says no")
    order = submit(client)
    assert client.get_order_by_id(order["id"])["status"] == "pending_new"
    pass_time(1)
    (rejected,) = listener.next(1)
    assert (rejected["event"], rejected["reason"]) == ("rejected", "venue says no")
    assert rejected["order"]["failed_at"]
    assert refusal(client, client_order_id=order["client_order_id"])[2] == "client_order_id must be unique"


def test_an_acknowledgement_can_be_late(
    exchange: Exchange, client: TradingClient, pass_time: Callable[[float], None]
) -> None:
    exchange.arm("order.ack_delay", seconds=3)
    exchange.price("AAPL", "9.98", "10")
    order = submit(client)
    assert client.get_order_by_id(order["id"])["status"] == "pending_new"
    pass_time(3)
    assert client.get_order_by_id(order["id"])["status"] == "filled"


def test_an_order_can_enter_after_its_client_was_told_it_failed(
    exchange: Exchange, client: TradingClient, pass_time: Callable[[float], None]
) -> None:
    exchange.arm("order.late_accept", delay_s=5)
    assert refusal(client, client_order_id="ghost")[0] == 503
    assert exchange.truth()["orders"] == []
    pass_time(5)
    assert client.get_order_by_client_id("ghost")["status"] == "new"


def test_an_order_can_be_canceled_without_a_word(
    exchange: Exchange, client: TradingClient, listener: Listener
) -> None:
    exchange.arm("order.silent_cancel")
    order = submit(client)
    assert listener.events(1) == ["new"]
    assert client.get_order_by_id(order["id"])["status"] == "canceled"
    assert listener.is_silent()


def test_a_cancel_can_be_refused_and_a_fill_can_follow(
    exchange: Exchange, client: TradingClient, listener: Listener
) -> None:
    exchange.arm("order.cancel_reject", then_fill=True)
    order = submit(client)
    client.cancel_order_by_id(order["id"])
    told = listener.next(4)
    assert [u["event"] for u in told] == ["new", "pending_cancel", "order_cancel_rejected", "fill"]
    assert (told[2]["reason"], told[2]["order"]["status"]) == ("TOO_LATE_TO_CANCEL", "new")


def test_a_fill_can_win_the_race_against_a_cancel(
    exchange: Exchange, client: TradingClient, listener: Listener
) -> None:
    exchange.arm("order.fill_on_cancel", qty="30")
    order = submit(client)
    client.cancel_order_by_id(order["id"])
    told = listener.next(4)
    assert [u["event"] for u in told] == ["new", "pending_cancel", "partial_fill", "canceled"]
    assert told[2]["order"]["status"] == "pending_cancel"
    assert (told[3]["order"]["status"], told[3]["order"]["filled_qty"]) == ("canceled", "30")


@pytest.mark.parametrize("status", ["canceled", "expired", "rejected"])
def test_a_fill_can_come_after_the_end(
    exchange: Exchange, client: TradingClient, listener: Listener, status: str
) -> None:
    exchange.arm("order.fill_after_terminal", status=status, qty="40")
    order = submit(client)
    step = {"canceled": "cancel", "expired": "expire", "rejected": "reject"}[status]
    force(exchange, order, step)
    told = listener.next(3)
    assert [u["event"] for u in told] == ["new", status, "partial_fill"]
    assert (told[2]["order"]["status"], told[2]["position_qty"]) == (status, "40")
    assert [(e["qty"], e["price"]) for e in live(exchange)] == [("40", "10")]
    (activity,) = client.get("/account/activities/FILL")
    assert (activity["type"], activity["leaves_qty"]) == ("partial_fill", "60")


def test_a_late_fill_waits_for_its_status(exchange: Exchange, client: TradingClient) -> None:
    exchange.arm("order.fill_after_terminal", status="expired")
    client.cancel_order_by_id(submit(client)["id"])
    assert live(exchange) == []
    force(exchange, submit(client), "expire")
    assert [e["qty"] for e in live(exchange)] == ["100"]


def test_a_cancel_of_a_filled_order_can_be_answered_204(exchange: Exchange, client: TradingClient) -> None:
    exchange.price("AAPL", "9.98", "10")
    order = submit(client)
    exchange.arm("order.cancel_204_filled")
    client.cancel_order_by_id(order["id"])
    assert client.get_order_by_id(order["id"])["status"] == "filled"


def test_each_fill_can_become_several_executions(
    exchange: Exchange, client: TradingClient, pass_time: Callable[[float], None]
) -> None:
    exchange.price("AAPL", "9.98", "10")
    exchange.arm("fill.partial", slices=3, every_s=1)
    order = submit(client)
    assert [e["qty"] for e in live(exchange)] == ["33"]
    pass_time(1)
    assert client.get_order_by_id(order["id"])["status"] == "partially_filled"
    pass_time(1)
    assert [e["qty"] for e in live(exchange)] == ["33", "33", "34"]
    assert client.get_order_by_id(order["id"])["status"] == "filled"


@pytest.mark.parametrize(("negative", "told_qty"), [(False, "100"), (True, "-100")])
def test_a_bust_undoes_an_execution_cash_and_position_included(
    exchange: Exchange, client: TradingClient, listener: Listener, negative: bool, told_qty: str
) -> None:
    exchange.price("AAPL", "9.98", "10")
    exchange.arm("fill.bust", negative_qty=negative)
    order = submit(client)
    new, fill, bust = listener.next(3)
    assert (new["event"], bust["event"]) == ("new", "trade_bust")
    assert (bust["previous_execution_id"], bust["qty"], bust["price"]) == (
        fill["execution_id"],
        told_qty,
        "10",
    )
    assert (bust["position_qty"], bust["order"]["filled_qty"]) == ("0", "0")
    assert client.get_account()["cash"] == "100000"
    assert client.get_all_positions() == []
    assert client.get("/account/activities/FILL") == []
    (busted,) = exchange.truth()["executions"]["busted"]
    assert (busted["id"], busted["busted_by"]) == (fill["execution_id"], bust["execution_id"])
    assert client.get_order_by_id(order["id"])["status"] == "filled"


def test_a_correction_restates_an_execution(
    exchange: Exchange, client: TradingClient, listener: Listener
) -> None:
    exchange.price("AAPL", "9.98", "10")
    submit(client)
    fill = listener.next(2)[1]
    exchange.ctl("POST", f"executions/{fill['execution_id']}/correct", {"price": "9.5", "qty": "90"})
    (correct,) = listener.next(1)
    assert (correct["event"], correct["previous_execution_id"]) == ("trade_correct", fill["execution_id"])
    assert (correct["price"], correct["qty"], correct["position_qty"]) == ("9.5", "90", "90")
    assert Decimal(client.get_account()["cash"]) == 100_000 - Decimal("9.5") * 90
    assert client.get_open_position("AAPL")["avg_entry_price"] == "9.5"
    (activity,) = client.get("/account/activities/FILL")
    assert (activity["qty"], activity["price"]) == ("90", "9.5")
    with pytest.raises(AssertionError, match="404"):
        exchange.ctl("POST", f"executions/{fill['execution_id']}/bust", {})


def test_a_stuck_order_moves_only_by_force(
    exchange: Exchange, client: TradingClient, listener: Listener
) -> None:
    exchange.arm("order.stuck", status="pending_new")
    exchange.arm("order.stuck", status="pending_cancel")
    exchange.price("AAPL", "9.98", "10.10")
    order = submit(client)
    assert client.get_order_by_id(order["id"])["status"] == "pending_new"
    force(exchange, order, "accept")
    force(exchange, order, "fill", qty="20", price="10")
    client.cancel_order_by_id(order["id"])
    assert force(exchange, order, "fill", qty="30")["status"] == "pending_cancel"
    assert force(exchange, order, "cancel_reject")["status"] == "partially_filled"
    force(exchange, order, "restate", qty="90", reason="LESS")
    force(exchange, order, "done_for_day")
    assert force(exchange, order, "accept")["status"] == "partially_filled"
    assert force(exchange, order, "cancel")["filled_qty"] == "50"
    assert listener.events(9) == [
        "new",
        "partial_fill",
        "pending_cancel",
        "partial_fill",
        "order_cancel_rejected",
        "restated",
        "done_for_day",
        "new",
        "canceled",
    ]


def test_an_order_can_be_filled_beyond_its_quantity_by_force(
    exchange: Exchange, client: TradingClient
) -> None:
    order = submit(client)
    after = force(exchange, order, "fill", qty="120", price="9.99")
    assert (after["status"], after["filled_qty"]) == ("filled", "120")


def test_a_foreign_order_appears_without_a_request(
    exchange: Exchange, client: TradingClient, listener: Listener
) -> None:
    asked = {"symbol": "IBM", "qty": "5", "side": "buy", "type": "market", "time_in_force": "day"}
    order = exchange.ctl("POST", "foreign_order", asked)
    assert listener.next(1)[0]["order"]["id"] == order["id"]
    assert exchange.ctl("GET", "requests") == []
    assert client.get_order_by_id(order["id"])["status"] == "new"


def test_a_split_multiplies_positions_and_ends_resting_orders(
    exchange: Exchange, client: TradingClient, listener: Listener
) -> None:
    exchange.ctl("POST", "account", {"positions": {"AAPL": {"qty": "10", "price": "90"}}})
    submit(client, time_in_force="gtc")
    exchange.ctl("POST", "split", {"symbol": "AAPL", "ratio": "2"})
    position = client.get_open_position("AAPL")
    assert (position["qty"], position["avg_entry_price"]) == ("20", "45")
    assert listener.next(2)[1]["reason"] == "CORPORATE_ACTION"


def test_a_fill_can_exceed_the_order(exchange: Exchange, client: TradingClient) -> None:
    exchange.price("AAPL", "9.98", "10")
    exchange.arm("fill.over", qty="7")
    submit(client)
    assert client.get_open_position("AAPL")["qty"] == "107"


def test_a_list_can_miss_orders_and_activities_once(exchange: Exchange, client: TradingClient) -> None:
    exchange.price("AAPL", "9.98", "10")
    filled, resting = submit(client), submit(client, limit_price="9")
    exchange.arm("read.list_gap")
    exchange.arm("read.activities_gap")
    assert client.get_orders() == []
    assert [order["id"] for order in client.get_orders()] == [resting["id"]]
    assert client.get("/account/activities/FILL") == []
    assert [a["order_id"] for a in client.get("/account/activities/FILL")] == [filled["id"]]


def test_a_suspended_account_refuses_new_orders_and_still_cancels(
    exchange: Exchange, client: TradingClient
) -> None:
    order = submit(client)
    client.patch("/account/configurations", {"suspend_trade": True, "no_shorting": None})
    assert client.get_account()["trade_suspended_by_user"]
    assert refusal(client)[2] == "new orders are rejected by user request"
    client.cancel_order_by_id(order["id"])
    assert client.get_order_by_id(order["id"])["status"] == "canceled"
