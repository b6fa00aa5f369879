"""The front desk: takes orders, cancels and replaces, and decides what becomes of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Final

import msgspec

from gateway.paper.admission import admit, check_hours
from gateway.paper.errors import (
    Refusal,
    already_over,
    forbidden,
    insufficient_buying_power,
    order_not_found,
    unprocessable,
)
from gateway.paper.facts import Accepted
from gateway.paper.families import Families, legs_of
from gateway.paper.floor import AUCTION_REMAINDER, Floor
from gateway.paper.kernel import Kernel, asked_qty
from gateway.paper.notation import NEW_YORK
from gateway.paper.orders import ZERO, Order
from gateway.paper.stuck import Stuck
from gateway.paper.terms import check_terms
from gateway.paper.ticket import Change, Ticket
from gateway.paper.updates import about

GTC_AGES_OUT_AFTER: Final = timedelta(days=90)
GTC_AGES_OUT_AT: Final = time(16, 15)  # in New York


class Exchange:
    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.floor = Floor(kernel)
        self.stuck = Stuck(kernel)
        kernel.heed = Families(kernel, self._release).heed
        self.world, self.faults, self.clock = kernel.world, kernel.faults, kernel.clock
        self._hidden: dict[str, tuple[datetime, str]] = {}
        """Orders that look-ups do not see yet: until when, and on which routes."""
        self._recover()

    def order(self, account: str, order_id: str) -> Order:
        order = self.world.orders.get(order_id)
        if order is None or order.account != account:
            raise order_not_found(order_id)
        return order

    def is_hidden(self, order: Order, route: str) -> bool:
        """Whether a look-up by `id`, `cid` or `list` does not find the order yet."""
        until, scope = self._hidden.get(order.id, (order.created_at, "*"))
        return self.clock.now() < until and scope in {"*", route}

    # Submit.

    def submit(self, account: str, ticket: Ticket) -> Order:
        """The order as the client is answered: accepted, not yet at the venue."""
        with self.kernel.turn():
            self._block_itself(account, ticket)
            check_hours(self.kernel.session, ticket, self.clock.now())
            ticket = admit(self.world, account, ticket)
            order = self._accept(account, ticket)
            legs = [self._accept(account, leg, parent=order) for leg in legs_of(ticket)]
            if lag := self.faults.take("order.lookup_lag", **about(order)):
                self._hidden[order.id] = (self.clock.now() + timedelta(seconds=lag.seconds), lag.scope)
            for each in (order, *legs):
                self._schedule(each)
            return order

    def _block_itself(self, account: str, ticket: Ticket) -> None:
        """A live order can stand in its own way when it is sent once more."""
        order_id = self.world.by_client_id.get((account, ticket.client_order_id or ""))
        twin = self.world.orders[order_id] if order_id else None
        if twin and twin.is_live and self.faults.take("order.self_block", **about(twin)):
            raise insufficient_buying_power(ZERO, twin.qty * self.kernel.fair_price(twin))

    def submit_late(self, account: str, ticket: Ticket, seconds: float) -> None:
        """The order enters after its client was told that it failed; a refusal then reaches nobody."""

        def enter() -> None:
            try:
                self.submit(account, ticket)
            except Refusal:
                return

        self.kernel.later(seconds, enter)

    def _accept(
        self, account: str, ticket: Ticket, *, parent: Order | None = None, replaces: Order | None = None
    ) -> Order:
        now, order_id = self.clock.now(), self.kernel.new_id("order")
        order = Order(
            id=order_id,
            account=account,
            client_order_id=ticket.client_order_id or self.kernel.new_id("client-order"),
            symbol=ticket.symbol,
            side=ticket.side,
            type=ticket.type,
            time_in_force=ticket.time_in_force,
            qty=ticket.qty,
            notional=ticket.notional,
            limit_price=ticket.limit_price,
            stop_price=ticket.stop_price,
            trail_price=ticket.trail_price,
            trail_percent=ticket.trail_percent,
            order_class=ticket.order_class,
            group=parent.id if parent else order_id if ticket.order_class else None,
            is_leg=parent is not None,
            extended_hours=ticket.extended_hours,
            position_intent=ticket.position_intent or "",
            created_at=now,
            updated_at=now,
            expires_at=self._end_of(ticket, now),
            rank=self.world.facts,
        )
        order = _succeeding(order, replaces) if replaces else order
        order = msgspec.structs.replace(order, status=self._first_status(order, parent))
        self.kernel.record(Accepted(at=now, order=order))
        return order

    def _first_status(self, order: Order, parent: Order | None) -> str:
        """Exits wait for their entry; orders for another session wait for it."""
        if order.status == "held" or (parent and parent.order_class != "oco"):
            return "held"
        return "accepted" if self._waits(order) else "pending_new"

    def _waits(self, order: Order) -> bool:
        return order.time_in_force == "opg" or not self.kernel.trades_now(order)

    def _end_of(self, ticket: Ticket, now: datetime) -> datetime:
        """The close of the session the order is for: this one, or the next when it has no part in it."""
        session = self.kernel.session
        if ticket.time_in_force == "gtc":
            last_day = now.astimezone(NEW_YORK).date() + GTC_AGES_OUT_AFTER
            return datetime.combine(last_day, GTC_AGES_OUT_AT, NEW_YORK).astimezone(UTC)
        if ticket.extended_hours:
            return session.next_last(now if session.is_extended(now) else session.next_first(now))
        joins_now = session.is_open(now) and ticket.time_in_force != "opg"
        return session.next_close(now if joins_now else session.next_open(now))

    def _schedule(self, order: Order) -> None:
        """Route the order when its session is open, and end it when its time is over."""
        self._schedule_end(order)
        if order.status == "held":
            return
        if self._waits(order):
            opens = self.kernel.trades_next(order)
            self.kernel.agenda.at(opens, lambda: self._route(order.id), routine=True)
        else:
            self._route(order.id)

    def _schedule_end(self, order: Order) -> None:
        self.kernel.agenda.at(order.expires_at, lambda: self._expire(order.id), routine=True)

    def _release(self, order_id: str) -> None:
        """The entry is filled: its exits go to the venue."""
        if not self.stuck.holds(self.world.orders[order_id], "held", lambda: self.acknowledge(order_id)):
            self.acknowledge(order_id)

    def _route(self, order_id: str) -> None:
        order = self.world.orders[order_id]
        if not order.is_live:  # it ended while it waited
            return
        later, facts = self.kernel.later, about(order)
        if self.stuck.holds(order, order.status, lambda: self.acknowledge(order_id)):
            return
        if reject := self.faults.take("order.async_reject", **facts):
            reason = reject.reason or "rejected by the venue"
            later(reject.delay_s, lambda: self.kernel.end(order_id, "rejected", reason=reason))
        elif silent := self.faults.take("order.silent_cancel", **facts):
            self.acknowledge(order_id)
            later(silent.delay_s, lambda: self.kernel.end(order_id, "canceled", quiet=True))
        elif delay := self.faults.take("order.ack_delay", **facts):
            later(delay.seconds, lambda: self.acknowledge(order_id))
        else:
            self.acknowledge(order_id)

    def acknowledge(self, order_id: str, *, quiet: bool = False) -> None:
        """The venue takes the order: `new`, then whatever it meets."""
        order = self.world.orders[order_id]
        if order.status in {"pending_new", "accepted", "suspended", "done_for_day", "held"}:
            status = "partially_filled" if order.filled_qty else "new"
            event_id = self.kernel.new_id("event")
            self.kernel.move(order_id, "new", status, execution_id=event_id, quiet=quiet)
            if terms := self.faults.take("order.restate", **about(order)):
                self.kernel.restate(order_id, qty=terms.qty, price=terms.price, reason=terms.reason)
            self.floor.enter(order_id)

    def _expire(self, order_id: str) -> None:
        order = self.world.orders[order_id]
        if order.time_in_force == "cls":
            self.floor.cross_at_the_close(order_id)
        if order.is_auction:
            self.kernel.end(order_id, "canceled", reason=AUCTION_REMAINDER)
        elif order.status != "pending_cancel":
            self.kernel.end(order_id, "expired")

    # Cancel and replace.

    def cancel(self, account: str, order_id: str) -> None:
        """Ask for a cancel; what becomes of it is told later."""
        with self.kernel.turn():
            order = self.order(account, order_id)
            if order.status == "filled" and self.faults.take("order.cancel_204_filled", **about(order)):
                return
            if not order.is_live:
                raise already_over(order.status)
            if order.status == "pending_replace":
                raise unprocessable('order is not cancelable in "pending_replace" state')
            if order.status != "pending_cancel":
                self.kernel.move(order_id, "pending_cancel", "pending_cancel")
                self._answer_cancel(order)

    def _answer_cancel(self, order: Order) -> None:
        kernel, facts = self.kernel, about(order)
        if reject := self.faults.take("order.cancel_reject", **facts):
            kernel.restore(order.id, "order_cancel_rejected", reject.reason or "TOO_LATE_TO_CANCEL")
            if reject.then_fill:
                kernel.execute(order.id, order.leaves, kernel.fair_price(order), "forced")
            return
        if fill := self.faults.take("order.fill_on_cancel", **facts):
            qty = asked_qty(fill.qty, order.leaves)
            kernel.execute(order.id, qty, kernel.fair_price(order), "forced")
        if not self.stuck.holds(order, "pending_cancel", lambda: kernel.end(order.id, "canceled")):
            kernel.end(order.id, "canceled")

    def replace(self, account: str, order_id: str, change: Change) -> Order:
        """A new order in the place of what is left of an old one."""
        with self.kernel.turn():
            old = self.order(account, order_id)
            if not old.is_live:
                raise already_over(old.status)
            _check_replaceable(old, change)
            race = self.faults.take("order.replace_race", **about(old))
            mode = race.mode if race else ""
            if mode == "full_qty" and change.qty is None:
                change = replace(change, qty=old.qty)
            ticket = _changed(old, change)
            check_terms(ticket)
            ticket = admit(self.world, account, ticket, replacing=old)
            self.kernel.move(old.id, "pending_replace", "pending_replace", quiet=mode == "silent")
            new = self._accept(account, ticket, replaces=self.world.orders[old.id])
            if mode == "filled_first":
                self._lose_race(old, new)
            elif not self.stuck.holds(old, "pending_replace", lambda: self._put_in_place(old, new)):
                self._put_in_place(old, new, quiet=mode == "silent")
            if mode == "error_but_applied":
                raise unprocessable("unable to replace order, order isn't sent to exchange yet")
            return new

    def _put_in_place(self, old: Order, new: Order, *, quiet: bool = False) -> None:
        self.kernel.move(old.id, "replaced", "replaced", replaced_by=new.id, quiet=quiet)
        self.kernel.fill_late(old, "replaced")
        if quiet:
            self._schedule_end(new)
            self.acknowledge(new.id, quiet=True)
        else:
            self._schedule(new)

    def _lose_race(self, old: Order, new: Order) -> None:
        """The old order fills before the new one takes its place."""
        self.kernel.execute(old.id, old.leaves, self.kernel.fair_price(old), "forced")
        self.kernel.restore(old.id, "order_replace_rejected", "TOO_LATE_TO_REPLACE")
        self.kernel.end(new.id, "rejected", reason="order to replace is filled")

    # After a restart.

    def _recover(self) -> None:
        """Finish what a kill interrupted."""
        with self.kernel.turn():
            for order_id in list(self.world.live):
                order = self.world.orders[order_id]
                if order.status == "pending_cancel":
                    self.kernel.end(order_id, "canceled")
                elif order.status == "pending_replace":
                    self._put_in_place(order, self._successor(order))
                elif order.status in {"pending_new", "accepted"}:
                    self._schedule(order)
                elif order.status == "held" and self._entry_is_filled(order):
                    self._schedule_end(order)
                    self.acknowledge(order_id)
                else:
                    self._schedule_end(order)

    def _successor(self, old: Order) -> Order:
        return next(order for order in self.world.orders.values() if order.replaces == old.id)

    def _entry_is_filled(self, leg: Order) -> bool:
        return any(order.status == "filled" and not order.is_exit for order in self.world.group(leg))


def _check_replaceable(old: Order, change: Change) -> None:
    if old.status not in {"new", "partially_filled", "held"}:
        raise unprocessable(f'order is not replaceable in "{old.status}" state')
    if old.notional is not None:
        raise unprocessable("notional orders cannot be replaced")
    if change.qty is not None and old.qty % 1:
        raise unprocessable("the quantity of fractional orders cannot be replaced")
    if change.qty is not None and old.order_class:
        raise unprocessable("the quantity of complex orders cannot be replaced")


def _succeeding(order: Order, old: Order) -> Order:
    """The order in the place of another: its age where it may keep it, its family, and what it trails."""
    keeps_place = order.qty <= old.leaves and order.limit_price == old.limit_price
    return msgspec.structs.replace(
        order,
        replaces=old.id,
        rank=old.rank if keeps_place else order.rank,
        status="held" if old.status_before == "held" else order.status,
        order_class=old.order_class,
        group=old.group,
        is_leg=old.is_leg,
        hwm=old.hwm,
    )


def _changed(old: Order, change: Change) -> Ticket:
    """The ticket of the replacement: the old terms over the remaining quantity, except what is changed."""
    current = Ticket(
        symbol=old.symbol,
        side=old.side,
        type=old.type,
        time_in_force=old.time_in_force,
        qty=old.leaves,
        limit_price=old.limit_price,
        stop_price=None if old.type == "trailing_stop" else old.stop_price,
        trail_price=old.trail_price,
        trail_percent=old.trail_percent,
        extended_hours=old.extended_hours,
        client_order_id=change.client_order_id,
    )
    ticket = replace(
        current,
        qty=change.qty or current.qty,
        time_in_force=change.time_in_force or current.time_in_force,
        limit_price=change.limit_price or current.limit_price,
        stop_price=change.stop_price or current.stop_price,
        trail_price=change.trail or current.trail_price if current.trail_price else None,
        trail_percent=change.trail or current.trail_percent if current.trail_percent else None,
    )
    if ticket == current:
        raise forbidden("order parameters are not changed")
    return ticket
