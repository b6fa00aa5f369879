"""The verbs of an order. Intents may be refused; what the broker reports never is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from gateway.aggregates.exact import minus, times
from gateway.aggregates.order.events import (
    CancelRequested,
    CancelStuck,
    GateVerdict,
    OrderAccepted,
    OrderAdopted,
    OrderBlocked,
    OrderDryRun,
    OrderEvent,
    OrderIgnored,
    OrderNotAccepted,
    OrderNotSent,
    OrderOrphaned,
    OrderOutcomeUnknown,
    OrderPlanned,
    OrderRejected,
    OrderResubmitted,
    OrderSubmitted,
)
from gateway.aggregates.order.facts import OrderFacts
from gateway.aggregates.order.recording import record
from gateway.aggregates.order.standing import Standing, Word
from gateway.aggregates.order.trades import infer
from gateway.aggregates.order.words import differences_at_broker
from gateway.aggregates.refusals import IdempotencyConflict
from gateway.aggregates.reports import BrokerOrder, ExecutionReport
from gateway.aggregates.vocabulary import (
    EXTERNAL,
    ZERO,
    ClientOrderId,
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

Events = tuple[OrderEvent, ...]


def submit(
    *,
    client_order_id: ClientOrderId,
    ticket: Ticket,
    at: datetime,
    gates: tuple[GateVerdict, ...] = (),
    reason: str | None = None,
    parent_order_id: ClientOrderId | None = None,
    slice_num: int | None = None,
    total_slices: int | None = None,
    scheduled_time: datetime | None = None,
) -> Events:
    """The intent to send an order. Its room is taken in the same append, by `Position.reserve`."""
    return (
        OrderSubmitted(
            client_order_id=client_order_id,
            ticket=ticket,
            at=at,
            gates=gates,
            reason=reason,
            parent_order_id=parent_order_id,
            slice_num=slice_num,
            total_slices=total_slices,
            scheduled_time=scheduled_time,
        ),
    )


def orphan(
    *,
    client_order_id: ClientOrderId,
    order: BrokerOrder | None,
    report: ExecutionReport | None,
    source: ReportSource,
    at: datetime,
) -> Events:
    """An order at the broker that nobody here sent, and what its first report says.

    At least one of `order` and `report` is given; without the broker's copy of the order the ticket is
    what the report shows of it.
    """
    theirs = order or (report.order if report else None)
    ticket = _ticket_of(theirs) if theirs else _ticket_from(report)
    born = OrderOrphaned(
        client_order_id=client_order_id,
        ticket=ticket,
        order=theirs,
        estimated_notional=estimated_notional(theirs),
        source=source,
        at=at,
    )
    if report is None:
        return (born,)
    return (born, *evolve(None, born).report(report))


def estimated_notional(order: BrokerOrder | None) -> Decimal:
    """The money an orphan may move: its notional, else leaves at the limit, else what it filled, else 0."""
    if order is None:
        return ZERO
    if order.notional is not None:
        return order.notional
    if order.qty is not None and order.limit_px is not None:
        return times(max(ZERO, minus(order.qty, order.filled_qty)), order.limit_px)
    if order.filled_avg_px is not None:
        return times(order.qty if order.qty is not None else order.filled_qty, order.filled_avg_px)
    return ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Order(OrderFacts):
    """One order, from ticket to last bust. Verbs return events and change nothing."""

    # Our own side of an attempt.

    def resubmit(self, at: datetime, gates: tuple[GateVerdict, ...] = ()) -> Events:
        """A new attempt. Raises IdempotencyConflict unless the last one closed without having been sent."""
        if not self.status.is_closed_unsent or self.is_parent:
            raise IdempotencyConflict(
                f"order {self.client_order_id} is {self.status}; only an order closed unsent is tried again",
                client_order_id=self.client_order_id,
                status=self.status.value,
            )
        return (OrderResubmitted(attempt=self.attempt + 1, at=at, gates=gates),)

    def accept(self, order: BrokerOrder, source: ReportSource, *, adopted: bool = False) -> Events:
        """The broker has it. A filled quantity in its copy is only revealed; see `missing_qty`."""
        if self.phase is OrdStatus.SUBMITTED and self.order_id == order.order_id:
            return ()
        return (
            OrderAccepted(
                order_id=order.order_id,
                broker_status=order.broker_status,
                status=order.status,
                transact_time=order.updated_at or order.submitted_at,
                source=source,
                adopted=adopted,
            ),
        )

    def reject(
        self,
        code: str | None,
        reason: str,
        transact_time: datetime | None,
        source: ReportSource,
        related_order_id: OrderId | None = None,
    ) -> Events:
        """The broker's verdict. The answer to a POST says nothing about an attempt it may already hold."""
        if source is ReportSource.REPLY and not self._open_attempt:
            return ()
        return (
            OrderRejected(
                code=code,
                reason=reason,
                transact_time=transact_time,
                source=source,
                related_order_id=related_order_id,
            ),
        )

    def not_send(self, code: str, reason: str) -> Events:
        """Proved: no byte of this attempt reached the broker. Void once the attempt was unknown."""
        return (OrderNotSent(code=code, reason=reason),) if self._open_attempt else ()

    def outcome_unknown(self, reason: str, at: datetime) -> Events:
        return (OrderOutcomeUnknown(reason=reason, at=at),) if self._open_attempt else ()

    def not_accept(self, evidence: str) -> Events:
        """Proved absent at the broker; the only way out of an unknown outcome but being found."""
        return (OrderNotAccepted(evidence=evidence),) if self.is_unconfirmed else ()

    def block(self, status: OrdStatus, reason: str) -> Events:
        """The last look refused; the broker was not called."""
        return (OrderBlocked(status=status, reason=reason),) if self._open_attempt else ()

    def dry_run(self) -> Events:
        return (OrderDryRun(),) if self._open_attempt else ()

    @property
    def _open_attempt(self) -> bool:
        """An intent whose outcome is still to be told, and of which nothing is known at the broker."""
        return self.is_unconfirmed and not self.uncertain

    # What people ask for.

    def request_cancel(self, at: datetime, reason: str | None = None) -> Events:
        """Ask for the end of the order; () when it has ended, is being canceled, or is a parent of slices."""
        if self.status.is_terminal or self.is_parent or self.status is OrdStatus.PENDING_CANCEL:
            return ()
        return (CancelRequested(at=at, reason=reason),)

    def note_stuck_cancel(self, at: datetime, patience: timedelta) -> Events:
        """Say once that a cancel has been pending for too long; it stays pending."""
        since = self.cancel_pending_since
        if since is None or at - since < patience or "cancel_stuck" in self.marks:
            return ()
        return (CancelStuck(since=since, at=at),)

    def adopt(self, strategy_id: StrategyId, reason: str, *, at: datetime, by: str) -> Events:
        """From now on the orphan is the strategy's. Raises IdempotencyConflict when resolved otherwise."""
        if self.orphan_status == "adopted" and self.strategy_id == strategy_id:
            return ()
        self._require_unresolved_orphan()
        return (OrderAdopted(strategy_id=strategy_id, reason=reason, at=at, by=by),)

    def ignore(self, reason: str, *, at: datetime, by: str) -> Events:
        """Resolved without an owner. Raises IdempotencyConflict when resolved otherwise."""
        if self.orphan_status == "ignored":
            return ()
        self._require_unresolved_orphan()
        return (OrderIgnored(reason=reason, at=at, by=by),)

    def cancel_orphan(self, reason: str, *, at: datetime, by: str) -> Events:
        """Nobody wants it; resolved when the broker confirms, or at once when it has ended already.

        Raises IdempotencyConflict when it was resolved otherwise, or has filled: then it needs an owner.
        """
        if self.orphan_status in ("cancel_requested", "closed"):
            return ()
        self._require_unresolved_orphan()
        if self.status is OrdStatus.FILLED:
            raise IdempotencyConflict(
                f"order {self.client_order_id} is filled; adopt or ignore it", orphan_status="untracked"
            )
        return (CancelRequested(at=at, reason=reason, by=by),)

    def _require_unresolved_orphan(self) -> None:
        if not self.is_unresolved_orphan:
            state = self.orphan_status or "no orphan"
            raise IdempotencyConflict(f"order {self.client_order_id} is {state}", orphan_status=state)

    # What the broker says.

    def report(self, report: ExecutionReport) -> Events:
        """Record one fact, once. Total: it never refuses, and () means that it told nothing new."""
        return record(self, report)

    def missing_qty(self, cum_qty: Decimal) -> Decimal:
        """What the broker's running total reveals as not yet booked; provisional counts as booked."""
        return self.fills.missing(cum_qty)

    def infer(
        self,
        cum_qty: Decimal,
        avg_px: Decimal | None,
        transact_time: datetime,
        source: ReportSource,
    ) -> Events:
        """Book what is missing as provisional, priced so that our average becomes the broker's."""
        return infer(self, cum_qty, avg_px, transact_time, source)

    def same_ticket_at_broker(self, order: BrokerOrder) -> tuple[str, ...]:
        """Names of the fields in which the broker's order is another one; () when it is ours."""
        return differences_at_broker(self, order)


