"""What became of an attempt, recorded: the broker's reply, or what a look-up proves later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from uuid import uuid4

from gateway.aggregates.order.events import OrderEvent
from gateway.aggregates.order.state import Order
from gateway.aggregates.position.state import quarantine
from gateway.aggregates.refusals import KillSwitchEngaged, KillSwitchUnavailable, LedgerUnavailable, Refusal
from gateway.aggregates.reports import BrokerOrder
from gateway.aggregates.vocabulary import BROKER, SYSTEM, Actor, OrdStatus, ReportSource, position_stream
from gateway.commands.amend import Amend, Amendment
from gateway.commands.cancel_order import CancelOrder
from gateway.ledger.decision import States
from gateway.ledger.envelope import Cause, Uncommitted
from gateway.ledger.ledger import Ledger
from gateway.ports import (
    Absent,
    Accepted,
    Broker,
    Clock,
    Duplicate,
    Found,
    Lookup,
    NotSent,
    RateLimited,
    Rejected,
    SubmitOutcome,
    Unknown,
    Unreadable,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The order after an outcome was recorded; `refused` is the code the caller gets, None when it stands."""

    order: Order
    position: int
    refused: str | None = None
    words: str = ""
    code: str | None = None
    retry_after: int | None = None


@dataclass(slots=True, kw_only=True)
class RecordOutcome:
    ledger: Ledger
    broker: Broker
    clock: Clock
    cancel_order: CancelOrder
    notice_gap: Callable[[Order, BrokerOrder], None]
    """Told when the broker's running total is above what is booked."""
    notice_outcome: Callable[[Settled], None] = lambda settled: None
    """Told how each submission ended."""
    notice_slowed: Callable[[Order], None] = lambda order: None
    """Told of each attempt closed because the broker asks to slow down."""

    async def settle(self, order: Order, reply: SubmitOutcome, correlation_id: str) -> Settled:
        """Record the broker's reply to our one POST. Raises LedgerUnavailable."""
        settled = await self._settle(order, reply, correlation_id)
        self.notice_outcome(settled)
        return settled

    async def _settle(self, order: Order, reply: SubmitOutcome, correlation_id: str) -> Settled:
        match reply:
            case Accepted(order=held):
                return await self.adopt(order, held, ReportSource.REPLY, correlation_id)
            case Rejected(message=message) if order.maybe_sent:
                return await self.unknown(
                    order, f"an earlier attempt may be there; now: {message}", correlation_id
                )
            case Rejected(code=code, message=message, related_order_id=related):
                amended = await self._amend(
                    order,
                    lambda o: o.reject(code, message, None, ReportSource.REPLY, related),
                    correlation_id,
                )
                return self._refused(amended, "broker_rejected", message, code)
            case Duplicate():
                return await self._looked_up(order, correlation_id, if_absent=None)
            case RateLimited(retry_after=seconds):
                settled = await self._looked_up(order, correlation_id, if_absent="broker_rate_limited")
                if settled.refused is not None:
                    self.notice_slowed(settled.order)
                return _retry(settled, seconds)
            case NotSent(reason=reason):
                amended = await self._amend(
                    order, lambda o: o.not_send("broker_unavailable", reason), correlation_id
                )
                return self._refused(amended, "broker_unavailable", reason)
            case Unknown(reason=reason):
                return await self.unknown(order, reason, correlation_id)

    async def before_another_post(self, order: Order, correlation_id: str) -> Settled | None:
        """An attempt after "slow down" looks first: None when the broker surely does not know the order."""
        if not order.maybe_sent:
            return None
        match await self.broker.order_by_client_id(order.client_order_id):
            case Found(order=held):
                return await self.adopt(order, held, ReportSource.LOOKUP, correlation_id)
            case Absent():
                return None
            case Unreadable(reason=reason):
                return await self.unknown(order, reason, correlation_id)

    async def _looked_up(self, order: Order, correlation_id: str, *, if_absent: str | None) -> Settled:
        lookup: Lookup = await self.broker.order_by_client_id(order.client_order_id)
        match lookup:
            case Found(order=held):
                return await self.adopt(order, held, ReportSource.LOOKUP, correlation_id)
            case Absent() if if_absent is not None:
                words = "the broker asks to slow down and does not know the order"
                amended = await self._amend(order, lambda o: o.not_send(if_absent, words), correlation_id)
                return self._refused(amended, if_absent, words)
            case Absent():
                return await self.unknown(order, "reported as a duplicate, yet not found", correlation_id)
            case Unreadable(reason=reason):
                return await self.unknown(order, reason, correlation_id)

    async def unknown(self, order: Order, reason: str, correlation_id: str) -> Settled:
        """No proof either way: the order stays, its room stays, the resolver takes over."""
        at = self.clock.now()
        amended = await self._amend(order, lambda o: o.outcome_unknown(reason, at), correlation_id)
        return Settled(order=_order(amended), position=amended.position)

    async def adopt(
        self, order: Order, held: BrokerOrder, source: ReportSource, correlation_id: str
    ) -> Settled:
        """Take the broker's order as ours when it is the same ticket; else close ours and quarantine."""
        differences = order.same_ticket_at_broker(held)
        if differences:
            return await self._conflict(order, held, differences, correlation_id)
        adopted = source is not ReportSource.REPLY
        amended = await self._amend(order, lambda o: o.accept(held, source, adopted=adopted), correlation_id)
        if _order(amended).missing_qty(held.filled_qty) > 0:
            self.notice_gap(_order(amended), held)
        await self._cancel_if_wanted(_order(amended), amended.position, correlation_id)
        return Settled(order=_order(amended), position=amended.position)

    async def _cancel_if_wanted(self, order: Order, position: int, correlation_id: str) -> None:
        """A cancel asked for before the broker's order was known goes out now."""
        if order.cancel_wanted and order.is_live:
            with suppress(LedgerUnavailable):  # it is asked for again in the background
                await self.cancel_order.notify_broker(order, position, correlation_id)

    async def _conflict(
        self, order: Order, held: BrokerOrder, differences: Sequence[str], correlation_id: str
    ) -> Settled:
        symbol, at = order.ticket.symbol, self.clock.now()
        words = (
            f"the broker holds another order under {order.client_order_id} ({', '.join(differences)} differ)"
        )

        def beside(states: States, _: Sequence[OrderEvent]) -> list[Uncommitted]:
            stream = position_stream(symbol)
            events = quarantine(
                states[stream],
                symbol=symbol,
                strategy_id=None,
                reason="broker_id_conflict",
                kind="broker_id_conflict",
                at=at,
                order_id=held.order_id,
            )
            return [Uncommitted(stream=stream, event=event) for event in events]

        amended = await Amend(
            writer=self.ledger.writer,
            client_order_id=order.client_order_id,
            symbol=symbol,
            verb=lambda o: o.reject("broker_id_conflict", words, None, ReportSource.LOOKUP) if o else (),
            cause=self._cause(BROKER, correlation_id),
            beside=beside,
        )()
        return Settled(
            order=_order(amended), position=amended.position, refused="broker_id_conflict", words=words
        )

    async def blocked(self, order: Order, refusal: Refusal, correlation_id: str) -> Settled:
        """The last look refused: close the order unsent and give its room back, in one append."""
        stopped_by_switch = isinstance(refusal, KillSwitchEngaged | KillSwitchUnavailable)
        status = OrdStatus.BLOCKED_KILL_SWITCH if stopped_by_switch else OrdStatus.BLOCKED_CIRCUIT_BREAKER
        amended = await self._amend(
            order, lambda o: o.block(status, refusal.detail), correlation_id, actor=SYSTEM
        )
        return Settled(order=_order(amended), position=amended.position)

    async def not_accepted(self, order: Order, evidence: str, correlation_id: str) -> Settled:
        """Proved absent at the broker: only now the room goes back."""
        amended = await self._amend(order, lambda o: o.not_accept(evidence), correlation_id, actor=SYSTEM)
        return Settled(order=_order(amended), position=amended.position)

    async def _amend(
        self,
        order: Order,
        verb: Callable[[Order], Sequence[OrderEvent]],
        correlation_id: str,
        *,
        actor: Actor = BROKER,
    ) -> Amendment:
        return await Amend(
            writer=self.ledger.writer,
            client_order_id=order.client_order_id,
            symbol=order.ticket.symbol,
            verb=lambda current: verb(current) if current is not None else (),
            cause=self._cause(actor, correlation_id),
        )()

    def _cause(self, actor: Actor, correlation_id: str) -> Cause:
        return Cause(
            command_id=f"outcome:{uuid4()}",
            actor=actor,
            correlation_id=correlation_id,
            source="reply" if actor is BROKER else "system",
            occurred_at=self.clock.now(),
        )

    def _refused(self, amended: Amendment, refused: str, words: str, code: str | None = None) -> Settled:
        order = _order(amended)
        return Settled(
            order=order,
            position=amended.position,
            refused=refused if _is_over(order) else None,
            words=words,
            code=code,
        )


def _is_over(order: Order) -> bool:
    """Whether the refusal stands: meanwhile the broker may have said that the order is there after all."""
    return order.status.is_closed_unsent or order.status is OrdStatus.REJECTED


def _order(amended: Amendment) -> Order:
    assert amended.after is not None, "an outcome is recorded on an order that exists"
    return amended.after


def _retry(settled: Settled, seconds: int) -> Settled:
    return settled if settled.refused is None else replace(settled, retry_after=seconds)
