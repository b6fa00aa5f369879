"""One order as the facts leave it: what is kept, and what it means."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Self

from gateway.aggregates.copying import changed
from gateway.aggregates.exact import minus
from gateway.aggregates.order.events import (
    CancelRejected,
    CancelRequested,
    CancelStuck,
    ConflictReported,
    FillBusted,
    FillCorrected,
    FillSuperseded,
    GateVerdict,
    OrderAccepted,
    OrderAdopted,
    OrderBlocked,
    OrderCanceled,
    OrderDryRun,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderIgnored,
    OrderNotAccepted,
    OrderNotSent,
    OrderOutcomeUnknown,
    OrderRejected,
    OrderReplaced,
    OrderResubmitted,
    PlanClosed,
    StatusReported,
)
from gateway.aggregates.order.fills import Execution, Fills
from gateway.aggregates.order.standing import Standing, Word
from gateway.aggregates.vocabulary import (
    ZERO,
    ClientOrderId,
    ExecId,
    OrderId,
    OrdStatus,
    ReportSource,
    StrategyId,
    Ticket,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFacts:
    """Every fact that can still matter. Times are UTC; `phase` is how far our own side got."""

    client_order_id: ClientOrderId
    ticket: Ticket
    strategy_id: StrategyId
    """Who owns the executions from now on: the ticket's strategy, or the adopter of an orphan."""
    created_at: datetime
    attempted_at: datetime
    attempt: int = 1
    phase: OrdStatus = OrdStatus.PENDING_NEW
    uncertain: bool = False
    """The broker may have this attempt; no answer to a POST disproves that."""
    maybe_sent: bool = False
    """An earlier attempt was answered "slow down": by convention not taken, which is no proof."""
    seen_at_broker: bool = False
    order_id: OrderId | None = None
    replaced_by: OrderId | None = None
    submitted_at: datetime | None = None
    fills: Fills = field(default_factory=Fills)
    standing: Standing = field(default_factory=Standing)
    cancel_wanted: bool = False
    cancel_requested_at: datetime | None = None
    cancel_requested_by: str | None = None
    marks: frozenset[str] = frozenset()
    conflicts: frozenset[str] = frozenset()
    error_message: str | None = None
    reason: str | None = None
    parent_order_id: ClientOrderId | None = None
    slice_num: int | None = None
    total_slices: int | None = None
    scheduled_time: datetime | None = None
    planned: bool = False
    """Its slices are sent in its place."""
    gates: tuple[GateVerdict, ...] = ()
    orphan_notional: Decimal = ZERO
    """The money an orphan may have moved, as estimated when it was found."""
    orphan_resolution: str | None = None
    """`adopted` or `ignored`; None for an orphan still untracked and for every other order."""
    orphan_resolved_at: datetime | None = None
    orphan_resolved_by: str | None = None
    open_ended: bool = False
    """The broker's order has no share quantity (notional): only its own word ends it."""

    # --- what the facts mean ---------------------------------------------------------------------------

    @property
    def status(self) -> OrdStatus:
        if self._covered:
            return OrdStatus.FILLED
        if (closing := self._closing) is not None:
            return closing
        if not self.seen_at_broker and self.phase.is_terminal:
            return self.phase
        if self.cancel_wanted:
            return OrdStatus.PENDING_CANCEL
        if not self.seen_at_broker:
            return self.phase
        return self.standing.current(self.fills.last_time) or OrdStatus.SUBMITTED

    @property
    def _covered(self) -> bool:
        if self.open_ended:
            return self.standing.filled is not None and self.cum_qty > 0
        return self.cum_qty >= self.ticket.qty

    @property
    def _closing(self) -> OrdStatus | None:
        """How the broker ended the order; `filled` shares that were undone since leave it canceled."""
        closing = self.standing.closing
        if closing is not None:
            return closing.status
        filled = self.standing.filled
        if not self.fills.amended or filled is None or filled.at is None:
            return None
        undone_at = self.fills.amended_at
        return OrdStatus.CANCELED if undone_at is None or filled.at >= undone_at else None

    @property
    def cum_qty(self) -> Decimal:
        return self.fills.cum_qty

    @property
    def avg_px(self) -> Decimal | None:
        """Average price of the executions that count, for show: 6 decimals at most."""
        return self.fills.avg_px

    @property
    def leaves_qty(self) -> Decimal:
        """Shares that can still execute: 0 once the order is over, and for a parent, whose slices execute."""
        if self.status.is_terminal or self.is_parent:
            return ZERO
        return max(ZERO, minus(self.ticket.qty, self.cum_qty))

    @property
    def executions(self) -> dict[ExecId, Execution]:
        return dict(self.fills.executions)

    @property
    def is_live(self) -> bool:
        """Its leaves may execute, as far as anyone knows; unknown outcomes included."""
        return self.leaves_qty > 0

    @property
    def is_unconfirmed(self) -> bool:
        """An intent without an outcome, or with an unknown one: to be looked up, never sent again."""
        waiting = self.phase in (OrdStatus.PENDING_NEW, OrdStatus.SUBMITTED_UNCONFIRMED)
        return waiting and not self.planned and not self.seen_at_broker and self._closing is None

    @property
    def is_parent(self) -> bool:
        """The parent of slices, unless somebody placed an order under its id at the broker."""
        return self.planned and not self.seen_at_broker

    @property
    def is_orphan(self) -> bool:
        return "orphan" in self.marks

    @property
    def orphan_status(self) -> str | None:
        """untracked, cancel_requested, adopted, ignored or closed; None for an order of ours.

        A cancel that lost its race against the last fill resolves nothing: somebody has to own the shares.
        """
        if not self.is_orphan or self.orphan_resolution is not None:
            return self.orphan_resolution
        if not self.cancel_wanted or self.status is OrdStatus.FILLED:
            return "untracked"
        return "closed" if self.status.is_terminal else "cancel_requested"

    @property
    def is_unresolved_orphan(self) -> bool:
        return self.orphan_status in ("untracked", "cancel_requested")

    @property
    def orphan_answered_by(self) -> str | None:
        """Who gave the orphan its answer; None while it has none."""
        return self.cancel_requested_by if self.orphan_status == "closed" else self.orphan_resolved_by

    @property
    def orphan_answered_at(self) -> datetime | None:
        if self.orphan_status != "closed":
            return self.orphan_resolved_at
        closing = self.standing.closing
        times = (self.cancel_requested_at, closing.at if closing is not None else None)
        return max((at for at in times if at is not None), default=None)

    @property
    def broker_status(self) -> str | None:
        """The broker's newest word, verbatim."""
        return self.standing.newest.broker_status if self.standing.newest else None

    @property
    def cancel_pending_since(self) -> datetime | None:
        """When the cancel that is pending was asked for, by us or at the broker."""
        if self.status is not OrdStatus.PENDING_CANCEL:
            return None
        pending = self.standing.pending
        return self.cancel_requested_at if self.cancel_wanted or pending is None else pending.at

    @property
    def filled_at(self) -> datetime | None:
        return self.fills.last_time if self.status is OrdStatus.FILLED else None

    @property
    def canceled_at(self) -> datetime | None:
        word = self.standing.closings.get(OrdStatus.CANCELED)
        return word.at if word else None

    @property
    def flags(self) -> frozenset[str]:
        executions = self.fills.executions.values()
        derived = {
            "overfilled": self.cum_qty > self.ticket.qty and not self.open_ended,
            "provisional": any(e.provisional and e.qty for e in executions),
            "corrected": any(e.corrected_by for e in executions),
            "busted": any(e.busted for e in executions),
            "terminal_conflict": len(self.standing.closings) > 1,
        }
        return self.marks | {flag for flag, raised in derived.items() if raised}

    # --- how events change it --------------------------------------------------------------------------

    def after(self, event: OrderEvent) -> Self:
        """Apply one recorded event. Total: whatever was recorded can always be replayed."""
        match event:
            case OrderAccepted() | OrderRejected() | StatusReported():
                return self._told(event)
            case OrderCanceled() | OrderExpired() | OrderReplaced() | CancelRejected():
                return self._ended(event)
            case OrderFilled() | FillSuperseded() | FillBusted() | FillCorrected() | ConflictReported():
                return self._executed(event)
            case OrderAdopted():
                return changed(self._resolved("adopted", event), strategy_id=event.strategy_id)
            case OrderIgnored():
                return self._resolved("ignored", event)
            case CancelRequested():
                return changed(
                    self, cancel_wanted=True, cancel_requested_at=event.at, cancel_requested_by=event.by
                )
            case CancelStuck():
                return self._marked("cancel_stuck")
            case _:
                return self._attempted(event)

    def _resolved(self, how: str, event: OrderAdopted | OrderIgnored) -> Self:
        return changed(self, orphan_resolution=how, orphan_resolved_at=event.at, orphan_resolved_by=event.by)

    def _attempted(self, event: OrderEvent) -> Self:
        """What became of our own side of an attempt."""
        match event:
            case OrderResubmitted():
                return changed(
                    self,
                    attempt=event.attempt,
                    attempted_at=event.at,
                    gates=event.gates,
                    phase=OrdStatus.PENDING_NEW,
                    uncertain=False,
                    cancel_wanted=False,
                    error_message=None,
                )
            case OrderOutcomeUnknown():
                return self._phase(OrdStatus.SUBMITTED_UNCONFIRMED, event.reason, uncertain=True)
            case OrderNotSent():
                slowed_down = event.code == "broker_rate_limited"
                failed = self._phase(OrdStatus.FAILED, event.reason)
                return changed(failed, maybe_sent=self.maybe_sent or slowed_down)
            case OrderNotAccepted():
                return self._phase(OrdStatus.NOT_ACCEPTED, event.evidence)
            case OrderBlocked():
                return self._phase(event.status, event.reason)
            case OrderDryRun():
                return self._phase(OrdStatus.DRY_RUN, None)
            case PlanClosed():
                return self._phase(event.status, event.reason)
            case _:
                return self

    def _phase(self, phase: OrdStatus, message: str | None, *, uncertain: bool = False) -> Self:
        return changed(self, phase=phase, error_message=message, uncertain=uncertain)

    def _told(self, event: OrderAccepted | OrderRejected | StatusReported) -> Self:
        if isinstance(event, OrderRejected):
            word = _word(event, OrdStatus.REJECTED)
            refused = changed(self, error_message=event.reason, standing=self.standing.hears(word))
            return refused if event.source is ReportSource.REPLY else refused._at_broker()
        word = Word(
            broker_status=event.broker_status,
            status=event.status,
            at=event.transact_time,
            source=event.source,
        )
        seen = self._at_broker(event.order_id)
        heard = changed(seen, standing=self.standing.hears(word))
        if isinstance(event, OrderAccepted):
            return changed(
                heard,
                phase=OrdStatus.SUBMITTED,
                submitted_at=event.transact_time or self.attempted_at,
                error_message=None,
            )
        return heard._marked("ticket_mismatch") if event.differences else heard

    def _ended(self, event: OrderCanceled | OrderExpired | OrderReplaced | CancelRejected) -> Self:
        seen = self._at_broker()
        if isinstance(event, CancelRejected):
            standing = self.standing.refuses_cancel(event.transact_time)
            return changed(seen, standing=standing, cancel_wanted=False, marks=seen.marks - {"cancel_stuck"})
        if isinstance(event, OrderReplaced):
            seen = changed(seen, replaced_by=event.replaced_by or self.replaced_by)
            return changed(seen, standing=self.standing.hears(_word(event, OrdStatus.REPLACED)))
        status = OrdStatus.CANCELED if isinstance(event, OrderCanceled) else OrdStatus.EXPIRED
        return changed(seen, standing=self.standing.hears(_word(event, status)))

    def _executed(
        self, event: OrderFilled | FillSuperseded | FillBusted | FillCorrected | ConflictReported
    ) -> Self:
        seen = self._at_broker()
        match event:
            case OrderFilled():
                late = self.standing.closing is not None
                fills = self.fills.filled(event)
                word = "filled" if fills.cum_qty >= self.ticket.qty else "partially_filled"
                standing = self.standing.hears(
                    Word(broker_status=word, status=None, at=event.trade.transact_time, source=event.source)
                )
                filled = changed(seen, fills=fills, standing=standing)
                return filled._marked("late_fill") if late else filled
            case FillSuperseded():
                return changed(seen, fills=self.fills.superseded(event))
            case ConflictReported():
                if event.exec_id is not None and event.alias_of is not None:
                    fills = self.fills.aliased(event.exec_id, event.alias_of, event.source)
                    return changed(seen, fills=fills)
                return changed(seen, conflicts=self.conflicts | {event.exec_id or event.reason})
            case FillBusted() | FillCorrected():
                return changed(seen, fills=self.fills.amended_by(event))

    def _at_broker(self, order_id: OrderId | None = None) -> Self:
        """The broker has spoken of this order, so it is there, whatever we thought."""
        order_id, submitted_at = self.order_id or order_id, self.submitted_at or self.attempted_at
        seen = self
        if not (self.seen_at_broker and order_id == self.order_id and submitted_at == self.submitted_at):
            seen = changed(self, seen_at_broker=True, order_id=order_id, submitted_at=submitted_at)
        return seen._marked("unexpected_at_broker") if self.phase.is_closed_unsent else seen

    def _marked(self, flag: str) -> Self:
        return self if flag in self.marks else changed(self, marks=self.marks | {flag})


def _word(event: OrderRejected | OrderCanceled | OrderExpired | OrderReplaced, status: OrdStatus) -> Word:
    return Word(broker_status=status.value, status=status, at=event.transact_time, source=event.source)
