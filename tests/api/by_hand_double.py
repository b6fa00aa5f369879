"""Manual controls that answer from memory and remember what they were asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from gateway.aggregates.vocabulary import Symbol, Ticket
from gateway.commands.by_hand import Canceled, Extent, Flattened, ManualOutcome, ManualRequest
from tests.api.doubles import AAPL, HEAD, Answer, Desk, order_of


@dataclass(slots=True)
class ByHand:
    desk: Desk

    async def trade(self, ticket: Ticket, request: ManualRequest) -> Answer:
        self.desk.asked("trade", ticket=ticket, request=request)
        return Answer(order_of(ticket, request.order_id(ticket)), HEAD, self.desk.answer)

    async def close(self, symbol: Symbol, qty: Decimal | None, request: ManualRequest) -> ManualOutcome:
        self.desk.asked("close", symbol=symbol, qty=qty, request=request)
        return ManualOutcome(symbol=symbol, held=Decimal(0), order=None, position=HEAD, answer="no_op")

    async def adjust(
        self, symbol: Symbol, target: Decimal, limit_px: Decimal | None, request: ManualRequest
    ) -> ManualOutcome:
        self.desk.asked("adjust", symbol=symbol, target=target, limit_px=limit_px, request=request)
        return ManualOutcome(symbol=symbol, held=target, order=None, position=HEAD, answer="no_op")

    async def touched(self, extent: Extent) -> Sequence[Symbol]:
        return [AAPL]

    async def admit(self, extent: Extent, symbols: Sequence[Symbol], request: ManualRequest) -> None:
        self.desk.asked("admit", extent=extent, symbols=symbols, request=request)

    async def cancel_all(self, extent: Extent, request: ManualRequest) -> Sequence[Canceled]:
        self.desk.asked("cancel_all", extent=extent, request=request)
        return [
            Canceled(
                client_order_id=order.client_order_id,
                strategy_id=order.strategy_id,
                status=order.status,
                position=HEAD,
            )
            for order in self.desk.orders.values()
        ]

    async def flatten(
        self, extent: Extent, symbols: Sequence[Symbol], request: ManualRequest
    ) -> Sequence[Flattened]:
        self.desk.asked("flatten", extent=extent, symbols=symbols, request=request)
        return [Flattened(symbol=symbol, outcome=None) for symbol in symbols]
