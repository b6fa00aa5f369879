"""What a broker says of an order's state, and which order it says it of: words into events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

from gateway.aggregates.exact import canonical
from gateway.aggregates.order.events import (
    CancelRejected,
    OrderCanceled,
    OrderEvent,
    OrderExpired,
    OrderRejected,
    OrderReplaced,
    StatusReported,
)
from gateway.aggregates.order.facts import OrderFacts
from gateway.aggregates.reports import BrokerOrder, ExecutionReport
from gateway.aggregates.vocabulary import CLOSED_UNSENT, OrdStatus, ReportSource

Events = tuple[OrderEvent, ...]

_OURS_ALONE: Final = CLOSED_UNSENT | {
    OrdStatus.SUBMITTED,
    OrdStatus.SUBMITTED_UNCONFIRMED,
    OrdStatus.DRY_RUN,
}
_THEIRS: Final = {status.value: status for status in OrdStatus if status not in _OURS_ALONE}
_PUSHED: Final = frozenset({ReportSource.STREAM, ReportSource.WEBHOOK})


def differences_at_broker(order: OrderFacts, theirs: BrokerOrder) -> tuple[str, ...]:
    """Names of the ticket's fields in which the broker's order is another order.

    Words outside our table (types and times in force only the broker knows) count as different.
    """
    ours = order.ticket
    pairs: dict[str, tuple[object, object]] = {
        "symbol": (ours.symbol, theirs.symbol),
        "side": (ours.side, theirs.side),
    }
    if theirs.ord_type is not None:
        pairs |= {
            "qty": (ours.qty, theirs.qty),
            "ord_type": (ours.ord_type, theirs.ord_type),
            "limit_px": (ours.limit_px, theirs.limit_px),
            "stop_px": (ours.stop_px, theirs.stop_px),
            "time_in_force": (ours.time_in_force, theirs.time_in_force),
        }
    return tuple(name for name, (mine, other) in pairs.items() if mine != other)


def status(order: OrderFacts, report: ExecutionReport) -> Events:
    heard = _heard(order, report)
    order = folded(order, heard)
    short = _filled_short(order, report)
    return (*heard, short) if short is not None and _is_news(order, short, report.source) else heard


def _filled_short(order: OrderFacts, report: ExecutionReport) -> OrderCanceled | None:
    """The end of an order the broker calls filled with fewer shares than we asked for, all of them booked."""
    held = report.order
    if held is None or _word_of(report) is not OrdStatus.FILLED or order.open_ended:
        return None
    if held.filled_qty != order.cum_qty or order.cum_qty >= order.ticket.qty:
        return None
    return OrderCanceled(
        transact_time=reported_time(report),
        source=report.source,
        reason=f"filled at the broker with {canonical(held.filled_qty)} shares",
    )


def _heard(order: OrderFacts, report: ExecutionReport) -> Events:
    known = identity(order, report)
    event = _spoken(report)
    if isinstance(event, StatusReported) and known:
        return (replace(event, order_id=known[0].order_id, differences=known[0].differences),)
    base = folded(order, known)
    return (*known, event) if _is_news(base, event, report.source) else known


def _spoken(report: ExecutionReport) -> OrderEvent:
    """The broker's word in a report: the event's name where that is a status, else the order's."""
    status, at = _word_of(report), reported_time(report)
    source, reason = report.source, report.reason
    match status:
        case OrdStatus.CANCELED:
            return OrderCanceled(transact_time=at, source=source, reason=reason)
        case OrdStatus.EXPIRED:
            return OrderExpired(transact_time=at, source=source)
        case OrdStatus.REJECTED:
            return OrderRejected(
                code=None, reason=reason or "rejected by the venue", transact_time=at, source=source
            )
        case OrdStatus.REPLACED:
            replaced_by = report.order.replaced_by if report.order else None
            return OrderReplaced(replaced_by=replaced_by, transact_time=at, source=source)
        case _:
            return StatusReported(
                broker_status=_verbatim(report),
                status=status,
                transact_time=at,
                source=source,
                reason=reason,
            )


