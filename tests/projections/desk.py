"""Histories of a desk, made by the real aggregates: orders, executions, busts, corrections, quarantines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from random import Random
from typing import Any

from gateway.aggregates.booking import book
from gateway.aggregates.order import state as order_state
from gateway.aggregates.order.events import OrderEvent
from gateway.aggregates.order.state import Order, submit
from gateway.aggregates.position import state as position_state
from gateway.aggregates.position.events import PositionEvent
from gateway.aggregates.position.state import Position, lift_quarantine, quarantine, reserve
from gateway.aggregates.reports import BrokerOrder, ExecutionReport, ReportKind
from gateway.aggregates.splits import SplitTerms, split
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
from gateway.ledger.catalog import CATALOG
from gateway.ledger.decision import Decision, States
from gateway.ledger.envelope import Cause, Recorded, Uncommitted
from gateway.ledger.ledger import Ledger

OPENING = datetime(2026, 11, 18, 15, tzinfo=UTC)
SYMBOLS = ("AAPL", "MSFT", "BRK.B")
STRATEGIES = ("alpha", "beta")
ROOM = Decimal(1_000_000)

Append = tuple[Uncommitted, ...]


@dataclass(slots=True)
class Desk:
    """What one would have after running the desk: the appends in order, and every aggregate's state."""

    appends: list[Append] = field(default_factory=list)
    orders: dict[str, Order] = field(default_factory=dict)
    positions: dict[str, Position] = field(default_factory=dict)
    histories: dict[str, list[PositionEvent]] = field(default_factory=dict)
    now: datetime = OPENING

    def submit(
        self,
        order_id: str,
        *,
        symbol: str = "AAPL",
        side: Side = Side.BUY,
        qty: str = "100",
        strategy: str = "alpha",
    ) -> None:
        ticket = Ticket(
            symbol=Symbol(symbol),
            side=side,
            qty=Decimal(qty),
            ord_type=OrdType.LIMIT,
            limit_px=Decimal("150.5"),
            time_in_force=TimeInForce.DAY,
            strategy_id=StrategyId(strategy),
        )
        client_order_id = ClientOrderId(order_id)
        reserved = reserve(
            self.positions.get(symbol),
            symbol=ticket.symbol,
            client_order_id=client_order_id,
            side=side,
            qty=ticket.qty,
            limit=ROOM,
        )
        self._happen(
            order_id, submit(client_order_id=client_order_id, ticket=ticket, at=self._tick()), reserved
        )

    def accept(self, order_id: str) -> None:
        ticket = self.orders[order_id].ticket
        theirs = BrokerOrder(
            order_id=OrderId(f"broker-{order_id}"),
            client_order_id=ClientOrderId(order_id),
            symbol=ticket.symbol,
            side=ticket.side,
            ord_type=ticket.ord_type,
            time_in_force=ticket.time_in_force,
            broker_status="new",
            status=OrdStatus.NEW,
            qty=ticket.qty,
            filled_qty=Decimal(0),
            filled_avg_px=None,
            updated_at=self._tick(),
            submitted_at=self.now,
        )
        self._happen(order_id, self.orders[order_id].accept(theirs, ReportSource.REPLY))

    def trade(self, order_id: str, exec_id: str, qty: str, px: str) -> None:
        self._report(
            order_id,
            ReportKind.TRADE,
            "fill",
            exec_id=ExecId(exec_id),
            last_qty=Decimal(qty),
            last_px=Decimal(px),
        )

    def total(self, order_id: str, cum_qty: str, px: str) -> None:
        """The broker's running total reveals executions that nobody reported."""
        events = self.orders[order_id].infer(
            Decimal(cum_qty), Decimal(px), self._tick(), ReportSource.RECONCILIATION
        )
        self._happen(order_id, events)

    def bust(self, order_id: str, exec_id: str) -> None:
        self._report(order_id, ReportKind.BUST, "trade_bust", ref_exec_id=ExecId(exec_id))

    def correct(self, order_id: str, exec_id: str, qty: str, px: str) -> None:
        self._report(
            order_id,
            ReportKind.CORRECT,
            "trade_correct",
            exec_id=ExecId(f"{exec_id}-corrected-{len(self.appends)}"),
            ref_exec_id=ExecId(exec_id),
            last_qty=Decimal(qty),
            last_px=Decimal(px),
        )

    def cancel(self, order_id: str) -> None:
        self._happen(order_id, self.orders[order_id].request_cancel(self._tick(), "not wanted any more"))

    def canceled(self, order_id: str) -> None:
        order = self.orders[order_id]
        theirs = BrokerOrder(
            order_id=OrderId(f"broker-{order_id}"),
            client_order_id=ClientOrderId(order_id),
            symbol=order.ticket.symbol,
            side=order.ticket.side,
            ord_type=order.ticket.ord_type,
            time_in_force=order.ticket.time_in_force,
            broker_status="canceled",
            status=OrdStatus.CANCELED,
            qty=order.ticket.qty,
            filled_qty=order.cum_qty,
            filled_avg_px=None,
            updated_at=self._tick(),
        )
        self._report(order_id, ReportKind.STATUS, "canceled", order=theirs)

    def quarantine(self, symbol: str, strategy: str | None) -> None:
        self._move(
            symbol,
            quarantine(
                self.positions.get(symbol),
                symbol=Symbol(symbol),
                strategy_id=StrategyId(strategy) if strategy else None,
                reason="looked odd",
                kind="manual",
                at=self._tick(),
            ),
        )

    def lift(self, symbol: str, strategy: str | None) -> None:
        self._move(
            symbol, lift_quarantine(self.positions[symbol], strategy, reason="fine again", at=self._tick())
        )

    def adjust(self, symbol: str, qty: str, cost: str) -> None:
        held = self.positions.get(symbol)
        self._move(
            symbol,
            position_state.adjust(held, qty=Decimal(qty), cost=Decimal(cost), reason="found at the broker"),
        )

    def split(self, symbol: str, new: str) -> None:
        at = self._tick()
        terms = SplitTerms(activity_id=f"split-{at}", at=at, old=Decimal(1), new=Decimal(new))
        self._move(symbol, split(self.positions.get(symbol), terms, self.histories.get(symbol, ())))

    def next_day(self) -> None:
        self.now += timedelta(days=1)

    def _report(self, order_id: str, kind: ReportKind, event: str, **facts: Any) -> None:
        report = ExecutionReport(
            kind=kind,
            source=ReportSource.STREAM,
            event=event,
            order_id=OrderId(f"broker-{order_id}"),
            client_order_id=ClientOrderId(order_id),
            transact_time=self._tick(),
            **facts,
        )
        self._happen(order_id, self.orders[order_id].report(report))

    def _happen(
        self, order_id: str, events: Sequence[OrderEvent], also: Sequence[PositionEvent] = ()
    ) -> None:
        before = self.orders.get(order_id)
        order = before
        for event in events:
            order = order_state.evolve(order, event)
        if order is None or not events:
            return
        symbol = order.ticket.symbol
        held = self.positions.get(symbol)
        moves = also or book(before, events, held, self.histories.get(symbol, ()))
        self.orders[order_id] = order
        self._take(symbol, moves)
        self.appends.append(
            (
                *(Uncommitted(stream=order_stream(order_id), event=event) for event in events),
                *(Uncommitted(stream=position_stream(symbol), event=move) for move in moves),
            )
        )

    def _move(self, symbol: str, moves: Sequence[PositionEvent]) -> None:
        if moves:
            self._take(symbol, moves)
            self.appends.append(
                tuple(Uncommitted(stream=position_stream(symbol), event=move) for move in moves)
            )

    def _take(self, symbol: str, moves: Iterable[PositionEvent]) -> None:
        for move in moves:
            self.positions[symbol] = position_state.evolve(self.positions.get(symbol), move)
            self.histories.setdefault(symbol, []).append(move)

    def _tick(self) -> datetime:
        self.now += timedelta(milliseconds=1237)
        return self.now

    @property
    def log(self) -> list[Recorded]:
        """The appends as the ledger would give them back: encoded and decoded, numbered from 1."""
        events = [uncommitted for append in self.appends for uncommitted in append]
        return [_recorded(position, uncommitted) for position, uncommitted in enumerate(events, 1)]


