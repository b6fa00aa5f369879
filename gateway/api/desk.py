"""What the routes may ask of the desk: the shapes of its commands and of their answers.

The routes know only these shapes, so the door for broker facts cannot reach a gate even by accident.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from gateway.aggregates.circuit_breaker import CircuitBreaker
from gateway.aggregates.kill_switch import KillSwitch
from gateway.aggregates.order.state import Order
from gateway.aggregates.risk_limits import Patch, RiskLimits, Thresholds
from gateway.aggregates.vocabulary import Actor, ClientOrderId, ReportSource, StrategyId, Symbol, Ticket
from gateway.telemetry import GateLog


class Submission(Protocol):
    """`answer` is submitted, dry_run, existing, concurrent or unconfirmed."""

    @property
    def order(self) -> Order: ...
    @property
    def position(self) -> int: ...
    @property
    def answer(self) -> str: ...


class Cancellation(Protocol):
    @property
    def order(self) -> Order: ...
    @property
    def position(self) -> int: ...
    @property
    def broker_notified(self) -> bool: ...
    @property
    def already_done(self) -> bool: ...


class Receipt(Protocol):
    """`disposition` is applied, duplicate, orphan, unknown_event or unparsed."""

    @property
    def disposition(self) -> str: ...
    @property
    def client_order_id(self) -> str | None: ...
    @property
    def position(self) -> int | None: ...


class SubmitOrder(Protocol):
    async def __call__(
        self,
        ticket: Ticket,
        client_order_id: ClientOrderId,
        *,
        by: Actor,
        correlation_id: str,
        log: GateLog,
        reason: str | None = None,
    ) -> Submission:
        """Raises a Refusal."""


class CancelOrder(Protocol):
    async def __call__(
        self, client_order_id: ClientOrderId, *, by: Actor, correlation_id: str, reason: str | None = None
    ) -> Cancellation:
        """Raises OrderNotFound."""


class Receive(Protocol):
    async def __call__(self, source: ReportSource, raw: bytes, correlation_id: str) -> Receipt:
        """Keep the bytes, then record what they say. Raises LedgerUnavailable."""


class SwitchStanding(Protocol):
    """One scope at a ledger position; `mirror` is in_sync, pending or unreachable. None: never touched."""

    @property
    def scope(self) -> str: ...
    @property
    def switch(self) -> KillSwitch | None: ...
    @property
    def position(self) -> int: ...
    @property
    def mirror(self) -> str: ...


class BreakerStanding(Protocol):
    @property
    def breaker(self) -> CircuitBreaker | None: ...
    @property
    def position(self) -> int: ...
    @property
    def mirror(self) -> str: ...


class LimitsStanding(Protocol):
    @property
    def limits(self) -> RiskLimits | None: ...
    @property
    def defaults(self) -> Thresholds: ...
    @property
    def position(self) -> int: ...


class QuarantineStanding(Protocol):
    """`strategy_id` None is everybody. The last two are set once it is lifted."""

    @property
    def symbol(self) -> Symbol: ...
    @property
    def strategy_id(self) -> StrategyId | None: ...
    @property
    def reason(self) -> str: ...
    @property
    def since(self) -> datetime: ...
    @property
    def kind(self) -> str: ...
    @property
    def broker_order_id(self) -> str | None: ...
    @property
    def break_id(self) -> str | None: ...
    @property
    def orphan_notional(self) -> Decimal | None: ...
    @property
    def released_at(self) -> datetime | None: ...
    @property
    def released_by(self) -> str | None: ...
    @property
    def position(self) -> int: ...


class Controls(Protocol):
    """What an operator can set. Every change is an event with actor and reason, or it does not happen.

    `scope` is `global`, `strategy:{id}` or `symbol:{SYMBOL}`.
    """

    async def engage_kill_switch(
        self,
        scope: str,
        *,
        reason: str,
        details: Mapping[str, Any] | None,
        by: Actor,
        correlation_id: str,
    ) -> SwitchStanding:
        """Raises KillSwitchAlreadyEngaged."""

    async def disengage_kill_switch(
        self, scope: str, *, notes: str | None, by: Actor, correlation_id: str
    ) -> SwitchStanding:
        """Raises KillSwitchNotEngaged, or KillSwitchUnavailable while Redis is away."""

    async def kill_switch_status(self, scope: str) -> SwitchStanding: ...
    async def engaged_scopes(self) -> Sequence[str]:
        """Every scope but the global one that is engaged now."""

    async def trip_breaker(
        self, *, reason: str, details: Mapping[str, Any] | None, by: Actor, correlation_id: str
    ) -> BreakerStanding: ...
    async def reset_breaker(self, *, reason: str, by: Actor, correlation_id: str) -> BreakerStanding:
        """Raises CircuitBreakerNotTripped, or CircuitBreakerUnavailable while Redis is away."""

    async def breaker_status(self) -> BreakerStanding: ...
    async def quarantines(self) -> Sequence[QuarantineStanding]: ...
    async def release_quarantine(
        self, symbol: Symbol, *, reason: str, force: bool, by: Actor, correlation_id: str
    ) -> QuarantineStanding:
        """Raises QuarantineNotActive or UnresolvedOrphans."""

    async def thresholds(self) -> LimitsStanding: ...
    async def set_thresholds(
        self,
        *,
        default: Thresholds | None,
        overrides: Mapping[Symbol, Patch | None],
        by: Actor,
        correlation_id: str,
    ) -> LimitsStanding:
        """Replace the defaults as a whole, patch or remove overrides."""


class AnsweredOrphan(Protocol):
    @property
    def order(self) -> Order: ...
    @property
    def position(self) -> int: ...


class ResolveOrphan(Protocol):
    """Everything here raises OrphanNotFound and IdempotencyConflict."""

    async def adopt(
        self, order_id: str, strategy_id: StrategyId, *, reason: str, by: Actor, correlation_id: str
    ) -> AnsweredOrphan: ...
    async def ignore(
        self, order_id: str, *, reason: str, by: Actor, correlation_id: str
    ) -> AnsweredOrphan: ...
    async def cancel(
        self, order_id: str, *, reason: str, by: Actor, correlation_id: str
    ) -> AnsweredOrphan: ...


class ResolvedBreak(Protocol):
    @property
    def action(self) -> str: ...
    @property
    def by(self) -> str: ...
    @property
    def at(self) -> datetime: ...
    @property
    def position(self) -> int: ...


class ResolveBreak(Protocol):
    async def __call__(
        self, break_id: str, *, action: str, reason: str, by: Actor, correlation_id: str
    ) -> ResolvedBreak:
        """Raises BreakNotFound, ReconciliationBrokerUnavailable and IdempotencyConflict."""


class Reconciliation(Protocol):
    async def run(self, *, shadow: bool, by: Actor, correlation_id: str) -> object:
        """What `ReconciliationRunResponse` shows. Raises ReconciliationBrokerUnavailable."""

    async def status(self) -> object:
        """What `ReconciliationStatus` shows."""

    async def force_complete(self, *, reason: str, by: Actor, correlation_id: str) -> object:
        """What `ReconciliationOverrideResponse` shows. Raises ReconciliationNotAttempted."""


class RequestBackfill(Protocol):
    async def __call__(
        self, *, lookback_hours: int | None, recalc_all_trades: bool, by: Actor, correlation_id: str
    ) -> object:
        """What `FillsBackfillResponse` shows. Raises ReconciliationBrokerUnavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """What can be done where the ledger and the broker do not agree."""

    orphans: ResolveOrphan
    breaks: ResolveBreak
    backfill: RequestBackfill


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One part the service depends on; `state` is ok, down, stopped, crashed or not_required."""

    state: str
    since: datetime
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """`status` is healthy, degraded or unhealthy."""

    status: str
    database_connected: bool
    redis_connected: bool
    alpaca_connected: bool
    components: Mapping[str, Component]


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """`checks` by name: ok, fail or not_required. `gate` is open, closed or override."""

    checks: Mapping[str, str]
    gate: str

    @property
    def is_ready(self) -> bool:
        """A parked projection or a silent broker shows, and keeps nobody from trading on the rest."""
        return all(self.checks[name] == "ok" for name in ("ledger", "mirror", "startup", "draining"))
