"""What regulators charge for a trade; the broker itself charges nothing."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_UP, Decimal
from typing import Final, Literal

import msgspec

from gateway.paper.orders import ZERO

CENT: Final = Decimal("0.01")


class FeeRate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Dollars for each dollar or share traded, at most `cap` for one execution."""

    kind: Literal["REG", "TAF", "CAT"]
    since: date
    per_dollar: Decimal = ZERO
    per_share: Decimal = ZERO
    cap: Decimal | None = None
    sells_only: bool = True

    def charge(self, qty: Decimal, price: Decimal) -> Decimal:
        amount = qty * price * self.per_dollar + qty * self.per_share
        return amount if self.cap is None else min(amount, self.cap)


RATES: Final = (
    FeeRate(kind="REG", since=date(2026, 4, 4), per_dollar=Decimal("0.0000206")),
    FeeRate(kind="TAF", since=date(2026, 1, 1), per_share=Decimal("0.000195"), cap=Decimal("9.79")),
    FeeRate(kind="CAT", since=date(2026, 1, 1), per_share=Decimal("0.0000265"), sells_only=False),
)


def fees_of(
    rates: tuple[FeeRate, ...], *, day: date, side: str, qty: Decimal, price: Decimal
) -> dict[str, Decimal]:
    """The exact charges on one execution by kind; the newest rate of a kind that is in force counts."""
    in_force = {rate.kind: rate for rate in sorted(rates, key=lambda r: r.since) if rate.since <= day}
    due = {kind: r.charge(qty, price) for kind, r in in_force.items() if side == "sell" or not r.sells_only}
    return {kind: amount for kind, amount in due.items() if amount}


def billed(amount: Decimal) -> Decimal:
    """A day's total as it is charged: the next whole cent."""
    return amount.quantize(CENT, ROUND_UP)
