"""Alpaca as the Broker of this house: one POST per attempt, a deadline on every call, a proof or no claim."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, TypeVar
from urllib.parse import quote

from gateway.adapters.alpaca_client import Limits, Reply, Trading
from gateway.adapters.alpaca_outcomes import (
    Answer,
    Attempt,
    cancel_outcome,
    lookup_outcome,
    status_label,
    submit_outcome,
)
from gateway.adapters.alpaca_reports import (
    Unparsable,
    parse_account,
    parse_account_activity,
    parse_activity,
    parse_clock,
    parse_order,
    parse_position,
)
from gateway.adapters.background import Background
from gateway.adapters.lanes import Lane, LaneFull
from gateway.adapters.rate_budget import RateBudget, Urgency
from gateway.aggregates.reports import AccountActivity, BrokerOrder, BrokerPosition, ExecutionReport
from gateway.aggregates.vocabulary import ZERO, ClientOrderId, OrderId, Symbol, Ticket
from gateway.ports import (
    Accepted,
    BrokerAccount,
    BrokerClock,
    BrokerUnreadable,
    CancelOutcome,
    CancelUnknown,
    Clock,
    FillPage,
    Lookup,
    NotSent,
    SubmitOutcome,
    Unreadable,
)

T = TypeVar("T")
Query = Mapping[str, str]
Observe = Callable[[str, str], None]
LateReply = Callable[[bytes], Coroutine[Any, Any, None]]

_ORDERS_PER_PAGE: Final = 500
_ACTIVITIES_PER_PAGE: Final = 100
_PATIENCE: Final = 1.0
_WHOLE: Final = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlpacaSettings:
    """Where and how to reach the account. Times in seconds; `deadline` bounds a call from start to end."""

    key: str = field(repr=False)
    secret: str = field(repr=False)
    base_url: str
    connect_timeout: float = 1.0
    read_timeout: float = 2.0
    deadline: float = 5.0
    requests_per_minute: int = 180
    submit_threads: int = 8
    cancel_threads: int = 4
    lookup_threads: int = 4
    sweep_threads: int = 2


class _NotBegun(Exception):
    """No request was made: the budget is spent or every thread of the lane is busy."""


class AlpacaBroker:
    """A Broker. `observe(operation, status)` hears of every call, `late_reply` of acceptances too late."""

    def __init__(
        self,
        settings: AlpacaSettings,
        *,
        clock: Clock,
        observe: Observe = lambda _operation, _status: None,
        late_reply: LateReply | None = None,
    ) -> None:
        self._clock = clock
        self._observe = observe
        self._late_reply = late_reply
        self._deadline = settings.deadline
        self._budget = RateBudget(settings.requests_per_minute, clock)
        limits = Limits(connect=settings.connect_timeout, read=settings.read_timeout)

        def connect() -> Trading:
            return Trading(settings.key, settings.secret, settings.base_url, limits)

        connect().close()  # a wrong key or an unsafe SDK is found at start, not at the first order
        threads = {
            Urgency.CANCEL: settings.cancel_threads,
            Urgency.SUBMIT: settings.submit_threads,
            Urgency.LOOKUP: settings.lookup_threads,
            Urgency.SWEEP: settings.sweep_threads,
        }
        self._lanes = {
            urgency: Lane(f"alpaca-{urgency.name.lower()}", threads=number, connect=connect)
            for urgency, number in threads.items()
        }
        self._background = Background()

    def close(self) -> None:
        """Give up the threads and their connections without waiting."""
        for lane in self._lanes.values():
            lane.close()

    # --- orders ---

    async def submit(self, client_order_id: ClientOrderId, ticket: Ticket) -> SubmitOutcome:
        """POST once. A late answer that names an accepted order goes to `late_reply`."""

        def judge(answer: Answer) -> SubmitOutcome:
            attempt = Attempt(client_order_id=client_order_id, ticket=ticket, retry_after=self._budget.pause)
            return submit_outcome(attempt, answer)

        def late(answer: Answer) -> None:
            if isinstance(answer, Reply) and isinstance(judge(answer), Accepted):
                self._deliver(answer.body)

        body = order_body(client_order_id, ticket)
        try:
            answer = await self._call("submit", Urgency.SUBMIT, "POST", "/orders", body, late=late)
        except _NotBegun as error:
            return NotSent(reason=str(error))
        return judge(answer)

    async def cancel(self, order_id: OrderId) -> CancelOutcome:
        path = f"/orders/{_encoded(order_id)}"
        try:
            answer = await self._call("cancel", Urgency.CANCEL, "DELETE", path)
        except _NotBegun as error:
            return CancelUnknown(reason=str(error))
        return cancel_outcome(answer)

    async def order_by_client_id(self, client_order_id: ClientOrderId) -> Lookup:
        query: Query = {"client_order_id": client_order_id}
        return await self._look_up("/orders:by_client_order_id", query, client_order_id=client_order_id)

    async def order_by_id(self, order_id: OrderId) -> Lookup:
        return await self._look_up(f"/orders/{_encoded(order_id)}", {}, order_id=order_id)

    async def open_orders(self) -> tuple[BrokerOrder, ...]:
        return await self._orders({"status": "open"})

    async def orders_since(self, after: datetime) -> tuple[BrokerOrder, ...]:
        return await self._orders({"status": "all", "after": _instant(after)})

    # --- executions, positions, account ---

    async def fills(
        self,
        *,
        after: datetime | None,
        order_id: OrderId | None = None,
        beyond: str | None = None,
        page_size: int = 100,
        max_pages: int | None = None,
    ) -> FillPage:
        query: dict[str, str] = {"direction": "asc", "page_size": str(page_size)}
        if after is not None:
            query["after"] = _instant(after)
        if order_id is not None:
            query["order_id"] = order_id
        if beyond is not None:
            query["page_token"] = beyond
        reports: dict[str, ExecutionReport] = {}
        last: ExecutionReport | None = None
        complete, pages = False, 0
        while not complete and (max_pages is None or pages < max_pages):
            if last is not None:
                query["page_token"] = str(last.event_id)
            page = await self._list("fills", "/account/activities/FILL", query, parse_activity)
            fresh = {str(report.event_id): report for report in page}.items() - reports.items()
            complete = len(page) < page_size
            if not fresh and not complete:
                raise BrokerUnreadable("the broker repeats a page of fills")
            reports.update(fresh)
            last, pages = (page[-1] if page else last), pages + 1
        kept = [report for report in reports.values() if order_id in {None, report.order_id}]
        return FillPage(
            reports=tuple(sorted(kept, key=_execution_order)),
            last_activity_id=last.event_id if last else None,
            last_time=last.transact_time if last else None,
            complete=complete,
        )

    async def activities(self, *, after: datetime) -> tuple[AccountActivity, ...]:
        query = {"category": "non_trade_activity", "direction": "asc", "page_size": str(_ACTIVITIES_PER_PAGE)}
        query["after"] = _instant(after)
        found: dict[str, AccountActivity] = {}
        while True:
            known = len(found)
            page = await self._list("activities", "/account/activities", query, parse_account_activity)
            found.update((activity.activity_id, activity) for activity in page)
            if len(page) < _ACTIVITIES_PER_PAGE:
                return tuple(found.values())
            if len(found) == known:
                raise BrokerUnreadable("the broker repeats a page of activities")
            query["page_token"] = page[-1].activity_id

    async def positions(self) -> tuple[BrokerPosition, ...]:
        return tuple(await self._list("positions", "/positions", {}, parse_position))

    async def position(self, symbol: Symbol) -> Decimal:
        path = f"/positions/{_encoded(symbol)}"
        answer = await self._read("positions", Urgency.LOOKUP, path, {})
        if answer.is_absence():
            return ZERO
        held = _parsed(answer, parse_position)
        if held.symbol != symbol:
            raise BrokerUnreadable(f"asked for {symbol}, answered {held.symbol}")
        return held.qty

    async def account(self) -> BrokerAccount:
        return _parsed(await self._read("account", Urgency.LOOKUP, "/account", {}), parse_account)

    async def clock(self) -> BrokerClock:
        return _parsed(await self._read("clock", Urgency.LOOKUP, "/clock", {}), parse_clock)

    # --- how ---

    async def _look_up(
        self,
        path: str,
        query: Query,
        *,
        order_id: OrderId | None = None,
        client_order_id: ClientOrderId | None = None,
    ) -> Lookup:
        try:
            answer = await self._call("order", Urgency.LOOKUP, "GET", path, query)
        except _NotBegun as error:
            return Unreadable(reason=str(error))
        return lookup_outcome(answer, order_id=order_id, client_order_id=client_order_id)

    async def _orders(self, query: Query) -> tuple[BrokerOrder, ...]:
        """Every page, oldest first. Pages overlap, since the broker's bounds are not to be trusted."""
        query = {**query, "limit": str(_ORDERS_PER_PAGE), "direction": "asc", "nested": "false"}
        found: dict[OrderId, BrokerOrder] = {}
        while True:
            page = await self._list("orders", "/orders", query, parse_order)
            known = len(found)
            found.update((order.order_id, order) for order in page)
            if len(page) < _ORDERS_PER_PAGE:
                return tuple(found.values())
            newest = page[-1].submitted_at
            if newest is None or len(found) == known:
                raise BrokerUnreadable("the broker's pages of orders do not advance")
            query["after"] = _instant(newest - timedelta(milliseconds=1))

    async def _list(self, operation: str, path: str, query: Query, parse: Callable[[Any], T]) -> list[T]:
        """One page. An entry that cannot be read makes the page unreadable: nothing is left out silently."""
        reply = await self._read(operation, Urgency.SWEEP, path, query)
        return _parsed(reply, lambda body: [parse(entry) for entry in _array(body)])

    async def _read(self, operation: str, urgency: Urgency, path: str, query: Query) -> Reply:
        try:
            answer = await self._call(operation, urgency, "GET", path, query)
        except _NotBegun as error:
            raise BrokerUnreadable(str(error)) from None
        if isinstance(answer, Exception):
            raise BrokerUnreadable(f"no answer to {path}: {type(answer).__name__}") from answer
        return answer

    async def _call(
        self,
        operation: str,
        urgency: Urgency,
        verb: str,
        path: str,
        fields: Query = MappingProxyType({}),
        *,
        late: Callable[[Answer], None] | None = None,
    ) -> Answer:
        """One request on its lane, within the deadline. Raises _NotBegun when nothing left the process."""
        patience = min(_PATIENCE, self._deadline / 2)
        started = self._clock.monotonic()
        if not await self._budget.take(urgency, within=patience):
            raise _NotBegun("the request budget of this minute is spent")
        waited = self._clock.monotonic() - started
        try:
            answer = await self._lanes[urgency].run(
                lambda client: _attempt(client, verb, path, fields),
                patience=max(patience - waited, 0.0),
                deadline=self._deadline - waited,
                late=late,
            )
        except LaneFull:
            raise _NotBegun("every connection to the broker is busy") from None
        except TimeoutError as error:
            answer = error
        self._observe(operation, status_label(answer))
        self._note_rate(answer)
        return answer

    def _note_rate(self, answer: Answer) -> None:
        if not isinstance(answer, Reply):
            return
        reset_in = _seconds_until_reset(answer, self._clock.now())
        if answer.status == 429:
            self._budget.refused(reset_in)
        else:
            self._budget.answered(_whole(answer, "x-ratelimit-remaining"), reset_in)

    def _deliver(self, body: bytes) -> None:
        """Hand an answer that came after the deadline on as one more fact."""
        if self._late_reply is not None:
            self._background.spawn(self._late_reply(body))


