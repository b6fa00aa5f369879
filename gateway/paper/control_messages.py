"""What the control plane accepts."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeVar

import msgspec

from gateway.paper.errors import invalid
from gateway.paper.facts import Source
from gateway.paper.fees import FeeRate
from gateway.paper.keys import Key
from gateway.paper.orders import ZERO

T = TypeVar("T")


def read_as(body: bytes, kind: type[T]) -> T:
    """Raises a 422 refusal that says what does not fit; an empty body is an empty object."""
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.MsgspecError as error:
        raise invalid(str(error)) from None


class Price(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A quote set by hand; `last` is the middle unless given, and `last_size` shares are printed at it."""

    bid: Decimal
    ask: Decimal
    bid_size: Decimal = Decimal(1_000_000)
    ask_size: Decimal = Decimal(1_000_000)
    last: Decimal | None = None
    last_size: Decimal = ZERO
    at: datetime | None = None


class Print(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    symbol: str
    price: Decimal
    size: Decimal


class ClockMode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    mode: Literal["real", "scaled", "manual"]
    now: datetime | None = None
    speed: int = 1


class Advance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    seconds: float | None = None
    to: str | None = None


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    qty: str | int | None = None
    price: Decimal | None = None
    reason: str | None = None


class Revision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    qty: Decimal | None = None
    price: Decimal | None = None
    negative_qty: bool = False


class Halt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    symbol: str
    on: bool = True


class FeedChoice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    source: Source
    speed: int = 60


class Configuration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is absent stays."""

    profile: Literal["venue", "alpaca"] | None = None
    session: Literal["always", "regular"] | None = None
    max_multiplier: Literal[1, 2, 4] | None = None
    no_shorting: bool | None = None
    fractional_trading: bool | None = None
    frame: Literal["binary", "text"] | None = None
    fees: bool | None = None
    fee_rates: tuple[FeeRate, ...] | None = None
    split_orders: Literal["cancel", "restate"] | None = None
    activities_bust: Literal["remove", "keep", "negative_row"] | None = None
    keys: tuple[Key, ...] | None = None


class SplitOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`ratio` is new shares for each old one; what resting orders meet is as configured unless given."""

    symbol: str
    ratio: Decimal
    orders: Literal["cancel", "restate"] | None = None


class DividendOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`amount` is dollars for each share."""

    symbol: str
    amount: Decimal


class Transfer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Money or shares that come from outside or go there, by sign; shares come at a `price`."""

    account: str | None = None
    amount: Decimal | None = None
    symbol: str | None = None
    qty: Decimal | None = None
    price: Decimal | None = None


class Holding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    qty: Decimal
    price: Decimal


class Endowment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    account: str | None = None
    cash: Decimal | None = None
    positions: dict[str, Holding] = {}


class SocketStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`drop` reads the code, `freeze` and `mute` the seconds, `send_raw` the text, `replay` how many."""

    code: int = 1006
    seconds: float = 60
    backlog: Literal["drop", "hold"] = "drop"
    text: str = ""
    last: int = 1


class Patience(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    timeout_s: float = 5
