"""Alpaca's payloads in our words: pure, tolerant, without a float.

Unknown names are kept as they came, unknown fields are ignored, numbers are read from their text. What cannot
be read at all raises Unparsable and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final, TypeVar

from gateway.adapters.alpaca_json import read_json, storable
from gateway.aggregates.exact import canonical
from gateway.aggregates.reports import (
    AccountActivity,
    BrokerOrder,
    BrokerPosition,
    ExecutionReport,
    ReportKind,
)
from gateway.aggregates.vocabulary import (
    ZERO,
    ClientOrderId,
    ExecId,
    OrderId,
    OrdStatus,
    OrdType,
    ReportSource,
    Side,
    Symbol,
    TimeInForce,
)
from gateway.ports import BrokerAccount, BrokerClock

Raw = Mapping[str, Any]
E = TypeVar("E", bound=StrEnum)

STATUSES: Final = {
    status.value: status
    for status in (
        OrdStatus.PENDING_NEW,
        OrdStatus.NEW,
        OrdStatus.ACCEPTED,
        OrdStatus.PARTIALLY_FILLED,
        OrdStatus.PENDING_CANCEL,
        OrdStatus.PENDING_REPLACE,
        OrdStatus.STOPPED,
        OrdStatus.SUSPENDED,
        OrdStatus.CALCULATED,
        OrdStatus.DONE_FOR_DAY,
        OrdStatus.CANCELED,
        OrdStatus.EXPIRED,
        OrdStatus.REJECTED,
        OrdStatus.REPLACED,
        OrdStatus.FILLED,
    )
}
"""The broker's words for a status that we share. Our own words are never taken from the broker."""

KINDS: Final = {
    **dict.fromkeys((*STATUSES, "held", "restated"), ReportKind.STATUS),
    "fill": ReportKind.TRADE,
    "partial_fill": ReportKind.TRADE,
    "trade_bust": ReportKind.BUST,
    "trade_correct": ReportKind.CORRECT,
    "order_cancel_rejected": ReportKind.CANCEL_REJECTED,
    "order_replace_rejected": ReportKind.REPLACE_REJECTED,
}


LONGEST_NAME: Final = 128
"""Characters of an id or a symbol; Alpaca's client order ids may have as many."""
MOST_DIGITS: Final = 40
"""Digits of a number: far more than any price has, far fewer than exact arithmetic can carry."""


class Unparsable(ValueError):
    """The payload does not say what it must say to be a fact."""


def interpret(raw: bytes, source: ReportSource) -> ExecutionReport:
    """Read a stream frame, a webhook body, an activity or a bare order. Raises Unparsable."""
    body = read_json(raw)
    if not isinstance(body, dict):
        raise Unparsable("not a JSON object")
    if "activity_type" in body:
        return parse_activity(body)
    return parse_event(body, source)


def parse_event(body: Raw, source: ReportSource) -> ExecutionReport:
    """Read a trade update: flat, in an envelope, or as the stream frames it. The innermost order wins."""
    data = body.get("data")
    event = {**body, **_present(data)} if isinstance(data, dict) else body
    order = _innermost_order(event)
    name = _text(event.get("event")) or (_text(order.get("status")) if order is event else None)
    if name is None:
        raise Unparsable("no event")
    order_id, client_order_id = _name(OrderId, order, "id"), _name(ClientOrderId, order, "client_order_id")
    if order_id is None and client_order_id is None:
        raise Unparsable("no order id")
    kind = KINDS.get(name, ReportKind.UNKNOWN)
    last_qty = read_number(event, "qty") if order is not event else None
    return ExecutionReport(
        kind=kind,
        source=source,
        event=name,
        order_id=order_id,
        client_order_id=client_order_id,
        transact_time=_transact_time(event, order),
        exec_id=_name(ExecId, event, "execution_id"),
        ref_exec_id=_name(ExecId, event, "previous_execution_id"),
        last_qty=abs(last_qty) if last_qty is not None and kind is ReportKind.BUST else last_qty,
        last_px=read_number(event, "price"),
        cum_qty=read_number(order, "filled_qty"),
        position_qty=read_number(event, "position_qty"),
        symbol=_name(Symbol, order, "symbol"),
        side=_side(order),
        reason=_text(event.get("reason")),
        event_id=_text(event.get("event_id")),
        order=_order_or_none(order),
    )


