"""The manual controls as one desk: what an operator may do by hand, each action scoped first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.aggregates.vocabulary import Symbol, Ticket
from gateway.commands.adjust_position import AdjustPosition
from gateway.commands.by_hand import Canceled, Extent, ManualRequest
from gateway.commands.cancel_all import CancelAll
from gateway.commands.close_position import ClosePosition
from gateway.commands.flatten import Flatten
from gateway.commands.stakes import live_orders
from gateway.commands.submit_order import Submission
from gateway.commands.way_out import WayOut


@dataclass(slots=True, kw_only=True)
class ManualDesk:
    way_out: WayOut
    close: ClosePosition
    adjust: AdjustPosition
    flatten: Flatten
    cancels: CancelAll

    async def trade(self, ticket: Ticket, request: ManualRequest) -> Submission:
        """One order with every gate of trading. Raises a Refusal."""
        return await self.way_out.trade(ticket, request)

    async def touched(self, extent: Extent) -> Sequence[Symbol]:
        """Every symbol the extent holds or has something on the way in."""
        return await self.flatten.symbols(extent)

    async def admit(self, extent: Extent, symbols: Sequence[Symbol], request: ManualRequest) -> None:
        """The gate `strategy_scope` of a desk-wide action. Raises StrategyUnauthorized."""
        await self.way_out.admit(extent, symbols, request)

    async def cancel_all(self, extent: Extent, request: ManualRequest) -> Sequence[Canceled]:
        """Ask for the end of every live order and unreleased slice of an admitted extent; one entry each."""
        slices = await self.cancels.slices(extent, request)  # first, so that none becomes an order meanwhile
        orders = await self.cancels.orders(live_orders(self.way_out.around.ledger.desk, extent), request)
        return [*orders, *slices]
