"""The verbs of an order, one sentence each."""

from __future__ import annotations

from decimal import Decimal

import pytest

from gateway.aggregates.order.events import (
    CancelRequested,
    ConflictReported,
    OrderAccepted,
    OrderAdopted,
    OrderDryRun,
    OrderFilled,
    OrderIgnored,
    OrderNotAccepted,
    OrderNotSent,
    OrderOrphaned,
    OrderOutcomeUnknown,
    OrderRejected,
    OrderResubmitted,
    OrderSubmitted,
    StatusReported,
    Trade,
)
from gateway.aggregates.order.state import Order, estimated_notional, evolve, orphan, submit
from gateway.aggregates.refusals import IdempotencyConflict
from gateway.aggregates.reports import ReportKind
from gateway.aggregates.vocabulary import (
    EXTERNAL,
    ClientOrderId,
    ExecId,
    OrderId,
    OrdStatus,
    OrdType,
    ReportSource,
    StrategyId,
    TimeInForce,
)
from tests.aggregates.desk import (
    ALPHA,
    CID,
    OID,
    START,
    Desk,
    at,
    broker_order,
    bust,
    cancel_rejected,
    correct,
    d,
    report,
    ticket,
    total_only,
    trade,
    word,
)
from tests.kit.given import folded, given

REPLY, LOOKUP = ReportSource.REPLY, ReportSource.LOOKUP
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


# --- executions ------------------------------------------------------------------------------------------


def test_a_fill_before_the_acknowledgement_counts_and_tells_the_brokers_id() -> None:
    desk = Desk().submit().hears(trade("e1", 40, 10, 2, 40))
    assert (desk.shows, desk.now.order_id) == ("partially_filled (40/60)", OID)
    assert desk.accepted().shows == "partially_filled (40/60)"


def test_the_same_execution_with_other_terms_is_a_conflict_once_and_the_first_stands() -> None:
    desk = (
        Desk()
        .submit()
        .accepted()
        .hears(trade("e1", 40, 10, 2), trade("e1", 50, 10, 2), trade("e1", 50, 10, 2))
    )
    conflicts = [e for e in desk.order_events if isinstance(e, ConflictReported)]
    assert [c.exec_id for c in conflicts] == ["e1"]
    assert desk.now.cum_qty == 40


def test_one_fill_under_two_ids_is_one_execution_and_both_ids_lead_to_it() -> None:
    desk = Desk().submit().accepted().hears(trade("e1", 40, 10, 2, 40), trade("e1-activity", 40, 10, 2, 40))
    assert desk.now.cum_qty == 40
    assert desk.hears(bust("b", "e1-activity", 3)).now.cum_qty == 0


def test_a_fill_without_an_id_is_provisional_until_the_one_with_the_id_comes() -> None:
    desk = Desk().submit().accepted().hears(trade(None, 40, 10, 2, 40))
    assert (desk.now.cum_qty, "provisional" in desk.now.flags) == (40, True)
    desk.hears(trade(None, 40, 10, 2, 40), trade("e1", 40, 10, 2, 40))
    assert (desk.now.cum_qty, desk.now.flags) == (40, frozenset())
    assert desk.hears(trade(None, 40, 10, 2, 40)).now.cum_qty == 40


def test_a_fill_without_an_id_adds_only_what_is_not_booked_of_its_stretch() -> None:
    desk = Desk().submit().accepted().hears(trade("e1", 40, 10, 2), trade(None, 40, 11, 2, 40))
    assert desk.now.cum_qty == 40


@pytest.mark.parametrize(
    "broken",
    [
        report(ReportKind.TRADE, "fill", 2, last_qty=d(5), last_px=d(10)),
        report(ReportKind.TRADE, "fill", 2, exec_id=ExecId("e1"), last_qty=d(-5), last_px=d(10)),
        report(ReportKind.TRADE, "fill", 2, exec_id=ExecId("e1")),
        report(ReportKind.BUST, "trade_bust", 2, exec_id=ExecId("b1")),
        report(ReportKind.CORRECT, "trade_correct", 2, exec_id=ExecId("c1"), ref_exec_id=ExecId("e1")),
    ],
    ids=["no-identity", "negative", "no-size", "bust-of-nothing", "correction-without-terms"],
)
def test_a_fact_that_cannot_be_booked_is_a_conflict_once(broken: object) -> None:
    desk = Desk().submit().accepted().hears(broken, broken)  # type: ignore[arg-type]
    conflicts = [e for e in desk.order_events if isinstance(e, ConflictReported)]
    assert len(conflicts) == 1
    assert desk.shows == "new (0/100)"


