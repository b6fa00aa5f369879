"""A pass at start, then each interval, on request, and after every reconnect of the stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import msgspec

from gateway.aggregates import recon_gate
from gateway.aggregates.recon_gate import GateState, ReconGate
from gateway.aggregates.refusals import LedgerUnavailable, ReconciliationBrokerUnavailable
from gateway.aggregates.vocabulary import SYSTEM, Actor
from gateway.commands.safety_view import RECON_GATE
from gateway.ledger.decision import Decision, States
from gateway.ledger.envelope import Cause, Uncommitted
from gateway.ledger.ledger import Ledger
from gateway.ports import BrokerUnreadable, Clock
from gateway.reconcile.pass_record import PassResult, Verb
from gateway.reconcile.run import Pass
from gateway.reconcile.shadow import ShadowLedger
from gateway.telemetry import log

_log = log("gateway.reconcile")
FIRST_RETRY: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationStanding:
    """Where reconciliation stands; times in UTC, elapsed in seconds since this process started."""

    startup_complete: bool
    dry_run: bool
    gate: str
    startup_elapsed_seconds: float
    startup_timed_out: bool
    override_active: bool
    override_context: dict[str, Any]
    last_run_at: datetime | None
    last_success_at: datetime | None
    last_error: str | None
    loop_state: str
    open_breaks: int
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overridden:
    status: str
    message: str
    user_id: str
    reason: str


@dataclass(slots=True, kw_only=True)
class Reconciler:
    ledger: Ledger
    clock: Clock
    dry_run: bool
    one_pass: Pass
    shadow_pass: Callable[[ShadowLedger], Pass]
    interval: timedelta
    tolerance: timedelta
    startup_timeout: timedelta
    start_version: int
    """Version of the recon-gate stream when this process started."""
    loop_state: Callable[[], str]
    _wanted: asyncio.Event = field(default_factory=asyncio.Event)
    _running: asyncio.Task[PassResult] | None = None
    _loop_version: int = 0
    """Version of the recon-gate stream when the loop last began; above `start_version` after a crash."""
    _begun: float = field(init=False)

    def __post_init__(self) -> None:
        self._begun = self.clock.monotonic()

    def wake(self) -> None:
        """Ask for a pass soon; many asks make one."""
        self._wanted.set()

    @property
    def idle(self) -> bool:
        """Whether no pass is under way and none is asked for."""
        return not self._wanted.is_set() and (self._running is None or self._running.done())

    async def stop(self) -> None:
        """End the pass under way, whoever asked for it; what it recorded stands."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    async def until_passed(self) -> None:
        """The first pass of this process, or after a crash of the loop; it opens the gate."""
        self._loop_version = self.ledger.desk.version(RECON_GATE)
        await self._until_passed()

    async def rounds(self) -> None:
        """Wait, pass, wait; for one process of all.

        A broker that cannot be read is tried again sooner, and never ends the loop.
        """
        pause = FIRST_RETRY
        while True:
            wait = self._soon if self.one_pass.judge.is_undecided else self.interval
            await asyncio.sleep((wait if pause is FIRST_RETRY else pause).total_seconds())
            pause = FIRST_RETRY if await self._passed() else min(pause * 2, self.interval)

    async def when_asked(self) -> None:
        """Pass for whoever asks in this process."""
        while True:
            await self._wanted.wait()
            await self._until_passed()
            while self.one_pass.judge.is_undecided:
                await self._wait(self._soon)
                await self._until_passed()

    @property
    def _soon(self) -> timedelta:
        """When to look again at what may have been a difference only for a moment."""
        return min(self.interval, max(self.tolerance, FIRST_RETRY))

    async def _until_passed(self) -> None:
        """A pass that begins now; one that is under way may have looked too early for whoever asks."""
        pause = FIRST_RETRY
        while True:
            if self._running is not None:
                await asyncio.wait([self._running])
            self._wanted.clear()
            if await self._passed():
                return
            await self._wait(pause)
            pause = min(pause * 2, self.interval)

    async def _passed(self) -> bool:
        try:
            await self._joined()
        except (BrokerUnreadable, LedgerUnavailable) as error:
            _log.warning("reconciliation failed", error=str(error))
            return False
        return True

    async def _wait(self, longest: timedelta) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wanted.wait(), longest.total_seconds())

    async def run(self, *, shadow: bool, by: Actor, correlation_id: str) -> PassResult:
        """One pass now; a pass under way is joined. Raises ReconciliationBrokerUnavailable."""
        if self.dry_run:
            return PassResult(run_id=str(uuid4()), status="skipped", message="DRY_RUN has no broker")
        try:
            if shadow:
                return await self._shadow(by, correlation_id)
            if self._running is not None and not self._running.done():
                await self._write(lambda gate: recon_gate.join(gate, at=self.clock.now()), by, correlation_id)
            return await self._joined(by, correlation_id)
        except BrokerUnreadable as error:
            raise ReconciliationBrokerUnavailable(f"the broker cannot be read: {error}") from error

    async def _joined(self, by: Actor = SYSTEM, correlation_id: str | None = None) -> PassResult:
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self.one_pass.run(by=by, correlation_id=correlation_id))
        return await asyncio.shield(self._running)

    async def _shadow(self, by: Actor, correlation_id: str) -> PassResult:
        shadow = ShadowLedger(self.ledger)
        shadow_pass = self.shadow_pass(shadow)
        shadow_pass.judge.suspects = self.one_pass.judge.suspects
        result = await shadow_pass.run(by=by, correlation_id=correlation_id)
        result.shadow_reports = [
            {
                "stream": event.stream,
                "event": type(event.event).__name__,
                "data": msgspec.to_builtins(event.event, builtin_types=()),
            }
            for event in shadow.writer.would_write
            if event.stream != RECON_GATE
        ]
        result.message = f"{len(result.shadow_reports)} events would be recorded; none was"
        return result

    @property
    def gate_state(self) -> GateState:
        """Closed until a pass since this process started, and again from the loop's death until it passes."""
        return self._judge(self.ledger.desk.state(RECON_GATE) or ReconGate())

    def _judge(self, gate: ReconGate) -> GateState:
        if self.dry_run:
            return GateState.OPEN
        state = gate.state_since(self.start_version)
        alive = gate.passed_version > self._loop_version and self.loop_state() == "running"
        return GateState.CLOSED if state is GateState.OPEN and not alive else state

    async def status(self) -> ReconciliationStanding:
        """Raises LedgerUnavailable."""
        state, _ = await self.ledger.load(RECON_GATE)
        gate: ReconGate = state or ReconGate()
        standing = self._judge(gate)
        elapsed = self.clock.monotonic() - self._begun
        complete = standing is not GateState.CLOSED
        override = gate.override if standing is GateState.OVERRIDE else None
        return ReconciliationStanding(
            startup_complete=complete,
            dry_run=self.dry_run,
            gate=standing.value,
            startup_elapsed_seconds=round(elapsed, 3),
            startup_timed_out=not complete and elapsed > self.startup_timeout.total_seconds(),
            override_active=override is not None,
            override_context={}
            if override is None
            else {
                "user_id": override.by,
                "reason": override.reason,
                "timestamp": override.at,
                "last_reconciliation_result": override.last_result,
            },
            last_run_at=gate.attempted_at,
            last_success_at=gate.passed_at,
            last_error=gate.error,
            loop_state=self.loop_state(),
            open_breaks=len(gate.breaks),
        )

    async def force_complete(self, *, reason: str, by: Actor, correlation_id: str) -> Overridden:
        """Open the gate without a pass. Raises ReasonRequired and ReconciliationNotAttempted."""
        if self.dry_run:
            return Overridden(
                status="skipped", message="DRY_RUN has no broker", user_id=by.sub, reason=reason
            )
        at, start = self.clock.now(), self.start_version
        await self._write(
            lambda gate: recon_gate.override(gate, by=by.sub, reason=reason, at=at, start_version=start),
            by,
            correlation_id,
        )
        return Overridden(
            status="override_enabled",
            message="the gate is open until the next successful pass or restart",
            user_id=by.sub,
            reason=reason,
        )

    async def _write(self, verb: Verb, by: Actor, correlation_id: str) -> None:
        """What somebody asked for, on the gate's own stream."""

        def decide(states: States) -> Decision:
            told = verb(states[RECON_GATE])
            return Decision(events=[Uncommitted(stream=RECON_GATE, event=event) for event in told])

        cause = Cause(
            command_id=f"reconciliation:{uuid4()}",
            actor=by,
            correlation_id=correlation_id,
            source="api",
            occurred_at=self.clock.now(),
        )
        await self.ledger.writer.change((RECON_GATE,), decide, cause)
