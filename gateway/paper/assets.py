"""What can be traded here."""

from __future__ import annotations

from decimal import Decimal
from typing import Final
from uuid import NAMESPACE_DNS, UUID, uuid5

import msgspec

from gateway.paper.errors import not_found
from gateway.paper.notation import plain

ASSETS: Final = {
    "AAPL": ("Apple Inc. Common Stock", "NASDAQ"),
    "MSFT": ("Microsoft Corporation Common Stock", "NASDAQ"),
    "IBM": ("International Business Machines Corporation", "NYSE"),
    "GOOG": ("Google Inc. Class A Common Stock", "NASDAQ"),
    "SPY": ("SPDR S&P 500 ETF Trust", "ARCA"),
    "QQQ": ("Invesco QQQ Trust", "NASDAQ"),
    "TSLA": ("Tesla, Inc. Common Stock", "NASDAQ"),
    "NVDA": ("NVIDIA Corporation Common Stock", "NASDAQ"),
    "AMZN": ("Amazon.com, Inc. Common Stock", "NASDAQ"),
    "BRK.B": ("Berkshire Hathaway Inc. Class B", "NYSE"),
}

_NAMESPACE: Final = uuid5(NAMESPACE_DNS, "assets.paper.invalid")


def asset_id(symbol: str) -> str:
    return str(uuid5(_NAMESPACE, symbol))


_SYMBOLS: Final = {asset_id(symbol): symbol for symbol in ASSETS}


def find_symbol(symbol_or_asset_id: str) -> str | None:
    """Symbols are case-sensitive; ids may come without dashes."""
    if symbol_or_asset_id in ASSETS:
        return symbol_or_asset_id
    try:
        return _SYMBOLS.get(str(UUID(symbol_or_asset_id)))
    except ValueError:
        return None


def known_symbol(symbol_or_asset_id: str) -> str:
    """Raises a 404 refusal when nothing of that name is listed."""
    symbol = find_symbol(symbol_or_asset_id)
    if symbol is None:
        raise not_found(f"asset not found for {symbol_or_asset_id}")
    return symbol


class ListingTerms(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What may be done with a symbol; the margin is percent of a position's value."""

    tradable: bool = True
    marginable: bool = True
    shortable: bool = True
    easy_to_borrow: bool = True
    fractionable: bool = True
    margin_requirement: Decimal = Decimal(30)


def asset_json(symbol: str, terms: ListingTerms) -> dict[str, object]:
    name, exchange = ASSETS[symbol]
    return {
        "id": asset_id(symbol),
        "class": "us_equity",
        "exchange": exchange,
        "symbol": symbol,
        "name": name,
        "status": "active",
        "tradable": terms.tradable,
        "marginable": terms.marginable,
        "shortable": terms.shortable,
        "easy_to_borrow": terms.easy_to_borrow,
        "borrow_status": "easy_to_borrow" if terms.easy_to_borrow else "hard_to_borrow",
        "fractionable": terms.fractionable,
        "maintenance_margin_requirement": terms.margin_requirement,
        "margin_requirement_long": plain(terms.margin_requirement),
        "margin_requirement_short": plain(terms.margin_requirement),
        "attributes": [],
    }
