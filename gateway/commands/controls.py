"""What an operator can set: kill switch, breaker, quarantine. Recorded first; then mirrored to Redis."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from gateway.aggregates import circuit_breaker, kill_switch, risk_limits
from gateway.aggregates.circuit_breaker import BreakerState, CircuitBreaker
from gateway.aggregates.differences import ORPHAN, POSITION_QTY
from gateway.aggregates.kill_switch import KillSwitch
from gateway.aggregates.position.state import Quarantine, lift_quarantine
from gateway.aggregates.refusals import (
    CircuitBreakerUnavailable,
    KillSwitchUnavailable,
    QuarantineNotActive,
    UnresolvedOrphans,
)
from gateway.aggregates.risk_limits import Patch, RiskLimits, Thresholds
from gateway.aggregates.vocabulary import Actor, ActorKind, StrategyId, Symbol, position_stream
from gateway.commands.keep_mirror import KeepMirror
from gateway.commands.safety_view import (
    CIRCUIT_BREAKER,
    GLOBAL,
    KILL_SWITCH,
    POSITION,
    RECON_GATE,
    RISK_LIMITS,
    mirrored_breaker,
    mirrored_switch,
    switch_stream,
    symbol_of,
)
from gateway.ledger.decision import Change, Decision, States
from gateway.ledger.envelope import Cause, Uncommitted
from gateway.ledger.ledger import Ledger
from gateway.ports import Clock, MirrorUnavailable, SafetyMirror
from gateway.telemetry import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchStanding:
    """One scope at a ledger position; `mirror` is in_sync, pending or unreachable."""

    scope: str
    switch: KillSwitch | None
    position: int
    mirror: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerStanding:
    breaker: CircuitBreaker | None
    position: int
    mirror: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsStanding:
    limits: RiskLimits | None
    defaults: Thresholds
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineStanding:
    """`strategy_id` None is everybody; the last two are set once it is lifted."""

    symbol: Symbol
    strategy_id: StrategyId | None
    reason: str
    since: datetime
    kind: str
    broker_order_id: str | None
    break_id: str | None
    orphan_notional: Decimal | None
    position: int
    released_at: datetime | None = None
    released_by: str | None = None


@dataclass(slots=True, kw_only=True)
class Controls:
    ledger: Ledger
    mirror: SafetyMirror
    keep_mirror: KeepMirror
    clock: Clock
    metrics: Metrics
    quiet_period: timedelta
    default_thresholds: Thresholds

    async def engage_kill_switch(
        self,
        scope: str,
        *,
        reason: str,
        details: Mapping[str, Any] | None = None,
        by: Actor,
        correlation_id: str,
    ) -> SwitchStanding:
        """Needs only the ledger: with Redis away the gates refuse anyway. Raises KillSwitchAlreadyEngaged."""
        at, stream = self.clock.now(), switch_stream(scope)

        def decide(states: States) -> Sequence[Any]:
            return kill_switch.engage(
                states[stream], by=by.sub, on_behalf_of=by.on_behalf_of, reason=reason, details=details, at=at
            )

        change = await self._change(stream, decide, by, correlation_id)
        mirror = await self._mirrored(lambda: self._publish_switch(scope, change))
        self.show()
        return SwitchStanding(
            scope=scope, switch=change.states[stream], position=change.position, mirror=mirror
        )

    async def disengage_kill_switch(
        self, scope: str, *, notes: str | None, by: Actor, correlation_id: str
    ) -> SwitchStanding:
        """Needs ledger and Redis. Raises KillSwitchNotEngaged and KillSwitchUnavailable."""
        await self._require_mirror(KillSwitchUnavailable)
        at, stream = self.clock.now(), switch_stream(scope)

        def decide(states: States) -> Sequence[Any]:
            return kill_switch.disengage(states[stream], by=by.sub, notes=notes, at=at)

        change = await self._change(stream, decide, by, correlation_id)
        mirror = await self._mirrored(lambda: self._publish_switch(scope, change))
        self.show()
        return SwitchStanding(
            scope=scope, switch=change.states[stream], position=change.position, mirror=mirror
        )

    async def kill_switch_status(self, scope: str) -> SwitchStanding:
        """What the ledger says, and how the mirror stands. Raises LedgerUnavailable."""
        state, _ = await self.ledger.load(switch_stream(scope))
        return SwitchStanding(
            scope=scope, switch=state, position=self.ledger.desk.position, mirror=await self._mirror_state()
        )

    async def engaged_scopes(self) -> Sequence[str]:
        """Every scope but the global one that is engaged now."""
        scopes = (
            (stream.removeprefix(KILL_SWITCH), switch)
            for stream, switch in self.ledger.desk.live(KILL_SWITCH)
        )
        return [scope for scope, switch in scopes if switch.engaged and scope != GLOBAL]

    async def trip_breaker(
        self, *, reason: str, details: Mapping[str, Any] | None = None, by: Actor, correlation_id: str
    ) -> BreakerStanding:
        """Needs only the ledger. Tripping a tripped breaker writes nothing."""
        at = self.clock.now()

        def decide(states: States) -> Sequence[Any]:
            return circuit_breaker.trip(
                states[CIRCUIT_BREAKER], reason=reason, details=details, by=by.sub, at=at
            )

        return await self._change_breaker(decide, by, correlation_id)

    async def reset_breaker(self, *, reason: str, by: Actor, correlation_id: str) -> BreakerStanding:
        """Needs ledger and Redis. Raises CircuitBreakerNotTripped and CircuitBreakerUnavailable."""
        await self._require_mirror(CircuitBreakerUnavailable)
        at = self.clock.now()

        def decide(states: States) -> Sequence[Any]:
            return circuit_breaker.reset(
                states[CIRCUIT_BREAKER], reason=reason, by=by.sub, at=at, quiet_period=self.quiet_period
            )

        return await self._change_breaker(decide, by, correlation_id)

    async def breaker_status(self) -> BreakerStanding:
        state, _ = await self.ledger.load(CIRCUIT_BREAKER)
        return BreakerStanding(
            breaker=state, position=self.ledger.desk.position, mirror=await self._mirror_state()
        )

    async def quarantines(self) -> Sequence[QuarantineStanding]:
        desk = self.ledger.desk
        return [
            _standing(symbol_of(stream), entry, desk.position)
            for stream, position in desk.live(POSITION)
            for entry in position.quarantines.values()
        ]

    async def release_quarantine(
        self, symbol: Symbol, *, reason: str, force: bool, by: Actor, correlation_id: str
    ) -> QuarantineStanding:
        """Raises QuarantineNotActive, and UnresolvedOrphans unless forced."""
        at, stream = self.clock.now(), position_stream(symbol)
        lifted: list[QuarantineStanding] = []

        def decide(states: States) -> Sequence[Any]:
            position = states[stream]
            if position is None or not position.quarantines:
                raise QuarantineNotActive(f"{symbol} is not quarantined")
            open_breaks = _open_breaks(states[RECON_GATE], symbol)
            if open_breaks and not force:
                raise UnresolvedOrphans(
                    f"{symbol} still has unresolved orphans or position breaks; resolve them or force",
                    broker_order_ids=[entry.order_id for entry in open_breaks if entry.order_id],
                )
            entries = tuple(position.quarantines.values())
            lifted[:] = [_standing(symbol, entry, states.position) for entry in entries]
            return [
                event
                for entry in entries
                for event in lift_quarantine(position, entry.strategy_id, reason=reason, at=at, forced=force)
            ]

        change = await self._change(stream, decide, by, correlation_id, RECON_GATE)
        return replace(lifted[0], position=change.position, released_at=at, released_by=by.sub)

    async def thresholds(self) -> LimitsStanding:
        state, _ = await self.ledger.load(RISK_LIMITS)
        return LimitsStanding(
            limits=state, defaults=self.default_thresholds, position=self.ledger.desk.position
        )

    async def set_thresholds(
        self,
        *,
        default: Thresholds | None,
        overrides: Mapping[Symbol, Patch | None],
        by: Actor,
        correlation_id: str,
    ) -> LimitsStanding:
        """Replace the defaults as a whole, patch or remove overrides; what changes nothing writes nothing."""
        at = self.clock.now()

        def decide(states: States) -> Sequence[Any]:
            limits = states[RISK_LIMITS] or RiskLimits(default=self.default_thresholds)
            return risk_limits.change(limits, default=default, overrides=overrides, by=by.sub, at=at)

        change = await self._change(RISK_LIMITS, decide, by, correlation_id)
        return LimitsStanding(
            limits=change.states[RISK_LIMITS], defaults=self.default_thresholds, position=change.position
        )

    async def _change_breaker(
        self, decide: Callable[[States], Sequence[Any]], by: Actor, correlation_id: str
    ) -> BreakerStanding:
        change = await self._change(CIRCUIT_BREAKER, decide, by, correlation_id)
        breaker, version = change.states[CIRCUIT_BREAKER], change.states.version(CIRCUIT_BREAKER)
        mirror = await self._mirrored(lambda: self.mirror.publish_breaker(mirrored_breaker(breaker, version)))
        self.show()
        return BreakerStanding(
            breaker=change.states[CIRCUIT_BREAKER], position=change.position, mirror=mirror
        )

    async def _change(
        self,
        stream: str,
        decide: Callable[[States], Sequence[Any]],
        by: Actor,
        correlation_id: str,
        *beside: str,
    ) -> Change:
        cause = Cause(
            command_id=f"control:{uuid4()}",
            actor=by,
            correlation_id=correlation_id,
            source="system" if by.kind is ActorKind.SYSTEM else "api",
            occurred_at=self.clock.now(),
        )
        return await self.ledger.writer.change(
            (stream, *beside),
            lambda states: Decision(
                events=[Uncommitted(stream=stream, event=event) for event in decide(states)]
            ),
            cause,
        )

    async def _publish_switch(self, scope: str, change: Change) -> None:
        stream = switch_stream(scope)
        switch, version = change.states[stream], change.states.version(stream)
        if switch is not None:
            await self.mirror.publish_switch(mirrored_switch(scope, switch, version))

    async def _require_mirror(self, refusal: type[KillSwitchUnavailable | CircuitBreakerUnavailable]) -> None:
        try:
            ready = await self.mirror.ready()
        except MirrorUnavailable as error:
            raise refusal(f"Redis cannot be reached ({error}); nothing was changed") from error
        if not ready:
            raise refusal("the safety state in Redis is being rebuilt; nothing was changed, try again")

    async def _mirrored(self, publish: Callable[[], Awaitable[None]]) -> str:
        try:
            await publish()
        except MirrorUnavailable:
            self.keep_mirror.request_rebuild("control")
            return "pending"
        return "in_sync"

    async def _mirror_state(self) -> str:
        try:
            return "in_sync" if await self.mirror.ready() else "pending"
        except MirrorUnavailable:
            return "unreachable"

    def show(self) -> None:
        """Kill switches and breaker as gauges; a quiet period ends without an event, so show it again."""
        engaged = [s for s, switch in self.ledger.desk.live(KILL_SWITCH) if switch.engaged]
        for kind in (GLOBAL, "strategy", "symbol"):
            count = sum(stream.startswith(f"{KILL_SWITCH}{kind}") for stream in engaged)
            self.metrics.kill_switch_engaged.labels(scope=kind).set(count)
        breaker = self.ledger.desk.state(CIRCUIT_BREAKER) or CircuitBreaker(tripped=False)
        for state in BreakerState:
            is_current = state is breaker.state_at(self.clock.now())
            self.metrics.breaker_state.labels(state=state.value).set(int(is_current))


def _open_breaks(gate: Any, symbol: Symbol) -> list[Any]:
    """Orphans and differences of holdings; other breaks do not keep a symbol in quarantine."""
    kinds = (ORPHAN, POSITION_QTY)
    entries = gate.open_breaks if gate is not None else ()
    return [entry for entry in entries if entry.symbol == symbol and entry.kind in kinds]


def _standing(symbol: Symbol, entry: Quarantine, at_position: int) -> QuarantineStanding:
    return QuarantineStanding(
        symbol=symbol,
        strategy_id=entry.strategy_id,
        reason=entry.reason,
        since=entry.since,
        kind=entry.kind,
        broker_order_id=entry.order_id,
        break_id=entry.break_id,
        orphan_notional=entry.orphan_notional,
        position=at_position,
    )
