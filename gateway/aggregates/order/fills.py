"""The executions of one order: which are known, which count, and which are still missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from gateway.aggregates.copying import changed
from gateway.aggregates.exact import minus, plus, ratio, times, total
from gateway.aggregates.order.events import FillBusted, FillCorrected, FillSuperseded, OrderFilled
from gateway.aggregates.vocabulary import ZERO, ExecId, ReportSource, StrategyId

Span = tuple[Decimal, Decimal]
"""A half-open stretch (from, to] of an order's running total."""

_SHOWN_PLACES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One execution as it counts now; `booked_qty` and `booked_px` are what was first reported."""

    exec_id: ExecId
    strategy_id: StrategyId
    booked_qty: Decimal
    booked_px: Decimal
    qty: Decimal
    px: Decimal
    transact_time: datetime
    cum_qty: Decimal | None = None
    provisional: bool = False
    busted: bool = False
    corrected_by: tuple[str, str] | None = None
    """Broker time and id of the correction in force; a later one wins."""
    named_by: tuple[ReportSource, ...] = ()
    """Who has told of it by an id; each of them calls an execution by one name."""

    @property
    def span(self) -> Span | None:
        if self.cum_qty is None or self.cum_qty < self.booked_qty:
            return None
        return minus(self.cum_qty, self.booked_qty), self.cum_qty

    def says(self, qty: Decimal, px: Decimal) -> bool:
        """Whether a report of this size and price tells nothing new."""
        return (qty, px) in ((self.booked_qty, self.booked_px), (self.qty, self.px))


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """A bust (no size) or a correction that waits for the execution it names."""

    exec_id: ExecId | None
    ref_exec_id: ExecId
    qty: Decimal | None
    px: Decimal | None
    transact_time: datetime | None
    source: ReportSource

    def same_as(self, other: Amendment) -> bool:
        """Whether two reports amend alike, whichever door they came through."""
        mine = (self.exec_id, self.ref_exec_id, self.qty, self.px)
        return mine == (other.exec_id, other.ref_exec_id, other.qty, other.px)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fills:
    """Everything known of one order's executions. `cum_qty` and `notional` count live executions only."""

    executions: Mapping[ExecId, Execution] = field(default_factory=dict)
    aliases: Mapping[ExecId, ExecId] = field(default_factory=dict)
    """Other ids of a booked execution: its corrections and busts, and second names."""
    parked: tuple[Amendment, ...] = ()
    cum_qty: Decimal = ZERO
    notional: Decimal = ZERO
    last_time: datetime | None = None
    """Broker time of the newest live execution."""
    amended: bool = False
    """A bust or a correction has moved the broker's running total since."""
    amended_at: datetime | None = None
    """Broker time of the newest of them."""

    @property
    def avg_px(self) -> Decimal | None:
        return ratio(self.notional, self.cum_qty, _SHOWN_PLACES) if self.cum_qty else None

    def root(self, exec_id: ExecId | None) -> Execution | None:
        """The booked execution an id leads to, through any chain of corrections."""
        if exec_id is None:
            return None
        return self.executions.get(self.aliases.get(exec_id, exec_id))

    def knows(self, exec_id: ExecId) -> bool:
        """Whether this names an execution that is booked, or is the id of a bust that waits."""
        waits = any(a.exec_id == exec_id and a.qty is None for a in self.parked)
        return waits or self.root(exec_id) is not None

    def has_amended(self, exec_id: ExecId | None) -> bool:
        """Whether this is the id of a bust or a correction in force, or of one that waits."""
        if exec_id is None:
            return False
        return exec_id in self.aliases or any(a.exec_id == exec_id for a in self.parked)

    def same_place(self, cum_qty: Decimal, qty: Decimal, px: Decimal) -> Execution | None:
        """The live execution with this running total, size and price: the identity without an id."""
        return next(self._in_place(cum_qty, qty, px), None)

    def unnamed_by(
        self, source: ReportSource, cum_qty: Decimal, qty: Decimal, px: Decimal
    ) -> Execution | None:
        """The real one in this place of which this source has not told under another id."""
        return next(
            (e for e in self._in_place(cum_qty, qty, px) if not e.provisional and source not in e.named_by),
            None,
        )

    def _in_place(self, cum_qty: Decimal, qty: Decimal, px: Decimal) -> Iterator[Execution]:
        return (e for e in self.executions.values() if e.qty and e.cum_qty == cum_qty and e.says(qty, px))

    def missing(self, cum_qty: Decimal) -> Decimal:
        """What a running total reveals as not yet booked. Provisional executions count as booked."""
        if self.amended:
            return max(ZERO, minus(cum_qty, self.cum_qty))
        covered = _measure(_clip(self._spans(), (ZERO, cum_qty)))
        return max(ZERO, minus(minus(cum_qty, covered), self._unplaced()))

    def missing_within(self, cum_qty: Decimal, qty: Decimal) -> Decimal:
        """How much of the stretch that ends at `cum_qty` and is `qty` long is not yet booked."""
        if self.amended:
            return min(qty, self.missing(cum_qty))
        covered = _measure(_clip(self._spans(), (minus(cum_qty, qty), cum_qty)))
        return max(ZERO, minus(minus(qty, covered), self._unplaced()))

    def gaps(self, cum_qty: Decimal) -> tuple[Span, ...]:
        """Where, up to a running total, the missing quantity lies; the highest first."""
        left = self.missing(cum_qty)
        if self.amended:
            return ((minus(cum_qty, left), cum_qty),) if left else ()
        found: list[Span] = []
        upper = cum_qty
        for low, high in sorted(_clip(self._spans(), (ZERO, cum_qty)), reverse=True):
            if left and high < upper:
                found.append((max(high, minus(upper, left)), upper))
                left = minus(left, minus(upper, found[-1][0]))
            upper = min(upper, low)
        if left and upper > 0:
            found.append((max(ZERO, minus(upper, left)), upper))
        return tuple(found)

    def superseded_by(self, qty: Decimal, cum_qty: Decimal | None) -> Iterator[tuple[Execution, Decimal]]:
        """The provisional quantity a real execution replaces: inside its own stretch, else oldest first.

        After a bust or a correction the same stretch is not the same shares any more. We may not have heard
        of it yet: a corrected execution is listed with a total that others have taken.
        """
        stretch = None if cum_qty is None or self.amended else (minus(cum_qty, qty), cum_qty)
        if stretch is not None and _clip(self._spans(provisional=False), stretch):
            stretch = None
        left = qty
        for e in self.executions.values():
            if not (e.provisional and e.qty and left):
                continue
            room = min(e.qty, left)
            if stretch is not None and e.span is not None:
                room = min(room, _measure(_clip([e.span], stretch)))
            if room:
                left = minus(left, room)
                yield e, room

    def _spans(self, *, provisional: bool = True) -> list[Span]:
        known = self.executions.values()
        return [e.span for e in known if e.span is not None and (provisional or not e.provisional)]

    def _unplaced(self) -> Decimal:
        """Booked quantity whose place in the running total is unknown."""
        return max(ZERO, minus(self.cum_qty, _measure(_merge(self._spans()))))

    # --- evolve ---------------------------------------------------------------------------------------

    def filled(self, event: OrderFilled) -> Fills:
        trade = event.trade
        execution = Execution(
            exec_id=trade.exec_id,
            strategy_id=event.strategy_id,
            booked_qty=trade.last_qty,
            booked_px=trade.last_px,
            qty=trade.last_qty,
            px=trade.last_px,
            transact_time=trade.transact_time,
            cum_qty=trade.cum_qty,
            provisional=trade.provisional,
            named_by=(event.source,),
        )
        return self._with(execution)

    def superseded(self, event: FillSuperseded) -> Fills:
        execution = self.executions.get(event.exec_id)
        if execution is None:
            return self
        left = max(ZERO, minus(execution.qty, event.qty))
        return self._with(changed(execution, qty=left, px=event.rest_px or execution.px))

    def amended_by(self, event: FillBusted | FillCorrected) -> Fills:
        amendment = _amendment(event)
        execution = self.root(event.ref_exec_id)
        if event.parked or execution is None:
            known = any(a.same_as(amendment) for a in self.parked)
            return self if known else changed(self, parked=(*self.parked, amendment))
        after = self._with(_amend(execution, amendment))
        aliases = (
            self.aliases if event.exec_id is None else {**self.aliases, event.exec_id: execution.exec_id}
        )
        times_known = [t for t in (self.amended_at, event.transact_time) if t is not None]
        return changed(
            after,
            aliases=aliases,
            parked=tuple(a for a in self.parked if not a.same_as(amendment)),
            amended=True,
            amended_at=max(times_known, default=None),
        )

    def aliased(self, exec_id: ExecId, root: ExecId, source: ReportSource) -> Fills:
        booked = self.executions[root]
        named = changed(booked, named_by=(*booked.named_by, source))
        return changed(
            self,
            aliases={**self.aliases, exec_id: root},
            executions={**self.executions, root: named},
        )

    def due(self) -> FillBusted | FillCorrected | None:
        """A parked bust or correction whose execution has arrived by now."""
        for a in self.parked:
            if self.root(a.ref_exec_id) is not None:
                return _released(a)
        return None

    def _with(self, execution: Execution) -> Fills:
        before = self.executions.get(execution.exec_id)
        cum_qty, notional = self.cum_qty, self.notional
        if before is not None:
            cum_qty = minus(cum_qty, before.qty)
            notional = minus(notional, times(before.qty, before.px))
        executions = {**self.executions, execution.exec_id: execution}
        return changed(
            self,
            executions=executions,
            cum_qty=plus(cum_qty, execution.qty),
            notional=plus(notional, times(execution.qty, execution.px)),
            last_time=max((e.transact_time for e in executions.values() if e.qty), default=None),
        )


