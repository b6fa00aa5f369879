"""Get out of everything an extent holds: cancel first, wait for the broker's word, close what is closable."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from gateway.aggregates.order.state import Order
from gateway.aggregates.refusals import (
    ReconciliationBrokerUnavailable,
    ReconciliationLockTimeout,
    Refusal,
)
from gateway.aggregates.vocabulary import ZERO, OrdType, Symbol, order_stream
from gateway.commands.by_hand import Canceled, Extent, Flattened, ManualOutcome, ManualRequest
from gateway.commands.cancel_all import CancelAll
from gateway.commands.close_position import ClosePosition
from gateway.commands.stakes import held_symbols, live_orders, waiting_plans
from gateway.ports import BrokerUnreadable

CANCEL_PATIENCE_SECONDS: Final = 5.0
CANCEL_LOOK_SECONDS: Final = 0.05


@dataclass(slots=True, kw_only=True)
class Flatten:
    close_position: ClosePosition
    cancel_all: CancelAll

    async def symbols(self, extent: Extent) -> Sequence[Symbol]:
        """Every symbol the extent holds or has something on the way in, as ledger or broker have it.

        Raises ReconciliationBrokerUnavailable where an unreadable broker would pass for a flat desk.
        """
        around = self.close_position.way_out.around
        await around.ledger.catch_up()
        desk = around.ledger.desk
        found = held_symbols(desk, extent)
        found |= {order.ticket.symbol for order in live_orders(desk, extent)}
        found |= {plan.ticket.symbol for plan in waiting_plans(desk, extent)}
        if extent.symbol is not None:
            found |= {extent.symbol}
        elif extent.strategy_id is None and not around.rules.dry_run:
            found |= await self._held_at_broker(known=bool(found))
        return sorted(found)

    async def _held_at_broker(self, *, known: bool) -> frozenset[Symbol]:
        try:
            positions = await self.close_position.way_out.around.broker.positions()
        except BrokerUnreadable as error:
            if known:  # each of the known symbols will say so itself
                return frozenset()
            raise ReconciliationBrokerUnavailable(f"positions cannot be read: {error}") from error
        return frozenset(held.symbol for held in positions if held.qty)

    async def __call__(
        self, extent: Extent, symbols: Sequence[Symbol], request: ManualRequest
    ) -> Sequence[Flattened]:
        """All symbols at once; the failure of one does not stop the others. Never raises a Refusal."""
        walked = len(request.log.entries)
        apart = [request.apart() for _ in symbols]
        ended = await asyncio.gather(
            *(
                self._flatten(Extent(symbol=symbol, strategy_id=extent.strategy_id), symbol, own)
                for symbol, own in zip(symbols, apart, strict=True)
            )
        )
        for own in apart:
            request.log.entries.extend(own.log.entries[walked:])
        return ended

    async def _flatten(self, extent: Extent, symbol: Symbol, request: ManualRequest) -> Flattened:
        canceled: Sequence[Canceled] = ()
        try:
            slices = await self.cancel_all.slices(extent, request)
            orders = await self._in_the_way(extent, symbol)
            canceled = [*await self.cancel_all.orders(orders, request), *slices]
            await self._settled(orders)
            outcome = await self._close(extent, symbol, request)
        except Refusal as refusal:
            return Flattened(symbol=symbol, outcome=None, canceled=tuple(canceled), code=refusal.code)
        stuck = outcome.order is not None and outcome.order.client_order_id in {
            order.client_order_id for order in orders
        }
        code = ReconciliationLockTimeout.code if stuck else None  # the shares still hang on a canceled order
        return Flattened(symbol=symbol, outcome=outcome, canceled=tuple(canceled), code=code)

    async def _in_the_way(self, extent: Extent, symbol: Symbol) -> list[Order]:
        """Live orders, but for market orders that close the holding already: those are on the way out."""
        position = await self.close_position.way_out.position(symbol)
        held = position.qty if position is not None else ZERO
        return [
            order
            for order in live_orders(self.close_position.way_out.around.ledger.desk, extent)
            if order.ticket.ord_type is not OrdType.MARKET or order.ticket.side.sign * held >= 0
        ]

    async def _close(self, extent: Extent, symbol: Symbol, request: ManualRequest) -> ManualOutcome:
        view = await self.close_position.way_out.look(symbol, request)
        return await self.close_position.close(symbol, None, view, request, strategy_id=extent.strategy_id)

    async def _settled(self, orders: Sequence[Order]) -> None:
        """Wait for the broker's word on every canceled order, not longer than five seconds."""
        ledger = self.close_position.way_out.around.ledger
        with suppress(TimeoutError):
            async with asyncio.timeout(CANCEL_PATIENCE_SECONDS):
                for order in orders:
                    now: Order | None = order
                    while now is not None and now.is_live:
                        await asyncio.sleep(CANCEL_LOOK_SECONDS)
                        now, _ = await ledger.load(order_stream(order.client_order_id))
