"""Whether an account may have an order: uniqueness, intent, wash trades, shares, buying power."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from gateway.paper.account import Valuation, valuation
from gateway.paper.bars import TICK
from gateway.paper.book import Quote
from gateway.paper.clock import Session
from gateway.paper.errors import (
    duplicate_client_order_id,
    forbidden,
    insufficient_buying_power,
    insufficient_qty,
    unprocessable,
    wash_trade,
)
from gateway.paper.notation import plain
from gateway.paper.orders import ZERO, Order, Side, shares_for, stop_behind
from gateway.paper.terms import check_fraction
from gateway.paper.ticket import Ticket
from gateway.paper.world import World

SHORT_MARKUP: Final = Decimal("1.03")
MOST_LEVERAGE: Final = 6
LEAST_DISTANCE: Final = Decimal("0.01")


def check_hours(session: Session, ticket: Ticket, now: datetime) -> None:
    """Orders for an auction are not taken shortly before it, nor after it until the evening."""
    if ticket.is_auction and not session.takes_auction(ticket.time_in_force, now):
        raise unprocessable(f"{ticket.time_in_force} orders are not accepted at this time")


def admit(world: World, account_id: str, ticket: Ticket, *, replacing: Order | None = None) -> Ticket:
    """The ticket with its intent and quantity settled. Raises the first refusal in the documented order."""
    if not world.listings[ticket.symbol].tradable:
        raise unprocessable(f'asset "{ticket.symbol}" is not tradable')
    if ticket.client_order_id and (account_id, ticket.client_order_id) in world.by_client_id:
        raise duplicate_client_order_id()
    if world.rules.suspend_trade:
        raise forbidden("new orders are rejected by user request")
    ticket = replace(ticket, position_intent=_intent(world, account_id, ticket, replacing))
    _check_exits_fit(world, ticket)
    fractionable = world.rules.fractional_trading and world.listings[ticket.symbol].fractionable
    check_fraction(ticket, ticket.position_intent or "", fractionable=fractionable)
    ticket = _with_qty(world, ticket)
    live = [o for o in world.live_orders(account_id, ticket.symbol) if not _gives_way(o, replacing)]
    if not _is_exempt(replacing or ticket):
        _check_wash(ticket, live)
    if replacing is None or replacing.status != "held":
        _check_means(world, account_id, ticket, live, replacing)
    return ticket


def _gives_way(order: Order, replacing: Order | None) -> bool:
    """Whether the order is the one that is replaced, or shares its hold."""
    if replacing is None:
        return False
    return order.id == replacing.id or (order.group is not None and order.group == replacing.group)


# Intent.


def _intent(world: World, account_id: str, ticket: Ticket, replacing: Order | None) -> str:
    if replacing is not None:
        return replacing.position_intent
    intent = inferred_intent(world, account_id, ticket.symbol, ticket.side)
    if ticket.position_intent and ticket.position_intent != intent:
        raise unprocessable(
            f"position intent mismatch, inferred: {intent}, specified: {ticket.position_intent}"
        )
    if ticket.order_class == "oco" and intent.endswith("_open"):
        raise unprocessable("oco orders must be exit orders")
    if ticket.order_class in {"bracket", "oto"} and intent.endswith("_close"):
        raise unprocessable(f"{ticket.order_class} orders must be entry orders")
    return intent


def inferred_intent(world: World, account_id: str, symbol: str, side: Side) -> str:
    qty = world.account(account_id).position(symbol).qty
    reduces = qty < 0 if side == "buy" else qty > 0
    return f"{side}_to_{'close' if reduces else 'open'}"


def _check_exits_fit(world: World, ticket: Ticket) -> None:
    """The profit lies beyond the base price and the loss before it, seen from who holds the position."""
    base = ticket.limit_price or world.books[ticket.symbol].last
    if not ticket.order_class or base is None:
        return
    long = (ticket.side == "buy") != (ticket.order_class == "oco")
    if ticket.take_profit is not None:
        _check_beyond("take_profit.limit_price", ticket.take_profit, base, above=long)
    if ticket.stop_loss is not None:
        _check_beyond("stop price", ticket.stop_loss.stop_price, base, above=not long)


def _check_beyond(name: str, price: Decimal, base: Decimal, *, above: bool) -> None:
    if above and price < base + LEAST_DISTANCE:
        raise unprocessable(f"{name} must be greater than base_price + 0.01", base_price=plain(base))
    if not above and price > base - LEAST_DISTANCE:
        raise unprocessable(f"{name} must be less than base_price - 0.01", base_price=plain(base))


def _with_qty(world: World, ticket: Ticket) -> Ticket:
    """What a sum of money would buy now."""
    if ticket.notional is None:
        return ticket
    price = ticket.limit_price or _reference(world, ticket.symbol) or ticket.stop_price
    if not price:
        raise unprocessable(f'no price is known for "{ticket.symbol}"')
    return replace(ticket, qty=shares_for(ticket.notional, price))


# Wash trades.


def _is_exempt(order: Ticket | Order) -> bool:
    return bool(order.order_class) or order.type == "trailing_stop"


def _check_wash(ticket: Ticket, live: list[Order]) -> None:
    for order in live:
        if order.side == ticket.side or _is_exempt(order):
            continue
        ours, theirs = ticket.limit_price, order.limit_price
        if ours is None or theirs is None:
            raise wash_trade(order.id, "market/stop")
        if ours >= theirs if ticket.side == "buy" else ours <= theirs:
            raise wash_trade(order.id, "limit")


# Shares and money.


def _check_means(
    world: World, account_id: str, ticket: Ticket, live: list[Order], replacing: Order | None
) -> None:
    if (ticket.position_intent or "").endswith("_close"):
        _check_shares(world, account_id, ticket, live)
        return
    worth = account_valuation(world, account_id)
    if worth.gross > worth.equity * MOST_LEVERAGE:
        raise forbidden("account is restricted to liquidation only")
    _check_intents_agree(ticket, live)
    if ticket.side == "sell":
        _check_short(world, ticket.symbol, worth)
    freed = at_risk(world, replacing) if replacing else ZERO
    cost = ticket.notional or ticket.qty * _price_at_risk(world, ticket)
    if cost > worth.buying_power + freed:
        raise insufficient_buying_power(worth.buying_power, cost)


def held_for_orders(live: list[Order]) -> Decimal:
    """Shares that orders hold; the exits of a group hold them once, and only those its entry has opened."""
    holds: dict[str, Decimal] = defaultdict(Decimal)
    to_open: dict[str, Decimal] = defaultdict(Decimal)
    for order in live:
        key, of = order.group or order.id, to_open if order.is_opening else holds
        of[key] = max(of[key], order.leaves)
    return sum((max(hold - to_open[key], ZERO) for key, hold in holds.items()), ZERO)


def _check_shares(world: World, account_id: str, ticket: Ticket, live: list[Order]) -> None:
    existing = abs(world.account(account_id).position(ticket.symbol).qty)
    held = held_for_orders(live)
    if ticket.qty > existing - held:
        related = [order.id for order in live if not order.is_opening]
        raise insufficient_qty(ticket.symbol, ticket.qty, existing, held, related)


def _check_intents_agree(ticket: Ticket, live: list[Order]) -> None:
    if any(order.is_opening and order.side != ticket.side for order in live):
        text = "long buy while a short sell" if ticket.side == "buy" else "short sell while a long buy"
        raise forbidden(f"cannot open a {text} order is open")


def _check_short(world: World, symbol: str, worth: Valuation) -> None:
    if worth.multiplier == 1 or world.rules.no_shorting:
        raise forbidden("account is not allowed to short")
    listing = world.listings[symbol]
    if not (listing.shortable and listing.easy_to_borrow):
        raise unprocessable(f'asset "{symbol}" cannot be sold short')


def account_valuation(world: World, account_id: str) -> Valuation:
    reserved = sum((at_risk(world, order) for order in world.live_orders(account_id)), ZERO)
    margins = {symbol: listing.margin_requirement for symbol, listing in world.listings.items()}
    account = world.account(account_id)
    return valuation(account, world.marks(), reserved, world.rules.max_multiplier, margins)


def at_risk(world: World, order: Order) -> Decimal:
    """The buying power an order reserves."""
    if not order.is_opening:
        return ZERO
    if order.notional is not None:
        return max(order.notional - order.filled_value, ZERO)
    return order.leaves * _price_at_risk(world, order)


def _price_at_risk(world: World, order: Ticket | Order) -> Decimal:
    reference = _reference(world, order.symbol)
    if order.side == "sell":
        return max(order.limit_price or ZERO, reference * SHORT_MARKUP)
    if order.limit_price is not None:
        return order.limit_price
    if order.stop_price is not None:
        return collar(order.stop_price)
    if order.type == "trailing_stop":
        return collar(stop_behind(order.side, reference, order.trail_price, order.trail_percent))
    return reference


def _reference(world: World, symbol: str) -> Decimal:
    """What the market asks now, or what was last paid; zero when neither is known."""
    book = world.books[symbol]
    return (book.quote.ask if book.quote else ZERO) or book.last or ZERO


def collar(reference: Decimal) -> Decimal:
    """How far from its reference a market buy or an elected buy stop may reach; sells are not collared."""
    factor = Decimal("1.04") if reference < 50 else Decimal("1.025")
    return (reference * factor).quantize(TICK, ROUND_HALF_EVEN)


def market_protection(quote: Quote | None, order: Order) -> Decimal | None:
    """The collar of a market order; None leaves it free."""
    if order.type != "market" or order.side == "sell" or not order.is_opening or quote is None:
        return None
    return collar(quote.ask) if quote.ask else None
