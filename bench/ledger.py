"""Appends a second into the writer against the stock recorder's `save`, and events a second out of the log.

Row (a) of the benches: no HTTP, two events a command, everything durable. Run: `python -m bench.ledger`.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg.conninfo import conninfo_to_dict

from bench import facts
from bench.rows import Row, show
from gateway.adapters.embedded import EmbeddedPostgres
from gateway.aggregates.vocabulary import SYSTEM
from gateway.ledger import migrate
from gateway.ledger.catalog_types import Catalog, StreamKind
from gateway.ledger.decision import Decision, States
from gateway.ledger.envelope import Cause, Uncommitted
from gateway.ledger.ledger import Ledger

SECONDS = 3.0
CALLERS = (1, 16, 64, 256)
AIMS = {16: "8x", 64: "15x", 256: "20x"}
NOW = datetime(2026, 1, 2, 14, 30, 0, 123456, tzinfo=UTC)
PRICE = Decimal("101.25")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    symbol: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    qty: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    events: int


def evolve(state: State | None, event: object) -> State:
    return State(events=1 if state is None else state.events + 1)


def _kind(prefix: str, event: type, name: str, *, live: bool) -> StreamKind:
    return StreamKind(
        prefix=prefix,
        state=State,
        state_version=1,
        events=((event, name, 1),),
        evolve=evolve,
        live=(lambda state: True) if live else None,
    )


CATALOG = Catalog(
    (
        _kind("deal-", Opened, "deal.opened", live=True),
        _kind("holding-", Reserved, "holding.reserved", live=False),
    )
)


def command(number: int, ids: itertools.count[int]) -> tuple[str, str, Callable[[States], Decision], Cause]:
    """One command: a new stream, and one that many commands share."""
    deal, holding = f"deal-{next(ids):012d}", f"holding-{number % 50}"
    cause = Cause(command_id=deal, actor=SYSTEM, correlation_id=deal, source="api", occurred_at=NOW)

    def decide(states: States) -> Decision:
        return Decision(
            events=(
                Uncommitted(stream=deal, event=Opened(symbol="AAPL", at=NOW)),
                Uncommitted(stream=holding, event=Reserved(qty=Decimal(10), price=PRICE)),
            )
        )

    return deal, holding, decide, cause


async def repeat(callers: int, once: Callable[[int], Awaitable[None]]) -> float:
    """Calls a second."""
    started, done = time.perf_counter(), 0

    async def caller(number: int) -> None:
        nonlocal done
        while time.perf_counter() - started < SECONDS:
            await once(number)
            done += 1

    await asyncio.gather(*map(caller, range(callers)))
    return done / (time.perf_counter() - started)


async def ours(url: str) -> dict[int, float]:
    ids = itertools.count()
    async with Ledger.opened(url, CATALOG, build="bench") as ledger:

        async def once(number: int) -> None:
            deal, holding, decide, cause = command(number, ids)
            await ledger.writer.change([holding], decide, cause, new=[deal])

        return {callers: await repeat(callers, once) for callers in CALLERS}


async def stock(server: EmbeddedPostgres, dbname: str) -> dict[int, float]:
    """The library's own recorder, each save in a thread; one of its connections for each, up to 32."""
    host = str(conninfo_to_dict(server.url(dbname))["host"])
    datastore = PostgresDatastore(
        dbname, host, "5432", "gateway", "", pool_size=32, max_overflow=0, originator_id_type="text"
    )
    recorder = PostgresApplicationRecorder(datastore)
    recorder.create_table()
    ids, versions = itertools.count(), itertools.count(1)
    body = CATALOG.encode(Reserved(qty=Decimal(10), price=PRICE))[1]

    def save() -> None:
        number = next(ids)
        recorder.insert_events(
            [
                StoredEvent(f"deal-{number:012d}", 1, "deal.opened.v1", body),
                StoredEvent("holding-1", next(versions), "holding.reserved.v1", body),
            ]
        )

    with ThreadPoolExecutor(32) as threads:
        loop = asyncio.get_running_loop()

        async def once(_: int) -> None:
            await loop.run_in_executor(threads, save)

        measured = {callers: await repeat(callers, once) for callers in CALLERS}
    datastore.close()
    return measured


async def reading(url: str) -> float:
    """Events a second, decoded into their types."""
    async with Ledger.opened(url, CATALOG, build="bench") as ledger:
        await ledger.log.head()
        started, count = time.perf_counter(), 0
        async for events in ledger.log.scan():
            count += len(events)
        return count / (time.perf_counter() - started)


def rows() -> list[Row]:
    gc.set_threshold(100_000, 50, 100)  # nearly everything here is immutable and in no cycle
    with tempfile.TemporaryDirectory() as directory:
        server = EmbeddedPostgres.start(Path(directory) / "postgres")
        try:
            for name in ("ours", "facts", "stock"):
                server.create_database(name)
            for name in ("ours", "facts"):
                migrate.upgrade(server.url(name))
            by_us = asyncio.run(ours(server.url("ours")))
            by_stock = asyncio.run(stock(server, "stock"))
            rate = asyncio.run(reading(server.url("ours")))
            filled = asyncio.run(facts.recorded(server.url("facts")))
        finally:
            server.stop()
    appends = [
        Row(
            name=f"a  appends by {callers} callers",
            measured=f"{by_us[callers]:,.0f}/s",
            yardstick=f"stock save: {by_stock[callers]:,.0f}/s",
            ratio=by_us[callers] / by_stock[callers],
            aim=AIMS.get(callers, ""),
        )
        for callers in CALLERS
    ]
    fills = Row(
        name=f"   fills recorded, {facts.CALLERS} callers",
        measured=f"{filled:,.0f}/s",
        yardstick=f"stock save: {by_stock[facts.CALLERS]:,.0f}/s",
        ratio=filled / by_stock[facts.CALLERS],
        aim="8x",
    )
    read = Row(name="   log read into typed events", measured=f"{rate:,.0f}/s", aim="200,000/s")
    return [*appends, fills, read]


if __name__ == "__main__":
    show(rows())
