"""Every way the exchange says no, in Alpaca's codes and words."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from gateway.paper.notation import plain


class Refusal(Exception):
    """An answer with an HTTP status, a numeric code, a message and extra fields."""

    def __init__(self, status: int, code: int, message: str, **extras: object) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, object] = {"code": code, "message": message, **extras}


def malformed() -> Refusal:
    return Refusal(400, 40010000, "request body format is invalid")


def unauthorized() -> Refusal:
    return Refusal(401, 40110000, "request is not authorized")


def forbidden(message: str, **extras: object) -> Refusal:
    return Refusal(403, 40310000, message, **extras)


def not_found(message: str) -> Refusal:
    return Refusal(404, 40410000, message)


def invalid(message: str) -> Refusal:
    """A parameter that is missing, malformed or unknown."""
    return Refusal(422, 40010001, message)


def unprocessable(message: str, **extras: object) -> Refusal:
    """A well-formed order that breaks a rule of the market."""
    return Refusal(422, 42210000, message, **extras)


def order_not_found(order_id: str) -> Refusal:
    return not_found(f"order not found for {order_id}")


def duplicate_client_order_id() -> Refusal:
    return invalid("client_order_id must be unique")


def insufficient_buying_power(buying_power: Decimal, cost_basis: Decimal) -> Refusal:
    return forbidden(
        "insufficient buying power", buying_power=plain(buying_power), cost_basis=plain(cost_basis)
    )


def insufficient_qty(
    symbol: str, requested: Decimal, existing: Decimal, held: Decimal, related: list[str]
) -> Refusal:
    available = plain(existing - held)
    return forbidden(
        f"insufficient qty available for order (requested: {plain(requested)}, available: {available})",
        symbol=symbol,
        available=available,
        existing_qty=plain(existing),
        held_for_orders=plain(held),
        related_orders=related,
    )


def wash_trade(existing_order_id: str, kind: Literal["limit", "market/stop"]) -> Refusal:
    return forbidden(
        "potential wash trade detected. use complex orders",
        existing_order_id=existing_order_id,
        reject_reason=f"opposite side {kind} order exists",
    )


def already_over(status: str) -> Refusal:
    return unprocessable(f'order is already in "{status}" state')
