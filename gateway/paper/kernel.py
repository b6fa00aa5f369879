"""What every part of the exchange stands on: durable turns, virtual time, ids, and single steps of orders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

import msgspec

from gateway.paper.bars import TICK, to_tick
from gateway.paper.clock import SESSIONS, Agenda, Clock, Session
from gateway.paper.facts import (
    Against,
    AnyFact,
    Corrected,
    Executed,
    Fed,
    Moved,
    Opened,
    Restated,
    Ruled,
    Undone,
)
from gateway.paper.faults import Faults
from gateway.paper.journal import Journal
from gateway.paper.notation import seeded_uuid
from gateway.paper.orders import Order
from gateway.paper.rules import Rules
from gateway.paper.updates import Update, about, update_of
from gateway.paper.world import World


class Kernel:
    """Single-threaded. A new journal begins with `opening`; an old one says itself how it was opened."""

    def __init__(self, journal: Journal, opening: Opened, fed: Fed) -> None:
        self.journal = journal
        self.clock = Clock()
        self.agenda = Agenda()
        self.world = World()
        self.publish: Callable[[Update], None] = lambda update: None
        self.heed: Callable[[AnyFact], None] = lambda fact: None
        """Told of each fact within its turn, so that what follows from it is durable with it."""
        self._facts: list[AnyFact] = []
        self._updates: list[Update] = []
        self._in_turn = False
        for fact in journal.read():
            self.world.apply(fact)
        self.opened = self.world.opened or self._open(opening, fed)
        self.faults = Faults(self.opened.seed)
        if clock := self.world.clock:
            self.clock.set(clock.mode, now=clock.now, speed=clock.speed)

    def _open(self, opening: Opened, fed: Fed) -> Opened:
        with self.turn():
            self.record(opening)
            self.record(fed)
        return opening

    @property
    def rules(self) -> Rules:
        return self.world.rules

    @property
    def session(self) -> Session:
        return SESSIONS[self.rules.session]

    def trades_now(self, order: Order) -> bool:
        now = self.clock.now()
        return self.session.is_extended(now) if order.extended_hours else self.session.is_open(now)

    def trades_next(self, order: Order) -> datetime:
        """When the next session begins that the order takes part in."""
        now = self.clock.now()
        return self.session.next_first(now) if order.extended_hours else self.session.next_open(now)

    def rule(self, **changes: object) -> None:
        with self.turn():
            rules = msgspec.structs.replace(self.rules, **changes)
            self.record(Ruled(at=self.clock.now(), rules=rules))

    # Turns: what belongs together becomes durable together, and only then is told.

    @contextmanager
    def turn(self) -> Iterator[None]:
        if self._in_turn:
            yield
            return
        self._in_turn = True
        try:
            yield
        finally:
            self._in_turn = False
            facts, updates = self._facts, self._updates
            self._facts, self._updates = [], []
            if facts:
                self.journal.append(facts)
            for update in updates:
                self.publish(update)

    def record(self, fact: AnyFact) -> None:
        self.world.apply(fact)
        self._facts.append(fact)
        if update := update_of(self.world, fact, self.clock.now()):
            self._updates.append(update)
        self.heed(fact)

    def new_id(self, kind: str) -> str:
        return seeded_uuid(self.opened.seed, kind, self.world.facts)

    def later(self, seconds: float, work: Callable[[], None]) -> None:
        """Do it now when there is nothing to wait for; otherwise on the virtual clock."""
        if seconds <= 0:
            work()
        else:
            self.agenda.at(self.clock.now() + timedelta(seconds=seconds), work)

    def run_due(self, until: datetime | None = None) -> None:
        """Run what is due, oldest first; a manual clock steps along."""
        until = until or self.clock.now()
        while due := self.agenda.pop_due(until):
            when, work = due
            self.clock.move_to(when)
            with self.turn():
                work()
        self.clock.move_to(until)

    # Single steps of an order.

    def move(
        self,
        order_id: str,
        event: str,
        status: str,
        *,
        reason: str | None = None,
        execution_id: str | None = None,
        replaced_by: str | None = None,
        quiet: bool = False,
    ) -> None:
        fact = Moved(
            at=self.clock.now(),
            order_id=order_id,
            event=event,
            status=status,
            reason=reason,
            execution_id=execution_id,
            replaced_by=replaced_by,
            quiet=quiet,
        )
        self.record(fact)

    def end(self, order_id: str, status: str, *, reason: str | None = None, quiet: bool = False) -> None:
        """Bring a live order to a terminal status; one that is over already stays as it is."""
        order = self.world.orders[order_id]
        if not order.is_live:
            return
        self.move(order_id, status, status, reason=reason, quiet=quiet)
        self.fill_late(order, status)

    def fill_late(self, order: Order, status: str) -> None:
        """A fault may let an order trade that has just ended; `order` is as it was before."""
        late = self.faults.take("order.fill_after_terminal", status=status, **about(order))
        if late and order.leaves:
            qty = asked_qty(late.qty, order.leaves)
            self.later(late.delay_s, lambda: self.execute(order.id, qty, self.fair_price(order), "forced"))

    def restore(self, order_id: str, event: str, reason: str) -> None:
        """A refused cancel or replace leaves the order as it was, or as it has ended meanwhile."""
        order = self.world.orders[order_id]
        self.move(order_id, event, order.status_before if order.is_live else order.status, reason=reason)

    def restate(
        self, order_id: str, *, qty: str | int | None, price: str | Decimal | None, reason: str | None
    ) -> None:
        """The broker changes the terms; without any it takes away half of what is left."""
        order = self.world.orders[order_id]
        if qty is None and price is None:
            qty = str(order.qty - order.leaves // 2)
        fact = Restated(
            at=self.clock.now(),
            order_id=order_id,
            qty=order.qty if qty is None else asked_qty(qty, order.qty),
            reason=reason or "RESTATED",
            limit_price=None if price is None else Decimal(price),
        )
        self.record(fact)

    def execute(self, order_id: str, qty: Decimal, price: Decimal, against: Against) -> None:
        """Book an execution; faults may cut it into slices, bust it or correct it."""
        order = self.world.orders[order_id]
        if over := self.faults.take("fill.over", **about(order)):
            qty += asked_qty(over.qty, order.leaves)
        if against == "quote" and (slip := self.faults.take("fill.slippage", **about(order))):
            price = _slipped(order, price, slip.bps)
        if burst := self.faults.take("fill.same_ms", **about(order)):
            now = self.clock.now()
            for part in _slices(qty, burst.n):
                self._execute_once(order_id, part, price, against, burst_at=now)
            return
        cut = self.faults.take("fill.partial", **about(order))
        if not cut:
            self._execute_once(order_id, qty, price, against)
            return
        for number, part in enumerate(_slices(qty, cut.slices)):
            self.later(number * cut.every_s, partial(self._execute_slice, order_id, part, price, against))

    def _execute_slice(self, order_id: str, qty: Decimal, price: Decimal, against: Against) -> None:
        """No slice takes what something else has filled meanwhile; an order that is over fills late."""
        order = self.world.orders[order_id]
        self._execute_once(order_id, min(qty, order.leaves) if order.is_live else qty, price, against)

    def _execute_once(
        self,
        order_id: str,
        qty: Decimal,
        price: Decimal,
        against: Against,
        *,
        burst_at: datetime | None = None,
    ) -> None:
        if qty <= 0:
            return
        order = self.world.orders[order_id]
        execution_id = self.new_id("execution")
        fact = Executed(
            at=burst_at or self.clock.now(),
            execution_id=execution_id,
            order_id=order_id,
            qty=qty,
            price=price,
            against=against,
            in_burst=burst_at is not None,
        )
        self.record(fact)
        self._revise_soon(order, fact)

    def _revise_soon(self, order: Order, fact: Executed) -> None:
        """What faults make of an execution afterwards."""
        execution_id, qty, price = fact.execution_id, fact.qty, fact.price
        if bust := self.faults.take("fill.bust", **about(order)):
            self.later(bust.delay_s, partial(self._bust_latest, execution_id, negative_qty=bust.negative_qty))
        if fix := self.faults.take("fill.correct", **about(order)):
            usual = price if fix.qty else price + TICK
            new_price, new_qty = Decimal(fix.price or usual), Decimal(fix.qty or qty)
            self.later(fix.delay_s, partial(self._correct_latest, execution_id, new_qty, new_price))
        if chain := self.faults.take("fill.chain", **about(order)):
            for step in range(1, chain.n + 1):
                self._correct_latest(execution_id, qty, price + step * TICK)

    def _bust_latest(self, execution_id: str, *, negative_qty: bool) -> None:
        if latest := self._latest(execution_id):
            self.bust(latest, negative_qty=negative_qty)

    def _correct_latest(self, execution_id: str, qty: Decimal, price: Decimal) -> None:
        if latest := self._latest(execution_id):
            self.correct(latest, qty, price)

    def _latest(self, execution_id: str) -> str | None:
        """What stands of an execution after its corrections; None when it was undone."""
        execution = self.world.executions.get(execution_id)
        while execution and not execution.is_live:
            execution = self.world.executions.get(execution.busted_by or "")
        return execution.id if execution else None

    def bust(self, execution_id: str, *, negative_qty: bool = False) -> None:
        fact = Undone(
            at=self.clock.now(),
            execution_id=self.new_id("execution"),
            previous=execution_id,
            negative_qty=negative_qty,
        )
        self.record(fact)

    def correct(self, execution_id: str, qty: Decimal, price: Decimal) -> None:
        fact = Corrected(
            at=self.clock.now(),
            execution_id=self.new_id("execution"),
            previous=execution_id,
            qty=qty,
            price=price,
        )
        self.record(fact)

    def fair_price(self, order: Order) -> Decimal:
        """A price for an execution the market did not make."""
        return order.limit_price or self.world.books[order.symbol].last or order.stop_price or Decimal(1)


def asked_qty(qty: str | int | None, leaves: Decimal) -> Decimal:
    """What a fault or a command means by a quantity; nothing and `all` mean the rest."""
    return leaves if qty in {None, "all"} else Decimal(str(qty))


def _slipped(order: Order, price: Decimal, bps: int) -> Decimal:
    """So much worse, to the tick, but never beyond what the order may pay or take."""
    worse = to_tick(price * (1 + order.sign * Decimal(bps) / 10_000))
    limit = order.working_limit
    if limit is None:
        return worse
    return min(worse, limit) if order.side == "buy" else max(worse, limit)


def _slices(qty: Decimal, count: int) -> list[Decimal]:
    """Equal whole shares, the last slice taking what remains."""
    slice_qty = qty // max(count, 1)
    if not slice_qty:
        return [qty]
    return [slice_qty] * (count - 1) + [qty - slice_qty * (count - 1)]
