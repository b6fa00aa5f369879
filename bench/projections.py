"""Rebuilding read tables against one event a transaction, and how soon an append can be read.

Run: `python -m bench.projections`.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from bench.rows import Row, percentile, show
from gateway.adapters.embedded import EmbeddedPostgres
from gateway.aggregates.booking import book
from gateway.aggregates.order.events import OrderAccepted, OrderEvent, OrderFilled, Trade
from gateway.aggregates.order.state import Order, evolve, submit
from gateway.aggregates.position.state import Position, reserve
from gateway.aggregates.position.state import evolve as evolve_position
from gateway.aggregates.vocabulary import (
    SYSTEM,
    ClientOrderId,
    ExecId,
    OrderId,
    OrdStatus,
    OrdType,
    ReportSource,
    Side,
    StrategyId,
    Symbol,
    Ticket,
    TimeInForce,
    order_stream,
    position_stream,
)
from gateway.ledger import migrate
from gateway.ledger.catalog import CATALOG
from gateway.ledger.decision import Decision
from gateway.ledger.envelope import Cause, Uncommitted
from gateway.ledger.ledger import Ledger
from gateway.projections.catalog import PROJECTIONS
from gateway.projections.connection import connected
from gateway.projections.engine import Projections
from gateway.projections.follow import Follower
from gateway.projections.offline import reading, rebuild_tables
from gateway.projections.orders import ORDERS
from gateway.projections.projection import Projection
from gateway.projections.rebuild import open_tables

ORDERS_MADE = 20_000
SYMBOLS = tuple(f"SYM{letter}" for letter in "ABCDEFGHIJKLMNOPQRST")
OPENING = datetime(2026, 11, 20, 15, tzinfo=UTC)
ONE_BY_ONE = 1_500
APPENDS_A_SECOND = 100
LIVE_SECONDS = 5


def session(orders: int) -> Iterator[list[Uncommitted]]:
    """A trading session, order by order: submitted, accepted, filled in two executions."""
    positions: dict[str, Position] = {}
    for number in range(orders):
        yield list(_order(number, positions))


def _order(number: int, positions: dict[str, Position]) -> Iterator[Uncommitted]:
    symbol, now = SYMBOLS[number % len(SYMBOLS)], OPENING + timedelta(milliseconds=40 * number)
    client_order_id = ClientOrderId(f"order-{number:08d}")
    ticket = Ticket(
        symbol=Symbol(symbol),
        side=Side.SELL if number % 40 >= len(SYMBOLS) else Side.BUY,
        qty=Decimal(10),
        ord_type=OrdType.MARKET,
        time_in_force=TimeInForce.DAY,
        strategy_id=StrategyId(f"strategy-{number % 3}"),
    )
    held = positions.get(symbol)
    order: Order | None = None
    intent = submit(client_order_id=client_order_id, ticket=ticket, at=now)
    room = reserve(
        held,
        symbol=ticket.symbol,
        client_order_id=client_order_id,
        side=ticket.side,
        qty=ticket.qty,
        limit=Decimal(10**9),
    )
    for events, booked in ((intent, room), *(((event,), None) for event in _facts(number, ticket, now))):
        moves = book(order, events, held) if booked is None else booked
        for event in events:
            order = evolve(order, event)
            yield Uncommitted(stream=order_stream(client_order_id), event=event)
        for move in moves:
            held = evolve_position(held, move)
            yield Uncommitted(stream=position_stream(symbol), event=move)
    if held is not None:
        positions[symbol] = held


def _facts(number: int, ticket: Ticket, now: datetime) -> Sequence[OrderEvent]:
    accepted = OrderAccepted(
        order_id=OrderId(f"broker-{number:08d}"),
        broker_status="new",
        status=OrdStatus.NEW,
        transact_time=now,
        source=ReportSource.REPLY,
    )
    return accepted, *(
        OrderFilled(
            symbol=ticket.symbol,
            side=ticket.side,
            strategy_id=ticket.strategy_id,
            trade=Trade(
                exec_id=ExecId(f"exec-{number:08d}-{half}"),
                last_qty=Decimal(5),
                last_px=Decimal(10_000 + number % 97) / 100,
                transact_time=now,
                cum_qty=Decimal(5 * half),
            ),
            source=ReportSource.STREAM,
        )
        for half in (1, 2)
    )


async def append(ledger: Ledger, events: Sequence[Uncommitted], command_id: str) -> int:
    streams = {uncommitted.stream for uncommitted in events}
    cause = Cause(
        command_id=command_id, actor=SYSTEM, correlation_id=command_id, source="bench", occurred_at=OPENING
    )
    decision = Decision(events=events)
    change = await ledger.writer.change(streams, lambda _: decision, cause, new=streams)
    return change.position


async def fill(ledger: Ledger, orders: int) -> None:
    """Write a session, many orders at a time."""
    waiting: list[Uncommitted] = []
    for number, events in enumerate(session(orders)):
        waiting.extend(events)
        if number % 100 == 99:
            await append(ledger, waiting, f"session-{number}")
            waiting = []


async def rebuilt(url: str, projections: Sequence[Projection[Any]]) -> float:
    """Events a second from the first event to the proved and swapped table."""
    started = time.perf_counter()
    proofs = await rebuild_tables(url, CATALOG, projections)
    return proofs[0].position / (time.perf_counter() - started)


async def one_by_one(url: str) -> float:
    """Events a second when each has a transaction of its own, as stock runners do it."""
    async with reading(url, CATALOG) as log:
        async with connected(url) as connection:
            await open_tables(connection, [ORDERS])
        follower = Follower(url=url, log=log, projections=[ORDERS], batch=1)
        started = time.perf_counter()
        following = asyncio.create_task(follower.run())
        await follower.wait_for(ONE_BY_ONE, ["orders"])
        elapsed = time.perf_counter() - started
        following.cancel()
        return ONE_BY_ONE / elapsed


async def lag(url: str) -> list[float]:
    """Milliseconds from the durable append to all tables showing it, at some hundred events a second."""
    waits: list[float] = []
    async with Ledger.opened(url, CATALOG, build="bench") as ledger:
        engine = Projections(url=url, log=ledger.log, projections=PROJECTIONS)
        await engine.start()
        await engine.wait_for(await ledger.log.head(), timeout=60)

        async def one(number: int, events: list[Uncommitted]) -> None:
            position = await append(ledger, events, f"live-{number}")
            appended = time.perf_counter()
            await engine.wait_for(position, timeout=30)
            waits.append(1000 * (time.perf_counter() - appended))

        async with asyncio.TaskGroup() as tasks:
            for number, events in enumerate(session(APPENDS_A_SECOND * LIVE_SECONDS)):
                tasks.create_task(one(number, events))
                await asyncio.sleep(1 / APPENDS_A_SECOND)
        await engine.stop()
    return sorted(waits)


async def opening(url: str) -> list[Row]:
    """A process that starts on a long log, and one long stream as it finds it."""
    stream = position_stream(Symbol(SYMBOLS[0]))
    began = time.perf_counter()
    async with Ledger.opened(url, CATALOG, build="bench") as ledger:
        started = time.perf_counter() - began
        loads = []
        for _ in range(2):
            began = time.perf_counter()
            await ledger.load(stream)
            loads.append(1000 * (time.perf_counter() - began))
        head, length = await ledger.log.head(), len(await ledger.log.stream(stream))
    return [
        Row(name=f"   started on {head:,} events", measured=f"{started:.2f} s", aim="5 s on 1,000,000"),
        Row(
            name=f"   one stream of {length:,} events",
            measured=f"cold {loads[0]:.1f} ms, warm {loads[1]:.1f} ms",
            aim="5 ms, 1 ms",
        ),
    ]


async def measure(url: str) -> list[Row]:
    async with Ledger.opened(url, CATALOG, build="bench") as ledger:
        await fill(ledger, ORDERS_MADE)
    opened = await opening(url)
    slow = await one_by_one(url)
    one, together = await rebuilt(url, [ORDERS]), await rebuilt(url, PROJECTIONS)
    waits = await lag(url)
    yardstick = f"one event, one transaction: {slow:,.0f}/s"
    return [
        *opened,
        Row(
            name="   rebuild of orders, proved",
            measured=f"{one:,.0f} events/s",
            yardstick=yardstick,
            ratio=one / slow,
            aim="80x, 150,000/s",
        ),
        Row(
            name="   rebuild of every table, proved",
            measured=f"{together:,.0f} events/s",
            yardstick=yardstick,
            ratio=together / slow,
            aim="100,000/s",
        ),
        Row(
            name=f"   append to readable, {7 * APPENDS_A_SECOND} events/s",
            measured=f"p50 {percentile(waits, 0.5):.1f} ms, p99 {percentile(waits, 0.99):.1f} ms",
            aim="p50 < 10 ms, p99 < 50 ms",
        ),
    ]


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as directory:
        server = EmbeddedPostgres.start(Path(directory) / "postgres")
        try:
            server.create_database("bench")
            migrate.upgrade(server.url("bench"))
            return asyncio.run(measure(server.url("bench")))
        finally:
            server.stop()


if __name__ == "__main__":
    show(rows())
