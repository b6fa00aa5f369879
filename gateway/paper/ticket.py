"""What a client asks for, read and judged without looking at the market."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Final, Literal, cast

from gateway.paper.assets import find_symbol
from gateway.paper.errors import invalid, malformed, unprocessable
from gateway.paper.notation import plain
from gateway.paper.orders import Side

TYPES: Final = ("market", "limit", "stop", "stop_limit")
TIMES_IN_FORCE: Final = ("day", "gtc", "ioc", "fok")
INTENTS: Final = ("buy_to_open", "buy_to_close", "sell_to_open", "sell_to_close")
NEEDS_LIMIT: Final = {"limit", "stop_limit"}
NEEDS_STOP: Final = {"stop", "stop_limit"}
PRICES: Final = ("limit_price", "stop_price")

MOST_DIGITS: Final = 15  # more would leave the precision of a Decimal context

Body = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    symbol: str
    side: Side
    type: str
    time_in_force: str
    qty: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    extended_hours: bool = False
    client_order_id: str | None = None
    position_intent: str | None = None

    @property
    def is_fractional(self) -> bool:
        return self.qty != self.qty.to_integral_value()


def read_body(raw: bytes) -> Body:
    """Numbers become Decimals, so that `1.0` and `"1"` are the same. An empty body is an empty object."""
    try:
        body = json.loads(raw or b"{}", parse_float=Decimal, parse_int=Decimal)
    except (ValueError, RecursionError):
        raise malformed() from None
    if not isinstance(body, dict):
        raise malformed()
    return body


def read_ticket(body: Body) -> Ticket:
    """The order of these checks is part of the wire contract: fields, words, prices, then rules."""
    _require(body)
    ticket = Ticket(
        symbol=str(body["symbol"]),
        side=cast(Side, _one_of(body, "side", ("buy", "sell"))),
        type=_one_of(body, "type", TYPES),
        time_in_force=_one_of(body, "time_in_force", TIMES_IN_FORCE),
        qty=positive(body, "qty"),
        limit_price=_positive_or_none(body, "limit_price"),
        stop_price=_positive_or_none(body, "stop_price"),
        extended_hours=_boolean(body, "extended_hours"),
        client_order_id=_client_order_id(body),
        position_intent=_one_of(body, "position_intent", INTENTS) if body.get("position_intent") else None,
    )
    _check_prices_fit_type(ticket)
    _check_time_in_force(ticket)
    _check_increments(ticket)
    return _with_known_symbol(ticket)


def _require(body: Body) -> None:
    for name in ("symbol", "side", "type", "time_in_force"):
        if not body.get(name):
            raise invalid(f"{name} is required")
    if body.get("notional") is not None:
        raise unprocessable("notional orders are not offered by this exchange")
    if body.get("qty") is None:
        raise invalid("qty or notional is required")
    if body.get("order_class") not in (None, "", "simple"):
        raise unprocessable("only simple orders are offered by this exchange")


def _one_of(body: Body, name: str, allowed: tuple[str, ...]) -> str:
    if (value := body[name]) not in allowed:
        raise invalid(f"invalid {name}")
    return str(value)


def decimal_of(body: Body, name: str) -> Decimal:
    value = body.get(name)
    try:
        if not isinstance(value, str | Decimal):
            raise invalid(f"invalid {name}")
        number = Decimal(value)
    except InvalidOperation:
        raise invalid(f"invalid {name}") from None
    if not number.is_finite() or abs(number.adjusted()) > MOST_DIGITS:
        raise invalid(f"invalid {name}")
    return number


def positive(body: Body, name: str) -> Decimal:
    number = decimal_of(body, name)
    if number <= 0:
        raise invalid(f"{name} must be > 0")
    return number


def _positive_or_none(body: Body, name: str) -> Decimal | None:
    return None if body.get(name) is None else positive(body, name)


def _boolean(body: Body, name: str) -> bool:
    value = body.get(name) or False
    if not isinstance(value, bool):
        raise invalid(f"invalid {name}")
    return value


def _client_order_id(body: Body) -> str | None:
    value = body.get("client_order_id")
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > 128:
        raise invalid("invalid client_order_id")
    return value


def _check_prices_fit_type(ticket: Ticket) -> None:
    for name, price, needed in (
        ("limit", ticket.limit_price, ticket.type in NEEDS_LIMIT),
        ("stop", ticket.stop_price, ticket.type in NEEDS_STOP),
    ):
        if needed and price is None:
            raise invalid(f"{ticket.type} orders require a {name} price")
        if price is not None and not needed:
            raise invalid(f"{ticket.type} orders must not have a {name} price")


def _check_time_in_force(ticket: Ticket) -> None:
    if ticket.type in NEEDS_STOP and ticket.time_in_force not in {"day", "gtc"}:
        raise unprocessable(f"{ticket.type} orders must be DAY or GTC orders")
    if ticket.extended_hours and (ticket.type, ticket.time_in_force) not in {
        ("limit", "day"),
        ("limit", "gtc"),
    }:
        raise unprocessable("extended hours order must be DAY or GTC limit orders")


def _check_increments(ticket: Ticket) -> None:
    for name, price in zip(PRICES, (ticket.limit_price, ticket.stop_price), strict=True):
        if price is not None:
            check_increment(name, price)


def check_increment(name: str, price: Decimal) -> None:
    """Cents from one dollar up, hundredths of a cent below."""
    increment = Decimal("0.01") if price >= 1 else Decimal("0.0001")
    if price % increment:
        text = "sub-penny increment does not fulfill minimum pricing criteria"
        raise unprocessable(f"invalid {name} {plain(price)}. {text}")


def _with_known_symbol(ticket: Ticket) -> Ticket:
    symbol = find_symbol(ticket.symbol)
    if symbol is None:
        raise invalid(f"could not find us_equity '{ticket.symbol}'")
    return replace(ticket, symbol=symbol)


def check_fraction(ticket: Ticket) -> None:
    if not ticket.is_fractional:
        return
    if ticket.time_in_force != "day":
        raise unprocessable("fractional orders must be DAY orders")
    if ticket.qty % Decimal("1e-9"):
        raise invalid("invalid qty")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a PATCH asks for; None leaves a term as it is."""

    qty: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: Literal["day", "gtc", "ioc", "fok"] | None = None
    client_order_id: str | None = None


def read_change(body: Body) -> Change:
    change = Change(
        qty=_positive_or_none(body, "qty"),
        limit_price=_positive_or_none(body, "limit_price"),
        stop_price=_positive_or_none(body, "stop_price"),
        time_in_force=cast(
            Literal["day", "gtc", "ioc", "fok"] | None,
            _one_of(body, "time_in_force", TIMES_IN_FORCE) if body.get("time_in_force") else None,
        ),
        client_order_id=_client_order_id(body),
    )
    for name, price in zip(PRICES, (change.limit_price, change.stop_price), strict=True):
        if price is not None:
            check_increment(name, price)
    return change
