"""Every event on every status: evolve is total, and a terminal status is left only as it may be."""

from __future__ import annotations

import pytest

from gateway.aggregates.order.events import (
    CancelRejected,
    CancelRequested,
    ConflictReported,
    FillBusted,
    FillCorrected,
    FillSuperseded,
    OrderAccepted,
    OrderAdopted,
    OrderBlocked,
    OrderCanceled,
    OrderDryRun,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderIgnored,
    OrderNotAccepted,
    OrderNotSent,
    OrderOrphaned,
    OrderOutcomeUnknown,
    OrderRejected,
    OrderReplaced,
    OrderResubmitted,
    OrderSubmitted,
    StatusReported,
    Trade,
)
from gateway.aggregates.order.state import Order, evolve
from gateway.aggregates.vocabulary import ZERO, ExecId, OrdStatus, ReportSource, StrategyId
from tests.aggregates.desk import ALPHA, CID, OID, START, Desk, at, bust, d, ticket, trade, word
from tests.kit.given import folded

STREAM = ReportSource.STREAM
SUBMITTED = OrderSubmitted(client_order_id=CID, ticket=ticket(), at=START)


def said(status: OrdStatus) -> StatusReported:
    return StatusReported(broker_status=status.value, status=status, transact_time=at(2), source=STREAM)


def filled(qty: int) -> OrderFilled:
    done = Trade(exec_id=ExecId("e1"), last_qty=d(qty), last_px=d(10), transact_time=at(3), cum_qty=d(qty))
    return OrderFilled(
        symbol=ticket().symbol, side=ticket().side, strategy_id=ALPHA, trade=done, source=STREAM
    )


ENDS: dict[OrdStatus, OrderEvent] = {
    OrdStatus.CANCELED: OrderCanceled(transact_time=at(4), source=STREAM),
    OrdStatus.EXPIRED: OrderExpired(transact_time=at(4), source=STREAM),
    OrdStatus.REPLACED: OrderReplaced(replaced_by=None, transact_time=at(4), source=STREAM),
    OrdStatus.REJECTED: OrderRejected(code=None, reason="no", transact_time=at(4), source=STREAM),
    OrdStatus.FAILED: OrderNotSent(code="broker_unavailable", reason="refused"),
    OrdStatus.NOT_ACCEPTED: OrderNotAccepted(evidence="absent"),
    OrdStatus.BLOCKED_KILL_SWITCH: OrderBlocked(status=OrdStatus.BLOCKED_KILL_SWITCH, reason="engaged"),
    OrdStatus.BLOCKED_CIRCUIT_BREAKER: OrderBlocked(
        status=OrdStatus.BLOCKED_CIRCUIT_BREAKER, reason="tripped"
    ),
    OrdStatus.DRY_RUN: OrderDryRun(),
}
WORDS = (
    OrdStatus.PENDING_NEW,
    OrdStatus.NEW,
    OrdStatus.ACCEPTED,
    OrdStatus.PARTIALLY_FILLED,
    OrdStatus.PENDING_CANCEL,
    OrdStatus.PENDING_REPLACE,
    OrdStatus.STOPPED,
    OrdStatus.SUSPENDED,
    OrdStatus.CALCULATED,
    OrdStatus.DONE_FOR_DAY,
)
ACCEPTED_AS_HELD = OrderAccepted(
    order_id=OID, broker_status="held", status=None, transact_time=at(1), source=ReportSource.REPLY
)
REACHED: dict[OrdStatus, tuple[OrderEvent, ...]] = {
    OrdStatus.PENDING_NEW: (SUBMITTED,),
    OrdStatus.SUBMITTED: (SUBMITTED, ACCEPTED_AS_HELD),
    OrdStatus.SUBMITTED_UNCONFIRMED: (SUBMITTED, OrderOutcomeUnknown(reason="timeout", at=at(1))),
    OrdStatus.FILLED: (SUBMITTED, filled(100)),
    **{status: (SUBMITTED, end) for status, end in ENDS.items()},
    **{status: (SUBMITTED, said(status)) for status in WORDS[1:]},
}
EVENTS: tuple[OrderEvent, ...] = (
    SUBMITTED,
    OrderResubmitted(attempt=2, at=at(5)),
    ACCEPTED_AS_HELD,
    OrderOutcomeUnknown(reason="timeout", at=at(5)),
    *ENDS.values(),
    *(said(status) for status in (*WORDS, OrdStatus.FILLED)),
    filled(40),
    filled(100),
    FillSuperseded(exec_id=ExecId("syn"), by_exec_id=ExecId("e1"), qty=d(1)),
    FillBusted(
        exec_id=ExecId("b"), ref_exec_id=ExecId("e9"), transact_time=at(6), source=STREAM, parked=True
    ),
    FillCorrected(
        exec_id=ExecId("c"),
        ref_exec_id=ExecId("e9"),
        last_qty=d(1),
        last_px=d(1),
        transact_time=at(6),
        source=STREAM,
        parked=True,
    ),
    CancelRequested(at=at(5)),
    CancelRejected(reason="late", transact_time=at(5), source=STREAM),
    ConflictReported(reason="odd", source=STREAM),
    OrderOrphaned(
        client_order_id=CID, ticket=ticket(), order=None, estimated_notional=ZERO, source=STREAM, at=at(5)
    ),
    OrderAdopted(strategy_id=StrategyId("beta"), reason="found"),
    OrderIgnored(reason="noise"),
)


