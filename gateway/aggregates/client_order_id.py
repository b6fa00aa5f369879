"""The deterministic ClOrdID: the same request always names the same order."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from hashlib import sha256
from typing import Final

from gateway.aggregates.exact import canonical
from gateway.aggregates.vocabulary import ClientOrderId, StrategyId, Ticket

RESERVED_WORDS: Final = frozenset(
    {"pending", "recent-fills", "cancel-all", "slice", "slices", "events", "cancel"}
)
"""Path segments under `/orders/` that would hide an order of the same name."""

_CENT: Final = Decimal("0.01")
_TICK_BELOW_ONE: Final = Decimal("0.0001")


def order_id_for(
    ticket: Ticket, trade_date: date, *, strategy: str | None = None, qty: Decimal | None = None
) -> ClientOrderId:
    """The id of a ticket on a UTC date. In TWAP recipes `strategy` and `qty` replace the ticket's own."""
    return _digest(
        "|".join(
            (
                ticket.symbol.upper(),
                ticket.side,
                canonical(ticket.qty if qty is None else qty),
                _price(ticket.limit_px),
                _price(ticket.stop_px),
                ticket.ord_type,
                ticket.time_in_force,
                ticket.strategy_id if strategy is None else strategy,
                trade_date.isoformat(),
            )
        )
    )


def key_id(strategy_id: StrategyId, idempotency_key: str) -> ClientOrderId:
    """The id of a request that carries an idempotency key. No date: the key alone decides, for ever."""
    return _digest(f"idempotency|{strategy_id}|{idempotency_key}")


def parent_id(ticket: Ticket, trade_date: date, *, minutes: int, interval_seconds: int) -> ClientOrderId:
    """The id of a TWAP parent. `ticket.qty` is the total; the interval is the effective one."""
    return order_id_for(ticket, trade_date, strategy=parent_strategy(minutes, interval_seconds))


def parent_strategy(minutes: int, interval_seconds: int) -> str:
    return f"twap_parent_{minutes}m_{interval_seconds}s"


def slice_id(
    ticket: Ticket, trade_date: date, *, parent: ClientOrderId, slice_num: int, qty: Decimal
) -> ClientOrderId:
    """The id of one slice of a TWAP parent, counted from 0."""
    return order_id_for(ticket, trade_date, strategy=slice_strategy(parent, slice_num), qty=qty)


def slice_strategy(parent: ClientOrderId, slice_num: int) -> str:
    return f"twap_slice_{parent}_{slice_num}"


def manual_id(action: str, ticket: Ticket, user: str, requested_at: datetime) -> ClientOrderId:
    """The id of an operator's order: one per action, user and UTC minute of the request.

    `action` is `close_position`, `flatten_all`, `adjust_position` or `manual_trade`.
    """
    minute = requested_at.astimezone(UTC).strftime("%Y%m%d%H%M")
    parts = [action, ticket.symbol.upper(), ticket.side, canonical(ticket.qty), user, minute]
    if action in ("adjust_position", "manual_trade"):
        parts.append(ticket.ord_type)
        if ticket.limit_px is not None:
            parts.append(f"lp{canonical(ticket.limit_px)}")
    if action == "manual_trade":
        if ticket.stop_px is not None:
            parts.append(f"sp{canonical(ticket.stop_px)}")
        parts.append(ticket.time_in_force)
    return _digest(":".join(parts))


def _digest(recipe: str) -> ClientOrderId:
    return ClientOrderId(sha256(recipe.encode()).hexdigest()[:24])


def _price(price: Decimal | None) -> str:
    if price is None:
        return "None"
    return str(price.quantize(_TICK_BELOW_ONE if price < 1 else _CENT, ROUND_HALF_UP))
