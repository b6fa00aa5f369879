"""The budget of requests: cancels always find room, and the broker's word counts more than ours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from gateway.adapters.dry_run import NoBroker
from gateway.adapters.rate_budget import RateBudget, Urgency
from gateway.aggregates.vocabulary import OrderId, Symbol
from gateway.ports import BrokerUnreadable, CancelUnknown, NotSent, Unreadable
from tests.adapters.said import ID, TICKET
from tests.kit.covers import covers


@dataclass
class HandClock:
    seconds: float = 1000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def budget(clock: HandClock) -> RateBudget:
    return RateBudget(100, clock)


async def spend(budget: RateBudget, urgency: Urgency) -> int:
    """Take until there is no more. Returns how many."""
    taken = 0
    while await budget.take(urgency, within=0):
        taken += 1
    return taken


@covers("FC:A-17")
async def test_the_less_urgent_leave_room_for_the_more_urgent(budget: RateBudget) -> None:
    assert await spend(budget, Urgency.SWEEP) == 50
    assert await spend(budget, Urgency.LOOKUP) == 17
    assert await spend(budget, Urgency.SUBMIT) == 16
    assert await spend(budget, Urgency.CANCEL) == 17


async def test_no_minute_ever_holds_more_than_the_budget(budget: RateBudget, clock: HandClock) -> None:
    taken: list[float] = []
    for _ in range(600):
        if await budget.take(Urgency.CANCEL, within=0):
            taken.append(clock.seconds)
        clock.seconds += 0.3
    assert len(taken) > 250
    assert max(sum(start <= at < start + 60 for at in taken) for start in taken) == 100


async def test_the_brokers_own_count_is_taken_over_until_it_starts_anew(
    budget: RateBudget, clock: HandClock
) -> None:
    budget.answered(remaining=20, reset_in=10)
    assert await spend(budget, Urgency.SUBMIT) == 3
    clock.seconds += 10
    assert await budget.take(Urgency.SUBMIT, within=0)


@covers("FC:A-17", "FM:F-063")
@pytest.mark.parametrize("urgency", [Urgency.CANCEL, Urgency.LOOKUP])
async def test_after_a_refusal_only_cancels_and_look_ups_go_on_once_a_second(
    budget: RateBudget, clock: HandClock, urgency: Urgency
) -> None:
    budget.refused(30)
    assert budget.pause == 30
    assert not await budget.take(Urgency.SUBMIT, within=5)
    assert not await budget.take(Urgency.SWEEP, within=5)
    assert await spend(budget, urgency) == 1
    clock.seconds += 1
    assert await spend(budget, urgency) == 1
    clock.seconds += 29
    assert await budget.take(Urgency.SUBMIT, within=0)


async def test_pauses_without_a_hint_grow_until_an_answer_comes(budget: RateBudget, clock: HandClock) -> None:
    pauses = []
    for _ in range(5):
        budget.refused(None)
        pauses.append(budget.pause)
        clock.seconds += budget.pause
    bounds = ((4, 6), (8, 12), (16, 24), (32, 48), (48, 60))
    assert all(low <= pause <= high for pause, (low, high) in zip(pauses, bounds, strict=True))
    budget.answered()
    budget.refused(None)
    assert budget.pause <= 6


async def test_a_request_waits_for_its_turn_when_it_may() -> None:
    clock = HandClock()
    budget = RateBudget(1, clock)
    assert await budget.take(Urgency.CANCEL, within=0)
    clock.seconds += 59.99
    assert not await budget.take(Urgency.CANCEL, within=0)


async def test_a_dry_run_has_no_broker_and_takes_nothing_for_flat() -> None:
    broker = NoBroker()
    assert isinstance(await broker.submit(ID, TICKET), NotSent)
    assert isinstance(await broker.cancel(OrderId("o")), CancelUnknown)
    assert isinstance(await broker.order_by_client_id(ID), Unreadable)
    for question in (
        broker.open_orders(),
        broker.positions(),
        broker.position(Symbol("AAPL")),
        broker.clock(),
    ):
        with pytest.raises(BrokerUnreadable):
            await question
