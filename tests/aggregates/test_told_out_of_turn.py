"""Facts that came before what they are about; the permutations of tests/proof found each of these."""

from __future__ import annotations

from gateway.aggregates.order.state import Order
from gateway.aggregates.reports import ExecutionReport
from gateway.aggregates.vocabulary import ReportSource
from tests.aggregates.desk import START, Desk, broker_order, bust, correct, d, total_only, trade, word

E1 = trade("e1", 40, 10, 2, 40)
LISTED = trade("c1", 40, 12, 2, 40)
"""A broker lists a corrected execution under the correction's id, at the time of the first."""
CORRECTION = correct("c1", "e1", 40, 12, 3)


def held(*facts: object) -> tuple[object, ...]:
    order: Order = Desk().submit().accepted().hears(*facts).now  # type: ignore[arg-type]
    return order.cum_qty, order.avg_px, order.status


def test_a_corrected_execution_that_is_listed_before_its_correction_is_heard_of_counts_once() -> None:
    assert held(E1, LISTED, CORRECTION) == held(E1, CORRECTION) == held(E1, CORRECTION, LISTED)


def test_nor_does_it_count_twice_when_the_first_booking_comes_last() -> None:
    assert held(LISTED, CORRECTION, E1) == held(CORRECTION, LISTED, E1) == held(E1, CORRECTION)


def test_until_the_execution_it_corrects_is_known_the_listed_one_counts() -> None:
    assert held(CORRECTION, LISTED)[0] == 40


def test_a_correction_of_the_listed_one_is_handed_on() -> None:
    again = correct("c2", "c1", 30, 13, 4)
    assert held(E1, LISTED, again, CORRECTION) == held(E1, CORRECTION, again)


def test_a_bust_of_the_listed_one_is_handed_on() -> None:
    undone = bust("b1", "c1", 4)
    assert held(E1, LISTED, undone, CORRECTION)[0] == held(E1, CORRECTION, undone)[0] == 0


def listed(name: str) -> ExecutionReport:
    """A third of the order, corrected when all of it was executed: the total listed is that of the order."""
    return trade(name, 33, 12, 2, 100, source=ReportSource.ACTIVITY)


LAST = trade("e3", 34, 12, 3, 100)


def test_two_corrected_executions_that_are_listed_alike_are_two_executions() -> None:
    desk = Desk().submit().accepted().hears(LAST, listed("c1"), listed("c2"), listed("c1"), listed("c2"))
    assert [e.exec_id for e in desk.now.executions.values() if e.qty] == ["e3", "c1", "c2"]
    assert (desk.now.cum_qty, desk.now.status) == (100, "filled")


def test_each_of_them_may_have_another_name_on_the_stream() -> None:
    told = (trade("x1", 33, 12, 2, 100), trade("x2", 33, 12, 2, 100), trade("x1", 33, 12, 2, 100))
    assert held(LAST, listed("c1"), listed("c2"), *told)[0] == 100


def test_they_replace_what_was_inferred_of_them_though_others_have_taken_their_total() -> None:
    desk = Desk().submit().accepted().hears(LAST)
    desk.append(desk.now.infer(d(100), d(12), START, ReportSource.RECONCILIATION))
    assert (desk.now.cum_qty, "provisional" in desk.now.flags) == (100, True)
    desk.hears(listed("c1"), listed("c2"))
    left = [e.qty for e in desk.now.executions.values() if e.provisional]
    assert (desk.now.cum_qty, left) == (100, [0])


def test_after_a_bust_the_real_execution_replaces_the_inferred_one_wherever_it_lies() -> None:
    later, last = trade("e3", 4, 11, 6, 4), trade("e4", 10, 11, 7, 14)
    desk = Desk().submit().accepted().hears(E1, bust("b1", "e1", 5), last)
    held_there = broker_order("partially_filled", 8, filled_qty=d(14), filled_avg_px=d(11))
    desk.append(desk.now.infer(d(14), d(11), held_there.updated_at, ReportSource.RECONCILIATION))  # type: ignore[arg-type]
    assert (desk.now.cum_qty, "provisional" in desk.now.flags) == (14, True)
    desk.hears(later)
    assert (desk.now.cum_qty, "provisional" in desk.now.flags) == (14, False)


def test_an_end_that_was_only_polled_while_executions_hid_it_shows_once_they_are_undone() -> None:
    polled = word(
        "canceled",
        5,
        source=ReportSource.LOOKUP,
        order=broker_order("canceled", 5, filled_qty=d(60), filled_avg_px=d(10)),
    )
    desk = Desk().submit().accepted().hears(E1, trade("e2", 60, 10, 3, 100), polled, bust("b1", "e1", 6))
    assert (desk.now.status, desk.now.leaves_qty) == ("canceled", 0)


def test_a_running_total_among_them_adds_nothing() -> None:
    assert held(E1, total_only(40, 10, 3), LISTED, CORRECTION) == held(E1, CORRECTION)
