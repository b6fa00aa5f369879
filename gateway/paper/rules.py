"""How this exchange behaves; `/_ctl/config` can change it."""

from __future__ import annotations

from typing import Literal

import msgspec


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    profile: Literal["venue", "alpaca"] = "venue"
    """`venue` limits fills to the displayed size; `alpaca` fills in full at the quote."""
    session: Literal["always", "regular"] = "always"
    max_multiplier: Literal[1, 2] = 2
    suspend_trade: bool = False
    """The account's own switch: it refuses every new order."""
    frame: Literal["binary", "text"] = "binary"
