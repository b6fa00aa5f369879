"""An orphan gets its answer: a strategy adopts it, it is ignored, or it is asked to go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from gateway.aggregates.order.events import OrderEvent
from gateway.aggregates.order.state import Order
from gateway.aggregates.refusals import OrphanNotFound
from gateway.aggregates.vocabulary import Actor, ClientOrderId, StrategyId, order_stream
from gateway.commands.amend import Amend, Verb
from gateway.commands.cancel_order import CancelOrder
from gateway.commands.orphans import orphan_consequences
from gateway.commands.safety_view import RECON_GATE
from gateway.ledger.decision import States
from gateway.ledger.envelope import Cause, Uncommitted
from gateway.ledger.ledger import Ledger
from gateway.ports import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The orphan as the ledger has it at `position`."""

    order: Order
    position: int


@dataclass(slots=True, kw_only=True)
class ResolveOrphan:
    """Each answer is recorded once; given again it changes nothing, another one is refused.

    Everything here raises OrphanNotFound, IdempotencyConflict and LedgerUnavailable.
    """

    ledger: Ledger
    clock: Clock
    cancel_order: CancelOrder

    async def adopt(
        self, order_id: str, strategy_id: StrategyId, *, reason: str, by: Actor, correlation_id: str
    ) -> Answered:
        """Executions from now on are the strategy's; those before stay with `external`."""
        at = self.clock.now()
        return await self._answer(
            await self._find(order_id),
            lambda order: order.adopt(strategy_id, reason, at=at, by=by.sub) if order else (),
            self._cause(by, correlation_id, at),
        )

    async def ignore(self, order_id: str, *, reason: str, by: Actor, correlation_id: str) -> Answered:
        """Resolved without an owner; later executions are still booked."""
        return await self.ignore_order(
            await self._find(order_id), reason=reason, by=by, correlation_id=correlation_id
        )

    async def ignore_order(self, order: Order, *, reason: str, by: Actor, correlation_id: str) -> Answered:
        at = self.clock.now()
        return await self._answer(
            order,
            lambda known: known.ignore(reason, at=at, by=by.sub) if known else (),
            self._cause(by, correlation_id, at),
        )

    async def cancel(self, order_id: str, *, reason: str, by: Actor, correlation_id: str) -> Answered:
        """Ask the broker; resolved when it confirms. Out of reach, it is asked again in the background."""
        at = self.clock.now()
        asked = await self._answer(
            await self._find(order_id),
            lambda order: order.cancel_orphan(reason, at=at, by=by.sub) if order else (),
            self._cause(by, correlation_id, at),
        )
        if asked.order.orphan_status != "cancel_requested":
            return asked
        told = await self.cancel_order.notify_broker(asked.order, asked.position, correlation_id)
        return Answered(order=told.order, position=told.position)

    async def _find(self, order_id: str) -> Order:
        """By the broker's id, or by the name given to an orphan of which only that id was known."""
        client_order_id = await self.ledger.log.order_ref(order_id) or f"broker-{order_id}"
        order, _ = await self.ledger.load(order_stream(client_order_id))
        if order is None or not order.is_orphan:
            raise OrphanNotFound("there is no orphan with this broker order id")
        found: Order = order
        return found

    async def _answer(self, order: Order, verb: Verb, cause: Cause) -> Answered:
        client_order_id: ClientOrderId = order.client_order_id

        def beside(states: States, events: Sequence[OrderEvent]) -> Sequence[Uncommitted]:
            return orphan_consequences(states, client_order_id, events, at=cause.occurred_at)

        amended = await Amend(
            writer=self.ledger.writer,
            client_order_id=client_order_id,
            symbol=order.ticket.symbol,
            verb=verb,
            cause=cause,
            beside=beside,
            beside_streams=(RECON_GATE,),
        )()
        assert amended.after is not None, "an orphan is answered on an order that exists"
        return Answered(order=amended.after, position=amended.position)

    def _cause(self, by: Actor, correlation_id: str, at: datetime) -> Cause:
        return Cause(
            command_id=f"orphan:{uuid4()}",
            actor=by,
            correlation_id=correlation_id,
            source="api",
            occurred_at=at,
        )
