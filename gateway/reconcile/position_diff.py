"""Where the broker's holdings and the ledger's differ. Pure; nothing here overwrites anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from gateway.aggregates.differences import POSITION_QTY, Difference
from gateway.aggregates.exact import canonical
from gateway.aggregates.reports import BrokerPosition
from gateway.aggregates.vocabulary import ZERO, Symbol


def differences(ledger: Mapping[Symbol, Decimal], broker: Iterable[BrokerPosition]) -> list[Difference]:
    """Every symbol on which the two disagree, by symbol; one that a side does not mention is zero there.

    The tolerance is zero for every asset: quantities are exact on both sides, so dust is shown.
    """
    theirs = {position.symbol: position.qty for position in broker}
    return [
        Difference(
            kind=POSITION_QTY,
            symbol=symbol,
            ledger_value=canonical(ledger.get(symbol, ZERO)),
            broker_value=canonical(theirs.get(symbol, ZERO)),
        )
        for symbol in sorted(theirs.keys() | ledger.keys())
        if ledger.get(symbol, ZERO) != theirs.get(symbol, ZERO)
    ]
