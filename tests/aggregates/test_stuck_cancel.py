"""A cancel the broker does not confirm is told once, and ends nothing."""

from __future__ import annotations

from datetime import timedelta

from gateway.aggregates.order.events import CancelStuck, OrderEvent
from gateway.aggregates.order.state import Order
from gateway.aggregates.vocabulary import OrdStatus
from tests.aggregates.desk import Desk, at, cancel_rejected, word

PATIENCE = timedelta(minutes=2)


def wanted_out() -> Desk:
    """An order at the broker whose cancel was asked for at minute 5."""
    desk = Desk().submit().accepted()
    return desk.append(desk.now.request_cancel(at(5)))


def stuck(order: Order, minute: int) -> tuple[OrderEvent, ...]:
    return order.note_stuck_cancel(at(minute), PATIENCE)


def test_a_cancel_that_stays_pending_is_told_once_and_stays_pending() -> None:
    desk = wanted_out()
    told = stuck(desk.now, 7)
    assert told == (CancelStuck(since=at(5), at=at(7)),)
    desk.append(told)
    assert desk.shows == "pending_cancel (0/100)"
    assert stuck(desk.now, 60) == ()


def test_a_cancel_is_given_its_time() -> None:
    assert stuck(wanted_out().now, 6) == ()


def test_an_order_that_nobody_wants_out_of_is_not_stuck() -> None:
    assert stuck(Desk().submit().accepted().now, 60) == ()


def test_a_cancel_asked_for_at_the_broker_is_pending_since_the_broker_said_so() -> None:
    desk = Desk().submit().accepted().hears(word("pending_cancel", 9))
    assert desk.now.status is OrdStatus.PENDING_CANCEL
    assert stuck(desk.now, 60) == (CancelStuck(since=at(9), at=at(60)),)


def test_a_cancel_that_was_refused_is_pending_no_longer() -> None:
    desk = wanted_out().hears(cancel_rejected(6))
    assert desk.now.cancel_pending_since is None
    assert stuck(desk.now, 60) == ()
