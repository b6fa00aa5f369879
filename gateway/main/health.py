"""What is up and what is not: each dependency asked at most once a second, and never for longer than that."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from prometheus_client import Gauge

from gateway.api.desk import Component, Health, Readiness
from gateway.main.background import Background
from gateway.ports import Clock
from gateway.telemetry import Metrics, log

_log = log("gateway.health")

ASK_AGAIN_SECONDS: Final = {"alpaca": 15.0}
"""A second for what is ours; the broker counts our requests."""
PATIENCE_SECONDS: Final = 1.0
STREAM_GRACE_SECONDS: Final = 60.0

Ask = Callable[[], Awaitable[object]]


@dataclass(slots=True)
class _Known:
    up: bool
    since: datetime
    message: str | None
    asked: float


@dataclass(slots=True, kw_only=True)
class Watch:
    """Reads, repairs nothing. Anybody may ask, so the answers name kinds of errors and never their texts."""

    clock: Clock
    metrics: Metrics
    background: Background
    ledger: Ask
    mirror: Ask
    broker: Ask | None
    """None in DRY_RUN: then the broker does not count."""
    projection_failures: Callable[[], Mapping[str, str]]
    ledger_ailments: Callable[[], Mapping[str, str]]
    """What is the matter with the ledger, by component; the words are for everybody to read."""
    stream_connected: Callable[[], bool] | None
    mirror_built: Callable[[], Awaitable[bool]]
    gate: Callable[[], Awaitable[str]]
    draining: Callable[[], bool]
    routes_ready: Callable[[], bool]
    _known: dict[str, _Known] = field(default_factory=dict)
    _asking: dict[str, asyncio.Lock] = field(default_factory=dict)
    _stream_lost_at: float | None = None

    async def health(self) -> Health:
        database, redis, broker = await asyncio.gather(
            self._ask("database", self.ledger), self._ask("redis", self.mirror), self._ask_broker()
        )
        components = self._components()
        sick = [
            name for name, component in components.items() if component.state not in ("ok", "not_required")
        ]
        status = "unhealthy" if not database else "degraded" if sick else "healthy"
        return Health(
            status=status,
            database_connected=database,
            redis_connected=redis,
            alpaca_connected=broker,
            components=components,
        )

    async def readiness(self) -> Readiness:
        """Unready until the routes are, while draining, without a ledger or without a mirror."""
        ledger, mirror = await asyncio.gather(self._ask("database", self.ledger), self._mirror_is_built())
        failing = self.projection_failures()
        return Readiness(
            checks={
                "ledger": "ok" if ledger else "fail",
                "mirror": "ok" if mirror else "fail",
                "startup": "ok" if self.routes_ready() else "fail",
                "draining": "fail" if self.draining() else "ok",
                "projections": "fail" if failing else "ok",
                "broker": "not_required",
            },
            gate=await self._gate() if ledger else "closed",
        )

    async def _gate(self) -> str:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self.gate()
        except Exception:  # noqa: BLE001 - a probe answers whatever is broken
            return "closed"

    async def _mirror_is_built(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self.mirror_built()
        except Exception:  # noqa: BLE001 - a probe answers whatever is broken
            return False

    async def _ask_broker(self) -> bool:
        return self.broker is not None and await self._ask("alpaca", self.broker)

    async def _ask(self, name: str, ask: Ask) -> bool:
        async with self._asking.setdefault(name, asyncio.Lock()):
            known, now = self._known.get(name), self.clock.monotonic()
            if known is not None and now - known.asked < ASK_AGAIN_SECONDS.get(name, 1.0):
                return known.up
            return await self._asked(name, ask, known, now)

    async def _asked(self, name: str, ask: Ask, known: _Known | None, now: float) -> bool:
        message: str | None = None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await ask()
            up = True
        except Exception as error:  # noqa: BLE001 - whatever it raises, it is not up
            up, message = False, type(error).__name__
        changed = known is None or known.up is not up
        if changed:
            _log.info("component", component=name, outcome="up" if up else "down", error=message)
        since = self.clock.now() if changed or known is None else known.since
        self._known[name] = _Known(up, since, message, now)
        self._gauges()[name].set(1 if up else 0)
        return up

    def _gauges(self) -> Mapping[str, Gauge]:
        return {
            "database": self.metrics.database_up,
            "redis": self.metrics.redis_up,
            "alpaca": self.metrics.alpaca_up,
        }

    def _components(self) -> dict[str, Component]:
        found = {
            name: Component(state="ok" if known.up else "down", since=known.since, message=known.message)
            for name, known in self._known.items()
        }
        for name, standing in self.background.standings.items():
            state = "ok" if standing.state == "running" else standing.state
            found[name] = Component(state=state, since=standing.since, message=standing.message)
        now = self.clock.now()
        for name in self.projection_failures():
            words = "parked; the list of projections says why"
            found[f"projection:{name}"] = Component(state="down", since=now, message=words)
        for name, words in self.ledger_ailments().items():
            found[name] = Component(state="down", since=now, message=words)
        if self.stream_connected is not None:
            found["trade_updates"] = self._stream(now, connected=self.stream_connected())
        return found

    def _stream(self, now: datetime, *, connected: bool) -> Component:
        """A short gap is the network's business; a minute of silence is ours."""
        self.metrics.stream_connected.set(1 if connected else 0)
        if connected:
            self._stream_lost_at = None
            return Component(state="ok", since=now)
        moment = self.clock.monotonic()
        self._stream_lost_at = self._stream_lost_at if self._stream_lost_at is not None else moment
        lost = moment - self._stream_lost_at > STREAM_GRACE_SECONDS
        return Component(state="down" if lost else "ok", since=now, message="not connected")
