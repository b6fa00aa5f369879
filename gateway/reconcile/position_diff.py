"""Where the broker's holdings and the ledger's differ. Pure; nothing here overwrites anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from gateway.aggregates.reports import BrokerPosition
from gateway.aggregates.vocabulary import ZERO, Symbol


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Signed shares on both sides; a symbol one side does not mention is zero there."""

    symbol: Symbol
    ledger: Decimal
    broker: Decimal


def differences(ledger: Mapping[Symbol, Decimal], broker: Iterable[BrokerPosition]) -> list[Difference]:
    """Every symbol on which the two disagree, by symbol."""
    theirs = {position.symbol: position.qty for position in broker}
    found = []
    for symbol in sorted(theirs.keys() | ledger.keys()):
        ours, held = ledger.get(symbol, ZERO), theirs.get(symbol, ZERO)
        if ours != held:
            found.append(Difference(symbol=symbol, ledger=ours, broker=held))
    return found


@dataclass(frozen=True, slots=True)
class Suspect:
    difference: Difference
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """`confirmed` outlived the tolerance and a second look; `suspects` wait for theirs."""

    suspects: dict[Symbol, Suspect]
    confirmed: tuple[Difference, ...]


def second_look(
    suspects: Mapping[Symbol, Suspect], found: Iterable[Difference], *, now: datetime, tolerance: timedelta
) -> Verdicts:
    """A difference counts only when the very same one was there before, at least `tolerance` ago."""
    kept: dict[Symbol, Suspect] = {}
    confirmed: list[Difference] = []
    for difference in found:
        before = suspects.get(difference.symbol)
        if before is None or before.difference != difference:
            kept[difference.symbol] = Suspect(difference, now)
            continue
        kept[difference.symbol] = before
        if now - before.since >= tolerance:
            confirmed.append(difference)
    return Verdicts(suspects=kept, confirmed=tuple(confirmed))
