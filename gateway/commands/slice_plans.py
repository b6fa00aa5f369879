"""What the commands about slices share: a slice on its way, and how a plan's events are recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gateway.aggregates.order.state import Order
from gateway.aggregates.slice_plan.events import SlicePlanEvent
from gateway.aggregates.slice_plan.state import Slice, SlicePlan, parent_closing
from gateway.aggregates.vocabulary import order_stream, plan_stream
from gateway.ledger.cache import Desk
from gateway.ledger.decision import Decision, States
from gateway.ledger.envelope import Uncommitted
from gateway.ledger.ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceOrigin:
    """Where an order comes from that nobody asked for directly: a slice, released under a lease.

    `beside` says what stands in the same append as the intent, or raises when the slice may not go.
    """

    plan: SlicePlan
    slice: Slice
    lease_epoch: int
    streams: frozenset[str]
    beside: Callable[[States], Sequence[Uncommitted]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sliced:
    """The plan at `position`, and the orders of its released slices by number."""

    plan: SlicePlan
    orders: Mapping[int, Order]
    position: int
    existing: bool


def plan_in(states: States, parent_order_id: str) -> SlicePlan:
    """A plan that is known to exist, as the decision sees it."""
    plan: SlicePlan | None = states[plan_stream(parent_order_id)]
    assert plan is not None, "a plan stays in the ledger"
    return plan


def decide_plan(before: SlicePlan, events: Sequence[SlicePlanEvent]) -> Decision:
    """The plan's events, and the end of its parent when they end the last slice."""
    plan, parent = plan_stream(before.parent_order_id), order_stream(before.parent_order_id)
    return Decision(
        events=[
            *(Uncommitted(stream=plan, event=event) for event in events),
            *(Uncommitted(stream=parent, event=event) for event in parent_closing(before, events)),
        ]
    )


def unsent_slice(desk: Desk, client_order_id: str) -> tuple[SlicePlan, Slice] | None:
    """The slice of an open plan that this id would name as an order, while there is no such order."""
    plans: Iterator[SlicePlan] = (plan for _, plan in desk.live("slice-plan-"))
    found = ((plan, one) for plan in plans for one in plan.slices if one.client_order_id == client_order_id)
    return next(found, None)


async def orders_of(ledger: Ledger, plan: SlicePlan) -> dict[int, Order]:
    """The orders of the released slices, by slice number. Raises LedgerUnavailable."""
    streams = {
        one.slice_num: order_stream(one.client_order_id) for one in plan.slices if one.released_at is not None
    }
    states = await ledger.writer.look(list(streams.values()))
    return {number: order for number, stream in streams.items() if (order := states[stream]) is not None}
