"""Fills recorded a second through the one door, order and position in one append.

Part of `python -m bench.ledger`, which has the yardstick.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from bench.projections import append
from gateway.adapters.dry_run import NoBroker
from gateway.adapters.system_clock import SystemClock
from gateway.aggregates.order.state import submit
from gateway.aggregates.position.state import Position, evolve, reserve
from gateway.aggregates.reports import ExecutionReport, ReportKind
from gateway.aggregates.vocabulary import (
    ClientOrderId,
    ExecId,
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
from gateway.commands.record_report import RecordReport
from gateway.ledger.catalog import CATALOG
from gateway.ledger.envelope import Uncommitted
from gateway.ledger.ledger import Ledger
from gateway.telemetry import Metrics

CALLERS: Final = 16
ORDERS: Final = 100
"""Of each caller."""
FILLS: Final = 10
"""Of one share, for each order."""
NOW: Final = datetime(2026, 11, 20, 15, tzinfo=UTC)


def intents(caller: int) -> Iterator[Uncommitted]:
    """One caller's orders, all in one symbol of its own."""
    symbol = Symbol(f"SYM{caller}")
    held: Position | None = None
    for number in range(ORDERS):
        client_order_id = ClientOrderId(f"order-{caller}-{number}")
        ticket = Ticket(
            symbol=symbol,
            side=Side.BUY,
            qty=Decimal(FILLS),
            ord_type=OrdType.MARKET,
            time_in_force=TimeInForce.DAY,
            strategy_id=StrategyId("bench"),
        )
        for event in submit(client_order_id=client_order_id, ticket=ticket, at=NOW):
            yield Uncommitted(stream=order_stream(client_order_id), event=event)
        held = yield from room(held, ticket, client_order_id)


def room(
    held: Position | None, ticket: Ticket, client_order_id: ClientOrderId
) -> Generator[Uncommitted, None, Position | None]:
    reserved = reserve(
        held,
        symbol=ticket.symbol,
        client_order_id=client_order_id,
        side=ticket.side,
        qty=ticket.qty,
        limit=Decimal(10**9),
    )
    for event in reserved:
        held = evolve(held, event)
        yield Uncommitted(stream=position_stream(ticket.symbol), event=event)
    return held


def fills(caller: int) -> Iterator[ExecutionReport]:
    for number in range(ORDERS):
        for share in range(1, FILLS + 1):
            yield ExecutionReport(
                kind=ReportKind.TRADE,
                source=ReportSource.STREAM,
                event="fill",
                order_id=None,
                client_order_id=ClientOrderId(f"order-{caller}-{number}"),
                transact_time=NOW,
                exec_id=ExecId(f"exec-{caller}-{number}-{share}"),
                last_qty=Decimal(1),
                last_px=Decimal("101.25"),
                cum_qty=Decimal(share),
                symbol=Symbol(f"SYM{caller}"),
                side=Side.BUY,
            )


async def recorded(url: str) -> float:
    """Fills a second, each caller waiting for one before it tells the next."""
    async with Ledger.opened(url, CATALOG, build="bench") as ledger:
        for caller in range(CALLERS):
            await append(ledger, list(intents(caller)), f"intents-{caller}")
        record_report = RecordReport(
            ledger=ledger,
            broker=NoBroker(),
            clock=SystemClock(),
            metrics=Metrics(),
            notice_gap=lambda order, held: None,
            pod="bench",
        )

        async def told(caller: int) -> None:
            for report in fills(caller):
                await record_report(report, correlation_id="bench")

        started = time.perf_counter()
        await asyncio.gather(*map(told, range(CALLERS)))
        return CALLERS * ORDERS * FILLS / (time.perf_counter() - started)
