"""What happens to an order, and what it does to its symbol, in one append."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.aggregates.booking import book, needs_history
from gateway.aggregates.order.events import FillBusted, OrderFilled, OrderNotSent
from gateway.aggregates.order.state import submit
from gateway.aggregates.position.events import (
    PositionBusted,
    PositionEvent,
    PositionFilled,
    PositionReleased,
    PositionReserved,
)
from gateway.aggregates.position.state import Position, adjust, evolve
from gateway.aggregates.reports import ExecutionReport
from gateway.aggregates.restatement import restate
from gateway.aggregates.splits import SplitTerms, split
from gateway.aggregates.vocabulary import ClientOrderId, ExecId, Side, StrategyId
from tests.aggregates.desk import (
    ALPHA,
    CID,
    START,
    Desk,
    at,
    broker_order,
    bust,
    correct,
    d,
    ticket,
    total_only,
    trade,
    word,
)
from tests.kit.covers import covers
from tests.kit.given import folded

BETA = StrategyId("beta")
SECOND = ClientOrderId("5ec0d")


def test_an_execution_stores_both_realized_amounts_and_what_it_took_of_the_room() -> None:
    desk = Desk().submit().hears(trade("e1", 100, 10, 1, 100))
    desk.submit(ticket(50, Side.SELL, strategy_id=BETA), client_order_id=SECOND)
    desk.hears(trade("e2", 50, 12, 2, 50))
    booked = desk.history[-1]
    assert isinstance(booked, PositionFilled)
    assert (booked.account_realized, booked.strategy_realized, booked.taken) == (100, 0, 50)
    assert (desk.position.qty, desk.position.book_of(ALPHA).qty, desk.position.book_of(BETA).qty) == (
        50,
        100,
        -50,
    )
    assert desk.position.book_of(BETA).cost == 600


def test_the_room_of_an_intent_is_never_taken_behind_the_limits_back() -> None:
    intent = submit(client_order_id=CID, ticket=ticket(), at=START)
    assert book(None, intent, None) == ()
    assert book(None, (), None) == ()


def test_an_order_closed_unsent_gives_all_its_room_back() -> None:
    desk = Desk().submit()
    desk.append(desk.now.not_send("broker_unavailable", "refused"))
    assert desk.history[-1] == PositionReleased(
        client_order_id=CID, side=Side.BUY, qty=d(100), reason="failed"
    )


def test_an_unknown_outcome_and_a_cancel_request_give_nothing_back() -> None:
    desk = Desk().submit()
    desk.append(desk.now.outcome_unknown("timeout", at(1))).append(desk.now.request_cancel(at(2)))
    assert desk.position.reserved_for(CID) == 100


def test_a_fact_about_an_order_closed_unsent_reserves_its_leaves_beyond_any_limit() -> None:
    desk = Desk().submit()
    desk.append((OrderNotSent(code="broker_unavailable", reason="refused"),)).hears(
        trade("e1", 40, 10, 2, 40)
    )
    assert desk.history[-1] == PositionReserved(client_order_id=CID, side=Side.BUY, qty=d(60))


def test_the_leaves_of_an_orphan_are_exposure_too() -> None:
    desk = Desk().hears(word("new", 2, order=broker_order("new", 2)))
    assert desk.position.reserved_for(CID) == 100


def test_a_bust_of_a_filled_order_gives_the_room_back_to_the_order() -> None:
    desk = Desk().submit().hears(trade("e1", 90, 10, 2, 90), trade("e2", 10, 10, 3, 100), bust("b", "e2", 4))
    undone = desk.history[-1]
    assert isinstance(undone, PositionBusted)
    assert (undone.exec_id, undone.reserved) == ("e2", 10)


def test_a_bust_of_a_correction_undoes_the_execution_it_leads_to() -> None:
    desk = Desk().submit().hears(trade("e1", 40, 10, 2, 40), correct("c", "e1", 30, 10, 3), bust("b", "c", 4))
    undone = desk.history[-1]
    assert isinstance(undone, PositionBusted)
    assert (undone.exec_id, desk.position.qty) == ("e1", 0)


@covers("FC:B-14")
def test_a_correction_to_the_same_terms_moves_nothing() -> None:
    desk = Desk().submit().hears(trade("e1", 40, 10, 2, 40))
    moved = len(desk.history)
    desk.hears(correct("c", "e1", 40, 10, 3))
    assert (len(desk.history), desk.now.flags) == (moved, {"corrected"})


def test_only_what_restates_an_execution_needs_the_history() -> None:
    desk = Desk().submit().hears(total_only(30, 10, 2))
    fill = desk.now.report(trade("e2", 20, 10, 3, 50))
    assert not needs_history(fill)
    assert needs_history(desk.now.report(trade("e1", 30, 10, 3, 30)))
    parked = desk.now.report(bust("b", "e9", 4))
    assert not needs_history(parked)


def test_a_restatement_names_every_later_execution_whose_realized_amount_changes() -> None:
    desk = Desk().submit(ticket(200)).hears(trade("e1", 100, 10, 1, 100), trade("e2", 100, 20, 2, 200))
    bought = desk.now
    desk.submit(ticket(150, Side.SELL, strategy_id=BETA), client_order_id=SECOND)
    desk.hears(trade("s1", 50, 18, 1500, 50), trade("s2", 100, 18, 3000, 150))
    desk.order = bought
    desk.hears(correct("c", "e1", 100, 12, 4000))
    restatement = desk.history[-1].restatement  # type: ignore[union-attr]
    assert [(e.client_order_id, e.exec_id, e.account_realized) for e in restatement.executions] == [
        (SECOND, "s1", 100),
        (SECOND, "s2", 200),
    ]
    by_day = [(day.date, day.account_realized, day.strategy_realized) for day in restatement.daily]
    assert by_day == [(at(1500).date(), -50, 0), (at(3000).date(), -100, 0)]


def test_earlier_restatements_are_in_force_for_later_ones() -> None:
    desk = Desk().submit(ticket(200)).hears(trade("e1", 100, 10, 1, 100), trade("e2", 100, 20, 2, 200))
    bought = desk.now
    desk.submit(ticket(100, Side.SELL), client_order_id=SECOND).hears(trade("s1", 100, 18, 3, 100))
    desk.order = bought
    desk.hears(correct("c", "e1", 100, 12, 4), bust("b", "e2", 5))
    restatement = desk.history[-1].restatement  # type: ignore[union-attr]
    assert (restatement.before.realized, restatement.after.realized) == (200, 600)
    assert [day.account_realized for day in restatement.daily] == [400]
    assert desk.realized == 600


def test_adjustments_and_splits_keep_their_place_when_a_symbol_is_folded_anew() -> None:
    desk = Desk().submit().hears(trade("e1", 20, 50, 1, 20))
    beside: tuple[PositionEvent, ...] = adjust(desk.position, qty=d(5), cost=d(300), reason="found")
    beside += split(
        folded(evolve, beside, desk.position),
        SplitTerms(activity_id="a1", at=at(9), old=d(1), new=d(2)),
        (*desk.history, *beside),
    )
    desk.history += beside
    desk.position = folded(evolve, beside, desk.position)
    desk.hears(correct("c", "e1", 10, 50, 2))
    assert (desk.position.qty, desk.position.account.cost) == (30, 800)
    assert desk.position.book_of(ALPHA).qty == 20


def test_facts_in_one_append_see_each_other() -> None:
    desk = Desk().submit().hears(bust("b", "e1", 3))
    events = desk.now.report(trade("e1", 40, 10, 2, 40))
    assert [type(e) for e in events if not hasattr(e, "broker_status")] == [OrderFilled, FillBusted]
    desk.append(events)
    assert (desk.position.qty, desk.realized, desk.position.reserved_for(CID)) == (0, 0, 100)


sizes = st.decimals(min_value="0.1", max_value="50", places=1)
prices = st.decimals(min_value="1", max_value="20", places=2)
trades = st.lists(
    st.tuples(st.sampled_from(Side), st.sampled_from([ALPHA, BETA]), sizes, prices), min_size=1, max_size=8
)


@settings(max_examples=80, deadline=None)
@given(trades, st.data())
def test_folding_a_symbol_anew_changes_nothing_but_what_was_amended(
    done: list[tuple[Side, StrategyId, object, object]], data: st.DataObject
) -> None:
    """A correction and its reverse lead back to the very same books."""
    desk = Desk()
    for number, (side, strategy, qty, px) in enumerate(done):
        asked = ticket(1000, side, strategy_id=strategy)
        desk.submit(asked, client_order_id=ClientOrderId(f"order{number}"))
        desk.hears(trade(f"e{number}", qty, px, number))  # type: ignore[arg-type]
    chosen = data.draw(st.sampled_from([e for e in desk.history if isinstance(e, PositionFilled)]))
    key = (chosen.client_order_id, ExecId(chosen.exec_id))
    same = restate(desk.history, key, chosen.qty, chosen.px)
    assert (same.after, same.daily, same.executions) == (desk.position.account, (), ())
    undone = restate(desk.history, key, d(0), chosen.px)
    signed = chosen.qty if chosen.side is Side.BUY else -chosen.qty
    assert undone.after.qty == desk.position.qty - signed
    difference = sum((day.account_realized for day in undone.daily), d(0))
    assert undone.after.realized - desk.realized == difference


def test_a_flat_position_folds_from_nothing() -> None:
    assert folded(evolve, ()) is None
    report: ExecutionReport = replace(trade("e1", 1, 1, 1), exec_id=ExecId("e2"))
    assert Desk().submit().hears(report).position.account.qty == 1
    assert Position().account.realized == 0
