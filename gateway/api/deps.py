"""What the routes need, as one dataclass. The composition root builds it and hangs it on `app.state.desk`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Protocol, Self

from fastapi import Depends, Request

from gateway.aggregates.refusals import Refusal
from gateway.aggregates.vocabulary import Actor, StrategyId
from gateway.api.desk import (
    CancelOrder,
    Controls,
    Differences,
    Health,
    Readiness,
    Receive,
    Reconciliation,
    SubmitOrder,
)
from gateway.api.manual_desk import ManualControls
from gateway.api.mfa import SecondFactor
from gateway.api.roles import Principal
from gateway.api.slicing_desk import CancelSlices, SliceOrder
from gateway.api.webhook_signature import WebhookRules
from gateway.ledger.ledger import Ledger
from gateway.ports import Clock, MarketData
from gateway.projections.snapshot import ReadTables
from gateway.telemetry import GateLog, Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the service says about itself: configuration without secrets."""

    environment: str
    dry_run: bool
    alpaca_paper: bool
    alpaca_base_url: str
    circuit_breaker_enabled: bool
    liquidity_check_enabled: bool
    max_slice_pct_of_adv: Decimal
    rate_limit_mode: str
    strategy_id: StrategyId
    max_position_size: int
    performance_enabled: bool
    max_performance_days: int
    strategy_activity_seconds: float = 86_400
    """How long a strategy counts as active after its newest order."""
    service: str = "execution_gateway"
    version: str = "0.1.0"

    @property
    def is_relaxed(self) -> bool:
        return self.environment in ("dev", "test")


@dataclass(slots=True)
class Phase:
    """Where the process stands between start and stop; set by the lifecycle, read by the doors."""

    routes_ready: bool = False
    draining: bool = False


class Door(Protocol):
    async def __call__(self, request: Request) -> Principal:
        """Exactly one principal, or a Refusal."""


class Limiter(Protocol):
    async def __call__(self, request: Request, action: str, principal: Principal) -> None:
        """Raises RateLimited; leaves the limit's headers on the request."""

    async def give_back(self, request: Request, action: str, principal: Principal) -> None:
        """Uncount what was just admitted."""


class Projections(Protocol):
    async def wait_for(self, position: int, names: Collection[str], timeout: float) -> None:  # noqa: ASYNC109
        """Raises ProjectionBehind after `timeout` seconds."""

    async def status(self) -> Sequence[object]:
        """What `ProjectionEntry` shows, of every projection."""

    async def rebuild(self, name: str) -> None:
        """Start a rebuild. Raises RebuildInProgress, KeyError for no such name."""


class Audit(Protocol):
    async def control_refused(
        self, action: str, outcome: str, by: Actor, correlation_id: str, facts: Mapping[str, str]
    ) -> None:
        """Record a control action that did not happen."""

    async def control_performed(
        self,
        action: str,
        outcome: str,
        reason: str,
        by: Actor,
        correlation_id: str,
        facts: Mapping[str, str],
    ) -> int:
        """Record what became of an action as a whole; the position of the record."""

    async def rebuild_requested(self, projection: str, by: Actor, correlation_id: str) -> int:
        """Record a rebuild before it starts; the position of the record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    about: About
    clock: Clock
    metrics: Metrics
    phase: Phase
    door: Door
    limiter: Limiter
    webhook: WebhookRules
    submit_order: SubmitOrder
    cancel_order: CancelOrder
    slice_order: SliceOrder
    cancel_slices: CancelSlices
    receive: Receive
    controls: Controls
    by_hand: ManualControls
    second_factor: SecondFactor
    reconcile: Reconciliation
    differences: Differences
    projections: Projections
    market: MarketData
    ledger: Ledger
    read: ReadTables
    verify: Callable[[int | None, int | None], Awaitable[object]]
    """Check the ledger between two positions; what `VerifyReport` shows."""
    audit: Audit
    health: Callable[[], Awaitable[Health]]
    readiness: Callable[[], Awaitable[Readiness]]
    read_wait_seconds: float
    started_at: datetime
    new_gate_log: Callable[[], GateLog] = GateLog
    track: Callable[[str], None] = lambda step: None
    """Told the name of every door a request passes."""


def house_of(request: Request) -> House:
    house: House = request.app.state.desk
    return house


def entered(request: Request, gate: str, outcome: str, detail: str | None = None) -> None:
    """One gate, one outcome: in the request's log, which ends at the first block, and in the metric."""
    house, log = house_of(request), request.state.gate_log
    if log.is_closed:
        return
    log.record(gate, outcome, detail, at=house.clock.now())
    house.metrics.gate_verdicts.labels(gate=gate, verdict=outcome).inc()


@contextmanager
def gate(request: Request, name: str, passed: str = "pass") -> Iterator[None]:
    """What stands inside is a gate of this name: a refusal is its block."""
    try:
        yield
    except Refusal as refusal:
        entered(request, name, "block", refusal.detail)
        raise
    entered(request, name, passed)


def answered_at(request: Request, position: int | None) -> None:
    """Tell the caller at which ledger position the answer stands."""
    if position is not None:
        request.state.headers["X-Ledger-Position"] = str(position)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What surrounds a request, without the framework's dependencies: they took a fifth of a submission."""

    desk: House
    caller: Principal
    correlation_id: str
    gates: GateLog

    @classmethod
    def of(cls, request: Request) -> Self:
        state = request.state
        return cls(
            desk=house_of(request),
            caller=state.principal,
            correlation_id=state.request_id,
            gates=state.gate_log,
        )


async def _house(request: Request) -> House:
    return house_of(request)


async def _caller(request: Request) -> Principal:
    principal: Principal = request.state.principal
    return principal


async def _correlation_id(request: Request) -> str:
    request_id: str = request.state.request_id
    return request_id


async def _gate_log(request: Request) -> GateLog:
    gate_log: GateLog = request.state.gate_log
    return gate_log


Desk = Annotated[House, Depends(_house)]
Caller = Annotated[Principal, Depends(_caller)]
CorrelationId = Annotated[str, Depends(_correlation_id)]
Gates = Annotated[GateLog, Depends(_gate_log)]