def reached(status: OrdStatus) -> Order:
    order = folded(evolve, REACHED[status])
    assert isinstance(order, Order)
    return order


def test_every_status_is_reached() -> None:
    assert set(REACHED) == set(OrdStatus)
    assert {status: reached(status).status for status in REACHED} == {status: status for status in REACHED}


@pytest.mark.parametrize("status", OrdStatus)
@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_evolve_is_total(status: OrdStatus, event: OrderEvent) -> None:
    after = evolve(reached(status), event)
    assert 0 <= after.leaves_qty <= after.ticket.qty
    assert (after.leaves_qty == 0) == after.status.is_terminal
    assert not (after.is_unconfirmed and after.status.is_terminal)


FACTS = [e for e in EVENTS if isinstance(e, StatusReported | OrderAccepted | CancelRejected)]


@pytest.mark.parametrize("status", [s for s in OrdStatus if s.is_broker_terminal])
@pytest.mark.parametrize("event", FACTS, ids=lambda event: type(event).__name__)
def test_no_open_word_reopens_what_the_broker_ended(status: OrdStatus, event: OrderEvent) -> None:
    assert evolve(reached(status), event).status is status


@pytest.mark.parametrize("status", [s for s in OrdStatus if s.is_closed_unsent])
@pytest.mark.parametrize(
    "event", [e for e in FACTS if not isinstance(e, CancelRejected)], ids=lambda event: type(event).__name__
)
def test_any_word_of_the_broker_outranks_an_order_closed_unsent(status: OrdStatus, event: OrderEvent) -> None:
    after = evolve(reached(status), event)
    assert not after.status.is_terminal
    assert "unexpected_at_broker" in after.flags


@pytest.mark.parametrize("status", OrdStatus)
def test_executions_that_cover_the_quantity_fill_the_order_whatever_it_was(status: OrdStatus) -> None:
    assert evolve(reached(status), filled(100)).status is OrdStatus.FILLED


@pytest.mark.parametrize(
    "status", [s for s in OrdStatus if s.is_broker_terminal and s is not OrdStatus.FILLED]
)
def test_a_late_fill_counts_and_keeps_the_end_the_broker_gave(status: OrdStatus) -> None:
    after = evolve(reached(status), filled(40))
    assert (after.status, after.cum_qty, after.leaves_qty) == (status, 40, 0)
    assert "late_fill" in after.flags


def test_a_bust_leaves_filled_for_partially_filled_unless_the_broker_has_closed_the_order() -> None:
    desk = Desk().submit().accepted().hears(trade("e1", 60, 10, 2, 60), trade("e2", 40, 10, 3, 100))
    assert desk.hears(bust("b", "e2", 4)).shows == "partially_filled (60/40)"
    assert desk.hears(word("filled", 5)).shows == "canceled (60/0)"
