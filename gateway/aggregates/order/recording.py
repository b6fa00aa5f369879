"""Reports into events: what a broker's fact adds to what is known. Total; nothing here refuses."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final

from gateway.aggregates.exact import canonical, minus, plus, ratio, times
from gateway.aggregates.order.events import (
    CancelRejected,
    ConflictReported,
    FillBusted,
    FillCorrected,
    FillSuperseded,
    OrderCanceled,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReplaced,
    StatusReported,
    Trade,
)
from gateway.aggregates.order.facts import OrderFacts
from gateway.aggregates.reports import BrokerOrder, ExecutionReport, ReportKind
from gateway.aggregates.vocabulary import (
    CLOSED_UNSENT,
    ZERO,
    ExecId,
    OrdStatus,
    ReportSource,
)

Events = tuple[OrderEvent, ...]

_PRICE_PLACES: Final = 10
_OURS_ALONE: Final = CLOSED_UNSENT | {
    OrdStatus.SUBMITTED,
    OrdStatus.SUBMITTED_UNCONFIRMED,
    OrdStatus.DRY_RUN,
}
_PUSHED: Final = frozenset({ReportSource.STREAM, ReportSource.WEBHOOK})


def record(order: OrderFacts, report: ExecutionReport) -> Events:
    """The events a report adds; () when it tells nothing new."""
    match report.kind:
        case ReportKind.TRADE:
            known = _identity(order, report)
            return (*known, *_execution(_folded(order, known), report))
        case ReportKind.BUST | ReportKind.CORRECT:
            return _amendment(order, report)
        case ReportKind.STATUS:
            return _status(order, report)
        case ReportKind.CANCEL_REJECTED:
            return _cancel_rejected(order, report)
        case ReportKind.REPLACE_REJECTED:
            return _replace_rejected(order, report)
        case ReportKind.UNKNOWN:
            return ()


def infer(
    order: OrderFacts,
    cum_qty: Decimal,
    avg_px: Decimal | None,
    transact_time: datetime,
    source: ReportSource,
) -> Events:
    """Provisional executions for what a running total reveals as missing, one for each gap.

    Priced so that the order's average becomes the broker's, where that is possible; should the broker give
    no average, at our own, else at the limit. A total from before the newest bust or correction reveals
    nothing, and one without any price books nothing.
    """
    fills = order.fills
    if fills.amended_at is not None and transact_time <= fills.amended_at:
        return ()
    missing = fills.missing(cum_qty)
    avg_px = avg_px or fills.avg_px or order.ticket.limit_px
    if not missing or avg_px is None:
        return ()
    px = avg_px
    if plus(fills.cum_qty, missing) == cum_qty:
        implied = ratio(minus(times(avg_px, cum_qty), fills.notional), missing, _PRICE_PLACES)
        px = implied if implied > 0 else avg_px
    return tuple(
        _filled(
            order,
            Trade(
                exec_id=_synthetic_id(order, high),
                last_qty=minus(high, low),
                last_px=px,
                transact_time=transact_time,
                cum_qty=high,
                provisional=True,
            ),
            source,
        )
        for low, high in fills.gaps(cum_qty)
    )


def differences_at_broker(order: OrderFacts, theirs: BrokerOrder) -> tuple[str, ...]:
    """Names of the ticket's fields in which the broker's order is another order.

    Words outside our table (types and times in force only the broker knows) count as different.
    """
    ours = order.ticket
    pairs = {
        "symbol": (ours.symbol, theirs.symbol),
        "side": (ours.side, theirs.side),
        "qty": (ours.qty, theirs.qty),
        "ord_type": (ours.ord_type, theirs.ord_type),
        "limit_px": (ours.limit_px, theirs.limit_px),
        "stop_px": (ours.stop_px, theirs.stop_px),
        "time_in_force": (ours.time_in_force, theirs.time_in_force),
    }
    return tuple(name for name, (mine, other) in pairs.items() if mine != other)


# --- executions ----------------------------------------------------------------------------------------


def _execution(order: OrderFacts, report: ExecutionReport) -> Events:
    qty, px = report.last_qty, report.last_px
    if qty is None or px is None:
        return _unsized(order, report)
    if qty <= 0 or px < 0:
        return _conflict(order, report, f"execution of {qty} @ {px}")
    if report.exec_id is None:
        return _unnamed(order, report, qty, px)
    booked = order.fills.root(report.exec_id)
    if booked is not None:
        said = booked.says(qty, px) or booked.exec_id != report.exec_id
        return () if said else _conflict(order, report, f"{report.exec_id} again as {qty} @ {px}")
    if order.fills.knows(report.exec_id):
        return ()
    twin = None
    if report.cum_qty is not None and not order.fills.amended:
        twin = order.fills.same_place(report.cum_qty, qty, px)
    if twin is not None and not twin.provisional:
        reason = f"{report.exec_id} is another name of {twin.exec_id}"
        return (
            ConflictReported(
                reason=reason, exec_id=report.exec_id, source=report.source, alias_of=twin.exec_id
            ),
        )
    return _booked(order, report, report.exec_id, qty, px)


def _booked(order: OrderFacts, report: ExecutionReport, exec_id: ExecId, qty: Decimal, px: Decimal) -> Events:
    """A new real execution: it takes the place of provisional quantity, and wakes what waited for it."""
    superseded = tuple(
        FillSuperseded(exec_id=old.exec_id, by_exec_id=exec_id, qty=part)
        for old, part in order.fills.superseded_by(qty, report.cum_qty)
    )
    trade = Trade(
        exec_id=exec_id,
        last_qty=qty,
        last_px=px,
        transact_time=_time(order, report),
        cum_qty=report.cum_qty,
    )
    events: Events = (*superseded, _filled(order, trade, report.source))
    order = _folded(order, events)
    while (waiting := order.fills.due()) is not None:
        events = (*events, waiting)
        order = order.after(waiting)
    return events


def _unsized(order: OrderFacts, report: ExecutionReport) -> Events:
    """An execution known only by the running total after it."""
    avg_px = report.order.filled_avg_px if report.order else None
    px = avg_px or report.last_px
    if report.cum_qty is None:
        return _conflict(order, report, f"{report.event} without a size")
    return infer(order, report.cum_qty, px, _time(order, report), report.source)


def _unnamed(order: OrderFacts, report: ExecutionReport, qty: Decimal, px: Decimal) -> Events:
    """An execution without an id: provisional, until the one with the id takes its place."""
    if report.cum_qty is None:
        return _conflict(order, report, f"{report.event} of {qty} @ {px} without identity")
    if order.fills.same_place(report.cum_qty, qty, px) is not None:
        return ()
    new = order.fills.missing_within(report.cum_qty, qty)
    if not new:
        return ()
    trade = Trade(
        exec_id=_synthetic_id(order, report.cum_qty),
        last_qty=new,
        last_px=px,
        transact_time=_time(order, report),
        cum_qty=report.cum_qty,
        provisional=True,
    )
    return (_filled(order, trade, report.source),)


def _amendment(order: OrderFacts, report: ExecutionReport) -> Events:
    """A bust or a correction: once each, parked while the execution it names is unknown."""
    ref = report.ref_exec_id
    exec_id = report.exec_id if report.exec_id != ref else None
    bust = report.kind is ReportKind.BUST
    if ref is None or not (bust or (report.last_qty is not None and report.last_px is not None)):
        return _conflict(order, report, f"{report.event} that names no execution or no terms")
    booked = order.fills.root(ref)
    if exec_id is not None and order.fills.knows(exec_id):
        return ()
    if booked is not None and booked.busted and (bust or exec_id is None):
        return ()
    event: FillBusted | FillCorrected
    if bust:
        event = FillBusted(
            exec_id=exec_id,
            ref_exec_id=ref,
            transact_time=report.transact_time,
            source=report.source,
            parked=booked is None,
        )
    else:
        event = FillCorrected(
            exec_id=exec_id,
            ref_exec_id=ref,
            last_qty=(report.last_qty or ZERO).copy_abs(),
            last_px=report.last_px or ZERO,
            transact_time=report.transact_time,
            source=report.source,
            parked=booked is None,
        )
    # The broker's word comes first, so that a closed order is closed when its shares come back.
    words = _status(order, report) if report.order is not None else ()
    order = _folded(order, words)
    after = order.after(event)
    if after.fills == order.fills:
        return ()
    events: Events = (*words, event)
    while (waiting := after.fills.due()) is not None:
        events = (*events, waiting)
        after = after.after(waiting)
    return events


# --- states --------------------------------------------------------------------------------------------


def _status(order: OrderFacts, report: ExecutionReport) -> Events:
    known = _identity(order, report)
    event = _spoken(report)
    if isinstance(event, StatusReported) and known:
        event = StatusReported(
            broker_status=event.broker_status,
            status=event.status,
            transact_time=event.transact_time,
            source=event.source,
            reason=event.reason,
            order_id=known[0].order_id,
            differences=known[0].differences,
        )
        return (event,)
    base = _folded(order, known)
    return (*known, event) if _is_news(base, event, report.source) else known


def _spoken(report: ExecutionReport) -> OrderEvent:
    """The broker's word in a report: the event's name where that is a status, else the order's."""
    status, at = _word_of(report), _reported_time(report)
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
    if report.event in OrdStatus.__members__.values() and report.event not in _OURS_ALONE:
        return OrdStatus(report.event)
    return report.order.status if report.order else None


