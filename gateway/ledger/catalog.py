"""Every kind of stream this house keeps, and the name every event is stored under for ever."""

from __future__ import annotations

from typing import Any, Final

from gateway.aggregates import (
    activities,
    audit,
    circuit_breaker,
    kill_switch,
    recon_events,
    recon_gate,
    risk_limits,
)
from gateway.aggregates.order import events as order
from gateway.aggregates.order.state import Order
from gateway.aggregates.order.state import evolve as evolve_order
from gateway.aggregates.position import events as position
from gateway.aggregates.position.state import Position
from gateway.aggregates.position.state import evolve as evolve_position
from gateway.aggregates.slice_plan import events as slice_plan
from gateway.aggregates.slice_plan.state import SlicePlan
from gateway.aggregates.slice_plan.state import evolve as evolve_plan
from gateway.aggregates.vocabulary import ClientOrderId
from gateway.ledger import upcasts
from gateway.ledger.catalog_types import Catalog, StreamKind
from gateway.ledger.leases import LEASES


def _always(state: Any) -> bool:
    """Safety state is never evicted: the gates read it on every order."""
    return True


def _is_live_order(state: Order) -> bool:
    return state.is_live


def _is_held(state: Position) -> bool:
    return bool(state.qty or state.reserved or state.quarantines)


def _is_open_plan(state: SlicePlan) -> bool:
    return not state.is_over


def _plan_of_terms(_: str | None, event: slice_plan.SlicePlanRequested) -> ClientOrderId:
    return event.parent_order_id


def _order_id_made_known(event: order.OrderEvent) -> str | None:
    match event:
        case order.OrderAccepted(order_id=order_id) | order.StatusReported(order_id=order_id):
            return order_id
        case order.OrderOrphaned(order=held):
            return held.order_id if held is not None else None
        case _:
            return None


ORDERS: Final = StreamKind(
    prefix="order-",
    state=Order,
    state_version=3,
    evolve=evolve_order,
    live=_is_live_order,
    refs=_order_id_made_known,
    events=(
        (order.OrderSubmitted, "order.submitted", 1),
        (order.OrderPlanned, "order.planned", 1),
        (order.PlanClosed, "order.plan_closed", 1),
        (order.OrderResubmitted, "order.resubmitted", 1),
        (order.OrderAccepted, "order.accepted", 1),
        (order.OrderRejected, "order.rejected", 1),
        (order.OrderNotSent, "order.not_sent", 1),
        (order.OrderOutcomeUnknown, "order.outcome_unknown", 1),
        (order.OrderNotAccepted, "order.not_accepted", 1),
        (order.OrderBlocked, "order.blocked", 1),
        (order.OrderDryRun, "order.dry_run", 1),
        (order.OrderFilled, "order.filled", 1),
        (order.FillSuperseded, "order.fill_superseded", 1),
        (order.FillBusted, "order.fill_busted", 1),
        (order.FillCorrected, "order.fill_corrected", 1),
        (order.CancelRequested, "order.cancel_requested", 1),
        (order.CancelStuck, "order.cancel_stuck", 1),
        (order.CancelRejected, "order.cancel_rejected", 1),
        (order.OrderCanceled, "order.canceled", 1),
        (order.OrderExpired, "order.expired", 1),
        (order.OrderReplaced, "order.replaced", 1),
        (order.StatusReported, "order.status_reported", 1),
        (order.ConflictReported, "order.conflict_reported", 1),
        (order.OrderOrphaned, "order.orphaned", 1),
        (order.OrderAdopted, "order.adopted", 1),
        (order.OrderIgnored, "order.ignored", 1),
    ),
)

POSITIONS: Final = StreamKind(
    prefix="position-",
    state=Position,
    state_version=1,
    evolve=evolve_position,
    live=_is_held,
    upcasts={"position.split.v1": upcasts.position_split_v1},
    events=(
        (position.PositionReserved, "position.reserved", 1),
        (position.PositionReleased, "position.released", 1),
        (position.PositionFilled, "position.filled", 1),
        (position.PositionBusted, "position.busted", 1),
        (position.PositionCorrected, "position.corrected", 1),
        (position.PositionAdjusted, "position.adjusted", 1),
        (position.PositionSplit, "position.split", 2),
        (position.PositionQuarantined, "position.quarantined", 1),
        (position.QuarantineLifted, "position.quarantine_lifted", 1),
    ),
)

