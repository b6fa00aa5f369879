"""Which terms of an order go together, whatever the market does."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from gateway.paper.errors import forbidden, invalid, unprocessable
from gateway.paper.notation import plain
from gateway.paper.ticket import Body, Ticket, parse_ticket, with_known_symbol

NEEDS_LIMIT: Final = {"limit", "stop_limit"}
NEEDS_STOP: Final = {"stop", "stop_limit"}
RESTING_ONLY: Final = {"stop", "stop_limit", "trailing_stop"}
LASTING: Final = {"day", "gtc"}

LEAST_NOTIONAL: Final = Decimal(1)
NOTIONAL_STEP: Final = Decimal("0.01")
QTY_STEP: Final = Decimal("1e-9")


def read_ticket(body: Body) -> Ticket:
    """The order of these checks is part of the wire contract: fields, words, terms, then the symbol."""
    ticket = parse_ticket(body)
    check_terms(ticket)
    return with_known_symbol(ticket)


def check_terms(ticket: Ticket) -> None:
    _check_prices_fit_type(ticket)
    _check_class(ticket)
    _check_time_in_force(ticket)
    for name, price in _prices(ticket):
        _check_increment(name, price)


def _check_prices_fit_type(ticket: Ticket) -> None:
    for name, price, needed in (
        ("limit", ticket.limit_price, ticket.type in NEEDS_LIMIT),
        ("stop", ticket.stop_price, ticket.type in NEEDS_STOP),
    ):
        if needed and price is None:
            raise invalid(f"{ticket.type} orders require a {name} price")
        if price is not None and not needed:
            raise invalid(f"{ticket.type} orders must not have a {name} price")
    trails = [trail for trail in (ticket.trail_price, ticket.trail_percent) if trail is not None]
    if ticket.type == "trailing_stop" and len(trails) != 1:
        raise invalid("trailing_stop orders require either trail_price or trail_percent")
    if ticket.type != "trailing_stop" and trails:
        raise invalid(f"{ticket.type} orders must not have a trail")


def _check_class(ticket: Ticket) -> None:
    """Which legs an order class needs, and on which orders it can stand."""
    kind, take_profit, stop_loss = ticket.order_class, ticket.take_profit, ticket.stop_loss
    if not kind:
        if take_profit or stop_loss:
            raise invalid("simple orders must not have take_profit or stop_loss")
        return
    if kind == "oco" and ticket.type != "limit":
        raise invalid("oco orders must be limit orders")
    if ticket.type not in {"market", "limit"}:
        raise invalid(f"{kind} orders must be market or limit orders")
    if kind == "bracket" and take_profit is None:
        raise invalid("bracket orders require take_profit.limit_price.")
    if kind in {"bracket", "oco"} and stop_loss is None:
        raise invalid(f"{kind} orders require stop_loss.stop_price.")
    if kind == "oto" and (take_profit is None) == (stop_loss is None):
        raise invalid("oto orders require either take_profit.limit_price or stop_loss.stop_price.")


def _check_time_in_force(ticket: Ticket) -> None:
    if ticket.type in RESTING_ONLY and ticket.time_in_force not in LASTING:
        raise unprocessable(f"{ticket.type} orders must be DAY or GTC orders")
    if ticket.order_class and ticket.time_in_force not in LASTING:
        raise unprocessable(f"{ticket.order_class} orders must be DAY or GTC orders")
    if ticket.extended_hours and (ticket.type != "limit" or ticket.time_in_force not in LASTING):
        raise unprocessable("extended hours order must be DAY or GTC limit orders")
    if ticket.extended_hours and ticket.order_class:
        raise unprocessable("extended hours order must be simple orders")


def _prices(ticket: Ticket) -> Iterator[tuple[str, Decimal]]:
    stop_loss = ticket.stop_loss
    named = {
        "limit_price": ticket.limit_price,
        "stop_price": ticket.stop_price,
        "trail_price": ticket.trail_price,
        "take_profit.limit_price": ticket.take_profit,
        "stop_loss.stop_price": stop_loss.stop_price if stop_loss else None,
        "stop_loss.limit_price": stop_loss.limit_price if stop_loss else None,
    }
    return ((name, price) for name, price in named.items() if price is not None)


def _check_increment(name: str, price: Decimal) -> None:
    """Cents from one dollar up, hundredths of a cent below."""
    increment = Decimal("0.01") if price >= 1 else Decimal("0.0001")
    if price % increment:
        text = "sub-penny increment does not fulfill minimum pricing criteria"
        raise unprocessable(f"invalid {name} {plain(price)}. {text}")


def check_fraction(ticket: Ticket, intent: str, *, fractionable: bool) -> None:
    """Parts of shares, and sums of money, are for simple day orders on the long side."""
    if not ticket.is_fractional:
        return
    if ticket.order_class:
        raise unprocessable("fractional orders must be simple orders")
    if ticket.time_in_force != "day":
        raise unprocessable("fractional orders must be DAY orders")
    if ticket.type == "trailing_stop":
        raise unprocessable("fractional orders must be market, limit, stop or stop_limit orders")
    if intent in {"sell_to_open", "buy_to_close"}:
        raise unprocessable("fractional orders are not allowed to short")
    if not fractionable:
        raise forbidden(f'asset "{ticket.symbol}" is not fractionable')
    _check_amount(ticket)


def _check_amount(ticket: Ticket) -> None:
    if ticket.notional is None:
        if ticket.qty % QTY_STEP:
            raise invalid("invalid qty")
        return
    if ticket.notional < LEAST_NOTIONAL:
        raise forbidden(f"cost basis must be >= minimal amount of order {LEAST_NOTIONAL}")
    if ticket.notional % NOTIONAL_STEP:
        raise unprocessable("notional value must be limited to 2 decimal places")
