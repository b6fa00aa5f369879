"""The one door for facts: webhook, stream, poll, activities and reconciliation. None is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Final
from uuid import uuid4

from gateway.aggregates.order.events import OrderEvent
from gateway.aggregates.order.state import Order, orphan
from gateway.aggregates.reports import BrokerOrder, ExecutionReport, ReportKind
from gateway.aggregates.vocabulary import (
    BROKER,
    ClientOrderId,
    OrdStatus,
    ReportSource,
    Symbol,
    order_stream,
)
from gateway.commands.amend import Amend, Amendment
from gateway.commands.conflicts import conflict_break
from gateway.commands.orphans import orphan_consequences
from gateway.commands.safety_view import RECON_GATE
from gateway.ledger.decision import InboxResult, States
from gateway.ledger.envelope import Cause, Uncommitted
from gateway.ledger.ledger import Ledger
from gateway.ports import Absent, Broker, BrokerUnreadable, Clock, Found, Unreadable
from gateway.telemetry import Metrics, log

_log = log("gateway.facts")

_POLLED: Final = frozenset({ReportSource.LOOKUP, ReportSource.RECONCILIATION, ReportSource.ACTIVITY})


class Disposition(StrEnum):
    APPLIED = "applied"
    DUPLICATE = "duplicate"
    ORPHAN = "orphan"
    UNKNOWN_EVENT = "unknown_event"
    UNPARSED = "unparsed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    disposition: Disposition
    client_order_id: ClientOrderId | None = None
    position: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """A report and whose fact it is; nobody's when it names no order and no symbol."""

    report: ExecutionReport
    order: tuple[ClientOrderId, Symbol] | None


