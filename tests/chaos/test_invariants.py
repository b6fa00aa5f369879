"""Every invariant holds of a sound story, and finds the one thing that is wrong with a spoilt one."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from gateway.chaos.evidence import Event, Evidence
from gateway.chaos.invariants import convergence, fills, ledger, orders, positions, safety
from gateway.chaos.invariants.catalogue import INVARIANTS
from tests.chaos.story import (
    EVENTS,
    SOUND,
    broker,
    broker_order,
    call,
    calls,
    event,
    execution,
    filled,
    holding,
    intent,
    open_break,
    post,
    row,
    submission,
    tables,
    told,
)

D = Decimal


@pytest.mark.parametrize(("name", "sentence", "check"), INVARIANTS, ids=[name for name, _, _ in INVARIANTS])
def test_a_sound_story_violates_nothing(name: str, sentence: str, check: object) -> None:
    assert check(SOUND) == []  # type: ignore[operator]


def test_every_check_is_in_the_catalogue_once() -> None:
    names = [name for name, _, _ in INVARIANTS]
    assert len(set(names)) == len(names) == 15


def test_two_orders_under_one_id_are_a_double_submit() -> None:
    assert orders.no_double_submit(broker(orders=[broker_order("one"), broker_order("one", id="b-2")])) == [
        "one is 2 orders at the exchange"
    ]


def test_two_posts_in_one_attempt_are_a_double_submit() -> None:
    assert orders.no_double_submit(broker(requests=[post("one"), post("one")])) == [
        "one was posted 2 times in 1 attempts"
    ]


def test_a_post_in_another_attempt_is_no_double_submit() -> None:
    again = told(event(7, "order-one", 3, "order.resubmitted", attempt=2))
    twice = replace(again, broker=replace(again.broker, requests=[post("one"), post("one")]))
    assert orders.no_double_submit(twice) == []


def test_a_post_before_its_intent_is_an_unrecorded_order() -> None:
    assert len(orders.no_unrecorded_order(broker(requests=[post("one", second=0)]))) == 1
    assert len(orders.no_unrecorded_order(broker(requests=[post("never-intended")]))) == 1


def test_an_order_shown_as_failed_that_exists_is_a_hidden_doubt() -> None:
    assert len(orders.doubt_stays_visible(tables(orders={"one": row("one", status="failed")}))) == 1
    assert len(orders.doubt_stays_visible(tables(orders={}))) == 1
    loud = row("one", status="failed", flags=["unexpected_at_broker"])
    assert orders.doubt_stays_visible(tables(orders={"one": loud})) == []


def test_a_sure_refusal_of_an_order_that_exists_is_a_hidden_doubt() -> None:
    refused = replace(SOUND, calls=[submission("one", 503, code="broker_unavailable")])
    assert orders.doubt_stays_visible(refused) == [
        "one was answered broker_unavailable and is filled at the exchange"
    ]


def test_a_retry_answered_with_another_order_is_no_retry() -> None:
    assert len(orders.idempotent_reply(calls(submission("one", broker_order_id="b-other")))) == 1
    assert len(orders.idempotent_reply(calls(submission("one", client_order_id="two")))) == 1
    other_ticket = call("orders", {"client_order_id": "one", "qty": 11}, 200, submission("one").answer)
    assert len(orders.idempotent_reply(calls(other_ticket))) == 1
    assert len(orders.idempotent_reply(told(intent(7, "one", version=3)))) == 1


@pytest.mark.parametrize(
    "spoilt",
    [
        broker(executions=[]),
        broker(executions=[execution(), execution(id="e2", qty="1")]),
        broker(executions=[execution(price="5.01")]),
        told(filled(7, "one", 3, exec_id="e2", last_qty="1")),
    ],
    ids=["made up", "lost", "another price", "one too many"],
)
def test_an_execution_on_one_side_alone_is_found(spoilt: Evidence) -> None:
    assert fills.no_lost_fill(spoilt) != []
    named = replace(spoilt, tables=replace(spoilt.tables, open_breaks=[open_break()]))
    assert fills.no_lost_fill(named) == []


def test_an_execution_that_stays_inferred_is_found() -> None:
    only_inferred = replace(SOUND, events=[*EVENTS[:2], filled(3, "one", 2, provisional=True), *EVENTS[3:]])
    assert [words for words in fills.no_lost_fill(only_inferred) if "still only inferred" in words] != []


def test_a_break_of_another_kind_excuses_no_difference() -> None:
    orphan = tables(open_breaks=[open_break(kind="orphan", client_order_id="one")])
    assert fills.no_lost_fill(replace(orphan, broker=replace(orphan.broker, executions=[]))) != []


def test_an_execution_booked_twice_is_found() -> None:
    assert fills.booked_once(told(filled(7, "one", 3))) == ["e1 of one is booked 2 times"]


def test_a_bust_of_nothing_is_found() -> None:
    bust = event(7, "order-one", 3, "order.fill_busted", exec_id="b", ref_exec_id="nobody", parked=False)
    assert fills.booked_once(told(bust)) == ["position 7 amends nobody, which is not booked"]


def test_a_filled_quantity_that_is_not_the_sum_is_found() -> None:
    assert len(fills.filled_is_their_sum(tables(orders={"one": row("one", cum_qty=D(9))}))) == 1
    assert len(fills.filled_is_their_sum(tables(orders={}))) == 1
    assert len(fills.filled_is_their_sum(tables(orders={"one": row("one", qty=D(9))}))) == 1
    flagged = row("one", qty=D(9), flags=["overfilled"])
    assert fills.filled_is_their_sum(tables(orders={"one": flagged})) == []


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        (broker(positions={"AAPL": D(9)}), "AAPL shows 10, the exchange holds 9, and no break says so"),
        (tables(strategy_positions=[]), "AAPL shows 10, its strategies hold 0"),
        (told(filled(7, "one", 3, exec_id="e2")), "AAPL shows 10, its executions are 20"),
    ],
    ids=["the exchange", "the strategies", "the executions"],
)
def test_a_position_that_is_not_its_trades_is_found(spoilt: Evidence, words: str) -> None:
    assert positions.sum_of_trades(spoilt) == [words]


def test_a_named_difference_of_holdings_is_excused() -> None:
    named = tables(open_breaks=[open_break()])
    apart = replace(named, broker=replace(named.broker, positions={"AAPL": D(9)}))
    assert positions.sum_of_trades(apart) == []


@pytest.mark.parametrize(
    "spoilt",
    [
        tables(positions={"AAPL": holding(cost=D("50.01"))}),
        tables(strategy_positions=[holding(strategy_id="alpha", realized=D("0.01"))]),
        broker(cash=D("949.99")),
        broker(executions=[execution(price="5.01")], cash=D("949.90")),
    ],
    ids=["account", "strategy", "cash", "price"],
)
def test_a_cent_created_or_lost_is_found(spoilt: Evidence) -> None:
    assert len(positions.cash_identity(spoilt)) == 1


def test_an_intent_beyond_the_limit_is_found() -> None:
    (words,) = positions.within_the_limit(replace(SOUND, limit=D(9)))
    assert words.startswith("position 2 reserves beyond the limit")


def test_a_reservation_that_is_not_what_may_execute_is_found() -> None:
    live = row("one", is_live=True, leaves_qty=D(4))
    assert positions.within_the_limit(tables(orders={"one": live})) == ["one reserves 0 and may execute 4"]


def test_a_table_that_is_not_the_fold_is_found() -> None:
    proof = {"name": "orders", "ok": False, "failures": ["one differs"]}
    assert ledger.replay_equals_tables(tables(proofs=[proof])) == ["orders: ['one differs']"]
    assert ledger.replay_equals_tables(tables(proofs=[])) == ["nobody has folded the log again"]


def test_a_gap_and_a_double_in_the_positions_are_found() -> None:
    assert ledger.no_gap(replace(SOUND, events=[*EVENTS[:2], *EVENTS[3:]])) == ["position 3 is missing"]
    doubled = replace(SOUND, events=[*EVENTS, EVENTS[-1]])
    assert ledger.no_gap(doubled) == ["position 7 is missing", "position 6 is there twice"]


def test_a_fork_in_the_versions_is_found() -> None:
    assert len(ledger.no_fork(told(filled(7, "one", 2, exec_id="e2")))) == 1
    assert len(ledger.no_fork(told(filled(7, "one", 4, exec_id="e2")))) == 1


@pytest.mark.parametrize("scope", ["global", "symbol:AAPL", "strategy:alpha"])
def test_an_intent_under_an_engaged_switch_is_found(scope: str) -> None:
    engaged = event(7, f"kill-switch-{scope}", 1, "kill_switch.engaged")
    bypassed = replace(told(engaged, intent(8, "two")), calls=[submission("two", status=0)])
    assert len(safety.never_bypassed(bypassed)) == 1
    released = event(8, f"kill-switch-{scope}", 2, "kill_switch.disengaged")
    allowed = replace(told(engaged, released, intent(9, "two")), calls=[submission("two", status=0)])
    assert safety.never_bypassed(allowed) == []


def test_a_way_out_may_be_taken_under_an_engaged_switch() -> None:
    engaged = event(7, "kill-switch-global", 1, "kill_switch.engaged")
    assert safety.never_bypassed(told(engaged, intent(8, "closing"))) == []


def test_an_order_taken_while_the_switch_was_engaged_is_found() -> None:
    engage = call("kill-switch/engage", {}, 200, {}, at=1)
    disengage = call("kill-switch/disengage", {}, 200, {}, at=3)
    assert len(safety.never_bypassed(calls(engage, submission("one", at=2), disengage))) == 1
    assert safety.never_bypassed(calls(engage, disengage, submission("one", at=4))) == []


@pytest.mark.parametrize(
    "written",
    [
        event(8, "order-one", 3, "order.status_reported"),
        event(8, "recon-gate", 4, "break.opened"),
    ],
    ids=["an order", "a break"],
)
def test_a_pass_that_still_finds_something_is_found(written: Event) -> None:
    began = event(7, "recon-gate", 3, "reconciliation.attempted", run_id="run-2")
    ended = event(9, "recon-gate", 5, "reconciliation.passed", run_id="run-2")
    assert len(convergence.last_cycle_writes_nothing(told(began, written, ended))) == 1
    assert convergence.last_cycle_writes_nothing(told(began, written)) == []  # not over yet


def test_no_pass_at_all_is_found() -> None:
    assert convergence.last_cycle_writes_nothing(replace(SOUND, events=EVENTS[:4])) != []
