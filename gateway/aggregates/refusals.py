"""Every way this desk says no, as one tree. A refusal is an answer: a stable code, words, and facts."""

from __future__ import annotations

from typing import Any, ClassVar


class Refusal(Exception):
    """`code` is stable and machine-readable, `gate` names the rule that refused, `facts` stand beside it."""

    code: ClassVar[str] = "refused"
    gate: str | None = None
    """Of the class, unless the walk that refused calls the rule by another name."""

    def __init__(self, detail: str, **facts: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.facts = facts

    @property
    def text(self) -> str:
        """`code: words`; the gate's name stands between them where the code does not hold it."""
        if self.gate is None or self.gate in self.code:
            return f"{self.code}: {self.detail}"
        return f"{self.code}: {self.gate}: {self.detail}"


class Unavailable(Refusal):
    """A gate that cannot decide refuses. Nothing is ever assumed to be open, active, flat or zero."""

    fail_closed: ClassVar[bool] = True


class KillSwitchUnavailable(Unavailable):
    code = gate = "kill_switch_unavailable"


class CircuitBreakerUnavailable(Unavailable):
    code = gate = "circuit_breaker_unavailable"


class PositionReservationUnavailable(Unavailable):
    code = gate = "position_reservation_unavailable"


class QuarantineUnavailable(Unavailable):
    code = "quarantine_unavailable"
    gate = "quarantine"


class KillSwitchEngaged(Refusal):
    code = gate = "kill_switch_engaged"


class CircuitBreakerTripped(Refusal):
    code = gate = "circuit_breaker_tripped"


class Quarantined(Refusal):
    code = "quarantined"
    gate = "quarantine"


class ReconciliationInProgress(Refusal):
    code = "reconciliation_in_progress"
    gate = "recon_gate"


class ReconciliationBrokerUnavailable(Unavailable):
    code = "reconciliation_broker_unavailable"
    gate = "recon_gate"


class ReconciliationLockUnavailable(Unavailable):
    code = "reconciliation_lock_unavailable"
    gate = "recon_gate"


class ReconciliationLockTimeout(Refusal):
    code = "reconciliation_lock_timeout"
    gate = "recon_gate"


class PositionLimitExceeded(Refusal):
    code = "position_limit_exceeded"
    gate = "position_reservation"


class IdempotencyConflict(Refusal):
    code = "idempotency_conflict"
    gate = "idempotency"


class FatFingerRejected(Refusal):
    code = "fat_finger_rejected"
    gate = "fat_finger"


class SchedulerUnavailable(Unavailable):
    code = gate = "scheduler_unavailable"


class LiquidityUnavailable(Unavailable):
    code = "liquidity_unavailable"
    gate = "liquidity"


class SlicingPlanInvalid(Refusal):
    code = "slicing_plan_invalid"
    gate = "slice"


class BrokerRejected(Refusal):
    code = "broker_rejected"
    gate = "submit"


class BrokerIdConflict(Refusal):
    code = "broker_id_conflict"
    gate = "submit"


class BrokerUnavailable(Refusal):
    code = "broker_unavailable"
    gate = "submit"


class BrokerRateLimited(Refusal):
    code = "broker_rate_limited"
    gate = "submit"


class OrderNotFound(Refusal):
    code = "order_not_found"


class ParentOrderNotFound(Refusal):
    code = "parent_order_not_found"


class PositionNotFound(Refusal):
    code = "position_not_found"


class StrategyUnauthorized(Refusal):
    code = "strategy_unauthorized"


class QtyExceedsPosition(Refusal):
    code = "qty_exceeds_position"
    gate = "reduce_only"


class FractionalQty(Refusal):
    code = "fractional_qty"


class CancelAllFailed(Refusal):
    code = "cancel_all_failed"


class FlattenFailed(Refusal):
    code = "flatten_failed"


class KillSwitchAlreadyEngaged(Refusal):
    code = "kill_switch_already_engaged"


class KillSwitchNotEngaged(Refusal):
    code = "kill_switch_not_engaged"


class CircuitBreakerNotTripped(Refusal):
    code = "circuit_breaker_not_tripped"


class UnresolvedOrphans(Refusal):
    code = "unresolved_orphans"


class QuarantineNotActive(Refusal):
    code = "quarantine_not_active"


class ReconciliationNotAttempted(Refusal):
    code = "reconciliation_not_attempted"


class ReasonRequired(Refusal):
    code = "reason_required"


class RebuildInProgress(Refusal):
    code = "rebuild_in_progress"


class LedgerUnavailable(Unavailable):
    """Postgres cannot be read or written within the bound; nothing is known to have been written."""

    code = "ledger_unavailable"


class ProjectionBehind(Refusal):
    code = "projection_behind"


class BreakNotFound(Refusal):
    code = "not_found"


class OrphanNotFound(Refusal):
    code = "not_found"
