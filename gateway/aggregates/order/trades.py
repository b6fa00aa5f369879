"""Executions into events: each booked once, whatever door, order or number of times it comes in."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from gateway.aggregates.exact import canonical, minus, plus, ratio, times
from gateway.aggregates.order.events import (
    ConflictReported,
    FillBusted,
    FillCorrected,
    FillSuperseded,
    OrderEvent,
    OrderFilled,
    Trade,
)
from gateway.aggregates.order.facts import OrderFacts
from gateway.aggregates.order.fills import Execution
from gateway.aggregates.order.words import folded, reported_time, status
from gateway.aggregates.reports import ExecutionReport, ReportKind
from gateway.aggregates.vocabulary import ExecId, ReportSource

Events = tuple[OrderEvent, ...]

_PRICE_PLACES: Final = 10


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


def execution(order: OrderFacts, report: ExecutionReport) -> Events:
    """What a report of a trade books: the trade, a provisional one, or nothing."""
    qty, px = report.last_qty, report.last_px
    if qty is None or px is None:
        return _unsized(order, report)
    if qty <= 0 or px < 0:
        return _conflict(order, report, f"execution of {qty} @ {px}")
    if report.exec_id is None:
        return _unnamed(order, report, qty, px)
    booked = order.fills.root(report.exec_id)
    if booked is not None and booked.exec_id == report.exec_id and not booked.says(qty, px):
        return _conflict(order, report, f"{report.exec_id} again as {qty} @ {px}")
    if order.fills.knows(report.exec_id):
        return ()
    twin = _twin(order, report, qty, px)
    return (twin,) if twin else _booked(order, report, report.exec_id, qty, px)


def _twin(order: OrderFacts, report: ExecutionReport, qty: Decimal, px: Decimal) -> ConflictReported | None:
    """The alias of a booked execution of the same running total, size and price.

    After a bust or a correction running totals come back, so that equal ones prove nothing any more. Neither
    do they within one source: two ids are two executions there, and we have yet to hear of the correction.
    """
    if report.cum_qty is None or order.fills.amended:
        return None
    booked = order.fills.unnamed_by(report.source, report.cum_qty, qty, px)
    if booked is None:
        return None
    reason = f"{report.exec_id} is another name of {booked.exec_id}"
    return ConflictReported(
        reason=reason, exec_id=report.exec_id, source=report.source, alias_of=booked.exec_id
    )


def _booked(order: OrderFacts, report: ExecutionReport, exec_id: ExecId, qty: Decimal, px: Decimal) -> Events:
    """A new real execution: it takes the place of provisional quantity, and wakes what waited for it."""
    superseded = tuple(
        FillSuperseded(exec_id=old.exec_id, by_exec_id=exec_id, qty=part, rest_px=_rest_px(old, part, px))
        for old, part in order.fills.superseded_by(qty, report.cum_qty)
    )
    trade = Trade(
        exec_id=exec_id,
        last_qty=qty,
        last_px=px,
        transact_time=_time(order, report),
        cum_qty=report.cum_qty,
    )
    return _with_due(order, (*superseded, _filled(order, trade, report.source)))


def _rest_px(old: Execution, part: Decimal, px: Decimal) -> Decimal | None:
    """The price of what stays inferred once `part` of it turned out to have cost `px`."""
    left = minus(old.qty, part)
    if not left:
        return None
    implied = ratio(minus(times(old.qty, old.px), times(part, px)), left, _PRICE_PLACES)
    return implied if implied > 0 else None


def _with_due(order: OrderFacts, events: Events) -> Events:
    """The events, and the busts and corrections that waited for an execution among them."""
    order = folded(order, events)
    while (waiting := order.fills.due()) is not None:
        effect = _in_force(order, waiting)
        events = (*events, *effect)
        order = folded(order, effect)
    return events


def _in_force(order: OrderFacts, event: FillBusted | FillCorrected) -> Events:
    """A bust or a correction; what was booked under a correction's own id is the execution it corrects.

    A broker lists a corrected execution under its new id, so that it may be heard of before the correction.
    """
    if event.parked or isinstance(event, FillBusted) or event.exec_id is None:
        return (event,)
    twice = order.fills.executions.get(event.exec_id)
    if twice is None or not (twice.qty or twice.busted):
        return (event,)
    taken_back = FillSuperseded(exec_id=twice.exec_id, by_exec_id=event.ref_exec_id, qty=twice.qty)
    return (*((taken_back,) if twice.qty else ()), event, *_handed_on(twice, event))


def _handed_on(twice: Execution, event: FillCorrected) -> Events:
    """What had become of the booking taken back, for the execution that stands in its place."""
    if twice.busted:
        bust = FillBusted(
            exec_id=None,
            ref_exec_id=event.ref_exec_id,
            transact_time=event.transact_time,
            source=event.source,
        )
        return (bust,)
    if twice.corrected_by is None:
        return ()
    time, exec_id = twice.corrected_by
    correction = replace(
        event,
        exec_id=ExecId(exec_id) if exec_id else None,
        last_qty=twice.qty,
        last_px=twice.px,
        transact_time=datetime.fromisoformat(time) if time else None,
    )
    return (correction,)


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


def amendment(order: OrderFacts, report: ExecutionReport) -> Events:
    """A bust or a correction: once each, parked while the execution it names is unknown."""
    event = _amending(order, report)
    if event is None:
        return _conflict(order, report, f"{report.event} that names no execution or no terms")
    if order.fills.has_amended(event.exec_id):
        return ()
    booked = order.fills.root(event.ref_exec_id)
    if booked is not None and booked.busted and (event.exec_id is None or isinstance(event, FillBusted)):
        return ()
    # The broker's word comes first, so that a closed order is closed when its shares come back.
    words = status(order, report) if report.order is not None else ()
    order = folded(order, words)
    if order.after(event).fills == order.fills:
        return ()
    return (*words, *_with_due(order, _in_force(order, event)))


def _amending(order: OrderFacts, report: ExecutionReport) -> FillBusted | FillCorrected | None:
    ref = report.ref_exec_id
    if ref is None:
        return None
    exec_id = report.exec_id if report.exec_id != ref else None
    parked = order.fills.root(ref) is None
    if report.kind is ReportKind.BUST:
        return FillBusted(
            exec_id=exec_id,
            ref_exec_id=ref,
            transact_time=report.transact_time,
            source=report.source,
            parked=parked,
        )
    if report.last_qty is None or report.last_px is None:
        return None
    return FillCorrected(
        exec_id=exec_id,
        ref_exec_id=ref,
        last_qty=report.last_qty.copy_abs(),
        last_px=report.last_px,
        transact_time=report.transact_time,
        source=report.source,
        parked=parked,
    )


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


def _time(order: OrderFacts, report: ExecutionReport) -> datetime:
    """When an execution happened: the broker's time, or, should it give none, when we began."""
    theirs = report.order.filled_at if report.order else None
    return report.transact_time or theirs or reported_time(report) or order.attempted_at
