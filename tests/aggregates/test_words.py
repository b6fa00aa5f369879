"""The broker's words: which of them counts, and which are only kept."""

from __future__ import annotations

from gateway.aggregates.order.events import (
    StatusReported,
)
from gateway.aggregates.reports import ReportKind
from gateway.aggregates.vocabulary import (
    OrderId,
    OrdStatus,
    ReportSource,
    TimeInForce,
)
from tests.aggregates.desk import (
    Desk,
    broker_order,
    cancel_rejected,
    d,
    report,
    trade,
    word,
)
from tests.kit.covers import covers

LOOKUP = ReportSource.LOOKUP


@covers("FC:C-11")
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
    order = Desk().submit().now
    assert order.same_ticket_at_broker(broker_order()) == ()
    assert order.same_ticket_at_broker(broker_order(qty=d("100.0"))) == ()
    other = broker_order(qty=d(50), limit_px=None, time_in_force=TimeInForce.GTC)
    assert order.same_ticket_at_broker(other) == ("qty", "limit_px", "time_in_force")


def test_a_cancel_pending_anew_after_a_refusal_is_pending_again() -> None:
    desk = Desk().submit().accepted().hears(word("pending_cancel", 3), cancel_rejected(4))
    assert desk.shows == "new (0/100)"
    assert desk.hears(word("pending_cancel", 6)).shows == "pending_cancel (0/100)"


def test_filled_with_fewer_shares_than_were_asked_for_is_the_end_once_they_are_booked() -> None:
    """The broker has cut the order down to what was filled."""
    cut = broker_order("filled", 4, qty=d(40), filled_qty=d(40))
    early = Desk().submit().accepted().hears(word("filled", 4, order=cut, source=LOOKUP))
    assert early.shows == "new (0/100)"
    desk = early.hears(trade("e1", 40, 10, 3, cum=40), word("filled", 4, order=cut, source=LOOKUP))
    assert (desk.shows, desk.now.broker_status) == ("canceled (40/0)", "filled")
    assert desk.hears(word("filled", 4, order=cut, source=LOOKUP)).shows == "canceled (40/0)"
