"""One symbol: room, quarantine, adjustments, splits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.aggregates.cost_basis import Book
from gateway.aggregates.position.events import (
    PositionAdjusted,
    PositionFilled,
    PositionQuarantined,
    PositionReleased,
    PositionReserved,
    PositionSplit,
    QuarantineLifted,
)
from gateway.aggregates.position.state import (
    Position,
    accept_broker,
    adjust,
    evolve,
    lift_quarantine,
    quarantine,
    reserve,
)
from gateway.aggregates.refusals import PositionLimitExceeded, QuarantineNotActive
from gateway.aggregates.splits import SplitTerms, split
from gateway.aggregates.vocabulary import EXTERNAL, ClientOrderId, ExecId, OrderId, Side, StrategyId, Symbol
from tests.aggregates.desk import ALPHA, at, d
from tests.kit.covers import covers
from tests.kit.given import Given, given

AAPL = Symbol("AAPL")
ORDER = ClientOrderId("c0ffee")
BETA = StrategyId("beta")
BUY, SELL = Side.BUY, Side.SELL


def reserved(side: Side, qty: int, order: str = "other") -> PositionReserved:
    return PositionReserved(client_order_id=ClientOrderId(order), side=side, qty=d(qty))


def bought(qty: int, px: int = 10, strategy: StrategyId = ALPHA, taken: int = 0) -> PositionFilled:
    book = Book(qty=d(qty), cost=d(qty * px), realized=d(0))
    return PositionFilled(
        client_order_id=ORDER,
        exec_id=ExecId("e1"),
        strategy_id=strategy,
        side=BUY,
        qty=d(qty),
        px=d(px),
        transact_time=at(1),
        provisional=False,
        taken=d(taken),
        account_realized=d(0),
        strategy_realized=d(0),
        account=book,
        strategy=book,
    )


def asks(start: Given, side: Side, qty: int, limit: int = 1000, order: ClientOrderId = ORDER) -> object:
    return start.when(reserve, symbol=AAPL, client_order_id=order, side=side, qty=d(qty), limit=d(limit))


@pytest.mark.parametrize(
    ("events", "side", "qty"),
    [
        ((bought(600),), SELL, 1600),
        ((reserved(SELL, 900),), BUY, 1000),
        ((bought(1500),), SELL, 100),
        ((), BUY, 1000),
        ((), SELL, 1000),
    ],
    ids=["through-flat", "other-side-rests", "reducing-beyond-the-limit", "long-to-the-limit", "short-to-it"],
)
def test_an_order_within_the_limit_takes_its_room(events: tuple[object, ...], side: Side, qty: int) -> None:
    after = asks(given(evolve, *events), side, qty).then(reserved(side, qty, ORDER))  # type: ignore[attr-defined]
    assert after.reserved_for(ORDER) == qty


@pytest.mark.parametrize(
    ("events", "side", "qty", "would_be"),
    [
        ((reserved(BUY, 801),), BUY, 300, 1101),
        ((bought(600),), SELL, 1601, 1001),
        ((bought(1500),), BUY, 1, 1501),
        ((bought(500), reserved(SELL, 500)), BUY, 501, 1001),
    ],
    ids=["resting-buys", "beyond-short", "beyond-already", "a-resting-sell-makes-no-room"],
)
def test_an_order_beyond_the_limit_is_refused_with_the_worst_case(
    events: tuple[object, ...], side: Side, qty: int, would_be: int
) -> None:
    refusal = asks(given(evolve, *events), side, qty).then_refused(  # type: ignore[attr-defined]
        PositionLimitExceeded, symbol="AAPL", max_position_size=1000, would_be=would_be
    )
    assert refusal.detail == f"Position limit exceeded: {would_be} > 1000"


def test_the_same_order_takes_room_once() -> None:
    asks(given(evolve, reserved(BUY, 900, ORDER)), BUY, 900).then()  # type: ignore[attr-defined]


def test_room_shrinks_by_executions_and_releases_and_is_gone_at_zero() -> None:
    released = PositionReleased(client_order_id=ORDER, side=BUY, qty=d(60), reason="canceled")
    position = given(evolve, reserved(BUY, 100, ORDER), bought(40, taken=40)).state
    assert (position.qty, position.reserved_buy, position.reserved_sell) == (40, 60, 0)
    assert evolve(position, released).reserved == {}


def test_a_quarantine_of_the_symbol_holds_for_everybody() -> None:
    found = PositionQuarantined(
        strategy_id=None, reason="orphan_order_detected", at=at(1), kind="orphan", order_id=OrderId("b-1")
    )
    ask = {
        "symbol": AAPL,
        "strategy_id": None,
        "reason": "orphan_order_detected",
        "kind": "orphan",
        "order_id": OrderId("b-1"),
    }
    position = given(evolve).when(quarantine, at=at(1), **ask).then(found)
    assert position.quarantine_for(ALPHA).since == at(1)
    given(evolve, found).when(quarantine, at=at(2), **ask).then()


def test_a_further_cause_is_recorded_and_the_time_of_the_first_stays() -> None:
    first = PositionQuarantined(strategy_id=BETA, reason="orphan", at=at(1), kind="orphan")
    start = given(evolve, first)
    terms = {"symbol": AAPL, "strategy_id": BETA, "reason": "mismatch", "kind": "position_mismatch"}
    position = start.when(quarantine, at=at(9), break_id="break-1", **terms).then_state()
    held = position.quarantine_for(BETA)
    assert (held.since, held.kind, held.break_id) == (at(1), "position_mismatch", "break-1")
    assert position.quarantine_for(ALPHA) is None


@pytest.mark.parametrize("name", [None, "*"])
def test_a_quarantine_is_lifted_by_an_operator_once(name: str | None) -> None:
    held = PositionQuarantined(strategy_id=None, reason="orphan", at=at(1), kind="orphan")
    lifted = QuarantineLifted(strategy_id=None, reason="looked into it", at=at(5))
    position = given(evolve, held).when(lift_quarantine, name, reason="looked into it", at=at(5)).then(lifted)
    assert position.quarantine_for(ALPHA) is None
    again = given(evolve, held, lifted).when(lift_quarantine, name, reason="looked into it", at=at(6))
    again.then_refused(QuarantineNotActive)


def test_only_the_named_quarantine_is_lifted() -> None:
    everybody = PositionQuarantined(strategy_id=None, reason="orphan", at=at(1), kind="orphan")
    beta = PositionQuarantined(strategy_id=BETA, reason="orphan", at=at(1), kind="orphan")
    position = (
        given(evolve, everybody, beta).when(lift_quarantine, BETA, reason="fine", at=at(2)).then_state()
    )
    assert set(position.quarantines) == {"*"}


def test_an_adjustment_is_a_delta_booked_under_external() -> None:
    adjusted = PositionAdjusted(
        qty=d(-20),
        cost=d(-200),
        reason="broker is right",
        account=Book(qty=d(80), cost=d(800), realized=d(0)),
        strategy=Book(qty=d(-20), cost=d(200), realized=d(0)),
    )
    start = given(evolve, bought(100))
    position = start.when(adjust, qty=d(-20), cost=d(-200), reason="broker is right").then(adjusted)
    assert (position.book_of(ALPHA).qty, position.book_of(EXTERNAL).qty) == (100, -20)
    given(evolve).when(adjust, qty=d(0), cost=d(0), reason="nothing").then()


@covers("FC:E-05")
def test_a_split_moves_every_book_and_leaves_resting_orders_alone() -> None:
    terms = SplitTerms(activity_id="a1", at=at(9), old=d(20), new=d(40))
    after = Book(qty=d(40), cost=d(1000), realized=d(0))
    done = PositionSplit(
        activity_id="a1",
        at=at(9),
        old=d(20),
        new=d(40),
        added=d(20),
        account=after,
        strategies=((ALPHA, after),),
    )
    start = given(evolve, bought(20, 50), reserved(BUY, 80, ORDER))
    position = start.when(split, terms).then(done)
    assert (position.qty, position.book_of(ALPHA).cost, position.reserved_for(ORDER)) == (40, 1000, 80)
    start.when(split, replace(terms, new=d(20))).then()
    given(evolve).when(split, terms).then()


def test_a_split_counts_what_was_held_when_it_happened() -> None:
    """Ten bought in new shares before we heard stay ten."""
    later = replace(bought(30, 50), qty=d(10), transact_time=at(10), exec_id=ExecId("e2"))
    terms = SplitTerms(activity_id="a1", at=at(9), old=d(1), new=d(2))
    history = (bought(20, 50), later)
    position = given(evolve, *history).when(split, terms, history).then_state()
    assert (position.qty, position.account.cost) == (50, 1500)


def test_a_split_that_would_turn_a_book_over_is_left_to_a_person() -> None:
    """Twenty held, thirty of the forty new ones sold before we heard."""
    short = Book(qty=d(-10), cost=d(250), realized=d(-250))
    sold = replace(
        bought(30, 25),
        side=SELL,
        transact_time=at(10),
        exec_id=ExecId("e2"),
        account=short,
        strategy=short,
    )
    history = (bought(20, 50), sold)
    terms = SplitTerms(activity_id="a1", at=at(9), old=d(1), new=d(2))
    given(evolve, *history).when(split, terms, history).then()


def test_a_symbol_never_touched_is_flat() -> None:
    assert (Position().qty, Position().reserved_buy, Position().quarantine_for(ALPHA)) == (0, 0, None)


@pytest.mark.parametrize(
    ("held", "theirs", "px", "change", "cost", "left"),
    [
        (0, 50, 120, 50, 6000, 6000),
        (100, 150, 12, 50, 600, 1600),
        (100, 40, 250, -60, -600, 400),
        (100, 0, 0, -100, -1000, 0),
        (100, -20, 30, -120, -1600, 600),
    ],
)
def test_the_brokers_holding_becomes_ours_and_realizes_nothing(
    held: int, theirs: int, px: int, change: int, cost: int, left: int
) -> None:
    """What there is more costs the broker's price, what there is less leaves at our average of 10."""
    start = given(evolve, *([bought(held)] if held else []))
    (event,) = accept_broker(start.state, qty=d(theirs), avg_px=d(px), reason="a transfer")
    assert isinstance(event, PositionAdjusted)
    assert (event.qty, event.cost) == (change, cost)
    assert event.account == Book(qty=d(theirs), cost=d(left), realized=d(0))


def test_a_holding_that_agrees_by_now_is_not_adjusted() -> None:
    given(evolve, bought(100)).when(accept_broker, qty=d(100), avg_px=d(99), reason="a transfer").then()
