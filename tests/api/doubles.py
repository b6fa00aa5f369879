"""Commands, controls and tables that answer from memory and remember what they were asked."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from gateway.aggregates import circuit_breaker, kill_switch
from gateway.aggregates.order.state import Order, evolve, submit
from gateway.aggregates.refusals import (
    OrderNotFound,
    ProjectionBehind,
    QuarantineNotActive,
)
from gateway.aggregates.risk_limits import Thresholds
from gateway.aggregates.vocabulary import (
    Actor,
    ClientOrderId,
    ReportSource,
    StrategyId,
    Symbol,
    Ticket,
    order_stream,
)
from gateway.api.desk import Component, Health, Readiness
from gateway.ledger.envelope import Recorded
from gateway.ports import RateRule, RateVerdict
from gateway.telemetry import GateLog

NOW = datetime(2024, 10, 17, 14, 30, tzinfo=UTC)
HEAD = 41
AAPL = Symbol("AAPL")


@dataclass(slots=True)
class Hands:
    """A clock that is set by hand."""

    at: datetime = NOW

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


@dataclass(slots=True)
class Answer:
    order: Order
    position: int
    answer: str = "submitted"
    broker_notified: bool = True
    already_done: bool = False


@dataclass(slots=True)
class Receipt:
    disposition: str = "applied"
    client_order_id: str | None = "1b5445b3d1a61a15f64411be"
    position: int | None = HEAD


@dataclass(slots=True)
class Standing:
    """What any control answers; the fields the routes read are the union of all of them."""

    position: int = HEAD
    mirror: str = "in_sync"
    scope: str = "global"
    switch: kill_switch.KillSwitch | None = None
    breaker: circuit_breaker.CircuitBreaker | None = None
    limits: None = None
    defaults: Thresholds = field(
        default_factory=lambda: Thresholds(max_notional=Decimal("1E+5"), max_qty=Decimal(10_000))
    )
    symbol: Symbol = AAPL
    strategy_id: StrategyId | None = None
    reason: str = "orphan_order_detected"
    since: datetime = NOW
    kind: str = "orphan"
    broker_order_id: str | None = "b-1"
    break_id: str | None = None
    orphan_notional: Decimal | None = Decimal("1500.50")
    released_at: datetime | None = None
    released_by: str | None = None


@dataclass(slots=True)
class Desk:
    """Every command of the house; `calls` holds what it was asked, `refusal` is what it answers next."""

    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    orders: dict[str, Order] = field(default_factory=dict)
    refusal: Exception | None = None
    receipt: Receipt = field(default_factory=Receipt)
    quarantined: bool = True
    answer: str = "submitted"
    broker_notified: bool = True
    already_done: bool = False

    def asked(self, name: str, **what: Any) -> None:
        self.calls.append((name, what))
        if self.refusal is not None:
            raise self.refusal

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.calls]

    # commands

    async def submit_order(
        self, ticket: Ticket, client_order_id: ClientOrderId, *, log: GateLog, **said: Any
    ) -> Answer:
        self.asked("submit_order", ticket=ticket, client_order_id=client_order_id, log=log.sequence, **said)
        order = order_of(ticket, client_order_id)
        self.orders[client_order_id] = order
        return Answer(order, HEAD, self.answer)

    async def cancel_order(self, client_order_id: ClientOrderId, **said: Any) -> Answer:
        self.asked("cancel_order", client_order_id=client_order_id, **said)
        if client_order_id not in self.orders:
            raise OrderNotFound("no such order")
        order = self.orders[client_order_id]
        return Answer(order, HEAD, broker_notified=self.broker_notified, already_done=self.already_done)

    async def receive(self, source: ReportSource, raw: bytes, correlation_id: str) -> Receipt:
        self.asked("receive", source=source, raw=raw, correlation_id=correlation_id)
        return self.receipt

    # controls

    async def engage_kill_switch(self, scope: str, *, reason: str, by: Actor, **said: Any) -> Standing:
        self.asked("engage_kill_switch", scope=scope, reason=reason, by=by, **said)
        (event,) = kill_switch.engage(None, by=by.sub, reason=reason, at=NOW, on_behalf_of=by.on_behalf_of)
        return Standing(scope=scope, switch=kill_switch.evolve(None, event))

    async def disengage_kill_switch(self, scope: str, **said: Any) -> Standing:
        self.asked("disengage_kill_switch", scope=scope, **said)
        return Standing(scope=scope)

    async def kill_switch_status(self, scope: str) -> Standing:
        self.asked("kill_switch_status", scope=scope)
        return Standing(scope=scope)

    async def engaged_scopes(self) -> Sequence[str]:
        return ["symbol:AAPL"]

    async def trip_breaker(self, **said: Any) -> Standing:
        self.asked("trip_breaker", **said)
        return Standing()

    async def reset_breaker(self, **said: Any) -> Standing:
        self.asked("reset_breaker", **said)
        return Standing()

    async def breaker_status(self) -> Standing:
        self.asked("breaker_status")
        return Standing()

    async def quarantines(self) -> Sequence[Standing]:
        self.asked("quarantines")
        return [Standing()] if self.quarantined else []

    async def release_quarantine(self, symbol: Symbol, *, by: Actor, **said: Any) -> Standing:
        self.asked("release_quarantine", symbol=symbol, by=by, **said)
        if not self.quarantined:
            raise QuarantineNotActive("nothing is quarantined")
        return Standing(symbol=symbol, released_at=NOW, released_by=by.sub)

    async def thresholds(self) -> Standing:
        self.asked("thresholds")
        return Standing()

    async def set_thresholds(self, **said: Any) -> Standing:
        self.asked("set_thresholds", **said)
        return Standing()


@dataclass(slots=True)
class Reconciler:
    desk: Desk

    async def run(self, *, shadow: bool, **said: Any) -> object:
        self.desk.asked("reconcile_run", shadow=shadow, **said)
        return Facts(
            status="ok",
            message="pass complete",
            run_id="r-1",
            reports_recorded=0,
            breaks_open=0,
            orphans_found=0,
            shadow_reports=[] if shadow else None,
        )

    async def status(self) -> object:
        return Facts(
            startup_complete=True,
            dry_run=True,
            gate="open",
            startup_elapsed_seconds=1.5,
            startup_timed_out=False,
            override_active=False,
            override_context={},
            last_run_at=NOW,
            last_success_at=NOW,
            last_error=None,
            loop_state="running",
            open_breaks=0,
            message=None,
        )

    async def force_complete(self, *, reason: str, by: Actor, **said: Any) -> object:
        self.desk.asked("force_complete", reason=reason, by=by, **said)
        return Facts(status="override_enabled", message="the gate is open", user_id=by.sub, reason=reason)


class Facts:
    def __init__(self, **facts: Any) -> None:
        self.__dict__.update(facts)


@dataclass(slots=True)
class Log:
    events: list[Recorded] = field(default_factory=list)

    async def head(self) -> int:
        return HEAD

    async def read(self, after: int, limit: int, **filters: Any) -> list[Recorded]:
        return [event for event in self.events if event.position > after][:limit]

    async def stream(self, stream: str) -> list[Recorded]:
        return [event for event in self.events if event.stream == stream]


@dataclass(slots=True)
class LedgerOfStraw:
    orders: dict[str, Order]
    log: Log = field(default_factory=Log)

    @property
    def desk(self) -> LedgerOfStraw:
        return self

    position: int = HEAD

    def live(self, prefix: str) -> Iterator[tuple[str, Any]]:
        return iter(())

    async def load(self, stream: str) -> tuple[Order | None, int]:
        found = {order_stream(name): order for name, order in self.orders.items()}
        return found.get(stream), 1


@dataclass(slots=True)
class Tables:
    """Projections that have read everything up to `position`."""

    position: int = HEAD
    waited: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)
    rebuilt: list[str] = field(default_factory=list)
    state: str = "live"

    async def wait_for(self, position: int, names: Collection[str], timeout: float) -> None:  # noqa: ASYNC109
        self.waited.append((position, tuple(names)))
        if position > self.position:
            raise ProjectionBehind("behind", position=self.position, wanted=position)

    async def status(self) -> Sequence[object]:
        return [
            Facts(
                name="orders",
                version=1,
                state=self.state,
                position=self.position,
                head=HEAD,
                lag_events=HEAD - self.position,
                lag_seconds=0.0,
                last_error=None,
            )
        ]

    async def rebuild(self, name: str) -> None:
        self.rebuilt.append(name)


@dataclass(slots=True)
class AuditTrail:
    entries: list[tuple[str, str, str, Mapping[str, str]]] = field(default_factory=list)

    async def control_refused(
        self, action: str, outcome: str, by: Actor, correlation_id: str, facts: Mapping[str, str]
    ) -> None:
        self.entries.append((action, outcome, by.sub, facts))

    async def control_performed(
        self,
        action: str,
        outcome: str,
        reason: str,
        by: Actor,
        correlation_id: str,
        facts: Mapping[str, str],
    ) -> int:
        self.entries.append((action, outcome, by.sub, facts))
        return HEAD + 1

    async def rebuild_requested(self, projection: str, by: Actor, correlation_id: str) -> int:
        self.entries.append(("projection_rebuild", "success", by.sub, {"projection": projection}))
        return HEAD + 1


@dataclass(slots=True)
class Allowance:
    """Counts like the real limiter does, in one window that never ends."""

    taken: dict[tuple[str, str], int] = field(default_factory=dict)

    async def check(self, action: str, principal: str, rule: RateRule) -> RateVerdict:
        count = self.taken.get((action, principal), 0)
        if count >= rule.limit:
            return RateVerdict(allowed=False, remaining=0, reason="per_user_limit_exceeded", retry_after=7)
        self.taken[action, principal] = count + 1
        return RateVerdict(allowed=True, remaining=rule.limit - count - 1)

    async def give_back(self, action: str, principal: str) -> None:
        self.taken[action, principal] -= 1


@dataclass(slots=True)
class NonceBox:
    seen: set[tuple[str, str]] = field(default_factory=set)
    failure: Exception | None = None

    async def claim(self, service: str, nonce: str, ttl_seconds: int) -> bool:
        if self.failure is not None:
            raise self.failure
        fresh = (service, nonce) not in self.seen
        self.seen.add((service, nonce))
        return fresh


class NoQuotes:
    async def quote(self, symbol: Symbol) -> None:
        return None

    async def adv(self, symbol: Symbol) -> None:
        return None


def order_of(ticket: Ticket, client_order_id: str) -> Order:
    order: Order | None = None
    for event in submit(client_order_id=ClientOrderId(client_order_id), ticket=ticket, at=NOW, gates=()):
        order = evolve(order, event)
    assert order is not None
    return order


async def verify(first: int | None, last: int | None) -> object:
    check = Facts(name="decode", ok=True, checked=HEAD, failures=[])
    return Facts(ok=True, head=HEAD, events_checked=HEAD, duration_ms=3, checks=[check])


async def health() -> Health:
    return Health(
        status="healthy",
        database_connected=True,
        redis_connected=True,
        alpaca_connected=False,
        components={"ledger": Component(state="ok", since=NOW)},
    )


async def readiness() -> Readiness:
    checks = dict.fromkeys(("ledger", "mirror", "startup", "draining"), "ok") | {"broker": "not_required"}
    return Readiness(checks=checks, gate="closed")
