"""Whether an account may have an order: uniqueness, intent, wash trades, shares, buying power."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from gateway.paper.account import Valuation, valuation
from gateway.paper.bars import TICK
from gateway.paper.book import Quote
from gateway.paper.errors import (
    duplicate_client_order_id,
    forbidden,
    insufficient_buying_power,
    insufficient_qty,
    unprocessable,
    wash_trade,
)
from gateway.paper.orders import ZERO, Order, Side
from gateway.paper.ticket import Ticket, check_fraction
from gateway.paper.world import World

SHORT_MARKUP: Final = Decimal("1.03")


def admit(world: World, account_id: str, ticket: Ticket, *, replacing: Order | None = None) -> str:
    """The order's position intent. Raises the first refusal in the documented order of checks."""
    if ticket.client_order_id and (account_id, ticket.client_order_id) in world.by_client_id:
        raise duplicate_client_order_id()
    if world.rules.suspend_trade:
        raise forbidden("new orders are rejected by user request")
    intent = inferred_intent(world, account_id, ticket.symbol, ticket.side)
    if ticket.position_intent and ticket.position_intent != intent:
        raise unprocessable(
            f"position intent mismatch, inferred: {intent}, specified: {ticket.position_intent}"
        )
    check_fraction(ticket)
    live = [order for order in world.live_orders(account_id, ticket.symbol) if order != replacing]
    _check_wash(ticket, live)
    if intent.endswith("_close"):
        _check_shares(world, account_id, ticket, live)
    else:
        _check_intents_agree(ticket, live)
        worth = account_valuation(world, account_id)
        freed = at_risk(world, replacing) if replacing else ZERO
        _check_buying_power(ticket, worth, ticket.qty * _price_at_risk(world, ticket), freed)
    return intent


def inferred_intent(world: World, account_id: str, symbol: str, side: Side) -> str:
    qty = world.account(account_id).position(symbol).qty
    reduces = qty < 0 if side == "buy" else qty > 0
    return f"{side}_to_{'close' if reduces else 'open'}"


def _check_wash(ticket: Ticket, live: list[Order]) -> None:
    for order in live:
        if order.side == ticket.side:
            continue
        ours, theirs = ticket.limit_price, order.limit_price
        if ours is None or theirs is None:
            raise wash_trade(order.id, "market/stop")
        if ours >= theirs if ticket.side == "buy" else ours <= theirs:
            raise wash_trade(order.id, "limit")


def held_for_orders(live: list[Order]) -> Decimal:
    return sum((order.leaves for order in live if not order.is_opening), ZERO)


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


def _check_buying_power(ticket: Ticket, worth: Valuation, cost: Decimal, freed: Decimal) -> None:
    if ticket.side == "sell" and ticket.is_fractional:
        raise unprocessable("fractional orders cannot be sold short")
    if ticket.side == "sell" and worth.multiplier == 1:
        raise forbidden("account is not allowed to short")
    if cost > worth.buying_power + freed:
        raise insufficient_buying_power(worth.buying_power, cost)


def account_valuation(world: World, account_id: str) -> Valuation:
    reserved = sum((at_risk(world, order) for order in world.live_orders(account_id)), ZERO)
    return valuation(world.account(account_id), world.marks(), reserved, world.rules.max_multiplier)


def at_risk(world: World, order: Order) -> Decimal:
    """The buying power an order reserves."""
    return order.leaves * _price_at_risk(world, order) if order.is_opening else ZERO


def _price_at_risk(world: World, order: Ticket | Order) -> Decimal:
    book = world.books[order.symbol]
    reference = (book.quote.ask if book.quote else ZERO) or book.last or ZERO
    if order.side == "sell":
        return max(order.limit_price or ZERO, reference * SHORT_MARKUP)
    if order.limit_price is not None:
        return order.limit_price
    return collar(order.stop_price) if order.stop_price is not None else reference


def collar(reference: Decimal) -> Decimal:
    """How far from its reference a market buy or an elected buy stop may reach; sells are not collared."""
    factor = Decimal("1.04") if reference < 50 else Decimal("1.025")
    return (reference * factor).quantize(TICK, ROUND_HALF_EVEN)


def market_protection(quote: Quote | None, order: Order) -> Decimal | None:
    """The collar of a market order; None leaves it free."""
    if order.type != "market" or order.side == "sell" or not order.is_opening or quote is None:
        return None
    return collar(quote.ask) if quote.ask else None
