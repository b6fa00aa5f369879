"""The gates that look at the order itself: room, identity, size."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from gateway.aggregates.order.state import Order
from gateway.aggregates.refusals import (
    FatFingerRejected,
    IdempotencyConflict,
    PositionLimitExceeded,
    PositionReservationUnavailable,
)
from gateway.aggregates.risk_limits import Breach, Thresholds, breaches
from gateway.aggregates.vocabulary import Ticket
from gateway.commands.gates.walk import Surroundings, Verdict, Walk
from gateway.commands.safety_view import RISK_LIMITS
from gateway.ports import MirrorUnavailable


async def position_reservation(walk: Walk) -> Verdict:
    """Take room under the order's own token. An id the ledger knows is never refused for lack of room."""
    ticket, limit = walk.ticket, walk.around.rules.max_position_size
    try:
        walk.reservation = await walk.around.reservations.reserve(
            walk.client_order_id, symbol=ticket.symbol, side=ticket.side, qty=ticket.qty, limit=limit
        )
    except MirrorUnavailable as error:
        raise PositionReservationUnavailable(f"room cannot be reserved in Redis ({error})") from error
    if walk.reservation.granted:
        return Verdict.PASS
    known = await walk.known_order()
    if known is not None and not known.status.is_closed_unsent:
        return Verdict.PASS
    raise PositionLimitExceeded(
        f"Position limit exceeded: {walk.reservation.would_be} > {limit}",
        symbol=ticket.symbol,
        max_position_size=int(limit),
        would_be=walk.reservation.would_be,
    )


async def idempotency(walk: Walk) -> Verdict:
    """A new id, or an order that closed unsent and may be tried again, goes on. A duplicate is an answer."""
    known = await walk.known_order()
    if known is None:
        return Verdict.PASS
    refuse_other_ticket(known, walk.ticket)
    return Verdict.PASS if known.status.is_closed_unsent else Verdict.ANSWER


def refuse_other_ticket(known: Order, ticket: Ticket) -> None:
    """Raises IdempotencyConflict when the id already names a different order."""
    if known.is_parent:
        raise IdempotencyConflict(
            f"{known.client_order_id} already names a slicing plan", client_order_id=known.client_order_id
        )
    differences = known.ticket.differences(ticket)
    if differences:
        raise IdempotencyConflict(
            f"{known.client_order_id} already names another order ({', '.join(differences)} differ);"
            " give another client_order_id or Idempotency-Key",
            client_order_id=known.client_order_id,
            differences=list(differences),
        )


async def fat_finger(walk: Walk) -> Verdict:
    """Size against the effective thresholds. A value an active check needs and nobody has is a breach."""
    around, ticket = walk.around, walk.ticket
    found = await breaches_of(around, ticket)
    if not found:
        return Verdict.PASS
    for breach in found:
        around.metrics.fat_finger_rejections.labels(threshold_type=breach.kind).inc()
    raise FatFingerRejected(
        "; ".join(breach.words for breach in found),
        symbol=ticket.symbol,
        breaches=[breach.kind for breach in found],
    )


async def breaches_of(around: Surroundings, ticket: Ticket) -> tuple[Breach, ...]:
    """What is wrong with the order's size, at the newest usable price and volume."""
    thresholds = effective_thresholds(around, ticket)
    px = await _price(around, ticket) if thresholds.max_notional is not None else None
    adv = await around.market_data.adv(ticket.symbol) if thresholds.max_adv_pct is not None else None
    return breaches(thresholds, qty=ticket.qty, px=px, adv=adv)


def effective_thresholds(around: Surroundings, ticket: Ticket) -> Thresholds:
    limits = around.ledger.desk.state(RISK_LIMITS)
    return limits.for_symbol(ticket.symbol) if limits is not None else around.rules.default_thresholds


async def _price(around: Surroundings, ticket: Ticket) -> Decimal | None:
    if ticket.limit_px is not None:
        return ticket.limit_px
    if ticket.stop_px is not None:
        return ticket.stop_px
    quote = await around.market_data.quote(ticket.symbol)
    oldest = around.clock.now() - timedelta(seconds=around.rules.max_price_age_seconds)
    return quote.mid if quote is not None and quote.at >= oldest else None
