"""The front desk: takes orders, cancels and replaces, and decides what becomes of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from gateway.paper.admission import admit
from gateway.paper.clock import Session
from gateway.paper.errors import Refusal, already_over, forbidden, order_not_found, unprocessable
from gateway.paper.facts import Accepted
from gateway.paper.floor import Floor
from gateway.paper.kernel import Kernel, asked_qty
from gateway.paper.orders import Order
from gateway.paper.ticket import Change, Ticket
from gateway.paper.updates import about

GTC_AGES_OUT_AFTER: Final = timedelta(days=90)


class Exchange:
    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.floor = Floor(kernel)
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
            intent = admit(self.world, account, ticket)
            order = self._accept(account, ticket, intent, rank=self.world.facts)
            if lag := self.faults.take("order.lookup_lag", **about(order)):
                self._hidden[order.id] = (self.clock.now() + timedelta(seconds=lag.seconds), lag.scope)
            self._schedule(order)
            return order

    def submit_late(self, account: str, ticket: Ticket, seconds: float) -> None:
        """The order enters after its client was told that it failed; a refusal then reaches nobody."""

        def enter() -> None:
            try:
                self.submit(account, ticket)
            except Refusal:
                return

        self.kernel.later(seconds, enter)

    def _accept(
        self, account: str, ticket: Ticket, intent: str, *, rank: int, replaces: str | None = None
    ) -> Order:
        now = self.clock.now()
        session = self.kernel.session
        ages_out = now + GTC_AGES_OUT_AFTER
        order = Order(
            id=self.kernel.new_id("order"),
            account=account,
            client_order_id=ticket.client_order_id or self.kernel.new_id("client-order"),
            symbol=ticket.symbol,
            side=ticket.side,
            type=ticket.type,
            time_in_force=ticket.time_in_force,
            qty=ticket.qty,
            limit_price=ticket.limit_price,
            stop_price=ticket.stop_price,
            extended_hours=ticket.extended_hours,
            position_intent=intent,
            created_at=now,
            updated_at=now,
            expires_at=ages_out if ticket.time_in_force == "gtc" else _end_of_day(session, now),
            rank=rank,
            status="pending_new" if ticket.extended_hours or session.is_open(now) else "accepted",
            replaces=replaces,
        )
        self.kernel.record(Accepted(at=now, order=order))
        return order

    def _schedule(self, order: Order) -> None:
        """Route the order when its session is open, and end it when its time is over."""
        agenda = self.kernel.agenda
        self._schedule_end(order)
        if self.kernel.trades_now(order):
            self._route(order.id)
        else:
            opens = self.kernel.session.next_open(self.clock.now())
            agenda.at(opens, lambda: self._route(order.id), routine=True)

    def _schedule_end(self, order: Order) -> None:
        self.kernel.agenda.at(order.expires_at, lambda: self._expire(order.id), routine=True)

    def _route(self, order_id: str) -> None:
        later, facts = self.kernel.later, about(self.world.orders[order_id])
        if self.faults.take("order.stuck", status="pending_new", **facts):
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

    def acknowledge(self, order_id: str) -> None:
        """The venue takes the order: `new`, then whatever it meets."""
        order = self.world.orders[order_id]
        if order.status in {"pending_new", "accepted", "suspended", "done_for_day", "held"}:
            status = "partially_filled" if order.filled_qty else "new"
            self.kernel.move(order_id, "new", status, execution_id=self.kernel.new_id("event"))
            self.floor.enter(order_id)

    def _expire(self, order_id: str) -> None:
        if self.world.orders[order_id].status != "pending_cancel":
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
        if not self.faults.take("order.stuck", status="pending_cancel", **facts):
            kernel.end(order.id, "canceled")

    def replace(self, account: str, order_id: str, change: Change) -> Order:
        """A new order in the place of what is left of an old one."""
        with self.kernel.turn():
            old = self.order(account, order_id)
            if not old.is_live:
                raise already_over(old.status)
            if old.status not in {"new", "partially_filled"}:
                raise unprocessable(f'order is not replaceable in "{old.status}" state')
            ticket = _changed(old, change)
            admit(self.world, account, ticket, replacing=old)
            self.kernel.move(old.id, "pending_replace", "pending_replace")
            keeps_place = ticket.qty <= old.leaves and ticket.limit_price == old.limit_price
            rank = old.rank if keeps_place else self.world.facts
            new = self._accept(account, ticket, old.position_intent, rank=rank, replaces=old.id)
            self.kernel.move(old.id, "replaced", "replaced", replaced_by=new.id)
            self._schedule(new)
            return new

    # After a restart.

    def _recover(self) -> None:
        """Finish what a kill interrupted."""
        with self.kernel.turn():
            for order_id in list(self.world.live):
                order = self.world.orders[order_id]
                if order.status == "pending_cancel":
                    self.kernel.end(order_id, "canceled")
                elif order.status in {"pending_new", "accepted"}:
                    self._schedule(order)
                else:
                    self._schedule_end(order)


def _end_of_day(session: Session, now: datetime) -> datetime:
    """The close of the session the order is for: this one, or the next when the market is closed."""
    return session.next_close(now if session.is_open(now) else session.next_open(now))


def _changed(old: Order, change: Change) -> Ticket:
    """The ticket of the replacement: the old terms over the remaining quantity, except what is changed."""
    current = Ticket(
        symbol=old.symbol,
        side=old.side,
        type=old.type,
        time_in_force=old.time_in_force,
        qty=old.leaves,
        limit_price=old.limit_price,
        stop_price=old.stop_price,
        extended_hours=old.extended_hours,
        client_order_id=change.client_order_id,
    )
    ticket = replace(
        current,
        qty=change.qty or current.qty,
        time_in_force=change.time_in_force or current.time_in_force,
        limit_price=change.limit_price or current.limit_price,
        stop_price=change.stop_price or current.stop_price,
    )
    if ticket == current:
        raise forbidden("order parameters are not changed")
    return ticket
