"""What a stream can do to its listeners, each as they see it."""

from __future__ import annotations

import time

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.paper.bench import Bench, shows
from tests.paper.listener import connected, listening, server_sent


@shows("ws.drop")
def _(bench: Bench) -> None:
    bench.arm("ws.drop", code=1011)
    bench.submit()
    with pytest.raises(ConnectionClosed) as caught:
        bench.listener.next_frame()
    assert caught.value.rcvd
    assert caught.value.rcvd.code == 1011


@shows("ws.freeze")
def _(bench: Bench) -> None:
    bench.arm("ws.freeze", seconds=1)
    bench.submit()
    assert not bench.listener.socket.ping().wait(0.2)
    assert bench.listener.socket.ping().wait(2)


@shows("ws.mute")
def _(bench: Bench) -> None:
    bench.arm("ws.mute", seconds=1, backlog="hold")
    bench.submit()
    assert bench.listener.socket.ping().wait(1)
    assert bench.listener.is_silent(0.05)
    assert bench.listener.events(1) == ["new"]


@shows("ws.lose")
def _(bench: Bench) -> None:
    bench.arm("ws.lose", n=2)
    order = bench.submit()
    bench.cancel(order)
    assert bench.listener.events(1) == ["canceled"]


@shows("ws.duplicate")
def _(bench: Bench) -> None:
    bench.arm("ws.duplicate", match={"event": "fill"}, new_event_id=True)
    bench.buy()
    one, again = bench.listener.next(3)[1:]
    assert one["execution_id"] == again["execution_id"]
    assert one["event_id"] != again["event_id"]


@shows("ws.replay")
def _(bench: Bench) -> None:
    bench.submit()
    bench.arm("ws.replay")
    with listening(bench.exchange) as late:
        assert late.events(1) == ["new"]


@shows("ws.reorder")
def _(bench: Bench) -> None:
    bench.arm("ws.reorder")
    bench.cancel(bench.submit())
    assert bench.listener.events(3) == ["canceled", "pending_cancel", "new"]
    bench.arm("ws.reorder", mode="shuffle", window=8)
    for _ in range(8):
        bench.submit()
    told = [u["event_id"] for u in bench.listener.next(8)]
    assert told not in (sorted(told), sorted(told, reverse=True))


@shows("ws.delay")
def _(bench: Bench) -> None:
    bench.arm("ws.delay", match={"event": "new"}, seconds=0.8, jitter_s=0.2)
    bench.cancel(bench.submit())
    assert bench.listener.events(3) == ["pending_cancel", "canceled", "new"]


@shows("ws.malformed")
def _(bench: Bench) -> None:
    bench.arm("ws.malformed", kind="array")
    bench.submit()
    assert bench.listener.next_frame() == []
    assert bench.listener.events(1) == ["new"]


@shows("ws.unknown_event")
def _(bench: Bench) -> None:
    bench.arm("ws.unknown_event")
    bench.submit()
    assert bench.listener.events(2) == ["novelty", "new"]


@shows("ws.upgrade")
def _(bench: Bench) -> None:
    bench.arm("ws.upgrade")
    with pytest.raises(InvalidStatus) as caught, connected(bench.exchange):
        pass
    assert caught.value.response.status_code == 429


@shows("ws.auth")
def _(bench: Bench) -> None:
    bench.arm("ws.auth")
    with connected(bench.exchange) as other:
        login = {"action": "auth", "key": bench.exchange.key, "secret": bench.exchange.secret}
        assert other.ask(login)["data"]["status"] == "unauthorized"


@shows("ws.one_connection")
def _(bench: Bench) -> None:
    fault = bench.arm("ws.one_connection", reap_s=1)
    with pytest.raises(InvalidStatus) as caught, connected(bench.exchange):
        pass
    assert caught.value.response.status_code == 429
    bench.exchange.ctl("POST", "connections/all/drop", {"code": 1006})
    with pytest.raises(ConnectionClosed):
        bench.listener.next_frame()
    with pytest.raises(InvalidStatus), connected(bench.exchange):
        pass  # the dead one keeps its slot
    time.sleep(1.05)
    with listening(bench.exchange) as first:
        bench.exchange.ctl("DELETE", f"faults/{fault}")
        bench.armed = [bench.arm("ws.one_connection", policy="kick_old")]
        with listening(bench.exchange):
            with pytest.raises(ConnectionClosed):
                first.next_frame()
            assert len(bench.exchange.ctl("GET", "connections")) == 1


@shows("ws.big_frame")
def _(bench: Bench) -> None:
    """The listener takes a megabyte, as alpaca-py's does unless told otherwise."""
    bench.arm("ws.big_frame")
    bench.submit()
    with pytest.raises(ConnectionClosed) as caught:
        bench.listener.next_frame()
    assert caught.value.sent
    assert caught.value.sent.code == 1009


@shows("ws.position_lie")
def _(bench: Bench) -> None:
    bench.arm("ws.position_lie")
    bench.buy()
    assert bench.listener.next(2)[1]["position_qty"] == "101"
    assert bench.client.get_open_position("AAPL")["qty"] == "100"


@shows("sse.dropped")
def _(bench: Bench) -> None:
    with server_sent(bench.exchange) as lines:
        bench.arm("sse.dropped")
        bench.cancel(bench.submit())
        assert next(lines) == ": you are reading too slowly, dropped 2 messages"
        assert next(lines).startswith("data: {")
