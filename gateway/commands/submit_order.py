"""Submit one order: gates, a durable intent, a last look, one POST, a recorded outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from time import perf_counter
from typing import Any, Final

from gateway.aggregates.order.events import GateVerdict, OrderEvent, OrderOutcomeUnknown
from gateway.aggregates.order.state import Order, evolve, submit
from gateway.aggregates.position.state import reserve
from gateway.aggregates.refusals import (
    BrokerIdConflict,
    BrokerRateLimited,
    BrokerRejected,
    BrokerUnavailable,
    LedgerUnavailable,
    PositionLimitExceeded,
    ReconciliationLockTimeout,
    Refusal,
)
from gateway.aggregates.vocabulary import Actor, ClientOrderId, Ticket, order_stream, position_stream
from gateway.commands.audit import Audit
from gateway.commands.commit_check import judge
from gateway.commands.gates import SUBMIT, Gate, Walk, walk_through
from gateway.commands.gates.closing import hold
from gateway.commands.gates.ticket import refuse_other_ticket
from gateway.commands.gates.walk import Surroundings, record
from gateway.commands.last_look import REFUSALS as LAST_LOOK_REFUSALS
from gateway.commands.last_look import LastLook
from gateway.commands.outcome import RecordOutcome, Settled
from gateway.commands.reduce_only import HoldingMoved, LiveHolding
from gateway.commands.safety_view import safety_streams
from gateway.commands.slice_plans import SliceOrigin
from gateway.ledger.decision import Change, Decision, States
from gateway.ledger.envelope import Cause, Uncommitted
from gateway.ports import SubmitOutcome, Unknown
from gateway.telemetry import GateLog, log

_log = log("gateway.orders")

_REREADS: Final = 5
_NO_LIMIT: Final = Decimal("Infinity")


class Answer(StrEnum):
    """What the caller is told, beside the order itself."""

    SUBMITTED = "submitted"
    DRY_RUN = "dry_run"
    EXISTING = "existing"
    CONCURRENT = "concurrent"
    UNCONFIRMED = "unconfirmed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """The order as the ledger has it at `position`."""

    order: Order
    position: int
    answer: Answer


@dataclass(slots=True, kw_only=True)
class SubmitOrder:
    around: Surroundings
    audit: Audit
    outcome: RecordOutcome
    last_look: LastLook
    in_flight: set[ClientOrderId] = field(default_factory=set)
    """Submissions of this process between intent and outcome; the resolver leaves them alone."""
    _tasks: set[asyncio.Task[Submission]] = field(default_factory=set)

    async def __call__(
        self,
        ticket: Ticket,
        client_order_id: ClientOrderId,
        *,
        by: Actor,
        correlation_id: str,
        log: GateLog,
        reason: str | None = None,
        gates: Sequence[Gate] = SUBMIT,
        holding: LiveHolding | None = None,
        origin: SliceOrigin | None = None,
    ) -> Submission:
        """Raises a Refusal. A client that leaves does not stop a submission under way.

        `holding` spares the gates of the way out a second look at the broker.
        """
        walk = Walk(
            around=self.around,
            ticket=ticket,
            client_order_id=client_order_id,
            log=log,
            holding=holding,
            origin=origin,
        )
        task = asyncio.create_task(self._walk_and_send(walk, gates, by, correlation_id, reason))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def drain(self) -> None:
        """Wait for the submissions under way; each is bounded by the broker's deadline."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _walk_and_send(
        self, walk: Walk, gates: Sequence[Gate], by: Actor, correlation_id: str, reason: str | None
    ) -> Submission:
        started = perf_counter()
        try:
            if not await walk_through(gates, walk):
                return await self._existing(walk, Answer.EXISTING)
            change, order = await self._intend(walk, by, correlation_id, reason)
        except Refusal as refusal:
            if walk.origin is None:  # a slice's own stream has its refusals
                await self.audit.order_refused(walk.ticket, walk.client_order_id, refusal, by, correlation_id)
            raise
        finally:
            await walk.give_back()
        if not change.events or change.replayed:  # the intent is another request's, and so is its POST
            return await self._existing(walk, Answer.CONCURRENT)
        if self.around.rules.dry_run:
            record(walk, "submit", "success")
            return Submission(order=order, position=change.position, answer=Answer.DRY_RUN)
        self.in_flight.add(walk.client_order_id)
        try:
            return await self._send(walk, order, change.position, correlation_id)
        finally:
            self.in_flight.discard(walk.client_order_id)
            self._observe(walk.ticket, perf_counter() - started)

    async def _existing(self, walk: Walk, answer: Answer) -> Submission:
        order = await walk.newest_order()
        return Submission(
            order=order,
            position=self.around.ledger.desk.position,
            answer=Answer.UNCONFIRMED if order.is_unconfirmed else answer,
        )

    async def _intend(
        self, walk: Walk, by: Actor, correlation_id: str, reason: str | None
    ) -> tuple[Change, Order]:
        """Make the intent durable, judged again on the ledger's own state."""
        for _ in range(_REREADS):
            try:
                return await self._append_intent(walk, by, correlation_id, reason)
            except HoldingMoved:
                walk.holding = await hold(self.around, walk.ticket.symbol)
            except Refusal as refusal:
                if refusal.gate is not None:
                    record(walk, refusal.gate, "block", refusal.detail)
                if isinstance(refusal, PositionLimitExceeded):
                    self.around.request_mirror_rebuild("limit_disagreement")
                raise
        raise ReconciliationLockTimeout(f"the position of {walk.ticket.symbol} keeps moving; try again")

    async def _append_intent(
        self, walk: Walk, by: Actor, correlation_id: str, reason: str | None
    ) -> tuple[Change, Order]:
        known = await walk.known_order()
        attempt = known.attempt + 1 if known is not None else 1
        at = self.around.clock.now()
        stream = order_stream(walk.client_order_id)
        cause = Cause(
            command_id=f"submit:{walk.client_order_id}:{attempt}",
            actor=by,
            correlation_id=correlation_id,
            source="api" if walk.origin is None else "releaser",
            occurred_at=at,
            lease_epoch=walk.origin.lease_epoch if walk.origin is not None else None,
        )
        unseen = (stream,) if known is None else ()
        beside = walk.origin.streams if walk.origin is not None else ()
        change = await self.around.ledger.writer.change(
            {stream, position_stream(walk.ticket.symbol), *safety_streams(walk.ticket), *beside}.difference(
                unseen
            ),
            lambda states: self._decide(walk, states, at, reason),
            cause,
            new=unseen,
        )
        order = change.states[stream]
        assert order is not None, "an intent was recorded, or found"
        if change.events and not change.replayed:
            self.around.metrics.orders_submitted.inc()
        if order.is_live:
            walk.reservation = None  # the room is the order's now
        return change, order

    def _decide(self, walk: Walk, states: States, at: datetime, reason: str | None) -> Decision:
        ticket, stream = walk.ticket, order_stream(walk.client_order_id)
        known = states[stream]
        if known is not None:
            refuse_other_ticket(known, ticket)
            if not known.status.is_closed_unsent:
                return Decision()
        judge(walk, states)
        gates = tuple(
            GateVerdict(gate=entry.gate, verdict=entry.outcome, detail=entry.detail) for entry in walk.log
        )
        events: list[Any] = list(
            known.resubmit(at=at, gates=gates) if known is not None else _first(walk, at, gates, reason)
        )
        held = reserve(
            states[position_stream(ticket.symbol)],
            symbol=ticket.symbol,
            client_order_id=walk.client_order_id,
            side=ticket.side,
            qty=ticket.qty,
            limit=_NO_LIMIT if walk.getting_out else self.around.rules.max_position_size,
        )
        if self.around.rules.dry_run:
            order = known
            for event in events:
                order = evolve(order, event)
            assert order is not None
            events += order.dry_run()
            held = ()
        return Decision(
            events=[
                *(walk.origin.beside(states) if walk.origin is not None else ()),
                *(Uncommitted(stream=stream, event=event) for event in events),
                *(Uncommitted(stream=position_stream(ticket.symbol), event=event) for event in held),
            ]
        )

    async def _send(self, walk: Walk, order: Order, position: int, correlation_id: str) -> Submission:
        """From here on whatever is not proved is unknown."""
        try:
            if not walk.getting_out:
                await self.last_look(walk.ticket)
        except LAST_LOOK_REFUSALS as refusal:
            record(walk, "submit", "block", refusal.detail)
            await self.outcome.blocked(order, refusal, correlation_id)
            self._count(walk.ticket, "blocked")
            raise
        try:
            settled = await self.outcome.before_another_post(order, correlation_id)
            if settled is None:
                reply = await self._post(walk)
                settled = await self.outcome.settle(order, reply, correlation_id)
        except LedgerUnavailable:
            record(walk, "submit", "error", "the outcome could not be recorded")
            self._count(walk.ticket, "unknown")
            unknown = OrderOutcomeUnknown(
                reason="the outcome could not be recorded", at=self.around.clock.now()
            )
            return Submission(order=evolve(order, unknown), position=position, answer=Answer.UNCONFIRMED)
        return self._answer(walk, settled)

    async def _post(self, walk: Walk) -> SubmitOutcome:
        """The one POST. After the first byte whatever is unforeseen is unknown, never a failure."""
        try:
            return await self.around.broker.submit(walk.client_order_id, walk.ticket)
        except Exception as error:  # noqa: BLE001 - a hole in the adapter's table must not lose the order
            _log.exception("submission ended unforeseen", client_order_id=walk.client_order_id)
            return Unknown(f"unforeseen: {type(error).__name__}")

    def _answer(self, walk: Walk, settled: Settled) -> Submission:
        refusal = _refusal_of(settled)
        if refusal is not None:
            record(walk, "submit", "error", refusal.detail)
            self._count(walk.ticket, "rejected" if isinstance(refusal, BrokerRejected) else "failed")
            raise refusal
        unknown = settled.order.is_unconfirmed
        record(walk, "submit", "error" if unknown else "success")
        self._count(walk.ticket, "unknown" if unknown else "success")
        answer = Answer.UNCONFIRMED if unknown else Answer.SUBMITTED
        return Submission(order=settled.order, position=settled.position, answer=answer)

    def _count(self, ticket: Ticket, status: str) -> None:
        metrics = self.around.metrics
        metrics.orders.labels(symbol=metrics.symbol(ticket.symbol), side=ticket.side, status=status).inc()

    def _observe(self, ticket: Ticket, seconds: float) -> None:
        metrics = self.around.metrics
        metrics.order_latency.observe(seconds)
        metrics.placement_plain.observe(seconds)
        metrics.placement.labels(symbol=metrics.symbol(ticket.symbol), side=ticket.side).observe(seconds)


