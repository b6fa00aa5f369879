"""Reports into events: what a broker's fact adds to what is known. Total; nothing here refuses."""

from __future__ import annotations

from gateway.aggregates.order.events import OrderEvent
from gateway.aggregates.order.facts import OrderFacts
from gateway.aggregates.order.trades import amendment, execution
from gateway.aggregates.order.words import (
    cancel_rejected,
    folded,
    identity,
    replace_rejected,
    status,
    unheard_of,
)
from gateway.aggregates.reports import ExecutionReport, ReportKind


def record(order: OrderFacts, report: ExecutionReport) -> tuple[OrderEvent, ...]:
    """The events a report adds; () when it tells nothing new."""
    match report.kind:
        case ReportKind.TRADE:
            known = identity(order, report)
            return (*known, *execution(folded(order, known), report))
        case ReportKind.BUST | ReportKind.CORRECT:
            return amendment(order, report)
        case ReportKind.STATUS:
            return status(order, report)
        case ReportKind.CANCEL_REJECTED:
            return cancel_rejected(order, report)
        case ReportKind.REPLACE_REJECTED:
            return replace_rejected(order, report)
        case ReportKind.UNKNOWN:
            return unheard_of(order, report)
