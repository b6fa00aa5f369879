"""What is shown on `/metrics` between events: kept up to date in the background, not by whoever looks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from gateway.aggregates.differences import BREAK_KINDS
from gateway.aggregates.recon_gate import ReconGate
from gateway.aggregates.refusals import LedgerUnavailable, ProjectionBehind
from gateway.aggregates.vocabulary import Symbol
from gateway.api.valuation import total_unrealized, valued
from gateway.commands.safety_view import RECON_GATE
from gateway.main.composition import Gateway
from gateway.ports import Quote
from gateway.projections.queries.orders import count_inferred
from gateway.projections.queries.positions import Holding, account_holdings

PRICES_EVERY_SECONDS: Final = 10.0
HEALTH_EVERY_SECONDS: Final = 5.0


@dataclass(slots=True)
class Gauges:
    gateway: Gateway
    _behind_since: dict[str, float] = field(default_factory=dict)
    _shown: set[str] = field(default_factory=set)
    _quotes: dict[str, Quote | None] = field(default_factory=dict)
    _priced_at: float = float("-inf")
    _asked_at: float = float("-inf")

    async def refresh(self) -> None:
        self._show_lag()
        self._show_breaks()
        self.gateway.controls.show()
        with suppress(LedgerUnavailable, ProjectionBehind):
            await self._show_holdings()
        await self._show_connections()

    def _show_lag(self) -> None:
        gateway, now = self.gateway, self.gateway.clock.monotonic()
        head = gateway.ledger.desk.position
        gateway.metrics.ledger_position.set(head)
        for name, position in gateway.projections.positions.items():
            if position >= head:
                self._behind_since.pop(name, None)
            since = self._behind_since.setdefault(name, now) if position < head else now
            gateway.metrics.projection_lag_events.labels(projection=name).set(max(0, head - position))
            gateway.metrics.projection_lag_seconds.labels(projection=name).set(now - since)

    def _show_breaks(self) -> None:
        gate: ReconGate = self.gateway.ledger.desk.state(RECON_GATE) or ReconGate()
        kinds = [entry.kind for entry in gate.open_breaks]
        for kind in BREAK_KINDS:
            self.gateway.metrics.open_breaks.labels(kind=kind).set(kinds.count(kind))
        self.gateway.metrics.orphans_open.set(kinds.count("orphan"))

    async def _show_holdings(self) -> None:
        """The account's, never a caller's subset."""
        metrics = self.gateway.metrics
        async with self.gateway.read.snapshot() as snapshot:
            holdings = await account_holdings(snapshot)
            metrics.inferred_executions.set(await count_inferred(snapshot))
        shown = {metrics.symbol(held.symbol): Decimal(0) for held in holdings.open}
        for held in holdings.open:
            shown[metrics.symbol(held.symbol)] += held.qty
        for symbol in self._shown | shown.keys():
            metrics.positions_current.labels(symbol=symbol).set(float(shown.get(symbol, 0)))
        self._shown |= shown.keys()
        unrealized = await self._unrealized(holdings.open)
        for kind, amount in (
            ("realized", holdings.realized),
            ("unrealized", unrealized),
            ("total", holdings.realized + unrealized),
        ):
            metrics.pnl.labels(type=kind).set(float(amount))

    async def _unrealized(self, open_holdings: Sequence[Holding]) -> Decimal:
        """At prices that are asked for now and then, so that looking on costs the broker little."""
        now = self.gateway.clock.monotonic()
        if now - self._priced_at >= PRICES_EVERY_SECONDS or self._quotes.keys() != {
            held.symbol for held in open_holdings
        }:
            self._priced_at = now
            symbols = [held.symbol for held in open_holdings]
            quote = self.gateway.market_data.quote
            quotes = await asyncio.gather(*(quote(Symbol(symbol)) for symbol in symbols))
            self._quotes = dict(zip(symbols, quotes, strict=True))
        at = self.gateway.clock.now()
        return total_unrealized(valued(held, self._quotes[held.symbol], at) for held in open_holdings)

    async def _show_connections(self) -> None:
        now = self.gateway.clock.monotonic()
        if now - self._asked_at >= HEALTH_EVERY_SECONDS:
            self._asked_at = now
            await self.gateway.watch.health()