def order_body(client_order_id: ClientOrderId, ticket: Ticket) -> dict[str, str]:
    """The body of a submission: exact strings, and no field the ticket does not need."""
    prices = {"limit_price": ticket.limit_px, "stop_price": ticket.stop_px}
    return {
        "symbol": ticket.symbol,
        "qty": f"{ticket.qty:f}",
        "side": ticket.side.value,
        "type": ticket.ord_type.value,
        "time_in_force": ticket.time_in_force.value,
        "client_order_id": client_order_id,
        **{name: f"{price:f}" for name, price in prices.items() if price is not None},
    }


def _attempt(client: Trading, verb: str, path: str, fields: Query) -> Answer:
    try:
        return client.call(verb, path, fields)
    except Exception as error:  # noqa: BLE001 - whatever it is, the outcome table decides what it proves
        return error


def _parsed(reply: Reply, parse: Callable[[Any], T]) -> T:
    if not reply.ok:
        raise BrokerUnreadable(f"the broker answered {reply.status}")
    try:
        return parse(reply.json())
    except Unparsable as error:
        raise BrokerUnreadable(f"the broker's answer cannot be read: {error}") from error


def _array(body: Any) -> list[Any]:
    if not isinstance(body, list):
        raise Unparsable("not a JSON array")
    return body


def _encoded(name: str) -> str:
    """An id as one segment of a path, whatever it contains."""
    return quote(name, safe="")


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _execution_order(report: ExecutionReport) -> tuple[datetime, Decimal]:
    """By the broker's time; executions of one instant by the running total they led to."""
    return report.transact_time or datetime.min.replace(tzinfo=UTC), report.cum_qty or ZERO


def _seconds_until_reset(reply: Reply, now: datetime) -> float | None:
    if (retry_after := _whole(reply, "retry-after")) is not None:
        return float(retry_after)
    reset = _whole(reply, "x-ratelimit-reset")
    return max(reset - now.timestamp(), 1.0) if reset is not None else None


def _whole(reply: Reply, header: str) -> int | None:
    """A header that is a number anybody would send, else None."""
    text = reply.headers.get(header, "")
    return int(text) if _WHOLE.fullmatch(text) else None
