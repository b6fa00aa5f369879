"""What a pass found, judged: breaks opened, kept up to date, and closed when the books agree again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.aggregates import recon_gate
from gateway.aggregates.differences import ORDER_MISSING, ORDER_STATUS, POSITION_QTY, Difference
from gateway.aggregates.position.events import PositionQuarantined
from gateway.aggregates.position.state import quarantine
from gateway.aggregates.recon_events import BreakOpened
from gateway.aggregates.recon_gate import Break
from gateway.aggregates.vocabulary import ClientOrderId, Symbol, position_stream
from gateway.commands.safety_view import RECON_GATE
from gateway.ledger.decision import Decision, States
from gateway.ledger.envelope import Uncommitted
from gateway.reconcile.pass_record import PassRecord
from gateway.reconcile.suspicion import Suspect, second_look
from gateway.telemetry import Metrics


@dataclass(slots=True, kw_only=True)
class Findings:
    """What one look at the broker found, and which questions it could not ask."""

    differences: list[Difference] = field(default_factory=list)
    unasked_orders: frozenset[ClientOrderId] = frozenset()
    holdings_compared: bool = False
    unsettled: frozenset[Symbol] = frozenset()
    """Symbols with executions on their way: their holdings prove nothing yet."""

    def asked(self, difference: Difference) -> bool:
        """Whether this difference would have been found, were it there."""
        if difference.kind == POSITION_QTY:
            return self.holdings_compared and difference.symbol not in self.unsettled
        if difference.kind in (ORDER_STATUS, ORDER_MISSING):
            return difference.client_order_id not in self.unasked_orders
        return False


@dataclass(slots=True, kw_only=True)
class Judge:
    """`suspects` are the differences that earlier passes found, by subject."""

    metrics: Metrics
    tolerance: timedelta
    pod: str
    suspects: Mapping[str, Suspect] = field(default_factory=dict)

    @property
    def is_undecided(self) -> bool:
        """Whether something still waits for its second look."""
        return any(not suspect.confirmed for suspect in self.suspects.values())

    async def __call__(self, findings: Findings, record: PassRecord, now: datetime) -> Sequence[str]:
        """Gives the ids of the open breaks that were found again. Raises PassSuperseded."""
        found = [difference for difference in findings.differences if findings.asked(difference)]
        verdicts = second_look(self.suspects, found, asked=findings.asked, now=now, tolerance=self.tolerance)
        self.suspects = verdicts.suspects
        standing = await self._standing(record)
        for difference in verdicts.confirmed:
            await self._open(difference, record, now)
        subjects = {difference.subject for difference in found}
        for entry in standing:
            if entry.subject not in subjects and findings.asked(entry):
                await self._close(entry, record, now)
        return [entry.break_id for entry in standing if entry.subject in subjects]

    async def _standing(self, record: PassRecord) -> tuple[Break, ...]:
        gate, _ = await record.ledger.load(RECON_GATE)
        return gate.open_breaks if gate is not None else ()

    async def _open(self, difference: Difference, record: PassRecord, now: datetime) -> None:
        if difference.kind == POSITION_QTY and difference.symbol is not None:
            await self._quarantine(difference, difference.symbol, record, now)
        else:
            await record.note(lambda gate: recon_gate.open_break(gate, difference, at=now))

    async def _quarantine(
        self, difference: Difference, symbol: Symbol, record: PassRecord, now: datetime
    ) -> None:
        """A break that opens keeps everybody out of its symbol, in the same append."""
        stream = position_stream(symbol)

        def decide(states: States) -> Decision:
            told = recon_gate.open_break(states[RECON_GATE], difference, at=now)
            opened = [event for event in told if isinstance(event, BreakOpened)]
            return Decision(
                events=[
                    *(Uncommitted(stream=RECON_GATE, event=event) for event in told),
                    *(
                        Uncommitted(stream=stream, event=event)
                        for event in _quarantined(states, symbol, opened, now)
                    ),
                ]
            )

        change = await record.change((stream,), decide)
        new = sum(isinstance(recorded.event, PositionQuarantined) for recorded in change.events)
        label = self.metrics.symbol(symbol)
        self.metrics.symbols_quarantined.labels(pod=self.pod, symbol=label).inc(new)

    async def _close(self, entry: Break, record: PassRecord, now: datetime) -> None:
        await record.note(lambda gate: recon_gate.close_break(gate, entry.break_id, at=now))


def _quarantined(
    states: States, symbol: Symbol, opened: Iterable[BreakOpened], now: datetime
) -> Sequence[object]:
    return [
        event
        for cause in opened
        for event in quarantine(
            states[position_stream(symbol)],
            symbol=symbol,
            strategy_id=None,
            reason="position_mismatch",
            kind=POSITION_QTY,
            at=now,
            break_id=cause.break_id,
        )
    ]
