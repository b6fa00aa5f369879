"""Slices become orders at their time: read from the ledger, each once, through every gate, under a lease."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import uuid4

from gateway.aggregates.order.state import Order
from gateway.aggregates.recon_gate import GateState
from gateway.aggregates.refusals import (
    BrokerRateLimited,
    BrokerUnavailable,
    CircuitBreakerTripped,
    IdempotencyConflict,
    KillSwitchEngaged,
    LedgerUnavailable,
    ReconciliationInProgress,
    Refusal,
    Unavailable,
)
from gateway.aggregates.slice_plan.events import SliceClosed, SlicePlanEvent
from gateway.aggregates.slice_plan.state import Slice, SlicePlan
from gateway.aggregates.vocabulary import SYSTEM, ClientOrderId, OrdStatus, order_stream, plan_stream
from gateway.commands.gates import RELEASE
from gateway.commands.gates.walk import Surroundings
from gateway.commands.slice_plans import SliceOrigin, decide_plan, orders_of, plan_in
from gateway.commands.submit_order import SubmitOrder
from gateway.ledger.decision import Decision, States
from gateway.ledger.envelope import Cause, Uncommitted
from gateway.ledger.leases import Lease, LeaseLost, fence, lease_stream
from gateway.ports import BrokerUnreadable
from gateway.telemetry import GateLog, log

_log = log("gateway.releaser")

LEASE: Final = "releaser"
LOOK_EVERY_SECONDS: Final = 0.25
TRY_AGAIN_AFTER: Final = timedelta(seconds=5)
ATTEMPTS: Final = 3
"""How often a slice is sent that surely did not reach the broker."""
SHORTEST_PAUSE: Final = 2
LONGEST_PAUSE: Final = 10
_TAKEN: Final = "the slice's id already names another order"
_RESULTS: Final = {
    OrdStatus.BLOCKED_KILL_SWITCH: "blocked",
    OrdStatus.BLOCKED_CIRCUIT_BREAKER: "blocked",
    OrdStatus.FAILED: "failed",
    OrdStatus.REJECTED: "failed",
    OrdStatus.NOT_ACCEPTED: "failed",
    OrdStatus.EXPIRED: "expired",
}

Verb = Callable[[SlicePlan], Sequence[SlicePlanEvent]]


class SliceGone(Exception):
    """The slice was released, canceled or closed by somebody else: nothing is left to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRules:
    """`grace` is how late a slice may be without being overdue; one older than `expiry` is given up."""

    grace: timedelta
    expiry: timedelta | None


