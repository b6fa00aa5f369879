"""One order and its symbol, folded straight: every append is booked, and checked against the invariants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from gateway.aggregates.booking import book, needs_history
from gateway.aggregates.exact import total
from gateway.aggregates.order.events import OrderEvent
from gateway.aggregates.order.state import Order, evolve, orphan, submit
from gateway.aggregates.position.events import PositionEvent
from gateway.aggregates.position.state import Position, reserve
from gateway.aggregates.position.state import evolve as evolve_position
from gateway.aggregates.reports import BrokerOrder, ExecutionReport, ReportKind
from gateway.aggregates.vocabulary import (
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
)

CID = ClientOrderId("c0ffee")
OID = OrderId("broker-1")
ALPHA = StrategyId("alpha")
START = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


def at(minute: int) -> datetime:
    """A broker time. The order is submitted at minute 0."""
    return START + timedelta(minutes=minute)


def d(value: str | int | Decimal) -> Decimal:
    return Decimal(value)


def ticket(qty: str | int = 100, side: Side = Side.BUY, **changes: object) -> Ticket:
    terms: dict[str, object] = {
        "symbol": Symbol("AAPL"),
        "side": side,
        "qty": d(qty),
        "ord_type": OrdType.LIMIT,
        "time_in_force": TimeInForce.DAY,
        "strategy_id": ALPHA,
        "limit_px": d(1000),
    }
    return Ticket(**{**terms, **changes})  # type: ignore[arg-type]


def broker_order(status: str = "new", minute: int = 1, **changes: object) -> BrokerOrder:
    """The broker's copy of `ticket()`."""
    known = OrdStatus(status) if status in {s.value for s in OrdStatus} else None
    terms: dict[str, object] = {
        "order_id": OID,
        "client_order_id": CID,
        "symbol": Symbol("AAPL"),
        "side": Side.BUY,
        "ord_type": OrdType.LIMIT,
        "time_in_force": TimeInForce.DAY,
        "broker_status": status,
        "status": known,
        "qty": d(100),
        "filled_qty": d(0),
        "filled_avg_px": None,
        "limit_px": d(1000),
        "updated_at": at(minute),
    }
    return BrokerOrder(**{**terms, **changes})  # type: ignore[arg-type]


def report(kind: ReportKind, event: str, minute: int | None, **terms: object) -> ExecutionReport:
    known: dict[str, object] = {
        "source": ReportSource.STREAM,
        "order_id": OID,
        "client_order_id": CID,
        "symbol": Symbol("AAPL"),
        "side": Side.BUY,
    }
    return ExecutionReport(
        kind=kind,
        event=event,
        transact_time=None if minute is None else at(minute),
        **{**known, **terms},  # type: ignore[arg-type]
    )


def trade(
    name: str | None,
    qty: str | int,
    px: str | int,
    minute: int,
    cum: str | int | None = None,
    **terms: object,
) -> ExecutionReport:
    return report(
        ReportKind.TRADE,
        "fill",
        minute,
        exec_id=ExecId(name) if name else None,
        last_qty=d(qty),
        last_px=d(px),
        cum_qty=None if cum is None else d(cum),
        **terms,
    )


def total_only(cum: str | int, avg: str | int, minute: int, **terms: object) -> ExecutionReport:
    """A fill event that tells the running total and not its own size."""
    held = broker_order("partially_filled", minute, filled_qty=d(cum), filled_avg_px=d(avg))
    return report(ReportKind.TRADE, "partial_fill", minute, cum_qty=d(cum), order=held, **terms)


def word(status: str, minute: int | None, **terms: object) -> ExecutionReport:
    return report(ReportKind.STATUS, status, minute, **terms)


def bust(name: str | None, ref: str, minute: int, qty: str | int = 0, **terms: object) -> ExecutionReport:
    exec_id = ExecId(name) if name else None
    return report(
        ReportKind.BUST,
        "trade_bust",
        minute,
        exec_id=exec_id,
        ref_exec_id=ExecId(ref),
        last_qty=d(qty),
        **terms,
    )


def correct(
    name: str | None, ref: str, qty: str | int, px: str | int, minute: int, **terms: object
) -> ExecutionReport:
    exec_id = ExecId(name) if name else None
    return report(
        ReportKind.CORRECT,
        "trade_correct",
        minute,
        exec_id=exec_id,
        ref_exec_id=ExecId(ref),
        last_qty=d(qty),
        last_px=d(px),
        **terms,
    )


def cancel_rejected(minute: int | None, **terms: object) -> ExecutionReport:
    return report(ReportKind.CANCEL_REJECTED, "order_cancel_rejected", minute, reason="TOO_LATE", **terms)


def replace_rejected(minute: int, **terms: object) -> ExecutionReport:
    return report(ReportKind.REPLACE_REJECTED, "order_replace_rejected", minute, **terms)


@dataclass(slots=True)
class Desk:
    order: Order | None = None
    position: Position = field(default_factory=Position)
    order_events: list[OrderEvent] = field(default_factory=list)
    history: list[PositionEvent] = field(default_factory=list)

    def submit(self, asked: Ticket | None = None, client_order_id: ClientOrderId = CID) -> Desk:
        """The intent and its room, in one append. A further order replaces the one looked at."""
        asked = asked or ticket()
        room = reserve(
            self.position,
            symbol=asked.symbol,
            client_order_id=client_order_id,
            side=asked.side,
            qty=asked.qty,
            limit=d(10**9),
        )
        self._record_position(room)
        self.order = None
        return self.append(submit(client_order_id=client_order_id, ticket=asked, at=START))

    def accepted(self, status: str = "new", **changes: object) -> Desk:
        held = broker_order(status, **changes)
        return self.append(self.now.accept(held, ReportSource.REPLY))

    def hears(self, *reports: ExecutionReport) -> Desk:
        for fact in reports:
            if self.order is None:
                born = orphan(
                    client_order_id=CID, order=fact.order, report=fact, source=fact.source, at=START
                )
                self.append(born)
            else:
                self.append(self.order.report(fact))
        return self

    def append(self, events: Sequence[OrderEvent]) -> Desk:
        history = self.history if needs_history(events) else ()
        booked = book(self.order, events, self.position, history)
        self._record_position(booked)
        for event in events:
            self.order = evolve(self.order, event)
            self.order_events.append(event)
        assert self.position.reserved_for(self.now.client_order_id) == self.now.leaves_qty
        assert self.position.qty == total(book.qty for book in self.position.strategies.values())
        return self

    def _record_position(self, events: Sequence[PositionEvent]) -> None:
        for event in events:
            self.position = evolve_position(self.position, event)
            self.history.append(event)

    @property
    def now(self) -> Order:
        assert self.order is not None
        return self.order

    @property
    def shows(self) -> str:
        """Status and (cum/leaves), as the scenarios are written."""
        order = self.now
        return f"{order.status} ({order.cum_qty.normalize():f}/{order.leaves_qty.normalize():f})"

    @property
    def realized(self) -> Decimal:
        return self.position.account.realized
