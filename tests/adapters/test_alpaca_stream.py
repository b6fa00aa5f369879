"""The trade-updates reader against an exchange that drops, mutes, garbles and refuses."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from websockets.asyncio.server import ServerConnection, serve

from gateway.adapters import alpaca_stream
from gateway.adapters.alpaca import AlpacaBroker, AlpacaSettings
from gateway.adapters.alpaca_stream import StreamRefused, TradeUpdates
from gateway.adapters.system_clock import SystemClock
from gateway.aggregates.vocabulary import ClientOrderId
from gateway.ports import Accepted, Frame
from tests.adapters.said import TICKET
from tests.adapters.wire import answer, wire
from tests.kit.covers import covers
from tests.kit.exchange import Exchange


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    exchange = Exchange.start(tmp_path_factory.mktemp("exchange"))
    yield exchange
    exchange.stop()


@pytest.fixture
def exchange(running: Exchange) -> Exchange:
    running.reset()
    return running


@dataclass
class Reader:
    """What a reader kept, and how often it was told that it is connected."""

    updates: TradeUpdates
    frames: list[bytes] = field(default_factory=list)
    connected: int = 0
    failures: int = 0
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def keep(self, arrived: Sequence[Frame]) -> None:
        if self.failures > 0:
            self.failures -= 1
            raise ConnectionError("the inbox is away")
        async with self.news:
            self.frames.extend(frame.raw for frame in arrived)
            self.news.notify_all()

    async def repair(self) -> None:
        async with self.news:
            self.connected += 1
            self.news.notify_all()

    async def until(self, condition: Callable[[], bool], *, within: float = 10) -> None:
        async with asyncio.timeout(within), self.news:
            await self.news.wait_for(condition)

    async def until_disconnected(self) -> None:
        async with asyncio.timeout(5):
            while self.updates.connected:
                await asyncio.sleep(0.02)

    @property
    def events(self) -> list[Any]:
        return [json.loads(raw)["data"]["event"] for raw in self.frames]


@asynccontextmanager
async def reading(url: str, key: str, secret: str) -> AsyncIterator[Reader]:
    reader = Reader(updates=None)  # type: ignore[arg-type]  # each needs the other
    reader.updates = TradeUpdates(
        key, secret, url, on_frames=reader.keep, on_connected=reader.repair, clock=SystemClock()
    )
    task = asyncio.create_task(reader.updates.run())
    try:
        await reader.until(lambda: reader.connected == 1)
        yield reader
    finally:
        await reader.updates.stop()
        await asyncio.wait_for(task, 8)


@asynccontextmanager
async def listening(exchange: Exchange) -> AsyncIterator[Reader]:
    async with reading(exchange.stream_url, exchange.key, exchange.secret) as reader:
        yield reader


async def send(exchange: Exchange) -> str:
    """Submit a resting order; it stays `new`."""
    settings = AlpacaSettings(key=exchange.key, secret=exchange.secret, base_url=exchange.url)
    broker = AlpacaBroker(settings, clock=SystemClock())
    try:
        outcome = await broker.submit(ClientOrderId(uuid4().hex), TICKET)
        assert isinstance(outcome, Accepted)
        return outcome.order.order_id
    finally:
        broker.close()


@pytest.mark.parametrize("kind", ["binary", "text"])
async def test_every_frame_of_either_kind_reaches_the_inbox_as_it_came(exchange: Exchange, kind: str) -> None:
    exchange.ctl("PUT", "config", {"frame": kind})
    async with listening(exchange) as reader:
        order_id = await send(exchange)
        exchange.ctl("POST", f"orders/{order_id}/fill", {"qty": "2", "price": "150.00"})
        await reader.until(lambda: "fill" in reader.events)
        assert reader.updates.connected
        assert reader.updates.last_frame_at is not None
        filled = json.loads(reader.frames[-1], parse_float=Decimal)
        assert filled["data"]["order"]["id"] == order_id


@covers("FC:D-15")
@pytest.mark.parametrize("kind", ["not_json", "truncated", "array", "null", "no_order", "empty_execution_id"])
async def test_a_poison_frame_is_kept_too_and_the_next_one_still_arrives(
    exchange: Exchange, kind: str
) -> None:
    async with listening(exchange) as reader:
        exchange.arm("ws.malformed", kind=kind)
        await send(exchange)
        await reader.until(lambda: len(reader.frames) == 2)
        assert json.loads(reader.frames[1])["data"]["event"] == "new"
        assert reader.connected == 1, "no frame is worth a reconnect"


@covers("FC:D-01")
@pytest.mark.parametrize("code", [1000, 1006, 1011, 1012])
async def test_a_dropped_connection_is_made_again_and_the_gap_announced(
    exchange: Exchange, code: int
) -> None:
    async with listening(exchange) as reader:
        exchange.ctl("POST", "connections/all/drop", {"code": code})
        await reader.until(lambda: reader.connected == 2)
        await send(exchange)
        await reader.until(lambda: "new" in reader.events)


async def test_a_forced_reconnect_subscribes_again(exchange: Exchange) -> None:
    async with listening(exchange) as reader:
        reader.updates.force_reconnect()
        await reader.until(lambda: reader.connected == 2)


@covers("FC:D-02")
async def test_a_peer_that_froze_is_noticed(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """A half-open socket."""
    for knob in ("ping_interval", "ping_timeout", "close_timeout"):
        monkeypatch.setitem(alpaca_stream._SOCKET, knob, 0.2)
    async with listening(exchange) as reader:
        assert exchange._process is not None
        exchange._process.send_signal(signal.SIGSTOP)
        try:
            await reader.until_disconnected()
        finally:
            exchange._process.send_signal(signal.SIGCONT)
        await reader.until(lambda: reader.connected == 2, within=20)


@covers("FM:F-097")
async def test_an_inbox_that_is_away_for_a_moment_loses_nothing(exchange: Exchange) -> None:
    async with listening(exchange) as reader:
        reader.failures = 2
        await send(exchange)
        await reader.until(lambda: "new" in reader.events)
        assert reader.connected == 1


async def test_a_frame_that_cannot_be_kept_is_announced_as_a_gap(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.adapters.alpaca_stream._RETRY_SECONDS", (0.01, 0.01))
    async with listening(exchange) as reader:
        reader.failures = 2
        await send(exchange)
        await reader.until(lambda: reader.connected == 2)


def an_exchange_that_bursts(frames: int) -> Callable[[ServerConnection], Awaitable[None]]:
    """Authorizes, subscribes, and sends as fast as the socket takes it."""

    async def burst(socket: ServerConnection) -> None:
        for answer_ in (
            {"stream": "authorization", "data": {"status": "authorized", "action": "authenticate"}},
            {"stream": "listening", "data": {"streams": ["trade_updates"]}},
        ):
            await socket.recv()
            await socket.send(json.dumps(answer_))
        for number in range(frames):
            await socket.send(json.dumps({"stream": "trade_updates", "data": {"event": number}}))
        await socket.wait_closed()

    return burst


@covers("FM:F-098")
async def test_a_burst_is_held_back_at_the_socket_and_nothing_of_it_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ten thousand messages for a keeper that is slow; what waits for it is bounded."""
    monkeypatch.setattr(alpaca_stream, "_QUEUE", 300)
    most = 0
    keep = Reader.keep

    async def keep_slowly(reader: Reader, arrived: Sequence[Frame]) -> None:
        nonlocal most
        most = max(most, reader.updates._frames.qsize() + len(arrived))
        await asyncio.sleep(0.02)
        await keep(reader, arrived)

    monkeypatch.setattr(Reader, "keep", keep_slowly)
    async with serve(an_exchange_that_bursts(10_000), "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with reading(f"ws://127.0.0.1:{port}", "key", "secret") as reader:
            await reader.until(lambda: len(reader.frames) == 10_000, within=30)
            assert reader.events == list(range(10_000))
            assert reader.connected == 1
    assert most <= 2 * 300


@covers("FC:D-03")
async def test_a_keeper_of_frames_that_dies_ends_the_reader_so_that_it_is_started_again(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:

    async def die(updates: TradeUpdates) -> None:
        raise ZeroDivisionError

    reader = Reader(updates=None)  # type: ignore[arg-type]
    monkeypatch.setattr(TradeUpdates, "_keep_frames", die)
    updates = TradeUpdates(
        exchange.key,
        exchange.secret,
        exchange.stream_url,
        on_frames=reader.keep,
        on_connected=reader.repair,
        clock=SystemClock(),
    )
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(updates.run(), 5)


async def test_refused_keys_end_the_reader_instead_of_being_tried_for_ever(exchange: Exchange) -> None:
    reader = Reader(updates=None)  # type: ignore[arg-type]
    updates = TradeUpdates(
        exchange.key,
        "wrong",
        exchange.stream_url,
        on_frames=reader.keep,
        on_connected=reader.repair,
        clock=SystemClock(),
    )
    with pytest.raises(StreamRefused):
        await asyncio.wait_for(updates.run(), 5)
    assert not updates.connected


async def test_a_redirect_is_not_followed_and_the_keys_go_nowhere_else(exchange: Exchange) -> None:
    async with wire(answer(302, b"", {"location": exchange.stream_url})) as served:
        updates = TradeUpdates(
            exchange.key,
            exchange.secret,
            served.url.replace("http", "ws"),
            on_frames=Reader(updates=None).keep,  # type: ignore[arg-type]
            on_connected=Reader(updates=None).repair,  # type: ignore[arg-type]
            clock=SystemClock(),
        )
        task = asyncio.create_task(updates.run())
        await served.reached(2)
        assert not updates.connected
        assert exchange.ctl("GET", "connections") in ([], {"connections": []})
        await updates.stop()
        await asyncio.wait_for(task, 8)
