"""The broker of a dry run: there is none, and every question about it says so."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final, NoReturn

from gateway.aggregates.reports import AccountActivity, BrokerOrder, BrokerPosition
from gateway.aggregates.vocabulary import ClientOrderId, OrderId, Symbol, Ticket
from gateway.ports import (
    BrokerAccount,
    BrokerClock,
    BrokerUnreadable,
    CancelOutcome,
    CancelUnknown,
    FillPage,
    Lookup,
    NotSent,
    SubmitOutcome,
    Unreadable,
)

_REASON: Final = "there is no broker in a dry run"


class NoBroker:
    """A Broker that sends nothing and knows nothing; nothing is ever taken for flat or absent."""

    async def submit(self, client_order_id: ClientOrderId, ticket: Ticket) -> SubmitOutcome:
        return NotSent(_REASON)

    async def cancel(self, order_id: OrderId) -> CancelOutcome:
        return CancelUnknown(_REASON)

    async def order_by_client_id(self, client_order_id: ClientOrderId) -> Lookup:
        return Unreadable(_REASON)

    async def order_by_id(self, order_id: OrderId) -> Lookup:
        return Unreadable(_REASON)

    async def open_orders(self) -> tuple[BrokerOrder, ...]:
        _refuse()

    async def orders_since(self, after: datetime) -> tuple[BrokerOrder, ...]:
        _refuse()

    async def fills(
        self,
        *,
        after: datetime | None,
        order_id: OrderId | None = None,
        beyond: str | None = None,
        page_size: int = 100,
        max_pages: int | None = None,
    ) -> FillPage:
        _refuse()

    async def activities(self, *, after: datetime) -> tuple[AccountActivity, ...]:
        _refuse()

    async def positions(self) -> tuple[BrokerPosition, ...]:
        _refuse()

    async def position(self, symbol: Symbol) -> Decimal:
        _refuse()

    async def account(self) -> BrokerAccount:
        _refuse()

    async def clock(self) -> BrokerClock:
        _refuse()

    def close(self) -> None:
        """There is nothing to let go of."""


def _refuse() -> NoReturn:
    raise BrokerUnreadable(_REASON)
