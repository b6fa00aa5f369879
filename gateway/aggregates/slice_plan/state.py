"""A plan: which slices wait, which are orders, which are over, and what that makes of the parent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import assert_never

from gateway.aggregates.client_order_id import parent_id, slice_id
from gateway.aggregates.copying import changed
from gateway.aggregates.exact import total
from gateway.aggregates.order.events import PlanClosed
from gateway.aggregates.order.state import Order
from gateway.aggregates.slice_plan.events import (
    PlannedSlice,
    SliceClosed,
    SlicePlanCanceled,
    SlicePlanCreated,
    SlicePlanEvent,
    SlicePostponed,
    SliceReleased,
    Terms,
)
from gateway.aggregates.twap import Cut
from gateway.aggregates.vocabulary import ZERO, ClientOrderId, OrdStatus, Ticket

Events = tuple[SlicePlanEvent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """`status` is set once it is over; `cum_qty` is what had executed by then."""

    slice_num: int
    client_order_id: ClientOrderId
    qty: Decimal
    due: datetime
    postponed: bool = False
    released_at: datetime | None = None
    status: OrdStatus | None = None
    reason: str | None = None
    cum_qty: Decimal = ZERO
    closed_at: datetime | None = None

    @property
    def waits(self) -> bool:
        return self.released_at is None and self.status is None

    @property
    def is_working(self) -> bool:
        """It is an order, and what became of that order is not recorded here yet."""
        return self.released_at is not None and self.status is None


@dataclass(frozen=True, slots=True, kw_only=True)
class SlicePlan:
    parent_order_id: ClientOrderId
    terms: Terms
    interval_seconds: int
    slices: tuple[Slice, ...]
    at: datetime
    adv: Decimal | None = None
    max_slice_qty: int | None = None
    canceled_at: datetime | None = None
    late_released_at: datetime | None = None

    @property
    def ticket(self) -> Ticket:
        return self.terms.ticket

    @property
    def waiting(self) -> tuple[Slice, ...]:
        return tuple(one for one in self.slices if one.waits)

    @property
    def working(self) -> tuple[Slice, ...]:
        return tuple(one for one in self.slices if one.is_working)

    @property
    def is_over(self) -> bool:
        return all(one.status is not None for one in self.slices)

    def slice_ticket(self, one: Slice) -> Ticket:
        return changed(self.ticket, qty=one.qty)

    def room_after_open(self, next_open: datetime) -> datetime:
        """Where a slice goes that meets a closed market: the opening, or behind those that went before."""
        moved = [one.due for one in self.waiting if one.postponed and one.due >= next_open]
        return max(moved) + timedelta(seconds=self.interval_seconds) if moved else next_open

    def cancel(self, at: datetime, reason: str | None = None) -> Events:
        """Close what was not released; () when that was asked before or nothing is left of the plan."""
        if self.canceled_at is not None or self.is_over:
            return ()
        return (SlicePlanCanceled(at=at, reason=reason),)

    def release(self, slice_num: int, at: datetime, *, late: bool) -> Events:
        """() unless the slice still waits: it was released, canceled or closed."""
        waits = self.slices[slice_num].waits
        return (SliceReleased(slice_num=slice_num, at=at, late=late),) if waits else ()

    def postpone(self, slice_num: int, next_open: datetime) -> Events:
        waits = self.slices[slice_num].waits
        due = self.room_after_open(next_open)
        return (SlicePostponed(slice_num=slice_num, due=due),) if waits else ()

    def refuse(self, slice_num: int, status: OrdStatus, reason: str, at: datetime) -> Events:
        """Close a slice that never became an order; () when it did, or is over."""
        if not self.slices[slice_num].waits:
            return ()
        return (SliceClosed(slice_num=slice_num, status=status, at=at, reason=reason),)

    def settle(self, orders: Mapping[int, Order], at: datetime) -> Events:
        """Close the slices whose orders are over."""
        return tuple(
            SliceClosed(
                slice_num=one.slice_num,
                status=orders[one.slice_num].status,
                at=at,
                cum_qty=orders[one.slice_num].cum_qty,
                reason=orders[one.slice_num].error_message,
            )
            for one in self.working
            if one.slice_num in orders and orders[one.slice_num].status.is_terminal
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RollUp:
    """The parent as its slices have it."""

    status: OrdStatus
    cum_qty: Decimal
    summary: str | None = None
    """How many slices ended how, when they did not end alike."""


def plan(
    *,
    terms: Terms,
    made: Cut,
    at: datetime,
    parent_order_id: ClientOrderId | None = None,
    adv: Decimal | None = None,
    max_slice_qty: int | None = None,
) -> SlicePlanCreated:
    """The whole plan as one event; slice 0 is due at once."""
    ticket, day = terms.ticket, terms.trade_date
    parent = parent_order_id or parent_id(
        ticket, day, minutes=terms.minutes, interval_seconds=made.interval_seconds
    )
    return SlicePlanCreated(
        parent_order_id=parent,
        terms=terms,
        interval_seconds=made.interval_seconds,
        slices=tuple(
            PlannedSlice(
                slice_num=number,
                client_order_id=slice_id(ticket, day, parent=parent, slice_num=number, qty=Decimal(size)),
                qty=Decimal(size),
                due=at + timedelta(seconds=number * made.interval_seconds),
            )
            for number, size in enumerate(made.sizes)
        ),
        at=at,
        adv=adv,
        max_slice_qty=max_slice_qty,
    )


def evolve(state: SlicePlan | None, event: SlicePlanEvent) -> SlicePlan:
    """Apply one recorded event. Total on everything the verbs emit; a stream begins with its plan."""
    if isinstance(event, SlicePlanCreated):
        return _created(event)
    if state is None:
        raise ValueError(f"{type(event).__name__} cannot be the first event of a plan")
    match event:
        case SlicePlanCanceled():
            closed = (
                changed(one, status=OrdStatus.CANCELED, reason=event.reason, closed_at=event.at)
                if one.waits
                else one
                for one in state.slices
            )
            return changed(state, canceled_at=event.at, slices=tuple(closed))
        case SliceReleased():
            late = event.at if event.late else state.late_released_at
            return changed(_with(state, event.slice_num, released_at=event.at), late_released_at=late)
        case SlicePostponed():
            return _with(state, event.slice_num, due=event.due, postponed=True)
        case SliceClosed():
            return _with(
                state,
                event.slice_num,
                status=event.status,
                reason=event.reason,
                cum_qty=event.cum_qty,
                closed_at=event.at,
            )
        case _:
            assert_never(event)


def roll_up(state: SlicePlan, orders: Mapping[int, Order]) -> RollUp:
    """What the slices make of the parent; `orders` are those of released slices, as far as they are known."""
    statuses = slice_statuses(state, orders)
    executed = total(
        orders[one.slice_num].cum_qty if one.slice_num in orders else one.cum_qty for one in state.slices
    )
    return RollUp(
        status=_status(state, statuses, executed),
        cum_qty=executed,
        summary=_summary(statuses) if all(status.is_terminal for status in statuses) else None,
    )


def slice_statuses(state: SlicePlan, orders: Mapping[int, Order]) -> list[OrdStatus]:
    """The status of each slice: its order's where there is one, `pending_new` while it waits."""
    return [
        orders[one.slice_num].status if one.slice_num in orders else one.status or OrdStatus.PENDING_NEW
        for one in state.slices
    ]


