"""What a holding is worth at a price: arithmetic only, exact until it is shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from gateway.aggregates.exact import minus, ratio, times, total
from gateway.aggregates.vocabulary import ZERO
from gateway.ports import Quote
from gateway.projections.queries.positions import Holding

FRESH: Final = timedelta(seconds=60)
"""An older quote is no price."""
_PLACES: Final = 4
_HUNDRED: Final = Decimal(100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Valued:
    """A holding at a price; without a fresh `quote` the price is the average it was bought at."""

    holding: Holding
    quote: Quote | None

    @property
    def price(self) -> Decimal:
        return self.quote.mid if self.quote is not None else self.holding.avg_px

    @property
    def invested(self) -> Decimal:
        """Cost of the open quantity, positive for long and short alike."""
        return self.holding.cost.copy_abs()

    @property
    def unrealized(self) -> Decimal:
        """(price - average) x signed quantity, with the exact cost in place of the rounded average."""
        if self.quote is None:
            return ZERO
        return minus(times(self.quote.mid, self.holding.qty), self.holding.cost)

    @property
    def unrealized_pct(self) -> Decimal:
        return _percent(self.unrealized, self.invested) or ZERO


def valued(holding: Holding, quote: Quote | None, now: datetime) -> Valued:
    return Valued(holding=holding, quote=quote if quote is not None and now - quote.at <= FRESH else None)


def total_unrealized(holdings: Iterable[Valued]) -> Decimal:
    return total(one.unrealized for one in holdings)


def portfolio_pct(holdings: Iterable[Valued]) -> Decimal | None:
    """Unrealized P&L in percent of what is invested; None without investment."""
    every = list(holdings)
    return _percent(total_unrealized(every), total(one.invested for one in every))


def _percent(part: Decimal, whole: Decimal) -> Decimal | None:
    return ratio(times(part, _HUNDRED), whole, _PLACES) if whole else None
