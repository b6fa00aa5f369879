"""The verbs of an order, one sentence each."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from gateway.aggregates.order.events import (
    CancelRequested,
    OrderAccepted,
    OrderAdopted,
    OrderCanceled,
    OrderDryRun,
    OrderIgnored,
    OrderNotAccepted,
    OrderNotSent,
    OrderOrphaned,
    OrderOutcomeUnknown,
    OrderRejected,
    OrderResubmitted,
    OrderSubmitted,
)
from gateway.aggregates.order.state import Order, estimated_notional, evolve, orphan, submit
from gateway.aggregates.refusals import IdempotencyConflict
from gateway.aggregates.vocabulary import (
    EXTERNAL,
    ClientOrderId,
    OrdStatus,
    ReportSource,
    StrategyId,
)
from tests.aggregates.desk import (
    ALPHA,
    CID,
    OID,
    START,
    Desk,
    at,
    broker_order,
    cancel_rejected,
    d,
    ticket,
    trade,
    word,
)
from tests.kit.covers import covers
from tests.kit.given import folded, given

REPLY, LOOKUP, STREAM = ReportSource.REPLY, ReportSource.LOOKUP, ReportSource.STREAM
BY_ALICE: dict[str, Any] = {"at": at(5), "by": "alice"}
SUBMITTED = OrderSubmitted(client_order_id=CID, ticket=ticket(), at=START)
UNKNOWN = OrderOutcomeUnknown(reason="read timeout", at=at(1))
NOT_SENT = OrderNotSent(code="broker_unavailable", reason="connection refused")
ACCEPTED = OrderAccepted(
    order_id=OID, broker_status="new", status=OrdStatus.NEW, transact_time=at(1), source=REPLY
)


def shown(*events: object) -> Order:
    order = folded(evolve, events)
    assert isinstance(order, Order)
    return order


# --- our own side ----------------------------------------------------------------------------------------


def test_a_submitted_order_is_live_and_unconfirmed_until_its_outcome_is_known() -> None:
    order = shown(*submit(client_order_id=CID, ticket=ticket(), at=START, reason="by hand"))
    assert (order.status, order.is_live, order.is_unconfirmed) == (OrdStatus.PENDING_NEW, True, True)
    assert (order.submitted_at, order.reason, order.strategy_id) == (None, "by hand", ALPHA)


def test_an_accepted_order_shows_the_brokers_word_and_time() -> None:
    order = given(evolve, SUBMITTED).when(Order.accept, broker_order(), REPLY).then(ACCEPTED)
    assert (order.status, order.order_id, order.submitted_at) == (OrdStatus.NEW, OID, at(1))
    assert not order.is_unconfirmed


def test_accepting_again_adds_nothing() -> None:
    given(evolve, SUBMITTED, ACCEPTED).when(Order.accept, broker_order(), LOOKUP, adopted=True).then()


def test_an_unknown_outcome_keeps_its_room_and_stays_unconfirmed() -> None:
    order = given(evolve, SUBMITTED).when(Order.outcome_unknown, "read timeout", at(1)).then(UNKNOWN)
    assert (order.status, order.leaves_qty) == (OrdStatus.SUBMITTED_UNCONFIRMED, 100)
    assert order.is_unconfirmed


@covers("FM:F-065")
def test_no_later_answer_to_a_post_releases_an_unknown_attempt() -> None:
    unknown = given(evolve, SUBMITTED, UNKNOWN)
    unknown.when(Order.not_send, "broker_unavailable", "refused").then()
    unknown.when(Order.reject, "40310000", "no buying power", None, REPLY).then()
    unknown.when(Order.block, OrdStatus.BLOCKED_KILL_SWITCH, "engaged").then()
    unknown.when(Order.outcome_unknown, "again", at(2)).then()


def test_proof_of_absence_releases_an_unknown_attempt() -> None:
    proved = OrderNotAccepted(evidence="three not-founds")
    order = given(evolve, SUBMITTED, UNKNOWN).when(Order.not_accept, "three not-founds").then(proved)
    assert (order.status, order.leaves_qty, order.error_message) == (
        OrdStatus.NOT_ACCEPTED,
        0,
        "three not-founds",
    )


def test_an_order_seen_at_the_broker_cannot_be_proved_absent() -> None:
    given(evolve, SUBMITTED, UNKNOWN, ACCEPTED).when(Order.not_accept, "too late").then()


def test_the_brokers_refusal_ends_the_order_with_its_words() -> None:
    refused = OrderRejected(code="40310000", reason="no buying power", transact_time=None, source=REPLY)
    order = (
        given(evolve, SUBMITTED).when(Order.reject, "40310000", "no buying power", None, REPLY).then(refused)
    )
    assert (order.status, order.error_message) == (OrdStatus.REJECTED, "no buying power")
    assert not order.is_unconfirmed


def test_a_look_up_that_finds_another_ticket_ends_even_an_unknown_attempt() -> None:
    state = (
        given(evolve, SUBMITTED, UNKNOWN).when(Order.reject, None, "qty differs", None, LOOKUP).then_state()
    )
    assert state.status is OrdStatus.REJECTED


@pytest.mark.parametrize("status", [OrdStatus.BLOCKED_KILL_SWITCH, OrdStatus.BLOCKED_CIRCUIT_BREAKER])
def test_a_last_look_that_refuses_closes_the_order_unsent(status: OrdStatus) -> None:
    order = given(evolve, SUBMITTED).when(Order.block, status, "engaged by alice").then_state()
    assert (order.status, order.status.is_closed_unsent, order.is_live) == (status, True, False)


def test_a_dry_run_is_over_at_once_and_was_never_sent() -> None:
    order = given(evolve, SUBMITTED).when(Order.dry_run).then(OrderDryRun())
    assert (order.status, order.is_live, order.is_unconfirmed) == (OrdStatus.DRY_RUN, False, False)


def test_an_order_closed_unsent_is_tried_again_as_a_new_attempt() -> None:
    again = OrderResubmitted(attempt=2, at=at(5))
    order = given(evolve, SUBMITTED, NOT_SENT).when(Order.resubmit, at(5)).then(again)
    assert (order.status, order.attempt, order.attempted_at) == (OrdStatus.PENDING_NEW, 2, at(5))
    assert (order.created_at, order.error_message) == (START, None)


def test_a_new_attempt_after_proved_absence_may_be_rejected_by_its_reply() -> None:
    proved = OrderNotAccepted(evidence="absent")
    again = OrderResubmitted(attempt=2, at=at(5))
    order = given(evolve, SUBMITTED, UNKNOWN, proved, again).when(Order.reject, None, "no", None, REPLY)
    assert order.then_state().status is OrdStatus.REJECTED


@pytest.mark.parametrize("event", [ACCEPTED, UNKNOWN, OrderDryRun()], ids=["accepted", "unknown", "dry-run"])
def test_no_other_order_is_ever_tried_again(event: object) -> None:
    given(evolve, SUBMITTED, event).when(Order.resubmit, at(5)).then_refused(IdempotencyConflict)


# --- cancels ---------------------------------------------------------------------------------------------


def test_a_cancel_is_asked_once_and_keeps_the_room() -> None:
    asked = CancelRequested(at=at(3), reason="by hand")
    order = given(evolve, SUBMITTED, ACCEPTED).when(Order.request_cancel, at(3), "by hand").then(asked)
    assert (order.status, order.leaves_qty, order.cancel_requested_at) == (
        OrdStatus.PENDING_CANCEL,
        100,
        at(3),
    )
    given(evolve, SUBMITTED, ACCEPTED, asked).when(Order.request_cancel, at(4)).then()


@pytest.mark.parametrize("event", [NOT_SENT, OrderDryRun()])
def test_an_order_that_is_over_is_not_canceled(event: object) -> None:
    given(evolve, SUBMITTED, event).when(Order.request_cancel, at(3)).then()


def test_a_confirmed_cancel_carries_the_brokers_time() -> None:
    desk = Desk().submit().accepted().hears(word("canceled", 7, reason="by hand"))
    assert (desk.now.canceled_at, desk.now.broker_status) == (at(7), "canceled")


def test_a_refused_cancel_can_be_asked_again_and_refused_again() -> None:
    desk = Desk().submit().accepted()
    for minute in (3, 5):
        desk.append(desk.now.request_cancel(at(minute)))
        desk.hears(cancel_rejected(minute + 1))
        assert desk.shows == "new (0/100)"
    assert desk.hears(cancel_rejected(4)).shows == "new (0/100)"


def test_a_refusal_without_a_time_ends_the_pending_cancel() -> None:
    desk = Desk().submit().accepted().hears(word("pending_cancel", 3), cancel_rejected(None))
    assert desk.shows == "new (0/100)"
    recorded = len(desk.order_events)
    assert len(desk.hears(cancel_rejected(None)).order_events) == recorded


def test_a_pending_cancel_at_the_broker_needs_no_second_request() -> None:
    desk = Desk().submit().accepted().hears(word("pending_cancel", 3))
    assert desk.now.request_cancel(at(4)) == ()


# --- orphans ---------------------------------------------------------------------------------------------


def found(**changes: object) -> tuple[object, ...]:
    held = broker_order(**changes)  # type: ignore[arg-type]
    return orphan(client_order_id=CID, order=held, report=None, source=ReportSource.RECONCILIATION, at=START)


def test_an_orphan_belongs_to_external_until_it_is_adopted() -> None:
    order = shown(*found())
    assert (order.strategy_id, order.status, order.order_id) == (EXTERNAL, OrdStatus.NEW, OID)
    assert order.flags == {"orphan", "external"}
    adopted = OrderAdopted(strategy_id=ALPHA, reason="placed by hand", **BY_ALICE)
    order = given(evolve, *found()).when(Order.adopt, ALPHA, "placed by hand", **BY_ALICE).then(adopted)
    assert (order.strategy_id, order.orphan_status) == (ALPHA, "adopted")
    assert (order.orphan_answered_at, order.orphan_answered_by) == (at(5), "alice")


def test_an_orphan_is_resolved_once_and_one_way() -> None:
    adopted = OrderAdopted(strategy_id=ALPHA, reason="placed by hand", **BY_ALICE)
    done = given(evolve, *found(), adopted)
    done.when(Order.adopt, ALPHA, "again", **BY_ALICE).then()
    done.when(Order.adopt, StrategyId("beta"), "no, mine", **BY_ALICE).then_refused(IdempotencyConflict)
    done.when(Order.ignore, "never mind", **BY_ALICE).then_refused(IdempotencyConflict)
    done.when(Order.cancel_orphan, "never mind", **BY_ALICE).then_refused(IdempotencyConflict)
    ignored = OrderIgnored(reason="a test of the desk", **BY_ALICE)
    given(evolve, *found()).when(Order.ignore, "a test of the desk", **BY_ALICE).then(ignored)
    given(evolve, *found(), ignored).when(Order.ignore, "again", **BY_ALICE).then()
    given(evolve, SUBMITTED).when(Order.adopt, ALPHA, "ours", **BY_ALICE).then_refused(IdempotencyConflict)


def test_an_orphan_that_is_to_go_is_closed_on_the_brokers_word() -> None:
    wanted = CancelRequested(at=at(5), reason="nobody knows it", by="alice")
    asked = given(evolve, *found()).when(Order.cancel_orphan, "nobody knows it", **BY_ALICE).then(wanted)
    assert asked.orphan_status == "cancel_requested"
    given(evolve, *found(), wanted).when(Order.cancel_orphan, "again", **BY_ALICE).then()
    gone = OrderCanceled(transact_time=at(6), source=STREAM)
    closed = given(evolve, *found(), wanted, gone)
    assert (closed.state.orphan_status, closed.state.orphan_answered_by) == ("closed", "alice")
    assert closed.state.orphan_answered_at == at(6)
    closed.when(Order.cancel_orphan, "again", **BY_ALICE).then()
    closed.when(Order.adopt, ALPHA, "it was ours", **BY_ALICE).then_refused(IdempotencyConflict)


def test_an_orphan_that_fills_before_its_cancel_still_needs_an_owner() -> None:
    desk = Desk().hears(trade("e1", 40, 10, 2, order=broker_order("partially_filled", 2)))
    desk.append(desk.now.cancel_orphan("nobody knows it", **BY_ALICE))
    desk.hears(trade("e2", 60, 10, 3, 100))
    assert desk.now.orphan_status == "untracked"
    with pytest.raises(IdempotencyConflict, match="filled"):
        desk.now.cancel_orphan("again", **BY_ALICE)


def test_an_orphan_known_only_by_an_activity_has_the_size_it_executed() -> None:
    desk = Desk().hears(trade("e1", 40, 10, 2))
    assert (desk.now.cum_qty, desk.now.leaves_qty, desk.now.flags) == (40, 0, {"orphan", "external"})
    desk.hears(trade("e2", 60, 10, 3))
    assert (desk.position.qty, desk.now.flags) == (100, {"orphan", "external"})


def test_a_notional_orphan_ends_with_the_brokers_word() -> None:
    held = broker_order("partially_filled", 2, qty=None, notional=d(500), filled_qty=d("0.5"))
    desk = Desk().hears(trade("e1", "0.5", 100, 2, "0.5", order=held))
    assert desk.now.status is OrdStatus.PARTIALLY_FILLED
    assert desk.hears(word("filled", 3)).shows == "filled (0.5/0)"


def test_an_orphan_of_nothing_known_is_no_order() -> None:
    with pytest.raises(ValueError, match="symbol and side"):
        orphan(client_order_id=CID, order=None, report=None, source=LOOKUP, at=START)


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({"notional": d(500)}, 500),
        ({"filled_qty": d(40), "limit_px": d(10)}, 600),
        ({"limit_px": None, "filled_avg_px": d(9)}, 900),
        ({"limit_px": None}, 0),
    ],
)
def test_the_money_an_orphan_may_move_is_estimated(terms: dict[str, Decimal], expected: int) -> None:
    assert estimated_notional(broker_order(**terms)) == expected
    assert estimated_notional(None) == 0


def test_a_stream_begins_with_its_birth() -> None:
    with pytest.raises(ValueError, match="first event"):
        evolve(None, UNKNOWN)


def test_a_later_sighting_of_an_orphan_changes_nothing() -> None:
    first = shown(*found())
    born = found()[0]
    assert isinstance(born, OrderOrphaned)
    assert evolve(first, born) == first
    assert ClientOrderId(first.client_order_id) == CID