ACTIVITIES: Final = StreamKind(
    prefix="activity-",
    state=activities.ActivityRecorded,
    state_version=1,
    evolve=activities.evolve,
    events=((activities.ActivityRecorded, "activity.recorded", 1),),
)

SLICE_PLANS: Final = StreamKind(
    prefix="slice-plan-",
    state=SlicePlan,
    state_version=1,
    evolve=evolve_plan,
    live=_is_open_plan,
    events=(
        (slice_plan.SlicePlanCreated, "slice_plan.created", 1),
        (slice_plan.SlicePlanCanceled, "slice_plan.canceled", 1),
        (slice_plan.SliceReleased, "slice.released", 1),
        (slice_plan.SlicePostponed, "slice.postponed", 1),
        (slice_plan.SliceClosed, "slice.closed", 1),
    ),
)

SLICE_REQUESTS: Final = StreamKind(
    prefix="slice-request-",
    state=str,
    state_version=1,
    evolve=_plan_of_terms,
    events=((slice_plan.SlicePlanRequested, "slice_plan.requested", 1),),
)

KILL_SWITCHES: Final = StreamKind(
    prefix="kill-switch-",
    state=kill_switch.KillSwitch,
    state_version=1,
    evolve=kill_switch.evolve,
    live=_always,
    safety=True,
    events=(
        (kill_switch.KillSwitchEngaged, "kill_switch.engaged", 1),
        (kill_switch.KillSwitchDisengaged, "kill_switch.disengaged", 1),
    ),
)

CIRCUIT_BREAKER: Final = StreamKind(
    prefix="circuit-breaker",
    state=circuit_breaker.CircuitBreaker,
    state_version=1,
    evolve=circuit_breaker.evolve,
    live=_always,
    safety=True,
    events=(
        (circuit_breaker.CircuitBreakerTripped, "circuit_breaker.tripped", 1),
        (circuit_breaker.CircuitBreakerReset, "circuit_breaker.reset", 1),
    ),
)

RISK_LIMITS: Final = StreamKind(
    prefix="risk-limits",
    state=risk_limits.RiskLimits,
    state_version=1,
    evolve=risk_limits.evolve,
    live=_always,
    safety=True,
    events=((risk_limits.RiskLimitsChanged, "risk_limits.changed", 1),),
)

RECON_GATE: Final = StreamKind(
    prefix="recon-gate",
    state=recon_gate.ReconGate,
    state_version=3,
    evolve=recon_gate.evolve,
    live=_always,
    safety=True,
    events=(
        (recon_events.ReconciliationAttempted, "reconciliation.attempted", 1),
        (recon_events.ReconciliationJoined, "reconciliation.joined", 1),
        (recon_events.ReconciliationPassed, "reconciliation.passed", 1),
        (recon_events.ReconciliationFailed, "reconciliation.failed", 1),
        (recon_events.ReconciliationOverridden, "reconciliation.overridden", 1),
        (recon_events.CursorMoved, "reconciliation.cursor_moved", 1),
        (recon_events.BackfillRequested, "reconciliation.backfill_requested", 1),
        (recon_events.BreakOpened, "break.opened", 1),
        (recon_events.BreakChanged, "break.changed", 1),
        (recon_events.BreakClosed, "break.closed", 1),
        (recon_events.BreakResolved, "break.resolved", 1),
    ),
)

AUDIT: Final = StreamKind(
    prefix="audit-",
    state=type(None),
    state_version=1,
    evolve=audit.evolve,
    events=(
        (audit.OrderRefused, "order.refused", 1),
        (audit.ControlRefused, "control.refused", 1),
        (audit.ControlPerformed, "control.performed", 1),
        (audit.ProjectionRebuildRequested, "projection.rebuild_requested", 1),
    ),
)

CATALOG: Final = Catalog(
    (
        ORDERS,
        POSITIONS,
        ACTIVITIES,
        SLICE_PLANS,
        SLICE_REQUESTS,
        KILL_SWITCHES,
        CIRCUIT_BREAKER,
        RISK_LIMITS,
        RECON_GATE,
        AUDIT,
        LEASES,
    )
)