def evolve(order: Order | None, event: OrderEvent) -> Order:
    """Apply one recorded event. Total on everything the verbs emit; a stream begins with its birth."""
    match event:
        case OrderSubmitted() if order is None:
            return Order(
                client_order_id=event.client_order_id,
                ticket=event.ticket,
                strategy_id=event.ticket.strategy_id,
                created_at=event.at,
                attempted_at=event.at,
                gates=event.gates,
                reason=event.reason,
                parent_order_id=event.parent_order_id,
                slice_num=event.slice_num,
                total_slices=event.total_slices,
                scheduled_time=event.scheduled_time,
            )
        case OrderPlanned() if order is None:
            return Order(
                client_order_id=event.client_order_id,
                ticket=event.ticket,
                strategy_id=event.ticket.strategy_id,
                created_at=event.at,
                attempted_at=event.at,
                planned=True,
            )
        case OrderOrphaned() if order is None:
            return _born_at_broker(event)
    if order is None:
        raise ValueError(f"{type(event).__name__} cannot be the first event of an order")
    return order.after(event)


def _born_at_broker(event: OrderOrphaned) -> Order:
    theirs = event.order
    return Order(
        client_order_id=event.client_order_id,
        ticket=event.ticket,
        strategy_id=EXTERNAL,
        created_at=event.at,
        attempted_at=event.at,
        submitted_at=theirs.submitted_at if theirs else None,
        phase=OrdStatus.SUBMITTED,
        seen_at_broker=True,
        order_id=theirs.order_id if theirs else None,
        standing=Standing().hears(_first_word(theirs, event.source)) if theirs else Standing(),
        marks=frozenset({"orphan", "external"}),
        orphan_notional=event.estimated_notional,
        open_ended=theirs is None or theirs.qty is None,
    )


def _first_word(order: BrokerOrder, source: ReportSource) -> Word:
    return Word(broker_status=order.broker_status, status=order.status, at=order.updated_at, source=source)


def _ticket_of(order: BrokerOrder) -> Ticket:
    return Ticket(
        symbol=order.symbol,
        side=order.side,
        qty=order.filled_qty if order.qty is None else order.qty,
        ord_type=order.ord_type or OrdType.OTHER,
        time_in_force=order.time_in_force or TimeInForce.OTHER,
        strategy_id=EXTERNAL,
        limit_px=order.limit_px,
        stop_px=order.stop_px,
    )


def _ticket_from(report: ExecutionReport | None) -> Ticket:
    if report is None or report.symbol is None or report.side is None:
        raise ValueError("an orphan needs the broker's order, or a report with symbol and side")
    return Ticket(
        symbol=Symbol(report.symbol),
        side=Side(report.side),
        qty=report.cum_qty or report.last_qty or ZERO,
        ord_type=OrdType.OTHER,
        time_in_force=TimeInForce.OTHER,
        strategy_id=EXTERNAL,
    )
