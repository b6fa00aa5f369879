"""Kill switch, breaker, thresholds, reconciliation gate: what stands in the way of risk."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateway.aggregates import circuit_breaker, kill_switch, recon_gate, risk_limits
from gateway.aggregates.circuit_breaker import BreakerState, CircuitBreakerReset, CircuitBreakerTripped
from gateway.aggregates.differences import Difference
from gateway.aggregates.kill_switch import KillSwitchDisengaged, KillSwitchEngaged
from gateway.aggregates.recon_events import (
    BreakChanged,
    BreakClosed,
    BreakOpened,
    BreakResolved,
    CursorMoved,
    ReconciliationAttempted,
    ReconciliationFailed,
    ReconciliationJoined,
    ReconciliationOverridden,
    ReconciliationPassed,
)
from gateway.aggregates.recon_gate import GateState
from gateway.aggregates.refusals import (
    BreakNotFound,
    CircuitBreakerNotTripped,
    KillSwitchAlreadyEngaged,
    KillSwitchNotEngaged,
    ReasonRequired,
    ReconciliationNotAttempted,
)
from gateway.aggregates.risk_limits import RiskLimits, RiskLimitsChanged, Thresholds, breaches, change
from gateway.aggregates.vocabulary import OrderId, Symbol
from tests.aggregates.desk import at, d
from tests.kit.covers import covers
from tests.kit.given import folded, given

# --- kill switch -----------------------------------------------------------------------------------------

ENGAGED = KillSwitchEngaged(by="alice", reason="storm", at=at(1), details={"orders": 7})
DISENGAGED = KillSwitchDisengaged(by="bob", at=at(2), notes="calm again")


def test_an_engaged_switch_says_who_when_and_why() -> None:
    start = given(kill_switch.evolve)
    switch = start.when(kill_switch.engage, by="alice", reason="storm", at=at(1), details={"orders": 7}).then(
        ENGAGED
    )
    assert (switch.engaged, switch.engaged_by, switch.engaged_at, switch.reason) == (
        True,
        "alice",
        at(1),
        "storm",
    )
    assert switch.details == {"orders": 7}


def test_engaging_twice_is_refused_with_who_was_first() -> None:
    start = given(kill_switch.evolve, ENGAGED)
    start.when(kill_switch.engage, by="bob", reason="me too", at=at(2)).then_refused(
        KillSwitchAlreadyEngaged, engaged_by="alice"
    )


def test_a_switch_is_disengaged_once() -> None:
    ask = {"by": "bob", "at": at(2), "notes": "calm again"}
    switch = given(kill_switch.evolve, ENGAGED).when(kill_switch.disengage, **ask).then(DISENGAGED)
    assert (switch.engaged, switch.disengaged_by, switch.notes) == (False, "bob", "calm again")
    given(kill_switch.evolve).when(kill_switch.disengage, **ask).then_refused(KillSwitchNotEngaged)
    done = given(kill_switch.evolve, ENGAGED, DISENGAGED)
    done.when(kill_switch.disengage, **ask).then_refused(KillSwitchNotEngaged)


def test_engagements_are_counted_by_utc_day() -> None:
    tomorrow = KillSwitchEngaged(by="alice", reason="again", at=at(1440))
    switch = folded(kill_switch.evolve, (ENGAGED, DISENGAGED, ENGAGED))
    assert switch.engagements_today(at(1).date()) == 2
    assert folded(kill_switch.evolve, (ENGAGED, DISENGAGED, tomorrow)).engagements_today(at(1440).date()) == 1
    assert switch.engagements_today(at(1440).date()) == 0


# --- circuit breaker -------------------------------------------------------------------------------------

TRIPPED = CircuitBreakerTripped(
    reason="DAILY_LOSS_EXCEEDED", at=at(1), by="gateway", details={"loss": "5001"}
)
RESET = CircuitBreakerReset(reason="looked into it", at=at(10), by="alice", quiet_period_ends_at=at(15))


def test_a_trip_stores_its_evidence_and_a_second_trip_adds_nothing() -> None:
    ask = {"reason": "DAILY_LOSS_EXCEEDED", "at": at(1), "by": "gateway", "details": {"loss": "5001"}}
    breaker = given(circuit_breaker.evolve).when(circuit_breaker.trip, **ask).then(TRIPPED)
    assert (breaker.state_at(at(2)), breaker.trip_details) == (BreakerState.TRIPPED, {"loss": "5001"})
    given(circuit_breaker.evolve, TRIPPED).when(circuit_breaker.trip, **ask).then()


@covers("FC:F-10")
def test_after_a_reset_trading_is_quiet_and_then_open() -> None:
    ask = {"reason": "looked into it", "at": at(10), "by": "alice", "quiet_period": timedelta(minutes=5)}
    breaker = given(circuit_breaker.evolve, TRIPPED).when(circuit_breaker.reset, **ask).then(RESET)
    assert breaker.state_at(at(14)) is BreakerState.QUIET_PERIOD
    assert breaker.state_at(at(15)) is BreakerState.OPEN


@covers("FC:F-10")
def test_a_trip_at_the_end_of_the_quiet_period_stays_a_trip() -> None:
    again = CircuitBreakerTripped(reason="MANUAL", at=at(15), by="alice")
    breaker = folded(circuit_breaker.evolve, (TRIPPED, RESET, again))
    assert breaker.state_at(at(15)) is BreakerState.TRIPPED
    assert breaker.state_at(at(9999)) is BreakerState.TRIPPED
    assert breaker.trips_today(at(1).date()) == 2
    assert breaker.trips_today(at(1440).date()) == 0


@pytest.mark.parametrize("events", [(), (TRIPPED, RESET)], ids=["never-tripped", "reset"])
def test_only_a_tripped_breaker_is_reset(events: tuple[object, ...]) -> None:
    start = given(circuit_breaker.evolve, *events)
    ask = start.when(circuit_breaker.reset, reason="x", at=at(20), by="a", quiet_period=timedelta(0))
    ask.then_refused(CircuitBreakerNotTripped)


# --- fat finger ------------------------------------------------------------------------------------------

AAPL = Symbol("AAPL")
DEFAULT = Thresholds(max_notional=d(10000), max_qty=d(100), max_adv_pct=d("0.05"))
LIMITS = RiskLimits(default=DEFAULT)


def changed(limits: RiskLimits, **asked: object) -> RiskLimits:
    terms: dict[str, object] = {"default": None, "overrides": {}, "by": "alice", "at": at(1)}
    events = change(limits, **{**terms, **asked})  # type: ignore[arg-type]
    return folded(risk_limits.evolve, events, limits)  # type: ignore[no-any-return]


def test_an_override_counts_per_field() -> None:
    limits = changed(LIMITS, overrides={AAPL: {"max_qty": d(5)}})
    assert limits.for_symbol(AAPL) == Thresholds(max_notional=d(10000), max_qty=d(5), max_adv_pct=d("0.05"))
    assert limits.for_symbol(Symbol("MSFT")) == DEFAULT
    assert (limits.updated_by, limits.updated_at) == ("alice", at(1))


def test_a_patch_sets_what_is_present_and_leaves_what_is_absent() -> None:
    limits = changed(LIMITS, overrides={AAPL: {"max_qty": d(5)}})
    limits = changed(limits, overrides={AAPL: {"max_notional": d(7)}})
    assert (limits.for_symbol(AAPL).max_qty, limits.for_symbol(AAPL).max_notional) == (5, 7)


def test_an_explicit_null_unsets_a_field_and_a_null_symbol_removes_the_override() -> None:
    limits = changed(LIMITS, overrides={AAPL: {"max_qty": d(5), "max_notional": d(7)}})
    unset = changed(limits, overrides={AAPL: {"max_qty": None}})
    assert (unset.for_symbol(AAPL).max_qty, unset.for_symbol(AAPL).max_notional) == (100, 7)
    assert changed(unset, overrides={AAPL: {"max_notional": None}}).overrides == {}
    assert changed(limits, overrides={AAPL: None}).overrides == {}


def test_new_defaults_replace_the_old_ones_as_a_whole() -> None:
    limits = changed(LIMITS, default=Thresholds(max_qty=d(9)))
    assert limits.default == Thresholds(max_notional=None, max_qty=d(9), max_adv_pct=None)


def test_a_change_that_changes_nothing_records_nothing() -> None:
    assert change(LIMITS, default=DEFAULT, overrides={AAPL: None}, by="alice", at=at(1)) == ()
    done = RiskLimitsChanged(default=Thresholds(), overrides={}, by="alice", at=at(1))
    assert change(LIMITS, default=Thresholds(), overrides={}, by="alice", at=at(1)) == (done,)


@pytest.mark.parametrize(
    ("qty", "px", "adv", "kinds"),
    [
        (100, 100, 2000, ()),
        (101, 100, 2000, ("notional", "qty", "adv_pct")),
        (100, 101, 2000, ("notional",)),
        (1, None, None, ("data_unavailable",)),
        (101, None, 2000, ("qty", "adv_pct", "data_unavailable")),
        (1, 1, 0, ("data_unavailable",)),
    ],
    ids=["equal-is-no-breach", "all", "notional", "nothing-known", "no-price", "no-volume"],
)
def test_all_breaches_are_told_in_one_order(
    qty: int, px: int | None, adv: int | None, kinds: tuple[str, ...]
) -> None:
    known = [None if value is None else Decimal(value) for value in (px, adv)]
    found = breaches(DEFAULT, qty=d(qty), px=known[0], adv=known[1])
    assert tuple(breach.kind for breach in found) == kinds


def test_a_check_that_is_off_needs_no_value() -> None:
    assert breaches(Thresholds(), qty=d(10**9), px=None, adv=None) == ()


# --- reconciliation gate ---------------------------------------------------------------------------------

ATTEMPTED = ReconciliationAttempted(run_id="r1", at=at(1))
FAILED = ReconciliationFailed(run_id="r1", at=at(2), error="orders cannot be read")
PASSED = ReconciliationPassed(
    run_id="r1", at=at(2), marks={"orders": at(1)}, reports_recorded=3, breaks_open=0, orphans_found=0
)
OVERRIDDEN = ReconciliationOverridden(by="alice", reason="known outage", at=at(3), last_result=None)
OPENED = BreakOpened(
    break_id="break-1", kind="position_qty", at=at(1), ledger_value="90", broker_value="100", symbol=AAPL
)


def holding(ledger: str, broker: str) -> Difference:
    return Difference(kind="position_qty", symbol=AAPL, ledger_value=ledger, broker_value=broker)


def gate(*events: object) -> recon_gate.ReconGate:
    state = folded(recon_gate.evolve, events)
    return state if isinstance(state, recon_gate.ReconGate) else recon_gate.ReconGate()


def test_the_gate_is_closed_until_a_pass_after_the_start() -> None:
    assert gate(ATTEMPTED).state_since(0) is GateState.CLOSED
    passed = gate(ATTEMPTED, PASSED)
    assert passed.state_since(0) is GateState.OPEN
    assert passed.state_since(passed.version) is GateState.CLOSED


def test_a_later_failed_pass_does_not_close_the_gate() -> None:
    state = gate(ATTEMPTED, PASSED, ATTEMPTED, FAILED)
    assert (state.state_since(0), state.error) == (GateState.OPEN, "orders cannot be read")
    assert state.last_result == "failed: orders cannot be read"


def test_an_override_holds_until_the_next_pass() -> None:
    assert gate(ATTEMPTED, OVERRIDDEN).state_since(0) is GateState.OVERRIDE
    state = gate(ATTEMPTED, OVERRIDDEN, ATTEMPTED, PASSED)
    assert (state.state_since(0), state.override) == (GateState.OPEN, None)


def test_an_override_needs_a_reason_and_an_attempt_since_the_start() -> None:
    ask = {"by": "alice", "reason": " known outage ", "at": at(3)}
    tried = given(recon_gate.evolve, ATTEMPTED)
    tried.when(recon_gate.override, start_version=0, **ask).then(OVERRIDDEN)
    tried.when(recon_gate.override, start_version=1, **ask).then_refused(ReconciliationNotAttempted)
    given(recon_gate.evolve).when(recon_gate.override, start_version=0, **ask).then_refused(
        ReconciliationNotAttempted
    )
    tried.when(recon_gate.override, start_version=0, **{**ask, "reason": "  "}).then_refused(ReasonRequired)


def test_a_pass_is_recorded_with_its_marks_and_figures() -> None:
    figures = {"reports_recorded": 3, "breaks_open": 0, "orphans_found": 0}
    start = given(recon_gate.evolve)
    start.when(recon_gate.attempt, run_id="r1", at=at(1)).then(ATTEMPTED)
    start.when(recon_gate.fail, run_id="r1", at=at(2), error="orders cannot be read").then(FAILED)
    passed = start.when(recon_gate.succeed, run_id="r1", at=at(2), marks={"orders": at(1)}, **figures)
    assert passed.then(PASSED).marks == {"orders": at(1)}


def test_a_cursor_moves_forwards_only() -> None:
    moved = CursorMoved(name="alpaca_fills", time=at(5), activity_id="a5")
    ask = {"name": "alpaca_fills", "activity_id": "a5"}
    state = given(recon_gate.evolve).when(recon_gate.move_cursor, time=at(5), **ask).then(moved)
    assert state.cursors["alpaca_fills"].time == at(5)
    given(recon_gate.evolve, moved).when(recon_gate.move_cursor, time=at(5), **ask).then()


@covers("FC:E-03")
def test_a_difference_that_is_seen_again_opens_no_second_break() -> None:
    found = holding("90", "100")
    state = given(recon_gate.evolve).when(recon_gate.open_break, found, at=at(1)).then(OPENED)
    assert [entry.break_id for entry in state.open_breaks] == ["break-1"]
    given(recon_gate.evolve, OPENED).when(recon_gate.open_break, found, at=at(2)).then()
    orphan = replace(found, kind="orphan", order_id=OrderId("b-1"))
    other = given(recon_gate.evolve, OPENED).when(recon_gate.open_break, orphan, at=at(2))
    assert [entry.break_id for entry in other.then_state().open_breaks] == ["break-1", "break-2"]


def test_a_break_takes_over_the_figures_that_moved_while_it_stood_open() -> None:
    changed = BreakChanged(break_id="break-1", at=at(2), ledger_value="95", broker_value="110")
    state = given(recon_gate.evolve, OPENED).when(recon_gate.open_break, holding("95", "110"), at=at(2))
    (entry,) = state.then(changed).open_breaks
    assert (entry.gap, entry.first_seen) == ("15", at(1))


def test_joining_a_pass_is_on_record_under_the_pass_that_is_joined() -> None:
    joined = ReconciliationJoined(run_id="r1", at=at(2))
    given(recon_gate.evolve, ATTEMPTED).when(recon_gate.join, at=at(2)).then(joined)
    given(recon_gate.evolve).when(recon_gate.join, at=at(2)).then()


def test_a_break_closes_when_the_figures_agree_again() -> None:
    closed = BreakClosed(break_id="break-1", at=at(3))
    start = given(recon_gate.evolve, OPENED)
    assert start.when(recon_gate.close_break, "break-1", at=at(3)).then(closed).open_breaks == ()
    given(recon_gate.evolve).when(recon_gate.close_break, "break-1", at=at(3)).then()


def test_an_operator_resolves_a_break_with_a_reason() -> None:
    ask = {"action": "accept_broker", "reason": "they are right", "by": "alice", "at": at(3)}
    resolved = BreakResolved(break_id="break-1", **ask)  # type: ignore[arg-type]
    start = given(recon_gate.evolve, OPENED)
    assert start.when(recon_gate.resolve_break, "break-1", **ask).then(resolved).open_breaks == ()
    given(recon_gate.evolve).when(recon_gate.resolve_break, "break-1", **ask).then_refused(BreakNotFound)


def test_an_ignored_difference_opens_no_break_until_it_is_another_one() -> None:
    def opened(broker: str, ledger: str = "0", number: int = 1) -> BreakOpened:
        return BreakOpened(
            break_id=f"break-{number}",
            kind="position_qty",
            at=at(1),
            ledger_value=ledger,
            broker_value=broker,
            symbol=Symbol("AAPL"),
        )

    def found(broker: str, ledger: str = "0") -> dict[str, Any]:
        return {"difference": holding(ledger, broker), "at": at(1)}

    ignored = BreakResolved(break_id="break-1", at=at(2), action="ignore", reason="a transfer", by="alice")
    gate = given(recon_gate.evolve, opened("50"), ignored)
    gate.when(recon_gate.open_break, **found("50")).then()
    gate.when(recon_gate.open_break, **found("60", "10")).then()
    gate.when(recon_gate.open_break, **found("60")).then(opened("60", number=2))
    accepted = replace(ignored, action="accept_broker")
    again = given(recon_gate.evolve, opened("50"), accepted)
    again.when(recon_gate.open_break, **found("50")).then(opened("50", number=2))


def test_the_peak_is_the_highest_equity_since_a_moment() -> None:
    def passed(equity: str | None, minute: int, since: int | None = None) -> dict[str, object]:
        figures = {"reports_recorded": 0, "breaks_open": 0, "orphans_found": 0, "marks": {}}
        return {
            "run_id": "r",
            "at": at(minute),
            "equity": Decimal(equity) if equity else None,
            "peak_since": at(since) if since is not None else None,
            **figures,
        }

    state = None
    for minute, equity, since, peak in (
        (1, "100", None, "100"),
        (2, "90", None, "100"),
        (3, None, None, "100"),
        (5, "80", 4, "80"),
        (6, "85", 4, "85"),
    ):
        state = given(recon_gate.evolve).state if state is None else state
        (event,) = recon_gate.succeed(state, **passed(equity, minute, since))  # type: ignore[arg-type]
        state = recon_gate.evolve(state, event)
        assert state.peak_equity == Decimal(peak)
