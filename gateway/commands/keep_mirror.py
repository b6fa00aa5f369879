"""Keeps the Redis mirror equal to the ledger: event by event, and from scratch when it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from gateway.aggregates.position.events import PositionQuarantined, PositionReserved, QuarantineLifted
from gateway.aggregates.refusals import LedgerUnavailable
from gateway.aggregates.vocabulary import ClientOrderId, position_stream
from gateway.commands.safety_view import (
    CIRCUIT_BREAKER,
    KILL_SWITCH,
    POSITION,
    RISK_LIMITS,
    mirrored_breaker,
    mirrored_room,
    mirrored_switch,
    safety_state,
    switch_stream,
    symbol_of,
)
from gateway.ledger.envelope import Recorded, StreamPoisoned
from gateway.ledger.ledger import Ledger
from gateway.ports import MirroredQuarantine, MirrorUnavailable, Reservations, SafetyMirror, SafetyState
from gateway.telemetry import Metrics, log

_log = log("gateway.mirror")
REBUILD_PAUSE_SECONDS: Final = 0.2


@dataclass(slots=True, kw_only=True)
class KeepMirror:
    ledger: Ledger
    mirror: SafetyMirror
    reservations: Reservations
    metrics: Metrics
    check_seconds: float
    token_age_seconds: float
    """Tokens the ledger never recorded are dropped once they are older than any request can be."""
    _wanted: asyncio.Event = field(default_factory=asyncio.Event)
    _reason: str = "start"
    _followed: int | None = None
    """Up to where events were published one by one; what came before is in the last full build."""

    def request_rebuild(self, reason: str) -> None:
        """Called by a gate that found the mirror missing or behind; returns at once."""
        self._reason = reason
        self._wanted.set()

    async def rebuild(self, reason: str) -> None:
        """Write the whole safety state anew. Raises MirrorUnavailable."""
        if self._followed is None:
            self._followed = self.ledger.desk.position
        await self.mirror.rebuild(await self._state())
        self.metrics.mirror_rebuilds.labels(reason=reason).inc()

    async def heal(self) -> None:
        """Rebuild when asked to, or when a look finds no mirror; never gives up."""
        while True:
            await self._wait_or_check()
            if not self._wanted.is_set():
                continue
            self._wanted.clear()
            try:
                await self.rebuild(self._reason)
            except (MirrorUnavailable, LedgerUnavailable):
                self._wanted.set()
                await asyncio.sleep(REBUILD_PAUSE_SECONDS)

    async def _wait_or_check(self) -> None:
        try:
            await asyncio.wait_for(self._wanted.wait(), self.check_seconds)
        except TimeoutError:
            try:
                if not await self.mirror.ready():
                    self.request_rebuild("missing")
            except MirrorUnavailable:
                self.request_rebuild("unavailable")

    async def follow(self) -> None:
        """Publish every safety and position event as it is recorded."""
        if self._followed is None:
            self._followed = self.ledger.desk.position
        async for batch in self.ledger.log.follow(self._followed):
            try:
                await self._publish(batch)
            except (MirrorUnavailable, LedgerUnavailable):
                self.request_rebuild("unavailable")
            self._followed = batch[-1].position

    async def _state(self) -> SafetyState:
        """The desk's safety state, and the rooms of symbols the mirror still shows though they are flat."""
        shown = []
        for symbol in await self.mirror.symbols():
            with suppress(StreamPoisoned):  # its room is left out, so its own orders are refused
                await self.ledger.load(position_stream(symbol))
                shown.append(symbol)
        return safety_state(self.ledger.desk, shown)

    async def _publish(self, batch: Sequence[Recorded]) -> None:
        streams = dict.fromkeys(recorded.stream for recorded in batch)
        if RISK_LIMITS in streams:
            await self.ledger.catch_up()  # thresholds are read from the desk, whichever process changed them
        for stream in streams:
            if stream.startswith(KILL_SWITCH):
                await self.publish_switch(stream.removeprefix(KILL_SWITCH))
            elif stream == CIRCUIT_BREAKER:
                await self.publish_breaker()
            elif stream.startswith(POSITION):
                with suppress(StreamPoisoned):
                    await self._publish_room(stream, _reserved_in(batch, stream))
        for recorded in batch:
            if isinstance(recorded.event, PositionQuarantined | QuarantineLifted):
                await self._publish_quarantine(recorded)

    async def publish_switch(self, scope: str) -> None:
        """Raises MirrorUnavailable."""
        switch, version = await self.ledger.load(switch_stream(scope))
        if switch is not None:
            await self.mirror.publish_switch(mirrored_switch(scope, switch, version))

    async def publish_breaker(self) -> None:
        """Raises MirrorUnavailable."""
        await self.mirror.publish_breaker(mirrored_breaker(*await self.ledger.load(CIRCUIT_BREAKER)))

    async def _publish_room(self, stream: str, recorded: frozenset[ClientOrderId]) -> None:
        position, version = await self.ledger.load(stream)
        if position is not None:
            await self.mirror.publish_room(mirrored_room(stream, position, version, recorded))

    async def _publish_quarantine(self, recorded: Recorded) -> None:
        event = recorded.event
        assert isinstance(event, PositionQuarantined | QuarantineLifted)
        await self.mirror.publish_quarantine(
            MirroredQuarantine(
                strategy_id=event.strategy_id,
                symbol=symbol_of(recorded.stream),
                reason=event.reason,
            ),
            active=isinstance(event, PositionQuarantined),
            position=recorded.position,
        )

    async def audit(self) -> Decimal:
        """Shares by which room in Redis differed from the ledger; corrected, counted, logged.

        Raises MirrorUnavailable.
        """
        state = await self._state()
        drift = await self.reservations.drift(state.rooms, older_than_seconds=self.token_age_seconds)
        self.metrics.reservation_drift.set(float(drift))
        if drift:
            _log.error("room in Redis differed from the ledger", drift=str(drift))
        return drift

    async def drift(self) -> Decimal:
        """What `audit` would find, without correcting it. Raises MirrorUnavailable."""
        state = await self._state()
        return await self.reservations.difference(state.rooms, older_than_seconds=self.token_age_seconds)

    async def audit_when_possible(self) -> None:
        """The periodic audit; without Redis there is nothing to compare, and the gates refuse anyway."""
        with suppress(MirrorUnavailable):
            await self.audit()


def _reserved_in(batch: Sequence[Recorded], stream: str) -> frozenset[ClientOrderId]:
    return frozenset(
        recorded.event.client_order_id
        for recorded in batch
        if recorded.stream == stream and isinstance(recorded.event, PositionReserved)
    )