@dataclass(slots=True, kw_only=True)
class RecordReport:
    ledger: Ledger
    broker: Broker
    clock: Clock
    metrics: Metrics
    notice_gap: Callable[[Order, BrokerOrder], None]
    pod: str
    notice_polled: Callable[[ExecutionReport], None] = lambda report: None
    """Told of what we had to ask for, though the stream should have told it."""
    notice_held: Callable[[Symbol, Decimal, Decimal], None] = lambda symbol, ours, theirs: None
    """Told of the holding after each new execution, as we have it and as the broker says."""

    async def __call__(
        self, report: ExecutionReport, *, correlation_id: str, inbox_id: int | None = None
    ) -> Receipt:
        """Record one fact once. Raises LedgerUnavailable and BrokerUnreadable; then it must come again."""
        located = await self.locate(report)
        return await self.record(located, correlation_id=correlation_id, inbox_id=inbox_id)

    async def locate(self, report: ExecutionReport) -> Located:
        """Find whose fact it is. Raises LedgerUnavailable and BrokerUnreadable."""
        report, known = await self._match(report)
        if known is not None and _is_of_another(known, report):
            report = replace(report, client_order_id=None)
            if report.order_id is None or known.client_order_id == _orphan_id(report):
                return Located(report=report, order=None)  # one broker id cannot be two orders
            known = None
        if known is not None:
            return Located(report=report, order=(known.client_order_id, known.ticket.symbol))
        symbol = _orphan_symbol(report)
        return Located(report=report, order=(_orphan_id(report), symbol) if symbol is not None else None)

    async def record(self, located: Located, *, correlation_id: str, inbox_id: int | None = None) -> Receipt:
        """Record a located fact; calls begun one after the other are decided in that order.

        Raises LedgerUnavailable.
        """
        report = located.report
        if located.order is None:
            return await self._unmatched(report, inbox_id)
        client_order_id, symbol = located.order
        amended = await self._amend(report, client_order_id, symbol, correlation_id, inbox_id)
        receipt = Receipt(
            disposition=_disposition(report, amended.before, amended.events),
            client_order_id=client_order_id,
            position=amended.position,
        )
        self._notice(report, amended, receipt)
        return receipt

    async def _match(self, report: ExecutionReport) -> tuple[ExecutionReport, Order | None]:
        """Match by client order id, else broker id; before calling it an orphan, ask the broker."""
        known = await self._known(report.client_order_id)
        if known is None and report.order_id is not None:
            known = await self._known(await self.ledger.log.order_ref(report.order_id))
        if known is not None or report.order is not None or report.order_id is None:
            return report, known
        match await self.broker.order_by_id(report.order_id):
            case Found(order=held):
                return _with_order(report, held), await self._known(held.client_order_id)
            case Absent():
                return report, None
            case Unreadable(reason=reason):
                raise BrokerUnreadable(f"whose order {report.order_id} is cannot be asked: {reason}")

    async def _known(self, client_order_id: str | None) -> Order | None:
        if client_order_id is None:
            return None
        order, _ = await self.ledger.load(order_stream(client_order_id))
        return order

    async def _amend(
        self,
        report: ExecutionReport,
        client_order_id: ClientOrderId,
        symbol: Symbol,
        correlation_id: str,
        inbox_id: int | None,
    ) -> Amendment:
        at = self.clock.now()

        def verb(order: Order | None) -> Sequence[OrderEvent]:
            if order is not None:
                return order.report(report)
            return orphan(
                client_order_id=client_order_id,
                order=report.order,
                report=report,
                source=report.source,
                at=at,
            )

        def beside(states: States, events: Sequence[OrderEvent]) -> Sequence[Uncommitted]:
            return [
                *orphan_consequences(states, client_order_id, events, at=at),
                *conflict_break(states, client_order_id, events, at=at),
            ]

        def inbox(before: Order | None, events: Sequence[OrderEvent]) -> InboxResult:
            assert inbox_id is not None
            return InboxResult(inbox_id=inbox_id, disposition=_disposition(report, before, events))

        return await Amend(
            writer=self.ledger.writer,
            client_order_id=client_order_id,
            symbol=symbol,
            verb=verb,
            cause=Cause(
                command_id=f"inbox:{inbox_id}" if inbox_id is not None else f"report:{uuid4()}",
                actor=BROKER,
                correlation_id=correlation_id,
                source=report.source.value,
                occurred_at=report.transact_time or at,
            ),
            beside=beside,
            beside_streams=(RECON_GATE,),
            inbox=inbox if inbox_id is not None else None,
        )()

    async def _unmatched(self, report: ExecutionReport, inbox_id: int | None) -> Receipt:
        if inbox_id is not None:
            await self.ledger.inbox.settle(inbox_id, Disposition.UNPARSED)
        self._count(report.source, Disposition.UNPARSED)
        _log.warning("fact names no order and no symbol", source=report.source, order_id=report.order_id)
        return Receipt(disposition=Disposition.UNPARSED)

    def _notice(self, report: ExecutionReport, amended: Amendment, receipt: Receipt) -> None:
        self._count(report.source, receipt.disposition)
        before, after = amended.before, amended.after
        if receipt.disposition is Disposition.UNKNOWN_EVENT:
            self.metrics.unknown_broker_events.labels(source=report.source).inc()
        if after is None:
            return
        self._alert(before, after)
        if receipt.disposition is Disposition.APPLIED and report.position_qty is not None:
            self.notice_held(after.ticket.symbol, amended.held, report.position_qty)
        if after.status is OrdStatus.FILLED and (before is None or before.status is not OrdStatus.FILLED):
            self.metrics.orders_filled.inc()
        if before is None and amended.events:
            self.metrics.symbols_quarantined.labels(
                pod=self.pod, symbol=self.metrics.symbol(after.ticket.symbol)
            ).inc()
            _log.warning("orphan order", client_order_id=after.client_order_id, symbol=after.ticket.symbol)
        missing = report.order is not None and after.missing_qty(report.order.filled_qty) > 0
        if missing and report.order is not None:
            self.notice_gap(after, report.order)
        if report.source in _POLLED and (missing or receipt.disposition is Disposition.APPLIED):
            self.notice_polled(report)

    def _alert(self, before: Order | None, after: Order) -> None:
        """What a strategy cannot have counted on."""
        cid = after.client_order_id
        for flag in sorted(after.flags - (before.flags if before is not None else frozenset())):
            self.metrics.order_flags.labels(flag=flag).inc()
            _log.error("order flagged", client_order_id=cid, flag=flag)
        refused = after.status is OrdStatus.REJECTED
        if refused and before is not None and before.seen_at_broker and before.status is not after.status:
            _log.error("rejected after it was accepted", client_order_id=cid, reason=after.error_message)

    def _count(self, source: ReportSource, disposition: Disposition) -> None:
        self.metrics.broker_facts.labels(source=source.value, disposition=disposition.value).inc()
        self.metrics.fact_at.labels(source=source.value).set(self.clock.now().timestamp())


def _disposition(report: ExecutionReport, before: Order | None, events: Sequence[OrderEvent]) -> Disposition:
    if report.kind is ReportKind.UNKNOWN:
        return Disposition.UNKNOWN_EVENT
    if not events:
        return Disposition.DUPLICATE
    return Disposition.APPLIED if before is not None else Disposition.ORPHAN


def _is_of_another(known: Order, report: ExecutionReport) -> bool:
    """The broker holds another ticket under our id: its facts are not ours, whatever they are called."""
    ticket = known.ticket
    return report.symbol not in (None, ticket.symbol) or report.side not in (None, ticket.side)


def _orphan_symbol(report: ExecutionReport) -> Symbol | None:
    """What an orphan is an order for; None when the report does not say what and which way."""
    order = report.order
    side = report.side or (order.side if order is not None else None)
    symbol = report.symbol or (order.symbol if order is not None else None)
    return symbol if side is not None else None


def _orphan_id(report: ExecutionReport) -> ClientOrderId:
    """The broker's client order id names the orphan's stream; else its own id does."""
    if report.client_order_id is not None:
        return report.client_order_id
    return ClientOrderId(f"broker-{report.order_id}")


def _with_order(report: ExecutionReport, order: BrokerOrder) -> ExecutionReport:
    return replace(
        report,
        order_id=order.order_id,
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        order=order,
    )
