"""The `trade_updates` stream: its handshake, its frames, and alpaca-py's own consumer."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID

from alpaca.trading.client import TradingClient
from alpaca.trading.enums import TradeEvent
from alpaca.trading.models import TradeUpdate
from alpaca.trading.stream import TradingStream

from tests.kit.exchange import Exchange
from tests.paper.listener import Listener, connected, listening
from tests.paper.tickets import submit

AUTHENTICATE = "authenticate"


def test_bad_keys_are_refused_and_listening_needs_authentication(exchange: Exchange) -> None:
    with connected(exchange) as listener:
        wrong = listener.ask(
            {"action": AUTHENTICATE, "data": {"key_id": exchange.key, "secret_key": "wrong"}}
        )
        refused = {"status": "unauthorized", "action": AUTHENTICATE}
        assert wrong == {"stream": "authorization", "data": refused}
        early = listener.ask({"action": "listen", "data": {"streams": ["trade_updates"]}})
        assert early["data"] == {"status": "unauthorized", "action": "listen"}


def test_the_short_form_of_authentication_works_and_unknown_streams_are_left_out(exchange: Exchange) -> None:
    with connected(exchange) as listener:
        authorized = listener.ask({"action": "auth", "key": exchange.key, "secret": exchange.secret})
        assert authorized["data"]["status"] == "authorized"
        listening = listener.ask({"action": "listen", "data": {"streams": ["trade_updates", "gossip"]}})
        assert listening == {"stream": "listening", "data": {"streams": ["trade_updates"]}}


def test_frames_are_binary_by_default_and_text_on_request(
    exchange: Exchange, client: TradingClient, listener: Listener
) -> None:
    submit(client)
    assert isinstance(listener.socket.recv(3), bytes)
    exchange.ctl("PUT", "config", {"frame": "text"})
    submit(client)
    assert isinstance(listener.socket.recv(3), str)


def test_each_execution_is_told_with_its_own_quantity_and_the_position_after_it(
    exchange: Exchange, client: TradingClient, listener: Listener
) -> None:
    exchange.price("AAPL", "9.98", "10", ask_size="40")
    order = submit(client, client_order_id="told")
    exchange.price("AAPL", "9.98", "9.99")
    new, first, last = listener.next(3)
    assert (new["event"], new["order"]["status"]) == ("new", "new")
    assert [first[k] for k in ("event", "qty", "price", "position_qty")] == ["partial_fill", "40", "10", "40"]
    assert [last[k] for k in ("event", "qty", "price", "position_qty")] == ["fill", "60", "10", "100"]
    assert (first["order"]["filled_qty"], last["order"]["filled_qty"]) == ("40", "100")
    assert last["order"] == client.get_order_by_id(order["id"])
    assert new["event_id"] < first["event_id"] < last["event_id"]


def test_the_execution_id_of_the_stream_ends_the_id_of_the_activity(
    exchange: Exchange, client: TradingClient, listener: Listener
) -> None:
    exchange.ctl("POST", "clock", {"mode": "manual", "now": "2026-11-20T15:00:00.120001Z"})
    exchange.price("AAPL", "9.98", "10")
    submit(client)
    fill = listener.next(2)[1]
    (activity,) = client.get("/account/activities/FILL")
    assert activity["id"] == f"20261120100000120::{fill['execution_id']}"
    assert UUID(fill["execution_id"])


def test_a_cancel_is_told_as_asked_and_then_as_done(client: TradingClient, listener: Listener) -> None:
    order = submit(client)
    client.cancel_order_by_id(order["id"])
    updates = listener.next(3)
    assert [u["event"] for u in updates] == ["new", "pending_cancel", "canceled"]
    assert [u["order"]["status"] for u in updates] == ["new", "pending_cancel", "canceled"]
    assert updates[2]["order"]["canceled_at"]


def test_a_replacement_is_told_by_the_old_order(client: TradingClient, listener: Listener) -> None:
    old = submit(client)
    new = client.patch(f"/orders/{old['id']}", {"limit_price": "9"})
    updates = listener.next(4)
    told = [(u["event"], u["order"]["id"]) for u in updates]
    expected = [("new", old), ("pending_replace", old), ("replaced", old), ("new", new)]
    assert told == [(event, order["id"]) for event, order in expected]
    assert updates[2]["order"]["replaced_by"] == new["id"]


def test_nothing_is_sent_before_listening_and_nothing_is_replayed(
    exchange: Exchange, client: TradingClient, listener: Listener
) -> None:
    submit(client)
    with listening(exchange) as late:
        assert late.is_silent()
    assert listener.events(1) == ["new"]
    listener.ask({"action": "listen", "data": {"streams": []}})
    submit(client)
    assert listener.is_silent()


def test_an_account_hears_only_of_its_own_orders(exchange: Exchange, listener: Listener) -> None:
    keys = [
        {"key_id": exchange.key, "secret": exchange.secret},
        {"key_id": "other", "secret": "other", "account": "PA2"},
    ]
    exchange.ctl("PUT", "config", {"keys": keys})
    submit(TradingClient("other", "other", url_override=exchange.url, raw_data=True))
    assert listener.is_silent()


async def _consume(exchange: Exchange, client: TradingClient, count: int, *, raw: bool) -> list[Any]:
    heard: list[Any] = []
    enough = asyncio.Event()

    async def hear(update: Any) -> None:
        heard.append(update)
        if len(heard) == count:
            enough.set()

    stream = TradingStream(exchange.key, exchange.secret, raw_data=raw, url_override=exchange.stream_url)
    stream.subscribe_trade_updates(hear)
    running = asyncio.create_task(stream._run_forever())  # type: ignore[no-untyped-call]
    while not exchange.ctl("GET", "connections") or not exchange.ctl("GET", "connections")[0]["listening"]:
        await asyncio.sleep(0.01)
    await asyncio.to_thread(submit, client)
    await asyncio.wait_for(enough.wait(), 5)
    await stream.stop_ws()
    exchange.ctl("POST", "connections/all/drop", {"code": 1000})
    await running
    return heard


async def test_alpacas_own_stream_hears_new_partial_fill_and_fill_typed(
    exchange: Exchange, client: TradingClient
) -> None:
    exchange.price("AAPL", "9.98", "10", ask_size="40")
    exchange.arm("fill.partial", slices=2)
    heard: list[TradeUpdate] = await _consume(exchange, client, 3, raw=False)
    assert [u.event for u in heard] == [TradeEvent.NEW, TradeEvent.PARTIAL_FILL, TradeEvent.PARTIAL_FILL]
    assert [u.qty for u in heard[1:]] == [20, 20]


async def test_alpacas_own_stream_hears_fill_raw(exchange: Exchange, client: TradingClient) -> None:
    exchange.price("AAPL", "9.98", "10")
    heard = await _consume(exchange, client, 2, raw=True)
    assert [u["data"]["event"] for u in heard] == ["new", "fill"]
    assert heard[1]["data"]["price"] == "10"


def test_an_unreadable_message_from_a_client_is_ignored(client: TradingClient, listener: Listener) -> None:
    for nonsense in ("", "[]", "{", json.dumps({"action": "dance"})):
        listener.socket.send(nonsense)
    submit(client)
    assert listener.events(1) == ["new"]
