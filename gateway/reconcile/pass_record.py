"""What a pass writes about itself, as long as no later pass has begun."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from gateway.aggregates import recon_gate
from gateway.aggregates.recon_events import ReconGateEvent
from gateway.aggregates.recon_gate import ReconGate
from gateway.aggregates.refusals import LedgerUnavailable
from gateway.aggregates.vocabulary import Actor, ReportSource
from gateway.commands.safety_view import RECON_GATE
from gateway.ledger.decision import Change, Decide, Decision, States
from gateway.ledger.envelope import Cause, Uncommitted
from gateway.ledger.ledger import Ledger
from gateway.ports import Clock

Verb = Callable[[ReconGate | None], Sequence[ReconGateEvent]]


class PassSuperseded(LedgerUnavailable):
    """Another pass began, here or elsewhere: what this one has seen is out of date."""


@dataclass(slots=True, kw_only=True)
class PassResult:
    """What one pass did. `status` is ok, failed or skipped."""

    run_id: str
    status: str = "ok"
    message: str = ""
    reports_recorded: int = 0
    orphans_found: int = 0
    breaks_open: int = 0
    shadow_reports: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassRecord:
    ledger: Ledger
    clock: Clock
    run_id: str
    by: Actor
    correlation_id: str

    async def begin(self) -> None:
        """From here on every earlier pass is superseded."""
        now = self.clock.now()

        def attempt(gate: ReconGate | None) -> Sequence[ReconGateEvent]:
            return recon_gate.attempt(gate, run_id=self.run_id, at=now)

        await self._write((), lambda states: _on_gate(states, attempt))

    async def note(self, verb: Verb) -> None:
        """Record on the reconciliation gate's own stream. Raises PassSuperseded."""
        await self.change((), lambda states: _on_gate(states, verb))

    async def change(self, streams: Collection[str], decide: Decide) -> Change:
        """Decide on the gate's stream and others. Raises PassSuperseded."""

        def fenced(states: States) -> Decision:
            gate: ReconGate | None = states[RECON_GATE]
            if gate is None or gate.attempted_run != self.run_id:
                raise PassSuperseded(f"pass {self.run_id} was overtaken by another one")
            return decide(states)

        return await self._write(streams, fenced)

    async def _write(self, streams: Collection[str], decide: Decide) -> Change:
        cause = Cause(
            command_id=f"reconcile:{uuid4()}",
            actor=self.by,
            correlation_id=self.correlation_id,
            source=ReportSource.RECONCILIATION.value,
            occurred_at=self.clock.now(),
        )
        return await self.ledger.writer.change((RECON_GATE, *streams), decide, cause)


def _on_gate(states: States, verb: Verb) -> Decision:
    told = verb(states[RECON_GATE])
    return Decision(events=[Uncommitted(stream=RECON_GATE, event=event) for event in told])
