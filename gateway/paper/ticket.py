"""What a client asks for, read without looking at the market."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Final, cast

from gateway.paper.assets import find_symbol
from gateway.paper.errors import invalid, malformed
from gateway.paper.orders import ZERO, OrderClass, Side

TYPES: Final = ("market", "limit", "stop", "stop_limit", "trailing_stop")
TIMES_IN_FORCE: Final = ("day", "gtc", "opg", "cls", "ioc", "fok")
INTENTS: Final = ("buy_to_open", "buy_to_close", "sell_to_open", "sell_to_close")
SWITCHES: Final = {"suspend_trade", "no_shorting", "fractional_trading"}
MULTIPLIERS: Final = ("1", "2", "4")
CLASSES: Final = ("", "simple", "bracket", "oco", "oto")

MOST_DIGITS: Final = 15  # more would leave the precision of a Decimal context

Body = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class StopLoss:
    """With a limit it is a stop-limit order."""

    stop_price: Decimal
    limit_price: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    symbol: str
    side: Side
    type: str
    time_in_force: str
    qty: Decimal
    """Zero when a sum of money is asked for, until the market says how much that buys."""
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    extended_hours: bool = False
    client_order_id: str | None = None
    position_intent: str | None = None
    order_class: OrderClass = ""
    take_profit: Decimal | None = None
    stop_loss: StopLoss | None = None

    @property
    def is_fractional(self) -> bool:
        return self.notional is not None or self.qty != self.qty.to_integral_value()

    @property
    def is_auction(self) -> bool:
        return self.time_in_force in {"opg", "cls"}


def read_body(raw: bytes) -> Body:
    """Numbers become Decimals, so that `1.0` and `"1"` are the same. An empty body is an empty object."""
    try:
        body = json.loads(raw or b"{}", parse_float=Decimal, parse_int=Decimal)
    except (ValueError, RecursionError):
        raise malformed() from None
    if not isinstance(body, dict):
        raise malformed()
    return body


def parse_ticket(body: Body) -> Ticket:
    """Fields and words only; `terms.read_ticket` also judges whether they go together."""
    _require(body)
    order_class = _one_of(body, "order_class", CLASSES) if body.get("order_class") else ""
    take_profit = _leg(body, "take_profit")
    limit_price = _positive_or_none(body, "limit_price")
    ticket = Ticket(
        symbol=str(body["symbol"]),
        side=cast(Side, _one_of(body, "side", ("buy", "sell"))),
        type=_one_of(body, "type", TYPES),
        time_in_force=_one_of(body, "time_in_force", TIMES_IN_FORCE),
        qty=positive(body, "qty") if body.get("qty") is not None else ZERO,
        notional=_positive_or_none(body, "notional"),
        limit_price=limit_price,
        stop_price=_positive_or_none(body, "stop_price"),
        trail_price=_positive_or_none(body, "trail_price"),
        trail_percent=_positive_or_none(body, "trail_percent"),
        extended_hours=_boolean(body, "extended_hours"),
        client_order_id=_client_order_id(body),
        position_intent=_one_of(body, "position_intent", INTENTS) if body.get("position_intent") else None,
        order_class=cast(OrderClass, "" if order_class == "simple" else order_class),
        take_profit=_positive_or_none(take_profit, "limit_price"),
        stop_loss=_stop_loss(_leg(body, "stop_loss")),
    )
    if (ticket.order_class, ticket.type) == ("oco", "limit"):  # its own limit is the profit to take
        ticket = replace(ticket, limit_price=ticket.take_profit or limit_price, take_profit=None)
    return ticket


def with_known_symbol(ticket: Ticket) -> Ticket:
    symbol = find_symbol(ticket.symbol)
    if symbol is None:
        raise invalid(f"could not find us_equity '{ticket.symbol}'")
    return replace(ticket, symbol=symbol)


def _require(body: Body) -> None:
    if body.get("order_class") == "mleg":
        raise invalid("us_option orders not allowed for account")
    for name in ("symbol", "side", "type", "time_in_force"):
        if not body.get(name):
            raise invalid(f"{name} is required")
    if body.get("qty") is None and body.get("notional") is None:
        raise invalid("qty or notional is required")
    if body.get("qty") is not None and body.get("notional") is not None:
        raise invalid("only one of qty or notional is accepted")


def _leg(body: Body, name: str) -> Body:
    value = body.get(name) or {}
    if not isinstance(value, dict):
        raise malformed()
    return value


def _stop_loss(leg: Body) -> StopLoss | None:
    stop_price, limit_price = (_positive_or_none(leg, name) for name in ("stop_price", "limit_price"))
    if stop_price is None and limit_price is not None:
        raise invalid("stop_loss.stop_price is required")
    return None if stop_price is None else StopLoss(stop_price=stop_price, limit_price=limit_price)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a PATCH asks for; None leaves a term as it is."""

    qty: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    time_in_force: str | None = None
    client_order_id: str | None = None


def read_change(body: Body) -> Change:
    change = Change(
        qty=_positive_or_none(body, "qty"),
        limit_price=_positive_or_none(body, "limit_price"),
        stop_price=_positive_or_none(body, "stop_price"),
        trail=_positive_or_none(body, "trail"),
        time_in_force=_one_of(body, "time_in_force", TIMES_IN_FORCE) if body.get("time_in_force") else None,
        client_order_id=_client_order_id(body),
    )
    if change.qty is not None and change.qty % 1:
        raise invalid("invalid qty")
    return change


def read_configuration(body: Body) -> dict[str, object]:
    """What a client may change about its account."""
    asked = {name for name, value in body.items() if value is not None}
    changes: dict[str, object] = {name: _boolean(body, name) for name in SWITCHES & asked}
    if "max_margin_multiplier" in asked:
        changes["max_multiplier"] = int(_one_of(body, "max_margin_multiplier", MULTIPLIERS))
    return changes