def random_desk(seed: int, steps: int) -> Desk:
    """Some hundred things happening to a desk, in an order that no one planned."""
    random, desk = Random(seed), Desk()
    for step in range(steps):
        _random_step(random, desk, step)
    return desk


def _random_step(random: Random, desk: Desk, step: int) -> None:
    open_orders = [name for name, order in desk.orders.items() if order.is_live]
    executed = [(name, exec_id) for name, order in desk.orders.items() for exec_id in order.executions]
    kind = random.choice(
        ["submit", "trade", "trade", "accept", "total", "bust", "correct", "cancel", "canceled"] * 2
        + ["quarantine", "lift", "adjust", "split", "day"]
    )
    px = str(Decimal(random.randint(9000, 11000)) / 100)
    qty = str(random.randint(1, 40))
    symbol = random.choice(SYMBOLS)
    if kind == "submit" or not open_orders:
        side = random.choice(list(Side))
        desk.submit(f"o{step}", symbol=symbol, side=side, qty="100", strategy=random.choice(STRATEGIES))
    elif kind in ("accept", "cancel", "canceled"):
        getattr(desk, kind)(random.choice(open_orders))
    elif kind == "trade":
        desk.trade(random.choice(open_orders), f"e{step}", qty, px)
    elif kind == "total":
        name = random.choice(open_orders)
        desk.total(name, str(desk.orders[name].cum_qty + random.randint(0, 9)), px)
    elif kind == "bust" and executed:
        desk.bust(*random.choice(executed))
    elif kind == "correct" and executed:
        desk.correct(*random.choice(executed), qty, px)
    elif kind == "quarantine":
        desk.quarantine(symbol, random.choice([None, *STRATEGIES]))
    elif kind == "lift" and symbol in desk.positions and desk.positions[symbol].quarantines:
        desk.lift(symbol, random.choice(sorted(desk.positions[symbol].quarantines)))
    elif kind == "adjust":
        desk.adjust(symbol, str(random.randint(-5, 5)), "12.5")
    elif kind == "split" and random.random() < 0.2:
        desk.split(symbol, "2")
    elif kind == "day" and random.random() < 0.2:
        desk.next_day()


