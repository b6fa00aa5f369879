"""One order's way through the gates."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from gateway.aggregates.order.state import Order
from gateway.aggregates.recon_gate import GateState
from gateway.aggregates.refusals import Refusal
from gateway.aggregates.risk_limits import Thresholds
from gateway.aggregates.vocabulary import ClientOrderId, Ticket, order_stream
from gateway.commands.reduce_only import LiveHolding
from gateway.commands.slice_plans import SliceOrigin
from gateway.ledger.ledger import Ledger
from gateway.ports import (
    Broker,
    Clock,
    MarketData,
    MirrorReading,
    MirrorUnavailable,
    Reservation,
    Reservations,
    SafetyMirror,
)
from gateway.telemetry import GateLog, Metrics


class Verdict(StrEnum):
    PASS = "pass"  # noqa: S105 - a verdict, not a secret
    SKIP = "skip"
    """Switched off by configuration."""
    ANSWER = "block"
    """The walk ends here with an answer that is no refusal: the order exists already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskRules:
    """What configuration says about risk. Quantities in shares, ages in seconds."""

    dry_run: bool
    circuit_breaker_enabled: bool
    max_position_size: Decimal
    default_thresholds: Thresholds
    max_price_age_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the gates look at. One for the whole desk."""

    ledger: Ledger
    mirror: SafetyMirror
    reservations: Reservations
    market_data: MarketData
    broker: Broker
    clock: Clock
    metrics: Metrics
    rules: RiskRules
    request_mirror_rebuild: Callable[[str], None]
    gate_state: Callable[[], GateState]
    """Of the reconciliation gate, for this process, now."""


@dataclass(slots=True, kw_only=True)
class Walk:
    """One order on its way. What a gate found out stays here for the gates after it."""

    around: Surroundings
    ticket: Ticket
    client_order_id: ClientOrderId
    log: GateLog
    reading: MirrorReading | None = None
    reservation: Reservation | None = None
    holding: LiveHolding | None = None
    """Set when only what reduces this may pass: while the reconciliation gate is closed, or getting out."""
    getting_out: bool = False
    """An operator closes what is held: only the closable quantity limits that."""
    origin: SliceOrigin | None = None
    _known: Order | None = None
    _looked: bool = False

    async def known_order(self) -> Order | None:
        """The order this id already names in the ledger, read once per walk."""
        if not self._looked:
            self._known, _ = await self.around.ledger.load(order_stream(self.client_order_id))
            self._looked = True
        return self._known

    async def newest_order(self) -> Order:
        """The order this id names now; it exists, or the walk would not be here."""
        order, _ = await self.around.ledger.load(order_stream(self.client_order_id))
        assert order is not None
        known: Order = order
        return known

    async def give_back(self) -> None:
        """Return the room this walk took, and nothing else."""
        if self.reservation is not None and self.reservation.granted and self.reservation.fresh:
            try:
                await self.around.reservations.give_back(self.client_order_id, self.ticket.symbol)
            except MirrorUnavailable:  # the audit drops the token once it is older than any request
                self.around.request_mirror_rebuild("give_back")
            self.reservation = None


Gate = Callable[[Walk], Awaitable[Verdict]]
AnyWalk = TypeVar("AnyWalk", bound=Walk)


async def walk_through(gates: Sequence[Callable[[AnyWalk], Awaitable[Verdict]]], walk: AnyWalk) -> bool:
    """Take the gates in order. False when one of them answered. Raises the refusal that stopped the walk."""
    for gate in gates:
        name = gate.__name__
        try:
            verdict = await gate(walk)
        except Refusal as refusal:
            record(walk, name, "block", refusal.detail)
            raise
        record(walk, name, verdict.value)
        if verdict is Verdict.ANSWER:
            return False
    return True


def record(walk: Walk, gate: str, outcome: str, detail: str | None = None) -> None:
    """One gate, one outcome: in the request's log and in the metric."""
    walk.log.record(gate, outcome, detail, at=walk.around.clock.now())
    walk.around.metrics.gate_verdicts.labels(gate=gate, verdict=outcome).inc()