def test_an_unknown_event_name_has_no_effect() -> None:
    desk = Desk().submit().accepted()
    assert desk.now.report(report(ReportKind.UNKNOWN, "order_teleported", 2)) == ()


def test_a_total_reveals_what_is_missing_and_books_nothing_by_itself() -> None:
    desk = Desk().submit().accepted().hears(trade("e1", 30, 10, 2, 30))
    held = broker_order("filled", 3, filled_qty=d(100), filled_avg_px=d("10.7"))
    desk.hears(word("filled", 3, source=LOOKUP, order=held))
    assert desk.shows == "partially_filled (30/70)"
    assert desk.now.missing_qty(d(100)) == 70
    assert desk.now.missing_qty(d(30)) == 0


def test_an_inferred_execution_makes_the_average_the_brokers() -> None:
    desk = Desk().submit().accepted().hears(trade("e1", 30, 10, 2, 30))
    inferred = desk.now.infer(d(100), d("10.7"), at(3), LOOKUP)
    assert inferred == (
        OrderFilled(
            symbol=ticket().symbol,
            side=ticket().side,
            strategy_id=ALPHA,
            trade=Trade(
                exec_id=ExecId("syn:c0ffee:100"),
                last_qty=d(70),
                last_px=d(11),
                transact_time=at(3),
                cum_qty=d(100),
                provisional=True,
            ),
            source=LOOKUP,
        ),
    )
    desk.append(inferred)
    assert (desk.shows, desk.now.avg_px) == ("filled (100/0)", d("10.7"))
    assert desk.now.infer(d(100), d("10.7"), at(3), LOOKUP) == ()


def test_a_hole_below_a_known_execution_is_filled_where_it_is() -> None:
    desk = Desk().submit().accepted().hears(trade("e2", 20, 10, 3, 50), total_only(50, 10, 3))
    assert [e for e in desk.now.executions] == ["e2", "syn:c0ffee:30"]
    desk.hears(trade("e1", 30, 10, 2, 30))
    assert (desk.now.cum_qty, desk.now.flags) == (50, frozenset())


def test_two_holes_are_two_inferred_executions() -> None:
    desk = Desk().submit().accepted().hears(trade("e2", 20, 10, 3, 50))
    desk.append(desk.now.infer(d(100), d(10), at(4), LOOKUP))
    sizes = {name: e.qty for name, e in desk.now.executions.items() if e.provisional}
    assert sizes == {"syn:c0ffee:100": 50, "syn:c0ffee:30": 30}


def test_a_real_execution_without_a_total_replaces_the_oldest_provisional_quantity() -> None:
    desk = Desk().submit().accepted().hears(total_only(30, 10, 2), total_only(50, 10, 3))
    desk.hears(trade("e1", 40, 10, 2))
    left = {name: e.qty for name, e in desk.now.executions.items() if e.provisional}
    assert left == {"syn:c0ffee:30": 0, "syn:c0ffee:50": 10}
    assert desk.now.cum_qty == 50


def test_a_larger_real_execution_replaces_all_and_adds_the_rest() -> None:
    desk = Desk().submit().accepted().hears(total_only(30, 10, 2), trade("e1", 70, 10, 2))
    assert (desk.now.cum_qty, desk.now.flags) == (70, frozenset())


def test_an_inference_without_any_price_books_nothing() -> None:
    market = ticket(ord_type=OrdType.MARKET, limit_px=None)
    desk = Desk().submit(market).accepted()
    assert desk.now.infer(d(10), None, at(2), LOOKUP) == ()
    assert desk.hears(trade("e1", 10, 9, 1, 10)).now.infer(d(20), None, at(2), LOOKUP) != ()


