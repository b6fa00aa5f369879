"""How a quantity is cut into slices, and what becomes of the plan."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateway.aggregates.client_order_id import parent_id, slice_id
from gateway.aggregates.order.events import PlanClosed
from gateway.aggregates.refusals import SlicingPlanInvalid
from gateway.aggregates.slice_plan.events import (
    SliceClosed,
    SlicePlanCanceled,
    SlicePlanEvent,
    SlicePostponed,
    SliceReleased,
    Terms,
)
from gateway.aggregates.slice_plan.state import SlicePlan, evolve, parent_closing, plan, roll_up
from gateway.aggregates.twap import cut, slice_count
from gateway.aggregates.vocabulary import OrdStatus, OrdType, Side, StrategyId, Symbol, Ticket, TimeInForce
from tests.kit.given import given

DAY = date(2024, 10, 17)
NOON = datetime(2024, 10, 17, 16, tzinfo=UTC)


def ticket(qty: int) -> Ticket:
    return Ticket(
        symbol=Symbol("AAPL"),
        side=Side.BUY,
        qty=Decimal(qty),
        ord_type=OrdType.MARKET,
        time_in_force=TimeInForce.DAY,
        strategy_id=StrategyId("alpha_baseline"),
    )


def terms(qty: int = 100, minutes: int = 10, interval_seconds: int = 300, **changes: Any) -> Terms:
    return Terms(
        ticket=ticket(qty),
        trade_date=changes.get("trade_date", DAY),
        minutes=minutes,
        interval_seconds=interval_seconds,
    )


PLANNED = plan(terms=terms(), made=cut(ticket(100), DAY, minutes=10, interval_seconds=300), at=NOON)


def closed(number: int, status: OrdStatus, qty: int = 0) -> SliceClosed:
    return SliceClosed(slice_num=number, status=status, at=NOON, cum_qty=Decimal(qty))


def released(number: int, *, late: bool = False) -> SliceReleased:
    return SliceReleased(slice_num=number, at=NOON, late=late)


def folded(*events: SlicePlanEvent) -> SlicePlan:
    state = given(evolve, PLANNED, *events).state
    assert isinstance(state, SlicePlan)
    return state


# --- cutting ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("qty", "minutes", "interval", "cap", "effective", "sizes"),
    [
        (103, 5, 60, None, 60, [20, 21, 21, 20, 21]),
        (100, 5, 60, None, 60, [20] * 5),
        (100, 10, 300, None, 300, [50, 50]),
        (103, 5, 60, 10, 30, [9, 10, 10, 9, 9, 10, 9, 9, 9, 9, 10]),
        (7, 1, 600, None, 600, [7]),
    ],
)
def test_the_golden_plans(
    qty: int, minutes: int, interval: int, cap: int | None, effective: int, sizes: list[int]
) -> None:
    made = cut(ticket(qty), DAY, minutes=minutes, interval_seconds=interval, max_slice_qty=cap)
    assert made.interval_seconds == effective
    assert list(made.sizes) == sizes


@pytest.mark.parametrize(
    ("qty", "minutes", "interval", "parent", "first", "size"),
    [
        (103, 5, 60, "de5bf58807d0628f57b9943a", "1a705db7d218498c42f16108", 20),
        (100, 5, 60, "0adb0f41463d309ec3ac9b44", "085dbcf50091688d1eee27ba", 20),
        (100, 10, 300, "820782b70fd2ce88d373a778", "91664783f9727ab5acb00ee3", 50),
        (103, 5, 30, "3d863dc76181b61786514415", "5f959f6afab7942a205f9c64", 9),
    ],
)
def test_the_golden_ids(qty: int, minutes: int, interval: int, parent: str, first: str, size: int) -> None:
    named = parent_id(ticket(qty), DAY, minutes=minutes, interval_seconds=interval)
    assert named == parent
    assert slice_id(ticket(qty), DAY, parent=named, slice_num=0, qty=Decimal(size)) == first


@pytest.mark.parametrize(("minutes", "interval", "count"), [(5, 60, 5), (1, 60, 1), (1, 45, 2), (1, 3600, 1)])
def test_the_last_interval_may_be_short(minutes: int, interval: int, count: int) -> None:
    assert slice_count(minutes, interval) == count


@pytest.mark.parametrize(("qty", "minutes", "cap"), [(1000, 1, 10), (5_000, 1440, 1)])
def test_a_volume_cap_may_make_a_plan_impossible(qty: int, minutes: int, cap: int) -> None:
    with pytest.raises(SlicingPlanInvalid):
        cut(ticket(qty), DAY, minutes=minutes, interval_seconds=60, max_slice_qty=cap)


def test_no_share_is_lost_and_sizes_differ_by_at_most_one() -> None:
    for qty in range(7, 400, 13):
        sizes = cut(ticket(qty), DAY, minutes=7, interval_seconds=60).sizes
        assert sum(sizes) == qty
        assert max(sizes) - min(sizes) <= 1


def test_slices_are_due_an_interval_apart_from_the_first_at_once() -> None:
    assert [one.due for one in PLANNED.slices] == [NOON, NOON + timedelta(seconds=300)]


def test_what_was_asked_for_names_the_request_whatever_the_volume() -> None:
    same, other = terms(), terms(trade_date=date(2024, 10, 18))
    assert same.fingerprint == terms().fingerprint != other.fingerprint
    assert same.differences(other) == ("trade_date",)


# --- the plan -----------------------------------------------------------------------------------------


def test_a_slice_is_released_once() -> None:
    given(evolve, PLANNED).when(SlicePlan.release, 0, NOON, late=False).then(released(0))
    given(evolve, PLANNED, released(0)).when(SlicePlan.release, 0, NOON, late=False).then()


def test_a_canceled_plan_releases_nothing_and_keeps_what_it_released() -> None:
    state = given(evolve, PLANNED, released(0)).when(SlicePlan.cancel, NOON).then(SlicePlanCanceled(at=NOON))
    assert [one.status for one in state.slices] == [None, OrdStatus.CANCELED]
    given(evolve, PLANNED, SlicePlanCanceled(at=NOON)).when(SlicePlan.release, 1, NOON, late=False).then()
    given(evolve, PLANNED, SlicePlanCanceled(at=NOON)).when(SlicePlan.cancel, NOON).then()


def test_only_a_slice_that_waits_can_be_refused() -> None:
    failed, why = OrdStatus.FAILED, "quarantined"
    given(evolve, PLANNED).when(SlicePlan.refuse, 1, failed, why, NOON).then(
        SliceClosed(slice_num=1, status=failed, at=NOON, reason=why)
    )
    given(evolve, PLANNED, released(1)).when(SlicePlan.refuse, 1, failed, why, NOON).then()


def test_slices_that_meet_a_closed_market_queue_up_behind_the_opening() -> None:
    opening = NOON + timedelta(hours=20)
    moved = given(evolve, PLANNED).when(SlicePlan.postpone, 0, opening)
    state = moved.then(SlicePostponed(slice_num=0, due=opening))
    assert state.postpone(1, opening) == (SlicePostponed(slice_num=1, due=opening + timedelta(seconds=300)),)


def test_a_late_release_is_remembered_as_the_last() -> None:
    assert folded(released(0)).late_released_at is None
    assert folded(released(0, late=True)).late_released_at == NOON


# --- the parent ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([], OrdStatus.PENDING_NEW),
        ([released(0)], OrdStatus.ACCEPTED),
        ([released(0), closed(0, OrdStatus.FILLED, 50)], OrdStatus.PARTIALLY_FILLED),
        ([closed(0, OrdStatus.FILLED, 50), closed(1, OrdStatus.FILLED, 50)], OrdStatus.FILLED),
        ([closed(0, OrdStatus.FILLED, 50), SlicePlanCanceled(at=NOON)], OrdStatus.CANCELED),
        ([closed(0, OrdStatus.DRY_RUN), closed(1, OrdStatus.DRY_RUN)], OrdStatus.DRY_RUN),
        ([closed(0, OrdStatus.EXPIRED), closed(1, OrdStatus.EXPIRED)], OrdStatus.EXPIRED),
        ([closed(0, OrdStatus.FILLED, 50), closed(1, OrdStatus.REJECTED)], OrdStatus.FAILED),
        ([closed(0, OrdStatus.BLOCKED_KILL_SWITCH), closed(1, OrdStatus.EXPIRED)], OrdStatus.FAILED),
    ],
)
def test_the_parent_is_what_its_slices_make_of_it(events: list[SlicePlanEvent], status: OrdStatus) -> None:
    assert roll_up(folded(*events), {}).status is status


def test_the_parent_ends_with_the_last_of_its_slices() -> None:
    half = folded(closed(0, OrdStatus.FILLED, 50))
    assert parent_closing(folded(), [closed(0, OrdStatus.FILLED, 50)]) == ()
    assert parent_closing(half, [closed(1, OrdStatus.REJECTED)]) == (
        PlanClosed(status=OrdStatus.FAILED, reason="1 filled, 1 rejected"),
    )
