"""What a stream can do to its listeners."""

from __future__ import annotations

import time
from typing import Any

import pytest
from alpaca.trading.client import TradingClient
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.kit.exchange import Exchange
from tests.paper.listener import Listener, connected, listening
from tests.paper.tickets import submit


def deliveries(exchange: Exchange) -> list[tuple[str, str]]:
    """Event and what became of it on the only connection."""
    return [(e["event"], *e["delivery"].values()) for e in exchange.ctl("GET", "events")]


@pytest.mark.parametrize("code", [1000, 1011, 1012])
def test_a_drop_closes_with_its_code_and_loses_what_follows(
    exchange: Exchange, client: TradingClient, listener: Listener, code: int
) -> None:
    exchange.arm("ws.drop", code=code, after_events=1)
    submit(client)
    submit(client)
    assert listener.events(1) == ["new"]
    with pytest.raises(ConnectionClosed) as caught:
        listener.next_frame()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == code
    assert [outcome for _, *outcome in deliveries(exchange)] == [["sent"], ["dropped"]]


def test_an_abnormal_drop_sends_no_close_frame(
    exchange: Exchange, client: TradingClient, listener: Listener
) -> None:
    exchange.arm("ws.drop", code=1006)
    submit(client)
    with pytest.raises(ConnectionClosed) as caught:
        listener.next_frame()
    assert caught.value.rcvd is None
    with listening(exchange) as again:
        submit(client)
        assert again.events(1) == ["new"]


def test_connections_can_be_listed_and_dropped_by_hand(exchange: Exchange, listener: Listener) -> None:
    (connection,) = exchange.ctl("GET", "connections")
    assert connection["listening"]
    exchange.ctl("POST", f"connections/{connection['id']}/drop", {"code": 1000})
    with pytest.raises(ConnectionClosed):
        listener.next_frame()
    deadline = time.monotonic() + 2
    while exchange.ctl("GET", "connections"):
        assert time.monotonic() < deadline


@pytest.mark.parametrize(
    ("backlog", "heard"), [("drop", ["canceled"]), ("hold", ["new", "pending_cancel", "canceled"])]
)
def test_a_muted_stream_is_silent_and_then_forgets_or_catches_up(
    exchange: Exchange, client: TradingClient, listener: Listener, backlog: str, heard: list[str]
) -> None:
    exchange.arm("ws.mute", seconds=0.4, backlog=backlog)
    order = submit(client)
    assert listener.is_silent(0.1)
    if backlog == "hold":
        client.cancel_order_by_id(order["id"])
        assert listener.events(3) == heard
    else:
        time.sleep(0.4)
        exchange.ctl("POST", f"orders/{order['id']}/cancel", {})
        assert listener.events(1) == heard


def test_a_lost_event_reaches_the_truth_but_no_socket(
    exchange: Exchange, client: TradingClient, listener: Listener
) -> None:
    exchange.price("AAPL", "9.98", "10")
    exchange.arm("ws.lose", match={"event": "fill"})
    order = submit(client)
    assert listener.events(1) == ["new"]
    assert listener.is_silent()
    assert client.get_order_by_id(order["id"])["status"] == "filled"
    assert deliveries(exchange) == [("new", "sent"), ("fill", "lost")]


@pytest.mark.parametrize("fresh", [False, True])
def test_a_duplicate_repeats_the_execution_id(
    exchange: Exchange, client: TradingClient, listener: Listener, fresh: bool
) -> None:
    exchange.price("AAPL", "9.98", "10")
    exchange.arm("ws.duplicate", match={"event": "fill"}, copies=2, new_event_id=fresh)
    submit(client)
    fills = listener.next(4)[1:]
    assert len({fill["execution_id"] for fill in fills}) == 1
    assert len({fill["event_id"] for fill in fills}) == (3 if fresh else 1)
    assert len(exchange.truth()["executions"]["live"]) == 1


def test_events_can_arrive_in_reverse(exchange: Exchange, client: TradingClient, listener: Listener) -> None:
    exchange.arm("ws.reorder", window=3)
    order = submit(client)
    client.cancel_order_by_id(order["id"])
    assert listener.events(3) == ["canceled", "pending_cancel", "new"]


def test_new_can_arrive_after_the_fill(exchange: Exchange, client: TradingClient, listener: Listener) -> None:
    exchange.price("AAPL", "9.98", "10")
    exchange.arm("ws.reorder", window=2, mode="new_after_fill")
    submit(client)
    assert listener.events(2) == ["fill", "new"]


def test_an_event_can_be_late(exchange: Exchange, client: TradingClient, listener: Listener) -> None:
    exchange.arm("ws.delay", match={"event": "new"}, seconds=0.5)
    client.cancel_order_by_id(submit(client)["id"])
    assert listener.events(3) == ["pending_cancel", "canceled", "new"]


