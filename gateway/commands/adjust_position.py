"""Bring a position to a target: what shrinks it takes the way out, anything else is a manual order."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from gateway.aggregates.exact import minus
from gateway.aggregates.refusals import FractionalQty
from gateway.aggregates.vocabulary import Symbol
from gateway.commands.by_hand import Extent, ManualOutcome, ManualRequest
from gateway.commands.way_out import WayOut, outcome_of, require_known, ticket_for


@dataclass(slots=True, kw_only=True)
class AdjustPosition:
    way_out: WayOut

    async def __call__(
        self, symbol: Symbol, target: Decimal, limit_px: Decimal | None, request: ManualRequest
    ) -> ManualOutcome:
        """`target` is signed. Raises StrategyUnauthorized, PositionNotFound, FractionalQty and more."""
        await self.way_out.admit(Extent(symbol=symbol), [symbol], request)
        view = await self.way_out.look(symbol, request)
        require_known(symbol, view, request)
        if found := self.way_out.repeated(symbol, view, request):
            return found
        if target == view.held:
            return await self.way_out.nothing_to_do(symbol, view.held, request)
        ticket = ticket_for(symbol, minus(target, view.held), view, request, limit_px=limit_px)
        if shrinks(view.held, target):
            return outcome_of(await self.way_out.reduce(ticket, request, view.holding), view)
        if ticket.qty != ticket.qty.to_integral_value():
            raise FractionalQty(f"a fractional position of {symbol} can only shrink", symbol=symbol)
        return outcome_of(await self.way_out.trade(ticket, request), view)


def shrinks(held: Decimal, target: Decimal) -> bool:
    """Whether the target is nearer to flat on the same side; a change of sign is new risk."""
    return abs(target) < abs(held) and target * held >= 0
