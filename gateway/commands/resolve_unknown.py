"""Unknown outcomes: looked up until the order is proved present or proved absent. Never sent again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from gateway.aggregates.order.state import Order
from gateway.aggregates.refusals import LedgerUnavailable
from gateway.aggregates.vocabulary import ClientOrderId, OrdStatus, ReportSource
from gateway.commands.outcome import RecordOutcome
from gateway.ledger.ledger import Ledger
from gateway.ports import Absent, Broker, BrokerUnreadable, Clock, Found
from gateway.telemetry import Metrics, log

_log = log("gateway.resolver")

LOOK_UP_AFTER: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds between look-ups; the last one repeats."""
DEFINITE_ABSENCES: Final = 3
LISTING_MARGIN: Final = timedelta(seconds=120)


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
    in_flight: Callable[[], set[ClientOrderId]]
    grace: timedelta
    """Shortest silence that can prove absence."""
    broker_deadline: timedelta
    _cases: dict[ClientOrderId, _Case] = field(default_factory=dict)

    async def run_once(self) -> None:
        """Every order without an outcome that is due."""
        await self.ledger.catch_up()
        now = self.clock.now()
        waiting = [order for order in self._live() if self._is_unknown(order, now)]
        self._forget({order.client_order_id for order in waiting})
        self.metrics.unknown_outcomes.set(len(waiting))
        for order in waiting:
            case = self._cases.setdefault(order.client_order_id, _Case(since=order.attempted_at, due=now))
            if now >= case.due:
                await self._each(order, self._look_up(order, case))

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
        if order.phase is OrdStatus.SUBMITTED_UNCONFIRMED:  # a cancel wanted meanwhile is what is shown
            return True
        return now - order.attempted_at > 2 * self.broker_deadline

    def _forget(self, waiting: set[ClientOrderId]) -> None:
        for client_order_id in set(self._cases) - waiting:
            del self._cases[client_order_id]

    async def _look_up(self, order: Order, case: _Case) -> None:
        cid = order.client_order_id
        correlation_id = f"resolve:{cid}"
        if order.phase is not OrdStatus.SUBMITTED_UNCONFIRMED:
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