def parse_activity(raw: Any) -> ExecutionReport:
    """Read a FILL activity; it names the order by the broker's id alone. Raises Unparsable."""
    raw = _mapping(raw)
    activity_id = _required(raw, "id")
    qty = _required_number(raw, "qty")
    return ExecutionReport(
        kind=ReportKind.TRADE if raw.get("activity_type") == "FILL" and qty > 0 else ReportKind.UNKNOWN,
        source=ReportSource.ACTIVITY,
        event=_text(raw.get("type")) or "fill",
        order_id=OrderId(_required(raw, "order_id")),
        client_order_id=None,
        transact_time=read_time(raw.get("transaction_time")),
        exec_id=ExecId(activity_id.rpartition("::")[2]),
        last_qty=qty,
        last_px=_required_number(raw, "price"),
        cum_qty=read_number(raw, "cum_qty"),
        symbol=_name(Symbol, raw, "symbol"),
        side=_side(raw),
        event_id=activity_id,
    )


def parse_account_activity(raw: Any) -> AccountActivity:
    """Read an activity that is no trade. Raises Unparsable."""
    raw = _mapping(raw)
    created_at, day = read_time(raw.get("created_at")), read_time(raw.get("date"))
    at = created_at or day
    if at is None:
        raise Unparsable("no time")
    return AccountActivity(
        activity_id=_required(raw, "id"),
        kind=_required(raw, "activity_type"),
        sub_kind=_text(raw.get("activity_sub_type")),
        at=at,
        day=day.date() if day is not None else None,
        symbol=_name(Symbol, raw, "symbol"),
        qty=read_number(raw, "qty"),
        price=read_number(raw, "price"),
        per_share=read_number(raw, "per_share_amount"),
        net_amount=_amount(raw),
        status=_text(raw.get("status")),
        group_id=_text(raw.get("group_id")),
        description=_text(raw.get("description")),
    )


def _amount(raw: Raw) -> Decimal | None:
    """Money that is not told as a number, by whatever word, is not known yet; it keeps no split from us."""
    try:
        return read_number(raw, "net_amount")
    except Unparsable:
        return None


def parse_order(raw: Any) -> BrokerOrder:
    """Read an order as the broker holds it. Raises Unparsable."""
    raw = _mapping(raw)
    status = _required(raw, "status")
    side = _side(raw)
    if side is None:
        raise Unparsable(f"no side: {raw.get('side')!r}")
    return BrokerOrder(
        order_id=OrderId(_required(raw, "id")),
        client_order_id=ClientOrderId(_required(raw, "client_order_id")),
        symbol=Symbol(_required(raw, "symbol")),
        side=side,
        ord_type=_word(OrdType, raw.get("type") or raw.get("order_type"), OrdType.OTHER),
        time_in_force=_word(TimeInForce, raw.get("time_in_force"), TimeInForce.OTHER),
        broker_status=status,
        status=STATUSES.get(status),
        qty=read_number(raw, "qty"),
        filled_qty=read_number(raw, "filled_qty") or ZERO,
        filled_avg_px=read_number(raw, "filled_avg_price"),
        limit_px=read_number(raw, "limit_price"),
        stop_px=read_number(raw, "stop_price"),
        notional=read_number(raw, "notional"),
        updated_at=read_time(raw.get("updated_at")),
        submitted_at=read_time(raw.get("submitted_at")),
        filled_at=read_time(raw.get("filled_at")),
        replaces=_name(OrderId, raw, "replaces"),
        replaced_by=_name(OrderId, raw, "replaced_by"),
    )


def parse_position(raw: Any) -> BrokerPosition:
    """Read a position; a short one is negative, however the broker writes it. Raises Unparsable."""
    raw = _mapping(raw)
    qty = _required_number(raw, "qty")
    return BrokerPosition(
        symbol=Symbol(_required(raw, "symbol")),
        qty=-abs(qty) if raw.get("side") == "short" else qty,
        avg_entry_px=_required_number(raw, "avg_entry_price"),
        current_px=read_number(raw, "current_price"),
    )