def _first(
    walk: Walk, at: datetime, gates: tuple[GateVerdict, ...], reason: str | None
) -> Sequence[OrderEvent]:
    """The first attempt of an order, which may be a slice's."""
    origin = walk.origin
    return submit(
        client_order_id=walk.client_order_id,
        ticket=walk.ticket,
        at=at,
        gates=gates,
        reason=reason,
        parent_order_id=origin.plan.parent_order_id if origin is not None else None,
        slice_num=origin.slice.slice_num if origin is not None else None,
        total_slices=len(origin.plan.slices) if origin is not None else None,
        scheduled_time=origin.slice.due if origin is not None else None,
    )


def _refusal_of(settled: Settled) -> Refusal | None:
    """What the caller is told when the attempt is over and the order is not at the broker."""
    facts: dict[str, Any] = {"client_order_id": settled.order.client_order_id}
    match settled.refused:
        case None:
            return None
        case "broker_rejected":
            return BrokerRejected(
                settled.words, **facts, broker_code=settled.code, broker_message=settled.words
            )
        case "broker_id_conflict":
            return BrokerIdConflict(settled.words, **facts, symbol=settled.order.ticket.symbol)
        case "broker_rate_limited":
            return BrokerRateLimited(settled.words, **facts, retry_after=settled.retry_after)
        case _:
            return BrokerUnavailable(settled.words, **facts, retry_after=1)