def _amend(execution: Execution, amendment: Amendment) -> Execution:
    """A bust is final. Of several corrections the one with the latest broker time counts."""
    if execution.busted:
        return execution
    if amendment.qty is None or amendment.px is None:
        return changed(execution, busted=True, qty=ZERO)
    key = (amendment.transact_time.isoformat() if amendment.transact_time else "", amendment.exec_id or "")
    if execution.corrected_by is not None and key < execution.corrected_by:
        return execution
    return changed(execution, qty=amendment.qty, px=amendment.px, corrected_by=key)


def _amendment(event: FillBusted | FillCorrected) -> Amendment:
    qty, px = (event.last_qty, event.last_px) if isinstance(event, FillCorrected) else (None, None)
    return Amendment(
        exec_id=event.exec_id,
        ref_exec_id=event.ref_exec_id,
        qty=qty,
        px=px,
        transact_time=event.transact_time,
        source=event.source,
    )


def _released(a: Amendment) -> FillBusted | FillCorrected:
    if a.qty is None or a.px is None:
        return FillBusted(
            exec_id=a.exec_id, ref_exec_id=a.ref_exec_id, transact_time=a.transact_time, source=a.source
        )
    return FillCorrected(
        exec_id=a.exec_id,
        ref_exec_id=a.ref_exec_id,
        last_qty=a.qty,
        last_px=a.px,
        transact_time=a.transact_time,
        source=a.source,
    )


def _clip(spans: list[Span], window: Span) -> list[Span]:
    """The parts of some stretches inside a window, merged."""
    low, high = window
    return _merge([(max(a, low), min(b, high)) for a, b in spans if a < high and b > low])


def _merge(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for low, high in sorted(spans):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return merged


def _measure(merged: list[Span]) -> Decimal:
    return total(minus(high, low) for low, high in merged)
