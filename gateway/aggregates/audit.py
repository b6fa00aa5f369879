"""What the audit stream of a day holds: refusals, and actions that have no stream of their own."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.aggregates.vocabulary import ClientOrderId, Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRefused:
    """A gate said no. `count` refusals of the same principal, gate and symbol stand behind this one event."""

    client_order_id: ClientOrderId
    ticket: Ticket
    gate: str
    code: str
    detail: str
    count: int = 1
    outcome: str = "blocked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlRefused:
    """A control action that did not happen."""

    action: str
    outcome: str
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectionRebuildRequested:
    """Somebody asked for a read table to be folded anew."""

    projection: str
    outcome: str = "success"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPerformed:
    """A control action as a whole, where no single stream tells it; `outcome` success, partial or no_op."""

    action: str
    outcome: str
    reason: str
    facts: tuple[tuple[str, str], ...] = ()


AuditEvent = OrderRefused | ControlRefused | ControlPerformed | ProjectionRebuildRequested


def evolve(state: None, event: AuditEvent) -> None:
    """The audit stream decides nothing, so it has no state."""