def _verbatim(report: ExecutionReport) -> str:
    return report.order.broker_status if report.order else report.event


def _is_news(order: OrderFacts, event: OrderEvent, source: ReportSource) -> bool:
    """Whether a word is worth an event.

    What the broker pushes is kept when it is newer than anything of its kind, so that late arrivals
    cannot win. A sample that we took ourselves is kept only when it changes what is shown.
    """
    after = order.after(event)
    if _shown(after) != _shown(order):
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


def _identity(order: OrderFacts, report: ExecutionReport) -> tuple[StatusReported, ...]:
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


def _cancel_rejected(order: OrderFacts, report: ExecutionReport) -> Events:
    at = _reported_time(report)
    seen_before = order.standing.cancel_rejected_at
    if at is not None and seen_before is not None and at <= seen_before:
        return ()
    event = CancelRejected(reason=report.reason or report.event, transact_time=at, source=report.source)
    changed = order.cancel_wanted or order.after(event).standing != order.standing
    return (event,) if changed else ()


def _replace_rejected(order: OrderFacts, report: ExecutionReport) -> Events:
    """A refused replace gives the status before it back."""
    fallen_back = report.order.status if report.order else None
    if fallen_back is None or fallen_back.is_terminal or fallen_back is OrdStatus.PENDING_REPLACE:
        fallen_back = OrdStatus.PARTIALLY_FILLED if order.cum_qty else OrdStatus.NEW
    event = StatusReported(
        broker_status=_verbatim(report) if report.order else fallen_back.value,
        status=fallen_back,
        transact_time=_reported_time(report),
        source=report.source,
        reason=": ".join(word for word in (report.event, report.reason) if word),
    )
    known = _identity(order, report)
    return (*known, event) if _is_news(_folded(order, known), event, report.source) else known


