"""Orders that hang between two statuses, and replaces that race with fills."""

from __future__ import annotations

from typing import Any

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient

from tests.kit.exchange import Exchange
from tests.paper.listener import Listener
from tests.paper.tickets import submit


def patch(client: TradingClient, order: Any, **change: str) -> Any:
    return client.patch(f"/orders/{order['id']}", change)


def status(client: TradingClient, order: Any) -> str:
    return str(client.get_order_by_id(order["id"])["status"])


def test_a_replace_can_be_answered_with_an_error_and_apply_all_the_same(
    exchange: Exchange, client: TradingClient
) -> None:
    exchange.arm("order.replace_race", mode="error_but_applied")
    old = submit(client)
    with pytest.raises(APIError, match="unable to replace order"):
        patch(client, old, limit_price="9", client_order_id="next")
    new = client.get_order_by_client_id("next")
    assert (status(client, old), new["status"], new["replaces"]) == ("replaced", "new", old["id"])


def test_a_replace_can_happen_without_a_word(
    exchange: Exchange, client: TradingClient, listener: Listener
) -> None:
    exchange.arm("order.replace_race", mode="silent")
    old = submit(client)
    new = patch(client, old, limit_price="9")
    assert (status(client, old), status(client, new)) == ("replaced", "new")
    assert listener.events(1) == ["new"]
    assert listener.is_silent()


@pytest.mark.parametrize(("mode", "qty"), [("full_qty", "100"), (None, "60")])
def test_a_replace_after_fills_orders_the_rest_or_everything_again(
    exchange: Exchange, client: TradingClient, mode: str | None, qty: str
) -> None:
    if mode:
        exchange.arm("order.replace_race", mode=mode)
    old = submit(client)
    exchange.ctl("POST", f"orders/{old['id']}/fill", {"qty": "40"})
    assert patch(client, old, limit_price="9")["qty"] == qty


def test_a_stuck_order_goes_on_when_its_fault_is_disarmed(exchange: Exchange, client: TradingClient) -> None:
    fault = exchange.arm("order.stuck", status="pending_new")
    other = exchange.arm("order.stuck", status="pending_cancel")
    waiting, leaving = submit(client), submit(client, symbol="IBM")
    client.cancel_order_by_id(leaving["id"])
    exchange.ctl("DELETE", f"faults/{fault}")
    assert (status(client, waiting), status(client, leaving)) == ("new", "pending_cancel")
    exchange.ctl("DELETE", f"faults/{other}")
    assert status(client, leaving) == "canceled"


def test_what_was_moved_by_force_meanwhile_stays_where_it_is(
    exchange: Exchange, client: TradingClient
) -> None:
    exchange.arm("order.stuck", status="pending_cancel")
    order = submit(client)
    client.cancel_order_by_id(order["id"])
    exchange.ctl("POST", f"orders/{order['id']}/cancel_reject", {})
    exchange.ctl("DELETE", "faults")
    assert status(client, order) == "new"


def test_a_stuck_order_can_wait_for_the_next_open(exchange: Exchange, client: TradingClient) -> None:
    exchange.ctl("PUT", "config", {"session": "regular"})
    exchange.ctl("POST", "clock", {"mode": "manual", "now": "2026-11-20T17:00:00Z"})
    exchange.arm("order.stuck", status="pending_cancel", until="next_open")
    order = submit(client, time_in_force="gtc")
    client.cancel_order_by_id(order["id"])
    exchange.ctl("POST", "clock/advance", {"to": "2026-11-23T14:00:00Z"})
    assert status(client, order) == "pending_cancel"
    exchange.ctl("POST", "clock/advance", {"to": "open"})
    assert status(client, order) == "canceled"


def test_the_legs_of_a_bracket_can_stay_held_after_its_entry_is_filled(
    exchange: Exchange, client: TradingClient
) -> None:
    exchange.arm("order.stuck", times=2, status="held")
    exchange.price("AAPL", "9.98", "10")
    exits = {"take_profit": {"limit_price": "12"}, "stop_loss": {"stop_price": "8"}}
    legs = submit(client, order_class="bracket", **exits)["legs"]
    assert [status(client, leg) for leg in legs] == ["held", "held"]
    exchange.ctl("DELETE", "faults")
    assert [status(client, leg) for leg in legs] == ["new", "new"]


def test_a_replace_that_a_kill_interrupted_is_finished_after_the_restart(own_exchange: Exchange) -> None:
    client = TradingClient(
        own_exchange.key, own_exchange.secret, url_override=own_exchange.url, raw_data=True
    )
    own_exchange.arm("order.stuck", status="pending_replace")
    old = submit(client)
    new = patch(client, old, limit_price="9")
    assert status(client, old) == "pending_replace"
    own_exchange.kill()
    own_exchange.restart()
    assert (status(client, old), status(client, new)) == ("replaced", "new")
    assert client.get_order_by_id(old["id"])["replaced_by"] == new["id"]


def test_a_correction_and_a_bust_of_one_execution_both_find_it(
    exchange: Exchange, client: TradingClient, listener: Listener
) -> None:
    exchange.ctl("POST", "clock", {"mode": "manual"})
    exchange.price("AAPL", "9.98", "10")
    exchange.arm("fill.correct", delay_s=1)
    exchange.arm("fill.bust", delay_s=2)
    submit(client)
    exchange.ctl("POST", "clock/advance", {"seconds": 2})
    told = listener.next(4)
    assert [update["event"] for update in told] == ["new", "fill", "trade_correct", "trade_bust"]
    assert told[3]["previous_execution_id"] == told[2]["execution_id"]
    assert client.get_account()["cash"] == "100000"


def test_a_frame_can_be_sent_as_it_is_and_events_again(
    exchange: Exchange, client: TradingClient, listener: Listener
) -> None:
    submit(client)
    exchange.ctl("POST", "connections/all/send_raw", {"text": "[1]"})
    exchange.ctl("POST", "connections/all/replay", {})
    first, raw, again = (listener.next_frame() for _ in range(3))
    assert raw == [1]
    assert again == first