@pytest.mark.parametrize(
    ("kind", "check"),
    [
        ("array", lambda frame: frame == []),
        ("null", lambda frame: frame is None),
        ("no_order", lambda frame: "order" not in frame["data"]),
        ("no_timestamp", lambda frame: "timestamp" not in frame["data"]),
        ("empty_execution_id", lambda frame: frame["data"]["execution_id"] == ""),
    ],
)
def test_a_poison_frame_comes_before_the_real_one(
    exchange: Exchange, client: TradingClient, listener: Listener, kind: str, check: Any
) -> None:
    exchange.arm("ws.malformed", kind=kind)
    submit(client)
    assert check(listener.next_frame())
    assert listener.events(1) == ["new"]


@pytest.mark.parametrize("kind", ["not_json", "truncated"])
def test_a_frame_can_be_no_json_at_all(
    exchange: Exchange, client: TradingClient, listener: Listener, kind: str
) -> None:
    exchange.arm("ws.malformed", kind=kind)
    submit(client)
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        listener.next_frame()
    assert listener.events(1) == ["new"]


def test_an_event_nobody_knows_can_come_with_fields_nobody_knows(
    exchange: Exchange, client: TradingClient, listener: Listener
) -> None:
    exchange.arm("ws.unknown_event", event="levitated", fields={"height": "3"})
    submit(client)
    strange, new = listener.next(2)
    assert (strange["event"], strange["height"], new["event"]) == ("levitated", "3", "new")


def test_the_upgrade_can_be_refused(exchange: Exchange) -> None:
    exchange.arm("ws.upgrade", status=429)
    with pytest.raises(InvalidStatus) as caught, connected(exchange):
        pass
    assert caught.value.response.status_code == 429
    with listening(exchange):
        assert len(exchange.ctl("GET", "connections")) == 1


def test_refused_keys_are_refused_on_the_stream_too(exchange: Exchange) -> None:
    exchange.arm("http.auth")
    with connected(exchange) as listener:
        login = {"action": "auth", "key": exchange.key, "secret": exchange.secret}
        assert listener.ask(login)["data"]["status"] == "unauthorized"


@pytest.mark.parametrize("mode", ["unauthorized", "hang", "event_first"])
def test_the_handshake_can_go_wrong(exchange: Exchange, mode: str) -> None:
    exchange.arm("ws.auth", mode=mode)
    with connected(exchange) as listener:
        login = {"action": "auth", "key": exchange.key, "secret": exchange.secret}
        if mode == "hang":
            listener.socket.send('{"action": "auth", "key": "x", "secret": "y"}')
            assert listener.is_silent()
        elif mode == "unauthorized":
            assert listener.ask(login)["data"]["status"] == "unauthorized"
        else:
            assert listener.ask(login)["stream"] == "trade_updates"
            assert listener.next_frame()["data"]["status"] == "authorized"


def test_a_frozen_connection_answers_no_ping(
    exchange: Exchange, client: TradingClient, listener: Listener
) -> None:
    exchange.ctl("POST", "connections/all/freeze", {"seconds": 0.4})
    assert not listener.socket.ping().wait(0.2)
    submit(client)
    assert listener.is_silent(0.1)
    assert listener.socket.ping().wait(2)


def test_the_last_events_can_be_replayed_on_the_next_connect(
    exchange: Exchange, client: TradingClient
) -> None:
    client.cancel_order_by_id(submit(client)["id"])
    exchange.arm("ws.replay", last=2)
    with listening(exchange) as listener:
        assert listener.events(2) == ["pending_cancel", "canceled"]


def test_the_position_after_a_fill_can_be_a_lie(
    exchange: Exchange, client: TradingClient, listener: Listener
) -> None:
    exchange.price("AAPL", "9.98", "10")
    exchange.arm("ws.position_lie", delta=-3)
    submit(client)
    assert listener.next(2)[1]["position_qty"] == "97"
    assert client.get_open_position("AAPL")["qty"] == "100"


def test_the_stream_can_name_an_execution_differently_from_the_activities(
    exchange: Exchange, client: TradingClient, listener: Listener
) -> None:
    exchange.price("AAPL", "9.98", "10")
    exchange.arm("fill.id_mismatch")
    submit(client)
    told = listener.next(2)[1]["execution_id"]
    (activity,) = client.get("/account/activities/FILL")
    assert activity["id"].partition("::")[2] == exchange.truth()["executions"]["live"][0]["id"] != told


@pytest.mark.parametrize(("fault", "params"), [("ws.reorder", {"window": 3}), ("ws.delay", {"seconds": 0.4})])
def test_a_frame_held_back_is_not_told_to_another_world(
    exchange: Exchange, client: TradingClient, fault: str, params: dict[str, Any]
) -> None:
    exchange.arm(fault, **params)
    submit(client)
    exchange.reset()
    with listening(exchange) as listener:
        assert listener.is_silent(2.2)  # longer than a window stays open