# --- shared --------------------------------------------------------------------------------------------


def _folded(order: OrderFacts, events: Iterable[OrderEvent]) -> OrderFacts:
    for event in events:
        order = order.after(event)
    return order


def _filled(order: OrderFacts, trade: Trade, source: ReportSource) -> OrderFilled:
    return OrderFilled(
        symbol=order.ticket.symbol,
        side=order.ticket.side,
        strategy_id=order.strategy_id,
        trade=trade,
        source=source,
    )


def _conflict(order: OrderFacts, report: ExecutionReport, reason: str) -> Events:
    if (report.exec_id or reason) in order.conflicts:
        return ()
    return (ConflictReported(reason=reason, exec_id=report.exec_id, source=report.source),)


def _synthetic_id(order: OrderFacts, cum_qty: Decimal) -> ExecId:
    """Deterministic, so that the same inference twice is one execution."""
    base = f"syn:{order.client_order_id}:{canonical(cum_qty)}"
    taken = sum(1 for known in order.fills.executions if known == base or known.startswith(f"{base}:"))
    return ExecId(f"{base}:{taken + 1}" if taken else base)


def _reported_time(report: ExecutionReport) -> datetime | None:
    return report.transact_time or (report.order.updated_at if report.order else None)


def _time(order: OrderFacts, report: ExecutionReport) -> datetime:
    """When an execution happened: the broker's time, or, should it give none, when we began."""
    theirs = report.order.filled_at if report.order else None
    return report.transact_time or theirs or _reported_time(report) or order.attempted_at
