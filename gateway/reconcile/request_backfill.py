"""A backfill because somebody asked for it; on record before it begins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from gateway.aggregates import recon_gate
from gateway.aggregates.refusals import ReconciliationBrokerUnavailable
from gateway.aggregates.vocabulary import Actor
from gateway.commands.safety_view import RECON_GATE
from gateway.ledger.decision import Decision, States
from gateway.ledger.envelope import Cause, Uncommitted
from gateway.ledger.ledger import Ledger
from gateway.ports import BrokerUnreadable, Clock
from gateway.reconcile.backfill import Backfill, BackfillResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfilled:
    """`status` is ok, skipped or disabled."""

    status: str
    message: str
    result: BackfillResult


@dataclass(slots=True, kw_only=True)
class RequestBackfill:
    ledger: Ledger
    clock: Clock
    backfill: Backfill
    dry_run: bool
    enabled: bool

    async def __call__(
        self, *, lookback_hours: int | None, recalc_all_trades: bool, by: Actor, correlation_id: str
    ) -> Backfilled:
        """Raises ReconciliationBrokerUnavailable and LedgerUnavailable."""
        if self.dry_run:
            return _nothing_done("skipped", "DRY_RUN has no broker")
        if not self.enabled:
            return _nothing_done("disabled", "fills backfill is switched off")
        await self._note(lookback_hours, by, correlation_id, recalc_all_trades=recalc_all_trades)
        try:
            result = await self.backfill.run(
                correlation_id=correlation_id,
                lookback=timedelta(hours=lookback_hours) if lookback_hours is not None else None,
                recalculate=recalc_all_trades,
            )
        except BrokerUnreadable as error:
            raise ReconciliationBrokerUnavailable(f"the broker cannot be read: {error}") from error
        words = f"{result.fills_inserted} of {result.fills_seen} fills were new"
        more = "" if result.complete else "; the page limit was reached, ask again for the rest"
        return Backfilled(status="ok", message=words + more, result=result)

    async def _note(
        self, lookback_hours: int | None, by: Actor, correlation_id: str, *, recalc_all_trades: bool
    ) -> None:
        run_id, at = str(uuid4()), self.clock.now()

        def decide(states: States) -> Decision:
            events = recon_gate.request_backfill(
                states[RECON_GATE],
                run_id=run_id,
                at=at,
                lookback_hours=lookback_hours,
                recalc_all_trades=recalc_all_trades,
            )
            return Decision(events=[Uncommitted(stream=RECON_GATE, event=event) for event in events])

        cause = Cause(
            command_id=f"backfill:{run_id}",
            actor=by,
            correlation_id=correlation_id,
            source="api",
            occurred_at=at,
        )
        await self.ledger.writer.change((RECON_GATE,), decide, cause)


def _nothing_done(status: str, message: str) -> Backfilled:
    return Backfilled(status=status, message=message, result=BackfillResult(status=status))
