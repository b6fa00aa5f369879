"""How far the broker's lists have been read, kept in the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from gateway.aggregates import recon_gate
from gateway.aggregates.recon_gate import Cursor
from gateway.aggregates.vocabulary import SYSTEM, ReportSource
from gateway.commands.safety_view import RECON_GATE
from gateway.ledger.decision import Decision, States
from gateway.ledger.envelope import Cause, Uncommitted
from gateway.ledger.ledger import Ledger
from gateway.ports import Clock


@dataclass(frozen=True, slots=True)
class Cursors:
    ledger: Ledger
    clock: Clock

    async def at(self, name: str) -> Cursor | None:
        """None before the first reading. Raises LedgerUnavailable."""
        gate, _ = await self.ledger.load(RECON_GATE)
        return gate.cursors.get(name) if gate is not None else None

    async def move(self, name: str, time: datetime, activity_id: str | None, correlation_id: str) -> None:
        """To the last item recorded, never to now, never backwards. Raises LedgerUnavailable."""

        def decide(states: States) -> Decision:
            moved = recon_gate.move_cursor(states[RECON_GATE], name=name, time=time, activity_id=activity_id)
            return Decision(events=[Uncommitted(stream=RECON_GATE, event=event) for event in moved])

        cause = Cause(
            command_id=f"cursor:{uuid4()}",
            actor=SYSTEM,
            correlation_id=correlation_id,
            source=ReportSource.RECONCILIATION.value,
            occurred_at=self.clock.now(),
        )
        await self.ledger.writer.change((RECON_GATE,), decide, cause)
