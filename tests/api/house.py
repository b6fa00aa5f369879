"""A house of straw: the real app over commands that answer from memory and remember what they were asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import httpx2
from fastapi import FastAPI

from gateway.aggregates import circuit_breaker, kill_switch
from gateway.aggregates.order.state import Order, evolve, submit
from gateway.aggregates.refusals import (
    OrderNotFound,
    ProjectionBehind,
    QuarantineNotActive,
    Refusal,
)
from gateway.aggregates.risk_limits import Thresholds
from gateway.aggregates.vocabulary import (
    Actor,
    ActorKind,
    ClientOrderId,
    ReportSource,
    StrategyId,
    Symbol,
    Ticket,
    order_stream,
)
from gateway.api.app import create_app
from gateway.api.deps import About, House, Phase
from gateway.api.desk import Component, Health, Readiness
from gateway.api.rate_limit import RateLimit, rate_rules
from gateway.api.security import Security
from gateway.api.service_headers import ServiceRules
from gateway.api.tokens import OneKey, TokenRules, mint
from gateway.api.webhook_signature import WebhookRules
from gateway.ledger.envelope import Recorded
from gateway.ledger.ledger import Ledger
from gateway.ports import RateRule, RateVerdict
from gateway.projections.snapshot import ReadTables
from gateway.telemetry import GateLog, Metrics

NOW = datetime(2024, 10, 17, 14, 30, tzinfo=UTC)
JWT_SECRET = "a-secret-of-the-tests-0123456789abcdef"
SERVICE_SECRET = b"test-secret-0123456789abcdef0123456789abcdef"
WEBHOOK_SECRET = b"whsec-test"
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
        return Answer(self.orders[client_order_id], HEAD)

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


@dataclass(slots=True)
class Reconciler:
    desk: Desk

    async def run(self, *, shadow: bool, **said: Any) -> object:
        self.desk.asked("reconcile_run", shadow=shadow, **said)
        return _Facts(
            status="ok",
            message="pass complete",
            run_id="r-1",
            reports_recorded=0,
            breaks_open=0,
            orphans_found=0,
            shadow_reports=[] if shadow else None,
        )

    async def status(self) -> object:
        return _Facts(
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
        return _Facts(status="override_enabled", message="the gate is open", user_id=by.sub, reason=reason)


class _Facts:
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
            _Facts(
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


@dataclass(slots=True)
class Straw:
    """The app and everything behind it, to look at after a request."""

    app: FastAPI
    house: House
    desk: Desk
    clock: Hands
    tables: Tables
    audit: AuditTrail
    allowance: Allowance
    nonces: NonceBox
    log: Log
    steps: list[str]
    gate_logs: list[GateLog]
    rules: TokenRules

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx2.AsyncClient]:
        transport = httpx2.ASGITransport(app=self.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://desk") as client:
            yield client

    async def ask(self, method: str, path: str, **said: Any) -> httpx2.Response:
        async with self.client() as client:
            return await client.request(method, path, **said)

    def token(
        self,
        role: str | None = "operator",
        *,
        sub: str = "alice",
        strategies: Sequence[str] = ("alpha_baseline",),
        kind: ActorKind = ActorKind.USER,
    ) -> str:
        return mint(
            sub=sub,
            role=role,
            strategies=strategies,
            life=timedelta(minutes=15),
            now=self.clock.at,
            rules=self.rules,
            signing_key=JWT_SECRET,
            kind=kind,
        )

    def bearer(self, role: str | None = "operator", **claims: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(role, **claims)}"}


def order_of(ticket: Ticket, client_order_id: str) -> Order:
    order: Order | None = None
    for event in submit(client_order_id=ClientOrderId(client_order_id), ticket=ticket, at=NOW, gates=()):
        order = evolve(order, event)
    assert order is not None
    return order


ABOUT = About(
    environment="test",
    dry_run=True,
    alpaca_paper=True,
    alpaca_base_url="https://paper-api.alpaca.markets",
    circuit_breaker_enabled=True,
    liquidity_check_enabled=True,
    max_slice_pct_of_adv=Decimal("0.01"),
    rate_limit_mode="enforce",
    strategy_id=StrategyId("alpha_baseline"),
    max_position_size=1000,
    performance_enabled=True,
    max_performance_days=90,
)
SERVICES = ServiceRules(
    allowed=frozenset({"orchestrator", "signal_service", "execution_gateway"}), common_secret=SERVICE_SECRET
)
WEBHOOK = WebhookRules(secrets=(WEBHOOK_SECRET,), tolerance_seconds=300, open=False)


def token_rules(key: str = JWT_SECRET, algorithm: str = "HS256") -> TokenRules:
    return TokenRules(
        algorithm=algorithm,
        keys=OneKey(key),
        issuer="trading-platform-web-console",
        audience="trading-platform-api",
        skew_seconds=30,
    )


def straw_house(
    *,
    about: About = ABOUT,
    services: ServiceRules = SERVICES,
    webhook: WebhookRules = WEBHOOK,
    rules: TokenRules | None = None,
    enforced: bool = True,
    phase: Phase | None = None,
    trusted_proxies: Sequence[str] = ("127.0.0.1",),
    change: Callable[[House], House] = lambda house: house,
) -> Straw:
    desk, clock, metrics, tables = Desk(), Hands(), Metrics(), Tables()
    audit, allowance, nonces, log = AuditTrail(), Allowance(), NonceBox(), Log()
    steps: list[str] = []
    gate_logs: list[GateLog] = []

    def new_gate_log() -> GateLog:
        gate_logs.append(GateLog())
        return gate_logs[-1]

    checked = rules or token_rules()
    limits = rate_rules(submits=40, slices=10, cancels=100, backfills=2, backfill_seconds=300)
    house = change(
        House(
            about=about,
            clock=clock,
            metrics=metrics,
            phase=phase or Phase(routes_ready=True),
            door=Security(tokens=checked, services=services, nonces=nonces, clock=clock, metrics=metrics),
            limiter=RateLimit(
                rules=limits, limits=allowance, metrics=metrics, clock=clock, enforced=enforced
            ),
            webhook=webhook,
            submit_order=desk.submit_order,
            cancel_order=desk.cancel_order,
            receive=desk.receive,
            controls=desk,
            reconcile=Reconciler(desk),
            projections=tables,
            market=NoQuotes(),
            ledger=cast(Ledger, LedgerOfStraw(desk.orders, log)),
            read=cast(ReadTables, None),
            verify=_verify,
            audit=audit,
            health=_health,
            readiness=_readiness,
            read_wait_seconds=0.1,
            started_at=NOW,
            new_gate_log=new_gate_log,
            track=steps.append,
        )
    )
    app = create_app(house, trusted_proxies=trusted_proxies)
    return Straw(app, house, desk, clock, tables, audit, allowance, nonces, log, steps, gate_logs, checked)


async def _verify(first: int | None, last: int | None) -> object:
    check = _Facts(name="decode", ok=True, checked=HEAD, failures=[])
    return _Facts(ok=True, head=HEAD, events_checked=HEAD, duration_ms=3, checks=[check])


async def _health() -> Health:
    return Health(
        status="healthy",
        database_connected=True,
        redis_connected=True,
        alpaca_connected=False,
        components={"ledger": Component(state="ok", since=NOW)},
    )


async def _readiness() -> Readiness:
    return Readiness(checks={"ledger": "ok", "mirror": "ok", "broker": "not_required"}, gate="closed")


def refusing(straw: Straw, refusal: Refusal) -> Straw:
    straw.desk.refusal = refusal
    return straw


def with_about(**changes: Any) -> About:
    return replace(ABOUT, **changes)
