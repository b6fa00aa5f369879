"""FILL activities: the executions themselves, read oldest first and recorded through the one door."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from gateway.aggregates.position.state import Position
from gateway.aggregates.recon_gate import Cursor
from gateway.aggregates.restatement import refold
from gateway.aggregates.vocabulary import StrategyId, Symbol, position_stream
from gateway.commands.record_report import Disposition, RecordReport
from gateway.ledger.ledger import Ledger
from gateway.ports import Broker, Clock, FillPage
from gateway.reconcile.cursors import Cursors
from gateway.telemetry import log

_log = log("gateway.backfill")
FILLS: Final = "alpaca_fills"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillRules:
    """`overlap` guards against late listings and clock changes; `first_lookback` applies without a mark."""

    overlap: timedelta
    first_lookback: timedelta
    page_size: int
    max_pages: int


@dataclass(slots=True, kw_only=True)
class BackfillResult:
    """`pnl_updates` counts the (strategy, symbol) pairs whose realized P&L changed.

    `pnl_failures` counts symbols whose books, computed anew, are not those of the ledger.
    """

    status: str = "ok"
    fills_seen: int = 0
    fills_inserted: int = 0
    duplicates: int = 0
    unmatched: int = 0
    pnl_updates: int = 0
    pnl_failures: int = 0
    complete: bool = True
    high_water_mark: datetime | None = None


@dataclass(frozen=True, slots=True)
class _CutOff:
    """Where the page limit ended a reading: the next one goes on beyond this activity."""

    lookback: timedelta | None
    start: datetime
    activity_id: str


@dataclass(slots=True, kw_only=True)
class Backfill:
    ledger: Ledger
    broker: Broker
    clock: Clock
    cursors: Cursors
    record_report: RecordReport
    rules: BackfillRules
    _cut_off: _CutOff | None = None

    async def run(
        self,
        *,
        correlation_id: str,
        lookback: timedelta | None = None,
        to_the_end: bool = False,
        recalculate: bool = False,
    ) -> BackfillResult:
        """Read on from the mark, or over a window, up to the page limit unless `to_the_end`.

        Raises BrokerUnreadable; then no cursor has moved.
        """
        mark, cut_off = await self.cursors.at(FILLS), self._cut_off
        if cut_off is not None and lookback in (None, cut_off.lookback):
            start, beyond = cut_off.start, cut_off.activity_id
        else:
            start, beyond = self._window_start(mark, lookback), None
        page = await self.broker.fills(
            after=start,
            beyond=beyond,
            page_size=self.rules.page_size,
            max_pages=None if to_the_end else self.rules.max_pages,
        )
        result = await self._record(page, correlation_id, recalculate=recalculate)
        if page.last_time is not None and (mark is None or start <= mark.time):
            await self.cursors.move(FILLS, page.last_time, page.last_activity_id, correlation_id)
        self._cut_off = None
        if not page.complete and page.last_activity_id is not None:
            self._cut_off = _CutOff(lookback, start, page.last_activity_id)
        return result

    async def _record(self, page: FillPage, correlation_id: str, *, recalculate: bool) -> BackfillResult:
        result = BackfillResult(complete=page.complete, high_water_mark=page.last_time)
        books = _Books(self.ledger)
        for report in page.reports:
            if report.symbol is not None:
                await books.remember(report.symbol)
            result.fills_seen += 1
            receipt = await self.record_report(report, correlation_id=correlation_id)
            match receipt.disposition:
                case Disposition.APPLIED:
                    result.fills_inserted += 1
                case Disposition.DUPLICATE:
                    result.duplicates += 1
                case _:
                    result.unmatched += 1
        result.pnl_updates = await books.changed()
        result.pnl_failures = await books.failures() if recalculate else 0
        return result

    def _window_start(self, mark: Cursor | None, lookback: timedelta | None) -> datetime:
        if lookback is not None:
            return self.clock.now() - lookback
        if mark is None:
            return self.clock.now() - self.rules.first_lookback
        return mark.time - self.rules.overlap


@dataclass(slots=True)
class _Books:
    """The books of the symbols a backfill touches, as they were before it."""

    ledger: Ledger
    before: dict[Symbol, dict[StrategyId, Decimal]] = field(default_factory=dict)

    async def remember(self, symbol: Symbol) -> None:
        if symbol not in self.before:
            self.before[symbol] = _realized(await self._position(symbol))

    async def changed(self) -> int:
        """How many (strategy, symbol) pairs have realized something else since."""
        count = 0
        for symbol, before in self.before.items():
            after = _realized(await self._position(symbol))
            count += sum(amount != before.get(strategy_id, 0) for strategy_id, amount in after.items())
        return count

    async def failures(self) -> int:
        """How many symbols have other books than their executions make."""
        return sum([await self._differs(symbol) for symbol in self.before])

    async def _differs(self, symbol: Symbol) -> bool:
        recorded = await self.ledger.log.stream(position_stream(symbol))
        account, strategies = refold(event.event for event in recorded)  # type: ignore[misc]
        position = await self._position(symbol)
        if (account, strategies) == (position.account, dict(position.strategies)):
            return False
        _log.error("books are not what the executions make", symbol=symbol)
        return True

    async def _position(self, symbol: Symbol) -> Position:
        position, _ = await self.ledger.load(position_stream(symbol))
        return position or Position()


def _realized(position: Position) -> dict[StrategyId, Decimal]:
    return {strategy_id: book.realized for strategy_id, book in position.strategies.items()}