def parent_closing(before: SlicePlan, events: Sequence[SlicePlanEvent]) -> tuple[PlanClosed, ...]:
    """What the parent's own stream records when these events end the last of its slices."""
    after = before
    for event in events:
        after = evolve(after, event)
    if before.is_over or not after.is_over:
        return ()
    ended = roll_up(after, {})
    return (PlanClosed(status=ended.status, reason=ended.summary),)


def _created(event: SlicePlanCreated) -> SlicePlan:
    return SlicePlan(
        parent_order_id=event.parent_order_id,
        terms=event.terms,
        interval_seconds=event.interval_seconds,
        slices=tuple(
            Slice(slice_num=one.slice_num, client_order_id=one.client_order_id, qty=one.qty, due=one.due)
            for one in event.slices
        ),
        at=event.at,
        adv=event.adv,
        max_slice_qty=event.max_slice_qty,
    )


def _with(state: SlicePlan, slice_num: int, **changes: object) -> SlicePlan:
    one = changed(state.slices[slice_num], **changes)
    return changed(state, slices=(*state.slices[:slice_num], one, *state.slices[slice_num + 1 :]))


def _status(state: SlicePlan, statuses: Sequence[OrdStatus], executed: Decimal) -> OrdStatus:
    if executed >= state.ticket.qty:
        return OrdStatus.FILLED
    if all(status.is_terminal for status in statuses):
        return _ended(state, set(statuses))
    if executed > ZERO:
        return OrdStatus.PARTIALLY_FILLED
    released = any(one.released_at is not None for one in state.slices)
    return OrdStatus.ACCEPTED if released else OrdStatus.PENDING_NEW


def _ended(state: SlicePlan, statuses: set[OrdStatus]) -> OrdStatus:
    if state.canceled_at is not None:
        return OrdStatus.CANCELED
    for alike in (OrdStatus.DRY_RUN, OrdStatus.EXPIRED):
        if statuses == {alike}:
            return alike
    return OrdStatus.FAILED


def _summary(statuses: Sequence[OrdStatus]) -> str | None:
    counts = {status: statuses.count(status) for status in dict.fromkeys(statuses)}
    if len(counts) == 1:
        return None
    return ", ".join(f"{count} {status.value}" for status, count in counts.items())