def test_an_impossible_average_falls_back_to_the_brokers() -> None:
    desk = Desk().submit().accepted().hears(trade("e1", 90, 10, 2, 90))
    (inferred,) = desk.now.infer(d(100), d(1), at(3), LOOKUP)
    assert inferred.trade.last_px == 1


def test_a_total_from_before_a_bust_reveals_nothing() -> None:
    desk = Desk().submit().accepted().hears(trade("e1", 40, 10, 2, 40), bust("b", "e1", 5))
    assert desk.now.infer(d(40), d(10), at(3), LOOKUP) == ()
    assert desk.now.infer(d(10), d(10), at(6), LOOKUP) != ()


def test_after_a_bust_an_inferred_id_is_never_used_twice() -> None:
    desk = Desk().submit().accepted().hears(total_only(40, 10, 2), bust("b", "syn:c0ffee:40", 3))
    desk.append(desk.now.infer(d(40), d(10), at(4), LOOKUP))
    assert list(desk.now.executions) == ["syn:c0ffee:40", "syn:c0ffee:40:2"]


def test_a_correction_that_names_itself_counts_once() -> None:
    desk = Desk().submit().accepted().hears(trade("e1", 40, 10, 2, 40))
    desk.hears(correct("e1", "e1", 40, 12, 3), correct("e1", "e1", 40, 12, 3))
    assert desk.now.avg_px == 12


def test_an_older_correction_is_kept_and_does_not_count() -> None:
    desk = Desk().submit().accepted().hears(trade("e1", 40, 10, 2, 40))
    desk.hears(correct("c2", "e1", 40, 12, 4), correct("c1", "e1", 40, 11, 3))
    assert desk.now.avg_px == 12
    assert desk.hears(trade("c1", 40, 11, 3)).now.cum_qty == 40


def test_a_correction_of_an_undone_execution_changes_nothing() -> None:
    desk = Desk().submit().accepted().hears(trade("e1", 40, 10, 2, 40), bust("b", "e1", 3))
    desk.hears(correct("c", "e1", 30, 11, 4), correct(None, "e1", 30, 11, 4))
    assert desk.now.cum_qty == 0


def test_parked_amendments_are_known_by_their_ids_and_by_their_terms() -> None:
    desk = Desk().submit().accepted().hears(bust("b", "e1", 3), bust(None, "e2", 3))
    recorded = len(desk.order_events)
    desk.hears(bust("b", "e1", 3), bust(None, "e2", 3))
    assert len(desk.order_events) == recorded
    desk.hears(trade("b", 5, 10, 2))
    assert desk.now.cum_qty == 0


def test_an_overfill_is_booked_in_full() -> None:
    desk = Desk().submit().accepted().hears(trade("e1", 130, 10, 2, 130))
    assert (desk.shows, desk.now.flags) == ("filled (130/0)", {"overfilled"})
    assert desk.position.qty == 130


def test_an_execution_without_a_time_takes_the_orders_or_our_own() -> None:
    held = broker_order("partially_filled", 4, filled_at=at(3))
    desk = Desk().submit().accepted()
    desk.hears(
        report(ReportKind.TRADE, "fill", None, exec_id=ExecId("e1"), last_qty=d(1), last_px=d(1), order=held)
    )
    desk.hears(report(ReportKind.TRADE, "fill", None, exec_id=ExecId("e2"), last_qty=d(1), last_px=d(1)))
    assert [e.transact_time for e in desk.now.executions.values()] == [at(3), START]


def test_a_filled_order_says_when() -> None:
    desk = Desk().submit().accepted().hears(trade("e1", 60, 10, 5, 100), trade("e2", 40, 10, 2, 40))
    assert desk.now.filled_at == at(5)


# --- states ----------------------------------------------------------------------------------------------


