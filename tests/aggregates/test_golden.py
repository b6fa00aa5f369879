"""The golden scenarios, folded straight, and their reports in any order."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.aggregates.order.events import FillSuperseded, OrderFilled
from gateway.aggregates.position.events import PositionBusted, PositionCorrected, PositionReleased
from gateway.aggregates.reports import ExecutionReport
from gateway.aggregates.vocabulary import EXTERNAL, ReportSource, Side
from tests.aggregates.desk import ALPHA, Desk, at, broker_order, bust, correct, d, ticket, trade, word
from tests.aggregates.scenario import Scenario
from tests.aggregates.scenarios import SCENARIOS, A
from tests.kit.covers import covers


def start(scenario: Scenario) -> Desk:
    return Desk().submit() if scenario.submitted else Desk()


@covers("FC:B-14", "FC:B-16", "FC:B-25", "FC:C-06", "FC:C-07", "FC:C-09", "FC:C-11", "FC:C-16")
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
def test_the_scenario_shows_what_it_says_after_every_step(scenario: Scenario) -> None:
    desk = start(scenario)
    for act, expected in scenario.steps:
        desk = desk.hears(act) if isinstance(act, ExecutionReport) else act(desk)
        assert desk.shows == expected
    assert desk.position.qty == Decimal(scenario.position)
    assert desk.realized == Decimal(scenario.realized)
    assert desk.now.flags == scenario.flags
    if scenario.average is not None:
        assert desk.now.avg_px == Decimal(scenario.average)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
def test_repeating_every_report_records_nothing(scenario: Scenario) -> None:
    desk = start(scenario)
    for act, expected in scenario.steps:
        if isinstance(act, ExecutionReport):
            desk.hears(act)
            recorded = len(desk.order_events)
            assert len(desk.hears(act, act).order_events) == recorded
            assert desk.shows == expected
        else:
            act(desk)


@covers("FC:B-06", "FC:B-07", "FC:D-07")
@pytest.mark.parametrize(
    "scenario", [s for s in SCENARIOS if s.submitted and s.id != "GT-A3"], ids=lambda scenario: scenario.id
)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_any_order_any_repetition_and_any_source_end_the_same(
    scenario: Scenario, data: st.DataObject
) -> None:
    reports = [act for act, _ in scenario.steps if isinstance(act, ExecutionReport)]
    arrivals = data.draw(st.permutations(reports * 2))
    desk = start(scenario)
    for act, _ in scenario.steps:
        if not isinstance(act, ExecutionReport):
            act(desk)
    for arrival in arrivals:
        pushed = st.sampled_from([ReportSource.STREAM, ReportSource.WEBHOOK])
        desk.hears(replace(arrival, source=data.draw(pushed)))
    assert desk.shows == scenario.steps[-1][1]
    assert desk.position.qty == Decimal(scenario.position)
    assert desk.realized == Decimal(scenario.realized)
    if scenario.average is not None:
        assert desk.now.avg_px == Decimal(scenario.average)


def test_GT_A2_the_rest_is_released_once_and_only_when_the_order_is_over() -> None:  # noqa: N802
    scenario = next(s for s in A if s.id == "GT-A2")
    desk = start(scenario)
    for act, _ in scenario.steps:
        desk = desk.hears(act) if isinstance(act, ExecutionReport) else act(desk)
    assert [e.qty for e in desk.history if isinstance(e, PositionReleased)] == [60]


def test_GT_E1_an_adopted_orphan_gives_only_later_executions_to_the_strategy() -> None:  # noqa: N802
    desk = Desk().hears(trade("e1", 40, 10, 2, 40, order=broker_order("partially_filled", 2)))
    desk.append(desk.now.adopt(ALPHA, "it was ours after all", at=at(9), by="alice"))
    desk.hears(trade("e2", 60, 10, 3, 100))
    assert desk.position.book_of(EXTERNAL).qty == 40
    assert desk.position.book_of(ALPHA).qty == 60
    assert desk.position.qty == 100


def test_GT_G2_a_look_up_with_nothing_new_records_nothing() -> None:  # noqa: N802
    desk = Desk().submit().accepted().hears(trade("e1", 40, 10, 2, 40))
    recorded = len(desk.order_events)
    seen = broker_order("partially_filled", 3, filled_qty=d(40), filled_avg_px=d(10))
    for _ in range(3):
        desk.hears(word("partially_filled", None, source=ReportSource.LOOKUP, order=seen))
    assert len(desk.order_events) == recorded


def test_GT_G4_an_older_look_up_regresses_nothing() -> None:  # noqa: N802
    desk = Desk().submit().accepted().hears(trade("e1", 40, 10, 2, 40), word("canceled", 3))
    recorded = len(desk.order_events)
    desk.hears(word("new", None, source=ReportSource.RECONCILIATION, order=broker_order("new", 1)))
    assert desk.shows == "canceled (40/0)"
    assert len(desk.order_events) == recorded


def test_GT_J1_every_step_names_the_one_before_and_moves_the_position() -> None:  # noqa: N802
    scenario = next(s for s in SCENARIOS if s.id == "GT-J1")
    desk = start(scenario)
    for act, _ in scenario.steps:
        desk = desk.hears(act) if isinstance(act, ExecutionReport) else act(desk)
    restated = [e for e in desk.history if isinstance(e, PositionBusted | PositionCorrected)]
    assert [e.restatement.after.qty for e in restated] == [90, 90, 100, 105]
    assert [e.reserved for e in restated] == [10, 0, 0, 0]


def vector() -> Desk:
    """Buy 100 @ 10 (e1), buy 100 @ 20 (e2), sell 100 @ 18 (e3)."""
    desk = Desk().submit(ticket(200)).hears(trade("e1", 100, 10, 1, 100), trade("e2", 100, 20, 2, 200))
    buys = desk.now
    sells = ticket(100, Side.SELL)
    desk.submit(sells, client_order_id=buys.client_order_id.__class__("5e11")).hears(
        trade("e3", 100, 18, 3, 100)
    )
    assert (desk.position.qty, desk.realized) == (100, 300)
    desk.order = buys
    return desk


@pytest.mark.parametrize(
    ("amendment", "qty", "realized", "difference"),
    [(bust("b", "e2", 4), 0, 800, 500), (correct("c", "e2", 100, 12, 4), 100, 700, 400)],
    ids=["bust", "correct"],
)
def test_GT_J9_the_difference_is_booked_on_its_date_and_strategy(  # noqa: N802
    amendment: ExecutionReport, qty: int, realized: int, difference: int
) -> None:
    desk = vector().hears(amendment)
    assert (desk.position.qty, desk.realized) == (qty, realized)
    restatement = desk.history[-1].restatement  # type: ignore[union-attr]
    assert restatement.before.realized == 300
    (day,) = restatement.daily
    assert (day.date, day.strategy_id) == (at(3).date(), ALPHA)
    assert (day.account_realized, day.strategy_realized) == (difference, difference)


def test_GT_L3_the_provisional_gives_way_share_by_share() -> None:  # noqa: N802
    scenario = next(s for s in SCENARIOS if s.id == "GT-L3")
    desk = start(scenario)
    for act, _ in scenario.steps:
        desk = desk.hears(act) if isinstance(act, ExecutionReport) else act(desk)
    booked = [e.trade.exec_id for e in desk.order_events if isinstance(e, OrderFilled)]
    assert booked == ["syn:c0ffee:30", "e1", "e2"]
    given_way = [(e.exec_id, e.by_exec_id, e.qty) for e in desk.order_events if isinstance(e, FillSuperseded)]
    assert given_way == [("syn:c0ffee:30", "e1", 10), ("syn:c0ffee:30", "e2", 20)]


def test_GT_L4_one_sell_turns_a_long_into_a_short() -> None:  # noqa: N802
    desk = Desk().submit().hears(trade("e1", 100, 10, 1, 100))
    desk.submit(ticket(150, Side.SELL), client_order_id=type(desk.now.client_order_id)("5e11"))
    desk.hears(trade("e2", 150, 12, 2, 150))
    account = desk.position.account
    assert (account.qty, account.cost, account.realized) == (-50, 600, 200)
