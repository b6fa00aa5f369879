"""The gates of a slicing plan: somebody must release it, and the market must be able to take it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal

from gateway.aggregates.recon_gate import GateState
from gateway.aggregates.refusals import (
    LiquidityUnavailable,
    ReconciliationInProgress,
    SchedulerUnavailable,
)
from gateway.aggregates.slice_plan.events import Terms
from gateway.aggregates.slice_plan.state import SlicePlan
from gateway.aggregates.vocabulary import ClientOrderId, plan_stream
from gateway.commands.gates.walk import Verdict, Walk
from gateway.ledger.ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class SlicingRules:
    """`max_pct_of_adv` is the largest part of the average daily volume in one slice."""

    liquidity_check_enabled: bool
    max_pct_of_adv: Decimal


@dataclass(slots=True, kw_only=True)
class SliceWalk(Walk):
    """One plan on its way."""

    terms: Terms
    parent_order_id: ClientOrderId | None
    """As the caller gave it; else it follows from the plan."""
    rules: SlicingRules
    releaser_runs: Callable[[], bool]
    known: SlicePlan | None = None
    adv: Decimal | None = None

    @property
    def max_slice_qty(self) -> int | None:
        return None if self.adv is None else max(1, int(self.adv * self.rules.max_pct_of_adv))


SliceGate = Callable[[SliceWalk], Awaitable[Verdict]]


async def scheduler_unavailable(walk: SliceWalk) -> Verdict:
    """Somebody is there to release the slices."""
    if not walk.releaser_runs():
        raise SchedulerUnavailable("nobody is there to release the slices; it is being restarted")
    return Verdict.PASS


async def recon_gate(walk: Walk) -> Verdict:
    """Open after a pass of this process; what is sliced waits for it, even where it would reduce."""
    around = walk.around
    if not around.rules.dry_run and around.gate_state() is GateState.CLOSED:
        raise ReconciliationInProgress("nothing is sliced before a reconciliation pass has succeeded")
    return Verdict.PASS


async def liquidity(walk: SliceWalk) -> Verdict:
    """The average daily volume is known and caps the slices. A plan that stands already needs no volume."""
    walk.known = await find_plan(walk.around.ledger, walk.terms, walk.parent_order_id)
    if walk.known is not None:
        return Verdict.PASS
    if not walk.rules.liquidity_check_enabled:
        return Verdict.SKIP
    walk.adv = await walk.around.market_data.adv(walk.ticket.symbol)
    if walk.adv is None:
        raise LiquidityUnavailable(
            f"the average daily volume of {walk.ticket.symbol} is not known", symbol=walk.ticket.symbol
        )
    return Verdict.PASS


async def find_plan(ledger: Ledger, terms: Terms, parent_order_id: ClientOrderId | None) -> SlicePlan | None:
    """The plan under the given id, or the one these terms were answered with."""
    if parent_order_id is None:
        parent_order_id, _ = await ledger.load(request_stream(terms))
    if parent_order_id is None:
        return None
    found: SlicePlan | None
    found, _ = await ledger.load(plan_stream(parent_order_id))
    return found


def request_stream(terms: Terms) -> str:
    return f"slice-request-{terms.fingerprint}"