def test_of_two_terminal_reports_the_later_broker_time_wins_and_the_order_is_flagged() -> None:
    for facts in ((word("canceled", 3), word("expired", 4)), (word("expired", 4), word("canceled", 3))):
        desk = Desk().submit().accepted().hears(*facts)
        assert (desk.shows, desk.now.flags) == ("expired (0/0)", {"terminal_conflict"})


def test_at_equal_times_the_source_of_higher_priority_decides() -> None:
    poll = word("expired", 3, source=ReportSource.RECONCILIATION)
    for facts in ((poll, word("canceled", 3)), (word("canceled", 3), poll)):
        assert Desk().submit().accepted().hears(*facts).shows == "expired (0/0)"


def test_a_word_outside_our_table_is_kept_verbatim_and_changes_no_status() -> None:
    held = broker_order("accepted_for_bidding", 3)
    desk = Desk().submit().accepted().hears(word("accepted_for_bidding", 3, order=held))
    assert (desk.now.status, desk.now.broker_status) == (OrdStatus.NEW, "accepted_for_bidding")


def test_our_own_words_are_never_taken_from_the_broker() -> None:
    desk = Desk().submit().accepted().hears(word("failed", 3))
    assert (desk.now.status, desk.now.broker_status) == (OrdStatus.NEW, "failed")


def test_a_replaced_order_names_its_replacement() -> None:
    held = broker_order("replaced", 3, replaced_by=OrderId("broker-2"))
    desk = Desk().submit().accepted().hears(word("replaced", 3, order=held))
    assert (desk.shows, desk.now.replaced_by) == ("replaced (0/0)", "broker-2")


def test_a_refused_replace_takes_the_brokers_word_for_the_status_before() -> None:
    desk = Desk().submit().accepted().hears(word("pending_replace", 3))
    held = broker_order("accepted", 4)
    desk.hears(report(ReportKind.REPLACE_REJECTED, "order_replace_rejected", 4, order=held))
    assert desk.shows == "accepted (0/100)"
    reported = desk.order_events[-1]
    assert isinstance(reported, StatusReported)
    assert reported.reason == "order_replace_rejected"


def test_the_brokers_order_is_ours_only_when_every_term_is() -> None:
    order = shown(SUBMITTED)
    assert order.same_ticket_at_broker(broker_order()) == ()
    assert order.same_ticket_at_broker(broker_order(qty=d("100.0"))) == ()
    other = broker_order(qty=d(50), limit_px=None, time_in_force=TimeInForce.GTC)
    assert order.same_ticket_at_broker(other) == ("qty", "limit_px", "time_in_force")


# --- orphans ---------------------------------------------------------------------------------------------


def found(**changes: object) -> tuple[object, ...]:
    held = broker_order(**changes)  # type: ignore[arg-type]
    return orphan(client_order_id=CID, order=held, report=None, source=ReportSource.RECONCILIATION, at=START)


def test_an_orphan_belongs_to_external_until_it_is_adopted() -> None:
    order = shown(*found())
    assert (order.strategy_id, order.status, order.order_id) == (EXTERNAL, OrdStatus.NEW, OID)
    assert order.flags == {"orphan", "external"}
    adopted = OrderAdopted(strategy_id=ALPHA, reason="placed by hand")
    order = given(evolve, *found()).when(Order.adopt, ALPHA, "placed by hand").then(adopted)
    assert (order.strategy_id, order.orphan_resolution) == (ALPHA, "adopted")


def test_an_orphan_is_resolved_once_and_one_way() -> None:
    adopted = OrderAdopted(strategy_id=ALPHA, reason="placed by hand")
    done = given(evolve, *found(), adopted)
    done.when(Order.adopt, ALPHA, "again").then()
    done.when(Order.adopt, StrategyId("beta"), "no, mine").then_refused(IdempotencyConflict)
    done.when(Order.ignore, "never mind").then_refused(IdempotencyConflict)
    ignored = OrderIgnored(reason="a test of the desk")
    given(evolve, *found()).when(Order.ignore, "a test of the desk").then(ignored)
    given(evolve, *found(), ignored).when(Order.ignore, "again").then()
    given(evolve, SUBMITTED).when(Order.adopt, ALPHA, "ours").then_refused(IdempotencyConflict)


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
