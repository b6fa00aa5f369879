"""How this exchange behaves; `/_ctl/config` can change it."""

from __future__ import annotations

from typing import Literal

import msgspec

from gateway.paper.fees import RATES, FeeRate


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    profile: Literal["venue", "alpaca"] = "venue"
    """`venue` limits fills to the displayed size; `alpaca` fills in full at the quote."""
    session: Literal["always", "regular"] = "always"
    max_multiplier: Literal[1, 2, 4] = 2
    no_shorting: bool = False
    fractional_trading: bool = True
    suspend_trade: bool = False
    """The account's own switch: it refuses every new order."""
    fees: bool = True
    """The `alpaca` profile charges none, whatever this says."""
    fee_rates: tuple[FeeRate, ...] = RATES
    split_orders: Literal["cancel", "restate"] = "cancel"
    """What a split does to resting orders."""
    activities_bust: Literal["remove", "keep", "negative_row"] = "remove"
    """How an undone execution shows among the activities."""
    frame: Literal["binary", "text"] = "binary"
