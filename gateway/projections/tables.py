"""The columns of every read table; the tables themselves carry names such as `read.orders_v1_1`."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    Text,
)

SCHEMA: Final = "read"
_TEMPLATES: Final = MetaData(schema=SCHEMA)
_INSTANT: Final = DateTime(timezone=True)

ORDERS: Final = Table(
    "orders",
    _TEMPLATES,
    Column("client_order_id", Text, primary_key=True),
    Column("strategy_id", Text, nullable=False),
    Column("symbol", Text, nullable=False, index=True),
    Column("side", Text, nullable=False),
    Column("qty", Numeric, nullable=False),
    Column("ord_type", Text, nullable=False),
    Column("limit_px", Numeric),
    Column("stop_px", Numeric),
    Column("time_in_force", Text, nullable=False),
    Column("status", Text, nullable=False, index=True),
    Column("order_id", Text, index=True),
    Column("broker_status", Text),
    Column("error_message", Text),
    Column("attempt", Integer, nullable=False),
    Column("created_at", _INSTANT, nullable=False),
    Column("updated_at", _INSTANT, nullable=False),
    Column("submitted_at", _INSTANT),
    Column("cancel_requested_at", _INSTANT),
    Column("filled_at", _INSTANT),
    Column("cum_qty", Numeric, nullable=False),
    Column("avg_px", Numeric),
    Column("leaves_qty", Numeric, nullable=False),
    Column("is_live", Boolean, nullable=False, index=True),
    Column("parent_order_id", Text, index=True),
    Column("slice_num", Integer),
    Column("flags", ARRAY(Text), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("state", LargeBinary, nullable=False),
)

FILLS: Final = Table(
    "fills",
    _TEMPLATES,
    Column("client_order_id", Text, primary_key=True),
    Column("exec_id", Text, primary_key=True),
    Column("symbol", Text, nullable=False),
    Column("strategy_id", Text, nullable=False, index=True),
    Column("side", Text, nullable=False),
    Column("qty", Numeric, nullable=False),
    Column("px", Numeric, nullable=False),
    Column("transact_time", _INSTANT, nullable=False, index=True),
    Column("trade_date", Date, nullable=False),
    Column("provisional", Boolean, nullable=False, index=True),
    Column("counts", Boolean, nullable=False),
    Column("account_realized", Numeric, nullable=False),
    Column("strategy_realized", Numeric, nullable=False),
    Column("booked_at_position", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
)

POSITIONS: Final = Table(
    "positions",
    _TEMPLATES,
    Column("symbol", Text, primary_key=True),
    Column("qty", Numeric, nullable=False),
    Column("cost", Numeric, nullable=False),
    Column("realized", Numeric, nullable=False),
    Column("reserved_buy", Numeric, nullable=False),
    Column("reserved_sell", Numeric, nullable=False),
    Column("quarantined_for", ARRAY(Text), nullable=False),
    Column("last_trade_at", _INSTANT),
    Column("updated_at", _INSTANT, nullable=False),
    Column("position", BigInteger, nullable=False),
)

STRATEGY_POSITIONS: Final = Table(
    "strategy_positions",
    _TEMPLATES,
    Column("strategy_id", Text, primary_key=True),
    Column("symbol", Text, primary_key=True),
    Column("qty", Numeric, nullable=False),
    Column("cost", Numeric, nullable=False),
    Column("realized", Numeric, nullable=False),
    Column("last_trade_at", _INSTANT),
    Column("updated_at", _INSTANT, nullable=False),
    Column("position", BigInteger, nullable=False),
)

BREAKS: Final = Table(
    "breaks",
    _TEMPLATES,
    Column("break_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("symbol", Text),
    Column("client_order_id", Text),
    Column("order_id", Text),
    Column("ledger_value", Text, nullable=False),
    Column("broker_value", Text, nullable=False),
    Column("first_seen", _INSTANT, nullable=False),
    Column("last_seen", _INSTANT, nullable=False),
    Column("status", Text, nullable=False, index=True),
    Column("resolution", Text),
    Column("resolved_by", Text),
    Column("resolved_at", _INSTANT),
    Column("position", BigInteger, nullable=False),
)


@lru_cache(maxsize=256)
def physical(template: Table, table_name: str) -> Table:
    """The template under the name it has in the database."""
    return template.to_metadata(MetaData(schema=SCHEMA), name=table_name)
