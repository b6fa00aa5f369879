"""Cash, positions and buying power, exact in Decimal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from gateway.paper.orders import ZERO

MINIMUM_MARGIN_EQUITY: Final = Decimal(2000)
INITIAL_MARGIN: Final = Decimal("0.5")
MAINTENANCE_PERCENT: Final = Decimal(30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Signed shares and what they cost; the average is unchanged by reductions."""

    qty: Decimal = ZERO
    avg_entry_price: Decimal = ZERO

    @property
    def cost_basis(self) -> Decimal:
        return self.qty * self.avg_entry_price

    def traded(self, signed_qty: Decimal, price: Decimal) -> Position:
        qty = self.qty + signed_qty
        if not qty:
            return Position()
        if self.qty * signed_qty >= 0:
            return Position(qty=qty, avg_entry_price=(self.cost_basis + signed_qty * price) / qty)
        flipped = self.qty * qty < 0
        return Position(qty=qty, avg_entry_price=price if flipped else self.avg_entry_price)

    def split(self, ratio: Decimal) -> Position:
        return Position(qty=self.qty * ratio, avg_entry_price=self.avg_entry_price / ratio)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """An execution as the account sees it."""

    execution_id: str
    signed_qty: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitBy:
    ratio: Decimal


@dataclass(slots=True)
class Account:
    """Positions are a fold of their entries, so that a busted trade leaves no trace in an average."""

    id: str
    cash: Decimal
    _entries: dict[str, list[Trade | SplitBy]] = field(default_factory=dict)
    _positions: dict[str, Position] = field(default_factory=dict)

    @property
    def positions(self) -> dict[str, Position]:
        return {symbol: position for symbol, position in self._positions.items() if position.qty}

    def position(self, symbol: str) -> Position:
        return self._positions.get(symbol, Position())

    def book(self, symbol: str, trade: Trade, *, paid: bool = True) -> None:
        self._entries.setdefault(symbol, []).append(trade)
        self._positions[symbol] = _after(self.position(symbol), trade)
        if paid:
            self.cash -= trade.signed_qty * trade.price

    def unbook(self, symbol: str, execution_id: str) -> Trade:
        """Take a trade back as if it had never been, its cash included."""
        entries = self._entries[symbol]
        trade = next(e for e in entries if isinstance(e, Trade) and e.execution_id == execution_id)
        entries.remove(trade)
        self.cash += trade.signed_qty * trade.price
        self._refold(symbol)
        return trade

    def correct(self, symbol: str, execution_id: str, trade: Trade) -> None:
        """Put another trade in the place of one."""
        entries = self._entries[symbol]
        index = next(
            i for i, e in enumerate(entries) if isinstance(e, Trade) and e.execution_id == execution_id
        )
        self.unbook(symbol, execution_id)
        entries.insert(index, trade)
        self.cash -= trade.signed_qty * trade.price
        self._refold(symbol)

    def split(self, symbol: str, ratio: Decimal) -> None:
        self._entries.setdefault(symbol, []).append(SplitBy(ratio=ratio))
        self._refold(symbol)

    def _refold(self, symbol: str) -> None:
        position = Position()
        for entry in self._entries[symbol]:
            position = _after(position, entry)
        self._positions[symbol] = position


def _after(position: Position, entry: Trade | SplitBy) -> Position:
    if isinstance(entry, SplitBy):
        return position.split(entry.ratio)
    return position.traded(entry.signed_qty, entry.price)


@dataclass(frozen=True, slots=True, kw_only=True)
class Valuation:
    """What an account is worth at given marks, and what it may still buy; all in dollars."""

    cash: Decimal
    long_value: Decimal
    short_value: Decimal
    maintenance_margin: Decimal
    reserved: Decimal
    max_multiplier: int = 2

    @property
    def equity(self) -> Decimal:
        return self.cash + self.long_value + self.short_value

    @property
    def gross(self) -> Decimal:
        return self.long_value - self.short_value

    @property
    def multiplier(self) -> int:
        return 1 if self.equity < MINIMUM_MARGIN_EQUITY else self.max_multiplier

    @property
    def initial_margin(self) -> Decimal:
        return self.gross * INITIAL_MARGIN

    @property
    def buying_power(self) -> Decimal:
        """Four times the margin is measured now, not at the last close."""
        match self.multiplier:
            case 1:
                return self.cash - self.reserved
            case 4:
                return max(max(self.equity - self.maintenance_margin, ZERO) * 4 - self.reserved, ZERO)
            case _:
                return self.overnight_buying_power

    @property
    def overnight_buying_power(self) -> Decimal:
        return max(max(self.equity - self.initial_margin, ZERO) * 2 - self.reserved, ZERO)


def valuation(
    account: Account,
    marks: Mapping[str, Decimal],
    reserved: Decimal,
    max_multiplier: int,
    margins: Mapping[str, Decimal] | None = None,
) -> Valuation:
    """A position without a mark counts at its cost; `margins` are percents where they are not the usual."""
    values = {
        symbol: position.qty * marks.get(symbol, position.avg_entry_price)
        for symbol, position in account.positions.items()
    }
    required = (abs(v) * (margins or {}).get(symbol, MAINTENANCE_PERCENT) for symbol, v in values.items())
    return Valuation(
        cash=account.cash,
        long_value=sum((v for v in values.values() if v > 0), ZERO),
        short_value=sum((v for v in values.values() if v < 0), ZERO),
        maintenance_margin=sum(required, ZERO) / 100,
        reserved=reserved,
        max_multiplier=max_multiplier,
    )
