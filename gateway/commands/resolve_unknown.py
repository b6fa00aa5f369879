"""Unknown outcomes: looked up until the order is proved present or proved absent. Never sent again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from gateway.aggregates.order.state import Order
from gateway.aggregates.refusals import LedgerUnavailable
from gateway.aggregates.vocabulary import ClientOrderId, OrdStatus, ReportSource
from gateway.commands.cancel_order import CancelOrder
from gateway.commands.outcome import RecordOutcome
from gateway.ledger.ledger import Ledger
from gateway.ports import Absent, Broker, BrokerUnreadable, Clock, Found
from gateway.telemetry import Metrics, log

_log = log("gateway.resolver")

LOOK_UP_AFTER: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds between look-ups; the last one repeats."""
DEFINITE_ABSENCES: Final = 3
LISTING_MARGIN: Final = timedelta(seconds=120)
CANCEL_AGAIN_AFTER: Final = timedelta(seconds=10)


@dataclass(slots=True)
class _Case:
    """What look-ups have said about one order so far. Lost with the process, and then asked again."""

    since: datetime
    due: datetime
    tries: int = 0
    absent: list[datetime] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class ResolveUnknown:
    ledger: Ledger
    broker: Broker
    clock: Clock
    metrics: Metrics
    outcome: RecordOutcome
    cancel_order: CancelOrder
    in_flight: Callable[[], set[ClientOrderId]]
    grace: timedelta
    """Shortest silence that can prove absence."""
    broker_deadline: timedelta
    _cases: dict[ClientOrderId, _Case] = field(default_factory=dict)
    _cancels: dict[ClientOrderId, datetime] = field(default_factory=dict)

    async def run_once(self) -> None:
        """Every order without an outcome that is due, and every cancel the broker has not confirmed."""
        await self.ledger.catch_up()
        now = self.clock.now()
        waiting = [order for order in self._live() if self._is_unknown(order, now)]
        self._forget({order.client_order_id for order in waiting})
        self.metrics.unknown_outcomes.set(len(waiting))
        for order in waiting:
            case = self._cases.setdefault(order.client_order_id, _Case(since=order.attempted_at, due=now))
            if now >= case.due:
                await self._each(order, self._look_up(order, case))

    async def repeat_cancels(self) -> None:
        """Every cancel the broker has not confirmed; a task of its own, so that no look-up delays it."""
        await self.ledger.catch_up()
        wanted = [order for order in self._live() if order.cancel_wanted and not order.is_unconfirmed]
        ids = {order.client_order_id for order in wanted}
        self._cancels = {cid: at for cid, at in self._cancels.items() if cid in ids}
        for order in wanted:
            await self._each(order, self._repeat_cancel(order))

    async def _each(self, order: Order, work: Awaitable[None]) -> None:
        """One order that cannot be worked on must not stop those behind it."""
        try:
            await work
        except LedgerUnavailable as error:
            _log.warning("order left for later", client_order_id=order.client_order_id, error=str(error))

    def _live(self) -> list[Order]:
        return [order for _, order in self.ledger.desk.live("order-")]

    def _is_unknown(self, order: Order, now: datetime) -> bool:
        if not order.is_unconfirmed or order.client_order_id in self.in_flight():
            return False
        if order.status is OrdStatus.SUBMITTED_UNCONFIRMED:
            return True
        return now - order.attempted_at > 2 * self.broker_deadline

    def _forget(self, waiting: set[ClientOrderId]) -> None:
        for client_order_id in set(self._cases) - waiting:
            del self._cases[client_order_id]

    async def _look_up(self, order: Order, case: _Case) -> None:
        cid = order.client_order_id
        correlation_id = f"resolve:{cid}"
        if order.status is not OrdStatus.SUBMITTED_UNCONFIRMED:
            reason = "no outcome was recorded; the process ended between intent and outcome"
            order = (await self.outcome.unknown(order, reason, correlation_id)).order
        lookup = await self.broker.order_by_client_id(cid)
        now = self.clock.now()
        case.due = now + timedelta(seconds=LOOK_UP_AFTER[min(case.tries, len(LOOK_UP_AFTER) - 1)])
        case.tries += 1
        match lookup:
            case Found(order=held):
                settled = await self.outcome.adopt(order, held, ReportSource.LOOKUP, correlation_id)
                self._resolved(order, "mismatch" if settled.refused else "adopted")
                if settled.order.cancel_wanted and settled.order.is_live:
                    await self.cancel_order.notify_broker(settled.order, settled.position, correlation_id)
            case Absent():
                case.absent.append(now)
                if await self._proved_absent(order, case, now):
                    evidence = (
                        f"{len(case.absent)} definite not-found answers from {case.absent[0].isoformat()} to"
                        f" {now.isoformat()}, and a complete order listing without it"
                    )
                    await self.outcome.not_accepted(order, evidence, correlation_id)
                    self._resolved(order, "not_accepted")
            case _:
                _log.info("look-up proved nothing", client_order_id=cid, attempt=case.tries)

    async def _proved_absent(self, order: Order, case: _Case, now: datetime) -> bool:
        """Three definite answers spread over the grace time, and a complete listing without the order."""
        if len(case.absent) < DEFINITE_ABSENCES or now - case.absent[0] < self.grace:
            return False
        try:
            listed = await self.broker.orders_since(case.since - LISTING_MARGIN)
        except BrokerUnreadable:
            return False
        return all(held.client_order_id != order.client_order_id for held in listed)

    def _resolved(self, order: Order, result: str) -> None:
        self._cases.pop(order.client_order_id, None)
        self.metrics.unknown_resolutions.labels(result=result).inc()
        _log.info("unknown outcome resolved", client_order_id=order.client_order_id, outcome=result)

    async def _repeat_cancel(self, order: Order) -> None:
        """A cancel request stays open until the broker's word; asking again is harmless."""
        now = self.clock.now()
        last = self._cancels.get(order.client_order_id, order.cancel_requested_at or now)
        if now - last >= CANCEL_AGAIN_AFTER:
            self._cancels[order.client_order_id] = now
            await self.cancel_order.notify_broker(
                order, self.ledger.desk.position, f"cancel:{order.client_order_id}"
            )