async def record(ledger: Ledger, appends: Iterable[Append]) -> int:
    """Write appends to a real ledger, each as it was decided; the position of the last event."""
    position = 0
    for number, append in enumerate(appends):
        streams = {uncommitted.stream for uncommitted in append}
        cause = Cause(
            command_id=f"{number}-{append[0].stream}-{await ledger.log.head()}",
            actor=SYSTEM,
            correlation_id="test",
            source="system",
            occurred_at=OPENING,
        )
        change = await ledger.writer.change(streams, partial(_decided, append), cause, new=streams)
        position = change.position
    return position


def _decided(append: Append, _: States) -> Decision:
    return Decision(events=append)


def _recorded(position: int, uncommitted: Uncommitted) -> Recorded:
    topic, body = CATALOG.encode(uncommitted.event)
    name, _, version = topic.rpartition(".v")
    return Recorded(
        position=position,
        stream=uncommitted.stream,
        version=position,
        name=name,
        schema_version=int(version),
        recorded_at=OPENING + timedelta(seconds=position),
        occurred_at=OPENING,
        actor=SYSTEM,
        command_id=str(position),
        command_index=0,
        correlation_id="test",
        causation_position=None,
        source="system",
        lease_epoch=None,
        build="test",
        event=CATALOG.decode(topic, body),
        body=body,
    )
