"""Close a position, or part of it: a market order against the holding, never for more than is closable."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from gateway.aggregates.exact import canonical
from gateway.aggregates.position.state import Position
from gateway.aggregates.refusals import QtyExceedsPosition
from gateway.aggregates.vocabulary import ZERO, Side, StrategyId, Symbol, order_stream
from gateway.commands.by_hand import Extent, ManualOutcome, ManualRequest
from gateway.commands.stakes import live_orders
from gateway.commands.way_out import View, WayOut, outcome_of, require_known, ticket_for


@dataclass(slots=True, kw_only=True)
class ClosePosition:
    way_out: WayOut

    async def __call__(self, symbol: Symbol, qty: Decimal | None, request: ManualRequest) -> ManualOutcome:
        """`qty` None closes everything, a fraction included. A position being closed answers with its order.

        Raises StrategyUnauthorized, PositionNotFound, QtyExceedsPosition and what a submission raises.
        """
        await self.way_out.admit(Extent(symbol=symbol), [symbol], request)
        view = await self.way_out.look(symbol, request)
        require_known(symbol, view, request)
        if qty is not None and (found := await self._sent_before(symbol, qty, view, request)):
            return found
        if view.held and qty is not None and qty > abs(view.held):
            raise QtyExceedsPosition(
                f"{canonical(qty)} is more than the {canonical(abs(view.held))} held of {symbol}",
                symbol=symbol,
                held=view.held,
                closable=view.closable,
            )
        return await self.close(symbol, qty, view, request)

    async def close(
        self,
        symbol: Symbol,
        qty: Decimal | None,
        view: View,
        request: ManualRequest,
        *,
        strategy_id: StrategyId | None = None,
    ) -> ManualOutcome:
        """Close what is closable of `view`; with `strategy_id`, not more than that strategy's own shares."""
        found = self.way_out.repeated(symbol, view, request) or self._being_closed(symbol, view)
        if found is not None:
            return found
        wanted = _own_part(view, strategy_id) if qty is None else qty
        if not view.held or not wanted:
            return await self.way_out.nothing_to_do(symbol, view.held, request)
        signed = wanted * view.holding.closing_side.sign
        ticket = ticket_for(symbol, signed, view, request, strategy_id=strategy_id)
        try:
            return outcome_of(await self.way_out.reduce(ticket, request, view.holding), view)
        except QtyExceedsPosition:
            now = View(holding=view.holding, position=await self.way_out.position(symbol))
            if found := self._being_closed(symbol, now):  # somebody else was first
                return found
            raise

    async def _sent_before(
        self, symbol: Symbol, qty: Decimal, view: View, request: ManualRequest
    ) -> ManualOutcome | None:
        """The order of this very request, also when it is over and the holding is another by now."""
        ledger = self.way_out.around.ledger
        for side in Side:
            ticket = ticket_for(symbol, qty * side.sign, view, request)
            order, _ = await ledger.load(order_stream(request.order_id(ticket)))
            if order is not None and not order.status.is_closed_unsent:
                return ManualOutcome(
                    symbol=symbol,
                    held=view.held,
                    order=order,
                    position=ledger.desk.position,
                    answer="unconfirmed" if order.is_unconfirmed else "existing",
                )
        return None

    def _being_closed(self, symbol: Symbol, view: View) -> ManualOutcome | None:
        """The live order that closes the holding, once nothing is left to be closed beside it."""
        if not view.held or view.closable:
            return None
        ledger = self.way_out.around.ledger
        for order in live_orders(ledger.desk, Extent(symbol=symbol)):
            if order.ticket.side is view.holding.closing_side:
                return ManualOutcome(
                    symbol=symbol,
                    held=view.held,
                    order=order,
                    position=ledger.desk.position,
                    answer="existing",
                )
        return None


def _own_part(view: View, strategy_id: StrategyId | None) -> Decimal:
    """Of what is closable, what belongs to the strategy; all of it for None."""
    if strategy_id is None:
        return view.closable
    book = (view.position or Position()).book_of(strategy_id)
    return min(view.closable, abs(book.qty)) if book.qty * view.held > 0 else ZERO
