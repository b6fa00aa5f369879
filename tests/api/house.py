"""A house of straw: the real app over commands that answer from memory and remember what they were asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

import httpx2
from fastapi import FastAPI

from gateway.aggregates.refusals import Refusal
from gateway.aggregates.vocabulary import ActorKind, StrategyId
from gateway.api.app import create_app
from gateway.api.deps import About, House, Phase
from gateway.api.desk import Differences
from gateway.api.mfa import SecondFactor
from gateway.api.rate_limit import RateLimit, rate_rules
from gateway.api.security import Security
from gateway.api.service_headers import ServiceRules
from gateway.api.tokens import OneKey, TokenRules, mint
from gateway.api.webhook_signature import WebhookRules
from gateway.ledger.ledger import Ledger
from gateway.projections.snapshot import ReadTables
from gateway.telemetry import GateLog, Metrics
from tests.api.by_hand_double import ByHand
from tests.api.doubles import (
    NOW,
    Allowance,
    AuditTrail,
    Desk,
    Hands,
    LedgerOfStraw,
    Log,
    NonceBox,
    NoQuotes,
    Reconciler,
    Tables,
    health,
    readiness,
    verify,
)
from tests.api.slicing_double import SlicingDesk

JWT_SECRET = "a-secret-of-the-tests-0123456789abcdef"
SERVICE_SECRET = b"test-secret-0123456789abcdef0123456789abcdef"
WEBHOOK_SECRET = b"whsec-test"


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
        services=SERVICES.allowed,
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
            slice_order=SlicingDesk().slice_order,
            cancel_slices=SlicingDesk().cancel_slices,
            receive=desk.receive,
            controls=desk,
            by_hand=ByHand(desk),
            second_factor=SecondFactor(rules=None, clock=clock),
            reconcile=Reconciler(desk),
            differences=cast(Differences, None),
            projections=tables,
            market=NoQuotes(),
            ledger=cast(Ledger, LedgerOfStraw(desk.orders, log)),
            read=cast(ReadTables, None),
            verify=verify,
            audit=audit,
            health=health,
            readiness=readiness,
            read_wait_seconds=0.1,
            started_at=NOW,
            new_gate_log=new_gate_log,
            track=steps.append,
        )
    )
    app = create_app(house, trusted_proxies=trusted_proxies)
    return Straw(app, house, desk, clock, tables, audit, allowance, nonces, log, steps, gate_logs, checked)


def refusing(straw: Straw, refusal: Refusal) -> Straw:
    straw.desk.refusal = refusal
    return straw


def with_about(**changes: Any) -> About:
    return replace(ABOUT, **changes)
