"""Callers of an HTTP service, in a process of their own: raw sockets, one request at a time on each."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from time import perf_counter
from urllib.parse import urlsplit

import uvloop

from bench.rows import percentile

CONNECTIONS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What is asked: the bodies in turn, each under an Idempotency-Key never used before."""

    url: str
    headers: str
    """Lines that end in CRLF."""
    bodies: Sequence[str]
    keys: str
    """What every key begins with."""
    seconds: float
    connections: int = CONNECTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Waits are milliseconds, ascending."""

    rate: float
    waits: Sequence[float]
    statuses: Counter[int]

    @property
    def words(self) -> str:
        return f"{self.rate:,.0f}/s, p50 {self.p50:.1f} ms, p99 {self.p99:.1f} ms"

    @property
    def p50(self) -> float:
        return percentile(self.waits, 0.5)

    @property
    def p99(self) -> float:
        return percentile(self.waits, 0.99)


def heard(offer: Offer) -> Heard:
    """Make the offer from another process and wait for what it heard."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
        return other.submit(make, offer).result()


def make(offer: Offer) -> Heard:
    return uvloop.run(_make(offer))


async def _make(offer: Offer) -> Heard:
    numbers = itertools.count()
    waits: list[float] = []
    statuses: Counter[int] = Counter()
    started = perf_counter()

    async def caller() -> None:
        address = urlsplit(offer.url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        while (asked := perf_counter()) - started < offer.seconds:
            writer.write(_request(offer, address.path, next(numbers)))
            statuses[await _status(reader)] += 1
            waits.append(1000 * (perf_counter() - asked))
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    await asyncio.gather(*(caller() for _ in range(offer.connections)))
    return Heard(rate=len(waits) / (perf_counter() - started), waits=sorted(waits), statuses=statuses)


def _request(offer: Offer, path: str, number: int) -> bytes:
    body = offer.bodies[number % len(offer.bodies)]
    return (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\n{offer.headers}Idempotency-Key: {offer.keys}-{number}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def _status(reader: asyncio.StreamReader) -> int:
    """Read one answer whole; only its status is of interest."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)
    return int(head[9:12])
