"""What can be traded here."""

from __future__ import annotations

from typing import Final
from uuid import NAMESPACE_DNS, UUID, uuid5

from gateway.paper.errors import not_found

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


def asset_json(symbol_or_asset_id: str) -> dict[str, object]:
    symbol = find_symbol(symbol_or_asset_id)
    if symbol is None:
        raise not_found(f"asset not found for {symbol_or_asset_id}")
    name, exchange = ASSETS[symbol]
    return {
        "id": asset_id(symbol),
        "class": "us_equity",
        "exchange": exchange,
        "symbol": symbol,
        "name": name,
        "status": "active",
        "tradable": True,
        "marginable": True,
        "shortable": True,
        "easy_to_borrow": True,
        "borrow_status": "easy_to_borrow",
        "fractionable": True,
        "maintenance_margin_requirement": 30,
        "margin_requirement_long": "30",
        "margin_requirement_short": "30",
        "attributes": [],
    }
