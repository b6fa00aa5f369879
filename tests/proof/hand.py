"""Delivers facts to a real ledger through the doors they come by, and says what the ledger then holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec

from gateway.adapters.alpaca_reports import interpret, parse_activity, parse_order
from gateway.adapters.dry_run import NoBroker
from gateway.aggregates.cost_basis import signed_cost
from gateway.aggregates.order.state import submit
from gateway.aggregates.position.state import reserve
from gateway.aggregates.reports import BrokerOrder, status_report
from gateway.aggregates.vocabulary import (
    SYSTEM,
    ClientOrderId,
    OrderId,
    ReportSource,
    StrategyId,
    Symbol,
    Ticket,
    order_stream,
    position_stream,
)
from gateway.commands.fill_gap import FillGap
from gateway.commands.receive import Receive
from gateway.commands.record_report import RecordReport
from gateway.ledger.catalog import CATALOG
from gateway.ledger.decision import Decision, States
from gateway.ledger.envelope import Cause, Uncommitted
from gateway.ledger.ledger import Ledger
from gateway.ports import Absent, FillPage, Found, Lookup
from gateway.telemetry import Metrics
from tests.proof.cases import Case, Delivery, Door

NO_LIMIT: Final = Decimal(10**9)


class Later:
    """A clock far enough ahead that whatever lies in the inbox has been left there."""

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(hours=1)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


@dataclass(slots=True)
class Listing(NoBroker):
    """The broker as far as it is asked here: it finds every order and lists the fills it is told to list."""

    orders: dict[OrderId, BrokerOrder] = field(default_factory=dict)
    listed: dict[OrderId, Sequence[dict[str, Any]]] = field(default_factory=dict)

    async def order_by_id(self, order_id: OrderId) -> Lookup:
        return Found(self.orders[order_id]) if order_id in self.orders else Absent()

    async def fills(  # type: ignore[override]
        self, *, after: datetime | None, order_id: OrderId | None = None, **more: Any
    ) -> FillPage:
        assert order_id is not None
        reports = tuple(parse_activity(row) for row in self.listed.get(order_id, ()))
        return FillPage(reports=reports, last_activity_id=None, last_time=None, complete=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the ledger holds of one case. `spent` is cost minus realized: what the trades took of the cash."""

    orders: tuple[tuple[str, str, str], ...]
    """Status, executed and leaves of each order."""
    trades: tuple[tuple[str, str], ...]
    """Size and price of every execution that counts."""
    provisional: bool
    qty: str
    spent: str
    reserved: str


@dataclass(slots=True)
class Hand:
    """The doors for facts over one ledger, as the composition root hangs them."""

    ledger: Ledger
    broker: Listing
    receive: Receive
    fill_gap: FillGap

    @classmethod
    @asynccontextmanager
    async def at(cls, database: str) -> AsyncIterator[Hand]:
        broker, clock, metrics = Listing(), Later(), Metrics()
        async with Ledger.opened(database, CATALOG, build="proof") as ledger:
            gaps = FillGap(ledger=ledger, broker=broker, clock=clock, settle_window=timedelta(0))
            door = RecordReport(
                ledger=ledger,
                broker=broker,
                clock=clock,
                metrics=metrics,
                notice_gap=gaps.notice,
                pod="proof",
            )
            receive = Receive(
                ledger=ledger, clock=clock, metrics=metrics, interpret=interpret, record_report=door
            )
            yield cls(ledger, broker, receive, gaps)

    def know(self, case: Case) -> None:
        """Let the broker find the orders of a case."""
        self.broker.orders |= {held.order_id: held for held in map(parse_order, case.orders)}

    async def submit(self, case: Case) -> None:
        """The intents of a case, with their room; repeated after a crash, they change nothing."""
        self.know(case)
        for raw in case.orders:
            await self._intend(parse_order(raw))

    async def _intend(self, held: BrokerOrder) -> None:
        ticket = _ticket(held)
        order, position = order_stream(held.client_order_id), position_stream(held.symbol)

        def decide(states: States) -> Decision:
            room = reserve(
                states[position],
                symbol=held.symbol,
                client_order_id=held.client_order_id,
                side=held.side,
                qty=ticket.qty,
                limit=NO_LIMIT,
            )
            intent = submit(client_order_id=held.client_order_id, ticket=ticket, at=datetime.now(UTC))
            return Decision(
                events=[
                    *(Uncommitted(stream=order, event=event) for event in intent),
                    *(Uncommitted(stream=position, event=event) for event in room),
                ]
            )

        cause = Cause(
            command_id=f"intent:{held.client_order_id}",
            actor=SYSTEM,
            correlation_id="proof",
            source="api",
            occurred_at=datetime.now(UTC),
        )
        await self.ledger.writer.change((order, position), decide, cause)

    async def deliver(self, delivery: Delivery) -> None:
        """One fact through one door, to its end."""
        raw = msgspec.json.encode(delivery.body)
        match delivery.door:
            case Door.STREAM:
                await self.receive(ReportSource.STREAM, raw, "proof")
            case Door.WEBHOOK:
                await self.receive(ReportSource.WEBHOOK, raw, "proof")
            case Door.ACTIVITY:
                await self._record(parse_activity(delivery.body))
            case Door.LOOKUP:
                await self._record(status_report(parse_order(delivery.body), ReportSource.LOOKUP))
            case Door.RECONCILIATION:
                await self.reconcile(delivery)

    async def reconcile(self, delivery: Delivery) -> None:
        """As a pass takes one order: its copy, the fills the broker lists, then what is still missing."""
        held = parse_order(delivery.body)
        self.broker.listed[held.order_id] = delivery.listed
        await self._record(status_report(held, ReportSource.RECONCILIATION))
        await self.fill_gap.close(held.client_order_id, held, self.receive.record_report)

    async def _record(self, report: Any) -> None:
        await self.receive.record_report(report, correlation_id="proof")

    async def held(self, case: Case) -> Held:
        orders = [await self._order(ClientOrderId(raw["client_order_id"])) for raw in case.orders]
        position, _ = await self.ledger.load(position_stream(Symbol(case.symbol)))
        executions = [e for order in orders for e in order.executions.values() if e.qty]
        (own,) = position.strategies.values() if position.strategies else (position.account,)
        assert own == position.account, "one strategy, one book"
        return Held(
            orders=tuple((o.status.value, _plain(o.cum_qty), _plain(o.leaves_qty)) for o in orders),
            trades=tuple(sorted((_plain(e.qty), _plain(e.px)) for e in executions)),
            provisional=any(e.provisional for e in executions),
            qty=_plain(position.qty),
            spent=_plain(signed_cost(own) - own.realized),
            reserved=_plain(sum((qty for _, qty in position.reserved.values()), Decimal(0))),
        )

    async def _order(self, client_order_id: ClientOrderId) -> Any:
        order, _ = await self.ledger.load(order_stream(client_order_id))
        return order


def _ticket(held: BrokerOrder) -> Ticket:
    assert held.qty is not None and held.ord_type is not None and held.time_in_force is not None
    return Ticket(
        symbol=held.symbol,
        side=held.side,
        qty=held.qty,
        ord_type=held.ord_type,
        time_in_force=held.time_in_force,
        strategy_id=StrategyId("alpha"),
        limit_px=held.limit_px,
    )


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}" if value else "0"