@dataclass(slots=True, kw_only=True)
class ReleaseSlices:
    around: Surroundings
    submit_order: SubmitOrder
    rules: ReleaseRules
    holder: str
    _tasks: dict[ClientOrderId, asyncio.Task[None]] = field(default_factory=dict)
    _not_before: dict[ClientOrderId, datetime] = field(default_factory=dict)
    _armed_at: datetime | None = None
    _settled_at: int = -1

    async def run(self) -> None:
        """Wait for the lease, then release what is due for as long as it is held."""
        async with self.around.ledger.lease(LEASE, self.holder, self._cause("lease", None)) as lease:
            self._armed_at, self._settled_at = self.around.clock.now(), -1
            while lease.held:
                try:
                    await self.run_once(lease)
                except (LedgerUnavailable, LeaseLost) as error:
                    _log.warning("slices wait", error=str(error))
                await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def drain(self) -> None:
        """Let the slices in flight finish; each is bounded by the broker's deadline."""
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def run_once(self, lease: Lease) -> None:
        """Settle what has ended, then start what is due. Nothing is started before the gate has opened."""
        around = self.around
        await around.ledger.catch_up()
        now = around.clock.now()
        self._end_pauses(now)
        plans: list[SlicePlan] = [plan for _, plan in around.ledger.desk.live("slice-plan-")]
        await self._settle(plans, now, lease)
        if not around.rules.dry_run and around.gate_state() is GateState.CLOSED:
            return
        for plan in plans:
            for one in plan.waiting:
                if one.due <= now <= one.due + self.rules.grace:
                    self._start(plan, one, lease, late=False)
            await self._overdue(plan, now, lease)

    def _end_pauses(self, now: datetime) -> None:
        ended = [cid for cid, until in self._not_before.items() if until <= now]
        for cid in ended:
            del self._not_before[cid]
            self._settled_at = -1

    # --- what is due ----------------------------------------------------------------------------------

    async def _overdue(self, plan: SlicePlan, now: datetime, lease: Lease) -> None:
        """The oldest that is not too old, at most one in each interval."""
        late = sorted((one for one in plan.waiting if now > one.due + self.rules.grace), key=lambda s: s.due)
        for one in late:
            if self.rules.expiry is not None and now - one.due > self.rules.expiry:
                await self._close(plan, one, OrdStatus.EXPIRED, "not released in time", lease)
                continue
            last = plan.late_released_at
            if last is None or now - last >= timedelta(seconds=plan.interval_seconds):
                self._start(plan, one, lease, late=True)
            return

    def _start(self, plan: SlicePlan, one: Slice, lease: Lease, *, late: bool) -> None:
        """Each slice on its own, so that a slow one holds nobody up."""
        cid = one.client_order_id
        if cid in self._tasks or cid in self._not_before:
            return
        task = self._tasks[cid] = asyncio.create_task(self._release(plan, one, lease, late=late))
        task.add_done_callback(lambda _: self._tasks.pop(cid, None))

    def _wait(self, one: Slice, pause: timedelta = TRY_AGAIN_AFTER) -> None:
        self._not_before[one.client_order_id] = self.around.clock.now() + pause

    # --- releasing one --------------------------------------------------------------------------------

    async def _release(self, plan: SlicePlan, one: Slice, lease: Lease, *, late: bool) -> None:
        try:
            if await self._market_takes(plan, one, lease):
                await self._send(plan, one, lease, late=late)
        except (SliceGone, LeaseLost) as gone:
            _log.info("slice not released", client_order_id=one.client_order_id, outcome=str(gone))
        except LedgerUnavailable:
            self._wait(one)

    async def _send(self, plan: SlicePlan, one: Slice, lease: Lease, *, late: bool) -> None:
        try:
            sent = await self.submit_order(
                plan.slice_ticket(one),
                one.client_order_id,
                by=SYSTEM,
                correlation_id=f"slice:{one.client_order_id}",
                log=GateLog(),
                gates=RELEASE,
                origin=self._origin(plan, one, lease, late=late),
            )
        except Refusal as refusal:
            await self._refused(plan, one, refusal, lease)
        else:
            if sent.order.parent_order_id != plan.parent_order_id:
                await self._close(plan, one, OrdStatus.FAILED, _TAKEN, lease)
        now, _ = await self.around.ledger.load(plan_stream(plan.parent_order_id))
        if one.waits and now is not None and now.slices[one.slice_num].released_at is not None:
            for result in ("released", "late") if late else ("released",):
                self.around.metrics.slices.labels(result=result).inc()

    async def _market_takes(self, plan: SlicePlan, one: Slice, lease: Lease) -> bool:
        """Whether the market is open; a slice that meets a closed one is moved to the next opening."""
        if self.around.rules.dry_run:
            return True
        try:
            market = await self.around.broker.clock()
        except BrokerUnreadable as error:
            now = self.around.clock.now()
            if now - max(one.due, self._armed_at or one.due) > self.rules.grace:
                await self._close(plan, one, OrdStatus.FAILED, f"the next open is unknown: {error}", lease)
            self._wait(one)
            return False
        if not market.is_open:
            moved = partial(SlicePlan.postpone, slice_num=one.slice_num, next_open=market.next_open)
            await self._record(plan, moved, lease)
            self._wait(one)
        return market.is_open

    def _origin(self, plan: SlicePlan, one: Slice, lease: Lease, *, late: bool) -> SliceOrigin:
        at = self.around.clock.now()
        stream, order = plan_stream(plan.parent_order_id), order_stream(one.client_order_id)

        def beside(states: States) -> list[Uncommitted]:
            fence(states, LEASE, lease.epoch)
            current = plan_in(states, plan.parent_order_id)
            released = current.release(one.slice_num, at, late=late)
            if released and states[order] is not None:
                raise IdempotencyConflict(_TAKEN)
            if not released and (current.canceled_at or not current.slices[one.slice_num].is_working):
                raise SliceGone("released, canceled or closed meanwhile")
            return [Uncommitted(stream=stream, event=event) for event in released]

        return SliceOrigin(
            plan=plan,
            slice=one,
            lease_epoch=lease.epoch,
            streams=frozenset((stream, lease_stream(LEASE))),
            beside=beside,
        )

    async def _refused(self, plan: SlicePlan, one: Slice, refusal: Refusal, lease: Lease) -> None:
        """What a refusal means for the slice. Of one that is an order by now, the order tells."""
        match refusal:
            case BrokerUnavailable() | BrokerRateLimited():
                asked = int(refusal.facts.get("retry_after") or SHORTEST_PAUSE)
                self._wait(one, timedelta(seconds=min(max(asked, SHORTEST_PAUSE), LONGEST_PAUSE)))
            case Unavailable() | ReconciliationInProgress():
                self._wait(one)
            case KillSwitchEngaged():
                await self._close(plan, one, OrdStatus.BLOCKED_KILL_SWITCH, refusal.text, lease)
            case CircuitBreakerTripped():
                await self._close(plan, one, OrdStatus.BLOCKED_CIRCUIT_BREAKER, refusal.text, lease)
            case _:
                await self._close(plan, one, OrdStatus.FAILED, refusal.text, lease)

    # --- what has ended -------------------------------------------------------------------------------

    async def _settle(self, plans: Sequence[SlicePlan], now: datetime, lease: Lease) -> None:
        """Close the slices whose orders are over; send again those that surely did not reach the broker."""
        head = self.around.ledger.desk.position
        if head == self._settled_at:
            return
        for plan in plans:
            over = await orders_of(self.around.ledger, plan)
            for one in plan.working:
                if self._may_go_again(plan, over.get(one.slice_num), now):
                    self._start(plan, one, lease, late=False)
                    del over[one.slice_num]
            if plan.settle(over, now):
                await self._record(plan, partial(SlicePlan.settle, orders=over, at=now), lease)
        self._settled_at = head

    def _may_go_again(self, plan: SlicePlan, order: Order | None, now: datetime) -> bool:
        if order is None or order.status is not OrdStatus.FAILED or plan.canceled_at is not None:
            return False
        return order.attempt < ATTEMPTS and now - order.attempted_at <= self.rules.grace

    async def _close(self, plan: SlicePlan, one: Slice, status: OrdStatus, reason: str, lease: Lease) -> None:
        """End a slice for good: as what its order has come to, or as what kept it from becoming one."""
        at, number = self.around.clock.now(), one.slice_num
        order, _ = await self.around.ledger.load(order_stream(one.client_order_id))
        ended = {number: order} if order is not None else {}
        await self._record(
            plan,
            lambda current: current.refuse(number, status, reason, at) or current.settle(ended, at),
            lease,
        )

    async def _record(self, plan: SlicePlan, verb: Verb, lease: Lease) -> None:
        """Raises LeaseLost."""
        stream = plan_stream(plan.parent_order_id)

        def decide(states: States) -> Decision:
            fence(states, LEASE, lease.epoch)
            current = plan_in(states, plan.parent_order_id)
            return decide_plan(current, verb(current))

        change = await self.around.ledger.writer.change(
            (stream, order_stream(plan.parent_order_id), lease_stream(LEASE)),
            decide,
            self._cause(plan.parent_order_id, lease.epoch),
        )
        for recorded in change.events:
            if isinstance(recorded.event, SliceClosed) and recorded.event.status in _RESULTS:
                self.around.metrics.slices.labels(result=_RESULTS[recorded.event.status]).inc()

    def _cause(self, about: str, epoch: int | None) -> Cause:
        return Cause(
            command_id=f"releaser:{uuid4()}",
            actor=SYSTEM,
            correlation_id=f"slices:{about}",
            source="releaser",
            occurred_at=self.around.clock.now(),
            lease_epoch=epoch,
        )
