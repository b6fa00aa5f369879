"""An account and its positions, as Alpaca writes them."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from uuid import NAMESPACE_DNS, uuid5

from gateway.paper.account import Position
from gateway.paper.admission import account_valuation, held_for_orders
from gateway.paper.assets import ASSETS, asset_id
from gateway.paper.back_office import accrued_fees
from gateway.paper.errors import not_found
from gateway.paper.notation import plain, stamp
from gateway.paper.orders import ZERO
from gateway.paper.rules import Rules
from gateway.paper.world import World


def account_json(world: World, account_id: str) -> dict[str, object]:
    worth = account_valuation(world, account_id)
    opened_at = stamp(world.opened.at) if world.opened else None
    money = {
        "cash": worth.cash,
        "long_market_value": worth.long_value,
        "short_market_value": worth.short_value,
        "position_market_value": worth.gross,
        "equity": worth.equity,
        "portfolio_value": worth.equity,
        "last_equity": worth.equity,
        "initial_margin": worth.initial_margin,
        "maintenance_margin": worth.maintenance_margin,
        "last_maintenance_margin": worth.maintenance_margin,
        "buying_power": worth.buying_power,
        "effective_buying_power": worth.buying_power,
        "regt_buying_power": worth.overnight_buying_power,
        "non_marginable_buying_power": max(worth.cash - worth.reserved, ZERO),
        "options_buying_power": max(worth.cash - worth.reserved, ZERO),
        "accrued_fees": accrued_fees(world, account_id),
        "pending_reg_taf_fees": ZERO,
        "pending_transfer_in": ZERO,
        "pending_transfer_out": ZERO,
        "intraday_adjustments": ZERO,
        "sma": ZERO,
    }
    return {
        "id": str(uuid5(NAMESPACE_DNS, f"{account_id}.paper.invalid")),
        "account_number": account_id,
        "status": "ACTIVE",
        "crypto_status": "ACTIVE",
        "currency": "USD",
        "created_at": opened_at,
        "balance_asof": opened_at[:10] if opened_at else None,
        "trading_blocked": False,
        "transfers_blocked": False,
        "account_blocked": False,
        "trade_suspended_by_user": world.rules.suspend_trade,
        "shorting_enabled": worth.multiplier > 1 and not world.rules.no_shorting,
        "options_approved_level": 0,
        "options_trading_level": 0,
        "crypto_tier": 0,
        "multiplier": str(worth.multiplier),
        **{name: plain(amount) for name, amount in money.items()},
    }


def configurations_json(rules: Rules) -> dict[str, object]:
    return {
        "trade_confirm_email": "none",
        "suspend_trade": rules.suspend_trade,
        "no_shorting": rules.no_shorting,
        "fractional_trading": rules.fractional_trading,
        "max_margin_multiplier": str(rules.max_multiplier),
        "max_options_trading_level": 0,
        "ptp_no_exception_entry": False,
        "disable_overnight_trading": False,
    }


def positions_json(world: World, account_id: str, closes: dict[str, Decimal]) -> list[dict[str, object]]:
    """`closes` are the closing prices of the day before."""
    positions = world.account(account_id).positions
    return [
        _position_json(world, account_id, symbol, positions[symbol], closes) for symbol in sorted(positions)
    ]


def position_json(
    world: World, account_id: str, symbol: str | None, closes: dict[str, Decimal]
) -> dict[str, object]:
    position = world.account(account_id).position(symbol or "")
    if symbol is None or not position.qty:
        raise not_found("position does not exist")
    return _position_json(world, account_id, symbol, position, closes)


def _position_json(
    world: World, account_id: str, symbol: str, position: Position, closes: dict[str, Decimal]
) -> dict[str, object]:
    price = world.books[symbol].last or position.avg_entry_price
    close = closes.get(symbol, price)
    held = held_for_orders(world.live_orders(account_id, symbol))
    gain = position.qty * (price - position.avg_entry_price)
    sign = 1 if position.qty > 0 else -1
    ratio = _ratio(gain, abs(position.cost_basis))
    return {
        "asset_id": asset_id(symbol),
        "symbol": symbol,
        "exchange": ASSETS[symbol][1],
        "asset_class": "us_equity",
        "asset_marginable": True,
        "qty": plain(position.qty),
        "qty_available": plain(position.qty - sign * held),
        "side": "long" if sign > 0 else "short",
        "avg_entry_price": plain(_rounded(position.avg_entry_price)),
        "cost_basis": plain(_rounded(position.cost_basis)),
        "market_value": plain(position.qty * price),
        "current_price": plain(price),
        "lastday_price": plain(close),
        "change_today": plain(_ratio(price - close, close)),
        "unrealized_pl": plain(_rounded(gain)),
        "unrealized_plpc": plain(ratio),
        "unrealized_intraday_pl": plain(_rounded(gain)),
        "unrealized_intraday_plpc": plain(ratio),
    }


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("1e-9"), ROUND_HALF_EVEN)


def _ratio(part: Decimal, whole: Decimal) -> Decimal:
    return _rounded(part / whole) if whole else ZERO
