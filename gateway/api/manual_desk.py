"""What the routes may ask of the manual controls."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from gateway.aggregates.vocabulary import Symbol, Ticket
from gateway.api.desk import Submission
from gateway.commands.by_hand import Canceled, Extent, Flattened, ManualOutcome, ManualRequest


class ManualControls(Protocol):
    """What concerns a symbol as a whole needs every strategy with a stake in it in the caller's scope.

    Close and adjust see to that themselves and raise StrategyUnauthorized; `admit` does it for the others.
    """

    async def trade(self, ticket: Ticket, request: ManualRequest) -> Submission:
        """One order with every gate of trading. Raises a Refusal."""

    async def close(self, symbol: Symbol, qty: Decimal | None, request: ManualRequest) -> ManualOutcome:
        """Raises PositionNotFound, QtyExceedsPosition and what a submission raises."""

    async def adjust(
        self, symbol: Symbol, target: Decimal, limit_px: Decimal | None, request: ManualRequest
    ) -> ManualOutcome:
        """Raises PositionNotFound, FractionalQty and what a submission raises."""

    async def touched(self, extent: Extent) -> Sequence[Symbol]:
        """The symbols a desk-wide action would touch. Raises ReconciliationBrokerUnavailable."""

    async def admit(self, extent: Extent, symbols: Sequence[Symbol], request: ManualRequest) -> None:
        """The gate `strategy_scope`. Raises StrategyUnauthorized."""

    async def cancel_all(self, extent: Extent, request: ManualRequest) -> Sequence[Canceled]:
        """Ask for the end of every live order of an admitted extent; one entry per order."""

    async def flatten(
        self, extent: Extent, symbols: Sequence[Symbol], request: ManualRequest
    ) -> Sequence[Flattened]:
        """Get out of admitted symbols; one entry per symbol."""
