"""Executions: each counts once, whatever the door, the order and the number of times it comes in."""

from __future__ import annotations

import pytest

from gateway.aggregates.order.events import (
    ConflictReported,
    OrderFilled,
    Trade,
)
from gateway.aggregates.reports import ReportKind
from gateway.aggregates.vocabulary import (
    ExecId,
    OrdType,
    ReportSource,
)
from tests.aggregates.desk import (
    ALPHA,
    OID,
    START,
    Desk,
    at,
    broker_order,
    bust,
    correct,
    d,
    report,
    ticket,
    total_only,
    trade,
    word,
)
from tests.kit.covers import covers

LOOKUP = ReportSource.LOOKUP


@covers("FC:B-01")
def test_a_fill_before_the_acknowledgement_counts_and_tells_the_brokers_id() -> None:
    desk = Desk().submit().hears(trade("e1", 40, 10, 2, 40))
    assert (desk.shows, desk.now.order_id) == ("partially_filled (40/60)", OID)
    assert desk.accepted().shows == "partially_filled (40/60)"


@covers("BI:B-59")
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


@covers("FC:B-03")
def test_one_fill_under_two_ids_is_one_execution_and_both_ids_lead_to_it() -> None:
    listed = trade("e1-activity", 40, 10, 2, 40, source=ReportSource.ACTIVITY)
    desk = Desk().submit().accepted().hears(trade("e1", 40, 10, 2, 40), listed)
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


@covers("FM:F-091")
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


@covers("FC:B-05")
def test_a_total_reveals_what_is_missing_and_books_nothing_by_itself() -> None:
    desk = Desk().submit().accepted().hears(trade("e1", 30, 10, 2, 30))
    held = broker_order("filled", 3, filled_qty=d(100), filled_avg_px=d("10.7"))
    desk.hears(word("filled", 3, source=LOOKUP, order=held))
    assert desk.shows == "partially_filled (30/70)"
    assert desk.now.missing_qty(d(100)) == 70
    assert desk.now.missing_qty(d(30)) == 0


@covers("FC:B-04")
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
    assert list(desk.now.executions) == ["e2", "syn:c0ffee:30"]
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


@covers("FC:B-08")
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
