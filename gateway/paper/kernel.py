"""What every part of the exchange stands on: durable turns, virtual time, ids, and single steps of orders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

import msgspec

from gateway.paper.clock import SESSIONS, Agenda, Clock, Session
from gateway.paper.facts import Against, AnyFact, Corrected, Executed, Fed, Moved, Opened, Ruled, Undone
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
        return order.extended_hours or self.session.is_open(self.clock.now())

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
        leaves = order.leaves
        self.move(order_id, status, status, reason=reason, quiet=quiet)
        late = self.faults.take("order.fill_after_terminal", status=status, **about(order))
        if late and leaves:
            qty = asked_qty(late.qty, leaves)
            self.later(late.delay_s, lambda: self.execute(order_id, qty, self.fair_price(order), "forced"))

    def restore(self, order_id: str, event: str, reason: str) -> None:
        """A refused cancel or replace leaves the order as it was."""
        self.move(order_id, event, self.world.orders[order_id].status_before, reason=reason)

    def execute(self, order_id: str, qty: Decimal, price: Decimal, against: Against) -> None:
        """Book an execution; faults may cut it into slices, bust it or correct it."""
        order = self.world.orders[order_id]
        if over := self.faults.take("fill.over", **about(order)):
            qty += asked_qty(over.qty, order.leaves)
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

    def _execute_once(self, order_id: str, qty: Decimal, price: Decimal, against: Against) -> None:
        if qty <= 0:
            return
        order = self.world.orders[order_id]
        execution_id = self.new_id("execution")
        fact = Executed(
            at=self.clock.now(),
            execution_id=execution_id,
            order_id=order_id,
            qty=qty,
            price=price,
            against=against,
        )
        self.record(fact)
        if bust := self.faults.take("fill.bust", **about(order)):
            self.later(bust.delay_s, lambda: self.bust(execution_id, negative_qty=bust.negative_qty))
        if fix := self.faults.take("fill.correct", **about(order)):
            new_price, new_qty = Decimal(fix.price or price), Decimal(fix.qty or qty)
            self.later(fix.delay_s, lambda: self.correct(execution_id, new_qty, new_price))

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


def _slices(qty: Decimal, count: int) -> list[Decimal]:
    """Equal whole shares, the last slice taking what remains."""
    slice_qty = qty // max(count, 1)
    if not slice_qty:
        return [qty]
    return [slice_qty] * (count - 1) + [qty - slice_qty * (count - 1)]