def _word_of(report: ExecutionReport) -> OrdStatus | None:
    said = report.order.status if report.order else None
    return _THEIRS.get(report.event, said)


def _verbatim(report: ExecutionReport) -> str:
    return report.order.broker_status if report.order else report.event


def _is_news(order: OrderFacts, event: OrderEvent, source: ReportSource) -> bool:
    """Whether a word is worth an event.

    What the broker pushes is kept when it is newer than anything of its kind, so that late arrivals
    cannot win. A sample that we took ourselves is kept only when it changes what is shown, or may come to:
    an end that executions hide for now shows once they are undone.
    """
    after = order.after(event)
    ends = after.standing.closings.keys() != order.standing.closings.keys()
    if ends or _shown(after) != _shown(order):
        return True
    return source in _PUSHED and after.standing != order.standing


def _shown(order: OrderFacts) -> tuple[object, ...]:
    return (
        order.status,
        order.broker_status,
        order.order_id,
        order.leaves_qty,
        order.flags,
        order.seen_at_broker,
        order.replaced_by,
    )


def identity(order: OrderFacts, report: ExecutionReport) -> tuple[StatusReported, ...]:
    """The broker's id, when a report is the first to tell it, and a ticket that is not ours."""
    theirs = report.order
    order_id = report.order_id or (theirs.order_id if theirs else None)
    new_id = order_id if order.order_id is None else None
    differences: tuple[str, ...] = ()
    if theirs is not None and not order.is_orphan and "ticket_mismatch" not in order.marks:
        differences = differences_at_broker(order, theirs)
    if new_id is None and not differences:
        return ()
    return (
        StatusReported(
            broker_status=_verbatim(report),
            status=None,
            transact_time=None,
            source=report.source,
            order_id=new_id,
            differences=differences,
        ),
    )


def cancel_rejected(order: OrderFacts, report: ExecutionReport) -> Events:
    at = reported_time(report)
    seen_before = order.standing.cancel_rejected_at
    if at is not None and seen_before is not None and at <= seen_before:
        return ()
    event = CancelRejected(reason=report.reason or report.event, transact_time=at, source=report.source)
    changed = order.cancel_wanted or order.after(event).standing != order.standing
    return (event,) if changed else ()


def replace_rejected(order: OrderFacts, report: ExecutionReport) -> Events:
    """A refused replace gives the status before it back."""
    fallen_back = report.order.status if report.order else None
    if fallen_back is None or fallen_back.is_terminal or fallen_back is OrdStatus.PENDING_REPLACE:
        fallen_back = OrdStatus.PARTIALLY_FILLED if order.cum_qty else OrdStatus.NEW
    event = StatusReported(
        broker_status=_verbatim(report) if report.order else fallen_back.value,
        status=fallen_back,
        transact_time=reported_time(report),
        source=report.source,
        reason=": ".join(word for word in (report.event, report.reason) if word),
    )
    known = identity(order, report)
    return (*known, event) if _is_news(folded(order, known), event, report.source) else known


def unheard_of(order: OrderFacts, report: ExecutionReport) -> Events:
    """An event nobody has seen before: the broker's status word is kept as it came and changes no status."""
    if report.order is None or report.order.broker_status == order.broker_status:
        return ()
    event = StatusReported(
        broker_status=report.order.broker_status,
        status=None,
        transact_time=reported_time(report),
        source=report.source,
        reason=report.event,
    )
    return (event,) if _is_news(order, event, report.source) else ()


def folded(order: OrderFacts, events: Iterable[OrderEvent]) -> OrderFacts:
    for event in events:
        order = order.after(event)
    return order


def reported_time(report: ExecutionReport) -> datetime | None:
    return report.transact_time or (report.order.updated_at if report.order else None)
