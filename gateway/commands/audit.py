"""The audit stream of the day: what was refused, to whom, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter
from uuid import uuid4

from gateway.aggregates.audit import (
    AuditEvent,
    ControlPerformed,
    ControlRefused,
    OrderRefused,
    ProjectionRebuildRequested,
)
from gateway.aggregates.refusals import LedgerUnavailable, Refusal
from gateway.aggregates.vocabulary import Actor, ClientOrderId, Ticket
from gateway.ledger.decision import Decision
from gateway.ledger.envelope import Cause, Uncommitted
from gateway.ledger.ledger import Ledger
from gateway.ports import Clock
from gateway.telemetry import Metrics

_StormKey = tuple[str, str, str]


@dataclass(slots=True)
class _Storm:
    second: datetime
    unreported: int = 0


@dataclass(slots=True, kw_only=True)
class Audit:
    """At most one refusal per principal, gate and symbol in each second, with the count it stands for."""

    ledger: Ledger
    clock: Clock
    metrics: Metrics
    _storms: dict[_StormKey, _Storm] = field(default_factory=dict)

    async def order_refused(
        self,
        ticket: Ticket,
        client_order_id: ClientOrderId,
        refusal: Refusal,
        by: Actor,
        correlation_id: str,
    ) -> None:
        """Record a refusal of gates 7 to 13. Failing to record it changes nothing about the refusal."""
        if refusal.gate is None or refusal.gate.endswith("_unavailable"):
            return
        count = self._count((by.sub, refusal.gate, ticket.symbol))
        if count == 0:
            return
        event = OrderRefused(
            client_order_id=client_order_id,
            ticket=ticket,
            gate=refusal.gate,
            code=refusal.code,
            detail=refusal.detail,
            count=count,
        )
        await self.write(event, by, correlation_id, must=False)

    async def control_refused(
        self, action: str, outcome: str, by: Actor, correlation_id: str, facts: Mapping[str, str]
    ) -> None:
        """Record a control action that was denied, limited or failed."""
        if self._count((by.sub, action, "")) == 0:
            return
        event = ControlRefused(action=action, outcome=outcome, facts=tuple(sorted(facts.items())))
        await self.write(event, by, correlation_id, must=False)

    async def control_performed(
        self,
        action: str,
        outcome: str,
        reason: str,
        by: Actor,
        correlation_id: str,
        facts: Mapping[str, str],
    ) -> int:
        """Record what became of an action as a whole; its parts stand in streams of their own."""
        event = ControlPerformed(
            action=action, outcome=outcome, reason=reason, facts=tuple(sorted(facts.items()))
        )
        return await self.write(event, by, correlation_id, must=False)

    async def rebuild_requested(self, projection: str, by: Actor, correlation_id: str) -> int:
        """Record a rebuild before it starts; raises LedgerUnavailable. Returns its ledger position."""
        return await self.write(
            ProjectionRebuildRequested(projection=projection), by, correlation_id, must=True
        )

    async def write(self, event: AuditEvent, by: Actor, correlation_id: str, *, must: bool) -> int:
        now, started = self.clock.now(), perf_counter()
        stream = f"audit-{now.date().isoformat()}"
        cause = Cause(
            command_id=f"audit:{uuid4()}",
            actor=by,
            correlation_id=correlation_id,
            source="api",
            occurred_at=now,
        )
        try:
            change = await self.ledger.writer.change(
                (stream,), lambda _: Decision(events=[Uncommitted(stream=stream, event=event)]), cause
            )
        except LedgerUnavailable:
            self.metrics.audit_failures.labels(reason="ledger_unavailable").inc()
            if must:
                raise
            return 0
        self.metrics.audit_latency.observe(perf_counter() - started)
        self.metrics.audit_events.labels(event_type=type(event).__name__, outcome=event.outcome).inc()
        return change.position

    def _count(self, key: _StormKey) -> int:
        """How many refusals the event to be written stands for; 0 when this second already has one."""
        second = self.clock.now().replace(microsecond=0)
        storm = self._storms.get(key)
        if storm is not None and storm.second == second:
            storm.unreported += 1
            return 0
        count = 1 + (storm.unreported if storm is not None else 0)
        self._storms[key] = _Storm(second)
        if len(self._storms) > 10_000:
            self._storms = {k: s for k, s in self._storms.items() if s.unreported or s.second == second}
        return count
