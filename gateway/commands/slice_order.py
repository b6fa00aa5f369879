"""Slice one order over time: gates, the cut, and the whole plan in one append. Nothing is sent here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from gateway.aggregates.client_order_id import parent_id
from gateway.aggregates.copying import changed
from gateway.aggregates.exact import canonical, minus, plus
from gateway.aggregates.order.events import OrderPlanned
from gateway.aggregates.position.state import Position
from gateway.aggregates.refusals import (
    FatFingerRejected,
    IdempotencyConflict,
    LedgerUnavailable,
    PositionLimitExceeded,
    Refusal,
)
from gateway.aggregates.slice_plan.events import SlicePlanCreated, SlicePlanRequested, Terms
from gateway.aggregates.slice_plan.state import SlicePlan, plan
from gateway.aggregates.twap import cut
from gateway.aggregates.vocabulary import (
    ZERO,
    Actor,
    ClientOrderId,
    Side,
    Ticket,
    order_stream,
    plan_stream,
    position_stream,
)
from gateway.commands.audit import Audit
from gateway.commands.commit_check import refuse_engaged_scopes
from gateway.commands.gates import SLICE, walk_through
from gateway.commands.gates.safety import refuse_quarantined
from gateway.commands.gates.slicing import SliceWalk, SlicingRules, find_plan, request_stream
from gateway.commands.gates.ticket import breaches_of
from gateway.commands.gates.walk import Surroundings, record
from gateway.commands.safety_view import scopes_covering, switch_stream
from gateway.commands.slice_plans import Sliced, orders_of
from gateway.ledger.decision import Decision, States
from gateway.ledger.envelope import Cause, Uncommitted
from gateway.telemetry import GateLog

_TRIES = 3


class _AnsweredMeanwhile(Exception):
    """The same terms were answered with another plan while this one was made."""


@dataclass(slots=True, kw_only=True)
class SliceOrder:
    around: Surroundings
    audit: Audit
    rules: SlicingRules
    releaser_runs: Callable[[], bool]

    async def __call__(
        self,
        terms: Terms,
        parent_order_id: ClientOrderId | None,
        *,
        by: Actor,
        correlation_id: str,
        log: GateLog,
    ) -> Sliced:
        """Raises a Refusal. Terms that have a plan already are answered with it."""
        ticket = terms.ticket
        walk = SliceWalk(
            around=self.around,
            ticket=ticket,
            client_order_id=parent_order_id
            or parent_id(
                ticket, terms.trade_date, minutes=terms.minutes, interval_seconds=terms.interval_seconds
            ),
            log=log,
            terms=terms,
            parent_order_id=parent_order_id,
            rules=self.rules,
            releaser_runs=self.releaser_runs,
        )
        try:
            await walk_through(SLICE, walk)
            return await self._slice(walk, by, correlation_id)
        except Refusal as refusal:
            await self.audit.order_refused(ticket, walk.client_order_id, refusal, by, correlation_id)
            raise

    async def _slice(self, walk: SliceWalk, by: Actor, correlation_id: str) -> Sliced:
        try:
            for _ in range(_TRIES):
                try:
                    sliced = await self._answer(walk, by, correlation_id)
                except _AnsweredMeanwhile:
                    walk.known = await find_plan(self.around.ledger, walk.terms, walk.parent_order_id)
                    continue
                record(walk, "slice", "success")
                return sliced
            raise LedgerUnavailable("the same plan is being made elsewhere; try again")
        except Refusal as refusal:
            record(walk, "slice", "block", refusal.detail)
            raise

    async def _answer(self, walk: SliceWalk, by: Actor, correlation_id: str) -> Sliced:
        ledger = self.around.ledger
        existing = walk.known is not None
        if walk.known is not None:
            _refuse_other_terms(walk.known, walk.terms)
            kept, position = walk.known, ledger.desk.position
        else:
            kept, position, existing = await self._plan(walk, by, correlation_id)
        return Sliced(plan=kept, orders=await orders_of(ledger, kept), position=position, existing=existing)

    async def _plan(self, walk: SliceWalk, by: Actor, correlation_id: str) -> tuple[SlicePlan, int, bool]:
        position, _ = await self.around.ledger.load(position_stream(walk.ticket.symbol))
        self._refuse_beyond_limit(walk.ticket, position)
        terms = walk.terms
        made = cut(
            walk.ticket,
            terms.trade_date,
            minutes=terms.minutes,
            interval_seconds=terms.interval_seconds,
            max_slice_qty=walk.max_slice_qty,
        )
        await self._refuse_fat_slices(walk.ticket, max(made.sizes))
        created = plan(
            terms=terms,
            made=made,
            at=self.around.clock.now(),
            parent_order_id=walk.parent_order_id,
            adv=walk.adv,
            max_slice_qty=walk.max_slice_qty,
        )
        parent, ticket = created.parent_order_id, walk.ticket
        change = await self.around.ledger.writer.change(
            (
                plan_stream(parent),
                order_stream(parent),
                request_stream(terms),
                position_stream(ticket.symbol),
                *map(switch_stream, scopes_covering(ticket.strategy_id, ticket.symbol)),
            ),
            lambda states: self._decide(walk, created, states),
            Cause(
                command_id=f"slice-plan:{parent}:{terms.fingerprint}",
                actor=by,
                correlation_id=correlation_id,
                source="api",
                occurred_at=created.at,
            ),
        )
        kept = change.states[plan_stream(parent)]
        assert kept is not None, "a plan was recorded, or found"
        return kept, change.position, change.replayed or not change.events

    def _decide(self, walk: SliceWalk, created: SlicePlanCreated, states: States) -> Decision:
        parent, ticket = created.parent_order_id, walk.ticket
        known = states[plan_stream(parent)]
        if known is not None:
            _refuse_other_terms(known, walk.terms)
            return Decision()
        if walk.parent_order_id is None and states[request_stream(walk.terms)] is not None:
            raise _AnsweredMeanwhile
        if states[order_stream(parent)] is not None:
            raise IdempotencyConflict(f"{parent} already names an order", client_order_id=parent)
        refuse_engaged_scopes(ticket, states)
        position = states[position_stream(ticket.symbol)]
        entry = position.quarantine_for(ticket.strategy_id) if position is not None else None
        if entry is not None:
            refuse_quarantined(ticket.symbol, entry.reason)
        self._refuse_beyond_limit(ticket, position)
        planned = OrderPlanned(client_order_id=parent, ticket=ticket, at=created.at)
        events = [
            Uncommitted(stream=plan_stream(parent), event=created),
            Uncommitted(stream=order_stream(parent), event=planned),
        ]
        if walk.parent_order_id is None:
            requested = SlicePlanRequested(parent_order_id=parent)
            events.append(Uncommitted(stream=request_stream(walk.terms), event=requested))
        return Decision(events=events)

    def _refuse_beyond_limit(self, ticket: Ticket, position: Position | None) -> None:
        """Raises PositionLimitExceeded for a plan that can never fit; nothing is reserved for it."""
        held, limit = position.qty if position is not None else ZERO, self.around.rules.max_position_size
        would_be = plus(ticket.qty, held) if ticket.side is Side.BUY else minus(ticket.qty, held)
        if would_be > limit:
            raise PositionLimitExceeded(
                f"Position limit exceeded: {canonical(would_be)} > {canonical(limit)}",
                symbol=ticket.symbol,
                max_position_size=int(limit),
                would_be=would_be,
            )

    async def _refuse_fat_slices(self, ticket: Ticket, largest: int) -> None:
        """Raises FatFingerRejected. What is not known now refuses the slice at its release instead."""
        found = [
            breach
            for breach in await breaches_of(self.around, changed(ticket, qty=Decimal(largest)))
            if breach.kind != "data_unavailable"
        ]
        if found:
            raise FatFingerRejected(
                "; ".join(breach.words for breach in found),
                symbol=ticket.symbol,
                breaches=[breach.kind for breach in found],
            )


def _refuse_other_terms(known: SlicePlan, terms: Terms) -> None:
    """Raises IdempotencyConflict when the id already names another plan."""
    differences = known.terms.differences(terms)
    if differences:
        raise IdempotencyConflict(
            f"{known.parent_order_id} already names another plan ({', '.join(differences)} differ);"
            " give another client_order_id or Idempotency-Key",
            client_order_id=known.parent_order_id,
            differences=list(differences),
        )
