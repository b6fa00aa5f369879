"""Differences between the two books, and when a difference counts. Pure."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.aggregates.differences import BREAK_KINDS, Difference
from gateway.aggregates.order.state import Order
from gateway.aggregates.reports import BrokerPosition
from gateway.aggregates.vocabulary import ClientOrderId, Symbol
from gateway.reconcile.judge import Findings
from gateway.reconcile.order_diff import (
    is_outweighed,
    merge,
    missing_at_broker,
    not_listed,
    status_difference,
)
from gateway.reconcile.position_diff import differences
from gateway.reconcile.suspicion import Suspect, Verdicts, second_look
from tests.aggregates.desk import CID, Desk, at, broker_order, d, ticket, trade
from tests.kit.covers import covers

AAPL, MSFT = Symbol("AAPL"), Symbol("MSFT")
TOLERANCE = timedelta(minutes=5)


def held(symbol: Symbol, qty: str) -> BrokerPosition:
    return BrokerPosition(symbol=symbol, qty=d(qty), avg_entry_px=d(10))


def holding(ledger: str, broker: str) -> Difference:
    return Difference(kind="position_qty", symbol=AAPL, ledger_value=ledger, broker_value=broker)


def look(
    suspects: dict[str, Suspect], found: list[Difference], minute: int, *, asked: bool = True
) -> Verdicts:
    return second_look(suspects, found, asked=lambda _: asked, now=at(minute), tolerance=TOLERANCE)


def working(qty: int = 100) -> Order:
    return Desk().submit(ticket(qty)).now


# --- holdings ----------------------------------------------------------------------------------------------


def test_a_symbol_one_side_does_not_mention_is_zero_there() -> None:
    found = differences({AAPL: d(10)}, [held(MSFT, "-5")])
    assert [(f.symbol, f.ledger_value, f.broker_value) for f in found] == [
        (AAPL, "10", "0"),
        (MSFT, "0", "-5"),
    ]


def test_equal_holdings_are_no_difference_however_they_are_written() -> None:
    assert differences({AAPL: d("10.0"), MSFT: d(0)}, [held(AAPL, "10")]) == []


@covers("FC:E-12")
def test_dust_is_a_difference() -> None:
    (found,) = differences({AAPL: d("0.333333333")}, [held(AAPL, "0.333333334")])
    assert found.gap == "0.000000001"


# --- a second look -----------------------------------------------------------------------------------------


@covers("FC:E-07", "FM:F-112")
def test_a_difference_counts_when_it_is_there_again_after_the_tolerance() -> None:
    found = holding("0", "50")
    first = look({}, [found], 0)
    assert (first.confirmed, first.suspects[found.subject].since) == ((), at(0))
    early = look(first.suspects, [found], 4)
    assert (early.confirmed, early.suspects[found.subject].since) == ((), at(0))
    assert look(early.suspects, [found], 5).confirmed == (found,)


def test_a_confirmed_difference_waits_for_nothing_more() -> None:
    """Else the loop would pass without pause for as long as a break stands open."""
    suspects = look(look({}, [holding("0", "50")], 0).suspects, [holding("0", "50")], 5).suspects
    assert [suspect.confirmed for suspect in suspects.values()] == [True]
    again = look(suspects, [holding("0", "50")], 6)
    assert (again.confirmed, again.suspects) == ((holding("0", "50"),), suspects)


def test_another_gap_is_another_suspicion_and_trading_is_not_another_gap() -> None:
    first = look({}, [holding("0", "50")], 0)
    assert look(first.suspects, [holding("0", "60")], 9).confirmed == ()
    assert look(first.suspects, [holding("10", "60")], 9).confirmed == (holding("10", "60"),)


def test_what_is_not_there_any_more_is_forgotten_and_what_was_not_asked_is_not() -> None:
    first = look({}, [holding("0", "50")], 0)
    assert look(first.suspects, [], 9).suspects == {}
    assert look(first.suspects, [], 9, asked=False).suspects == first.suspects


@pytest.mark.parametrize("kind", BREAK_KINDS)
def test_a_look_answers_only_what_it_asked(kind: str) -> None:
    difference = Difference(kind=kind, symbol=AAPL, client_order_id=CID, ledger_value="a", broker_value="b")
    everything = Findings(holdings_compared=True)
    assert everything.asked(difference) is (kind in ("position_qty", "order_status", "order_missing"))
    nothing = Findings(unasked_orders=frozenset({CID}))
    assert not nothing.asked(difference)
    unsettled = Findings(holdings_compared=True, unsettled=frozenset({AAPL}))
    assert unsettled.asked(difference) is (kind in ("order_status", "order_missing"))


# --- orders ------------------------------------------------------------------------------------------------


def test_of_two_copies_the_newer_one_counts_and_without_times_the_one_with_more_filled() -> None:
    older, newer = broker_order("new", 1), broker_order("filled", 2)
    assert merge([newer], [older])[CID] == merge([older], [newer])[CID] == newer
    less = broker_order(updated_at=None, filled_qty=d(1))
    more = broker_order(updated_at=None, filled_qty=d(2))
    assert merge([more], [less])[CID] == merge([less], [more])[CID] == more


@covers("FC:D-08")
def test_a_live_order_the_lists_leave_out_is_asked_for() -> None:
    other = ClientOrderId("other")
    assert not_listed([CID, other], merge([broker_order()])) == [other]


@pytest.mark.parametrize(
    ("status", "differs"), [("new", True), ("partially_filled", True), ("canceled", False), ("filled", False)]
)
def test_an_order_that_is_over_here_and_working_there_differs(status: str, differs: bool) -> None:
    order = Desk().submit().hears(trade("e1", 100, 10, 1, 100)).now
    found = status_difference(order, broker_order(status))
    assert (found is not None) is differs
    if found is not None:
        assert (found.kind, found.ledger_value, found.broker_value) == ("order_status", "filled", status)


def test_a_word_outside_our_table_differs_from_nothing() -> None:
    order = Desk().submit().hears(trade("e1", 100, 10, 1, 100)).now
    assert status_difference(order, broker_order("held")) is None


def test_an_order_the_broker_does_not_know_is_named_with_what_we_think_of_it() -> None:
    found = missing_at_broker(working())
    assert (found.kind, found.broker_value, found.client_order_id) == ("order_missing", "not found", CID)


@covers("FC:D-07")
def test_a_copy_with_less_than_is_booked_is_outweighed_and_an_equal_one_is_not() -> None:
    order = Desk().submit().hears(trade("e1", 40, 10, 1, 40)).now
    assert is_outweighed(order, broker_order("new"))
    assert is_outweighed(order, broker_order("partially_filled", filled_qty=d(39)))
    assert not is_outweighed(order, broker_order("partially_filled", filled_qty=d(40)))
    assert not is_outweighed(order, broker_order("held", filled_qty=d(40)))