def parse_account(raw: Any) -> BrokerAccount:
    """Read the account. Raises Unparsable."""
    raw = _mapping(raw)
    flags = ("trading_blocked", "account_blocked", "trade_suspended_by_user")
    return BrokerAccount(
        account_number=_required(raw, "account_number"),
        status=_required(raw, "status"),
        equity=_required_number(raw, "equity"),
        cash=_required_number(raw, "cash"),
        buying_power=_required_number(raw, "buying_power"),
        blocked=any(raw.get(flag) is not False for flag in flags if flag in raw),
    )


def parse_clock(raw: Any) -> BrokerClock:
    """Read the market clock. Raises Unparsable."""
    raw = _mapping(raw)
    is_open = raw.get("is_open")
    if not isinstance(is_open, bool):
        raise Unparsable("is_open is not a boolean")
    return BrokerClock(
        timestamp=_required_time(raw, "timestamp"),
        is_open=is_open,
        next_open=_required_time(raw, "next_open"),
        next_close=_required_time(raw, "next_close"),
    )


def _innermost_order(event: Raw) -> Raw:
    """The order of an event; an event without one may be a bare order itself."""
    order: Any = event.get("order")
    if not isinstance(order, dict):
        return event if "event" not in event and "order" not in event else {}
    while isinstance(inner := order.get("order"), dict):
        order = inner
    return _mapping(order)


def _order_or_none(raw: Raw) -> BrokerOrder | None:
    """The order when the event carries enough of it; relays often send a few fields only."""
    try:
        return parse_order(raw)
    except Unparsable:
        return None


def _transact_time(event: Raw, order: Raw) -> datetime | None:
    """The broker's time of the event, else its latest time of the order."""
    candidates = (event.get("timestamp"), event.get("at"), order.get("updated_at"), order.get("filled_at"))
    return next((time for text in candidates if (time := read_time(text)) is not None), None)


def _side(raw: Raw) -> Side | None:
    """Buy or sell; `sell_short` and intents such as `buy_to_close` say it too."""
    word = _text(raw.get("side")) or _text(raw.get("position_intent")) or ""
    return _known(Side, word.partition("_")[0])


def _known(kind: type[E], word: Any) -> E | None:
    try:
        return kind(word)
    except ValueError:
        return None


def _word(kind: type[E], word: Any, other: E) -> E | None:
    """One of our words, `other` for one we do not have, None when nothing was said."""
    return None if word is None else _known(kind, word) or other


def _mapping(raw: Any) -> Raw:
    if not isinstance(raw, dict):
        raise Unparsable("not a JSON object")
    return raw


def _present(raw: Raw) -> Raw:
    return {name: value for name, value in raw.items() if value is not None}


def _text(value: Any) -> str | None:
    return storable(value) if isinstance(value, str) and value else None


T = TypeVar("T")


def _name(kind: Callable[[str], T], raw: Raw, name: str) -> T | None:
    """An id or a symbol, None when absent. Raises Unparsable for one that no index could hold."""
    text = _text(raw.get(name))
    if text is not None and len(text) > LONGEST_NAME:
        raise Unparsable(f"{name} is longer than {LONGEST_NAME} characters")
    return None if text is None else kind(text)


def _required(raw: Raw, name: str) -> str:
    text = _name(str, raw, name)
    if text is None:
        raise Unparsable(f"no {name}")
    return text


def read_number(raw: Raw, name: str) -> Decimal | None:
    """A number from its text without idle zeros, None when absent. Raises Unparsable."""
    value = raw.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise Unparsable(f"{name} is not a number")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise Unparsable(f"{name} is not a number") from None
    if not number.is_finite() or abs(number.adjusted()) > 18 or len(number.as_tuple().digits) > MOST_DIGITS:
        raise Unparsable(f"{name} is out of bounds")
    return Decimal(canonical(number))


def _required_number(raw: Raw, name: str) -> Decimal:
    number = read_number(raw, name)
    if number is None:
        raise Unparsable(f"no {name}")
    return number


def read_time(value: Any) -> datetime | None:
    """An instant in UTC, cut to microseconds; without an offset it is taken as UTC."""
    if not isinstance(value, str):
        return None
    try:
        instant = datetime.fromisoformat(value)
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _required_time(raw: Raw, name: str) -> datetime:
    instant = read_time(raw.get(name))
    if instant is None:
        raise Unparsable(f"{name} is not a time")
    return instant
