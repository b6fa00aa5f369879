"""The event stream through the client: once, in order, without a gap, whatever happens to the connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from urllib.parse import urlsplit

import pytest

from gateway.client import AsyncClient, Client, Forbidden, NoAnswer, Patience
from tests.contract.steps import resting_order
from tests.kit.house import House
from tests.kit.served import served


class Line:
    """A line to the gateway that can be cut."""

    def __init__(self, address: str) -> None:
        self._port = urlsplit(address).port
        self._ends: set[asyncio.StreamWriter] = set()
        self.address = ""
        self.connections = 0

    @classmethod
    @asynccontextmanager
    async def to(cls, address: str) -> AsyncIterator[Line]:
        line = cls(address)
        server = await asyncio.start_server(line._join, "127.0.0.1", 0)
        line.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield line
        finally:
            server.close()
            line.cut()

    def cut(self) -> None:
        for end in self._ends:
            end.transport.abort()
        self._ends.clear()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        there, to_there = await asyncio.open_connection("127.0.0.1", self._port)
        self._ends |= {writer, to_there}
        await asyncio.gather(self._carry(reader, to_there), self._carry(there, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(65_536):
                writer.write(chunk)
                await writer.drain()
        writer.close()


async def positions_told(client: AsyncClient, upto: int, *, after: int, cut: Line | None = None) -> list[int]:
    """Every position the stream tells up to one; the line is cut after every third."""
    told = list[int]()
    async with asyncio.timeout(20), aclosing(client.stream_events(after=after)) as events:
        async for event in events:
            told.append(event.position)
            if cut is not None and len(told) % 3 == 0:
                cut.cut()
            if event.position >= upto:
                break
    return told


async def test_a_line_that_is_cut_again_and_again_loses_and_repeats_nothing(house: House) -> None:
    for number in range(5):
        await resting_order(house, client_order_id=f"o{number}", limit_price=str(50 + number))
    head = await house.gateway.ledger.log.head()
    async with (
        served(house) as address,
        Line.to(address) as line,
        AsyncClient(line.address, house.token()) as client,
    ):
        told = await positions_told(client, head, after=0, cut=line)
    assert told == list(range(1, head + 1))
    assert line.connections > 3


async def test_from_now_on_means_from_before_the_first_connection(house: House) -> None:
    """The place is fixed before the stream is opened, so what happens in between is told too."""
    await resting_order(house, client_order_id="before")
    async with (
        served(house) as address,
        AsyncClient(address, house.token()) as client,
        aclosing(client.stream_events(topic="order.submitted")) as events,
        asyncio.timeout(20),
    ):
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0.05)
        await resting_order(house, client_order_id="since", limit_price="80")
        assert (await waiting).client_order_id == "since"


async def test_the_blocking_client_reads_the_stream_too(house: House) -> None:
    await resting_order(house, client_order_id="told")
    head, token, told = await house.gateway.ledger.log.head(), house.token(), list[int]()

    def read(address: str) -> None:
        with Client(address, token) as client:
            for event in client.stream_events(after=0):
                told.append(event.position)
                if event.position >= head:
                    break

    async with served(house) as address:
        await asyncio.wait_for(asyncio.to_thread(read, address), 20)
    assert told == list(range(1, head + 1))


async def test_who_may_not_read_hears_so_at_once(house: House) -> None:
    async with served(house) as address, AsyncClient(address, house.token("researcher")) as client:
        with pytest.raises(Forbidden):
            await anext(client.stream_events(after=0))


async def test_a_gateway_that_stays_away_is_given_up() -> None:
    patience = Patience(longest_pause_seconds=0.05, reconnect_seconds=0.2)
    async with AsyncClient("http://127.0.0.1:1", "no token", patience=patience) as client:
        with pytest.raises(NoAnswer, match="since position 7"):
            await anext(client.stream_events(after=7))
