"""Orders, as asked for and as answered."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field, model_validator

from gateway.aggregates.order.state import Order
from gateway.aggregates.vocabulary import ClientOrderId, OrdType, Side, StrategyId, Ticket, TimeInForce
from gateway.api.json_types import (
    AveragePrice,
    DecimalText,
    GivenOrderId,
    OrderQty,
    Price,
    Quantity,
    StrategyIn,
    SymbolIn,
    Timestamp,
)
from gateway.api.schemas.common import ManualBody, RequestBody, ResponseBody

_WITH_LIMIT = frozenset({OrdType.LIMIT, OrdType.STOP_LIMIT})
_WITH_STOP = frozenset({OrdType.STOP, OrdType.STOP_LIMIT})


class TradingFields(RequestBody):
    """What is to be traded."""

    symbol: SymbolIn
    side: Side
    qty: OrderQty
    order_type: Literal[OrdType.MARKET, OrdType.LIMIT, OrdType.STOP, OrdType.STOP_LIMIT] = Field(
        OrdType.MARKET, description="Also accepted as `type`."
    )
    limit_price: Price | None = None
    stop_price: Price | None = None
    time_in_force: Literal[TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK] = (
        TimeInForce.DAY
    )
    strategy_id: StrategyIn | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_type(cls, body: Any) -> Any:
        if not isinstance(body, dict) or "type" not in body:
            return body
        fields = dict(body)
        given = fields.pop("type")
        if fields.setdefault("order_type", given) != given:
            raise ValueError("type and order_type differ")
        return fields

    @model_validator(mode="after")
    def _prices_fit_the_type(self) -> TradingFields:
        for name, price, types in (
            ("limit_price", self.limit_price, _WITH_LIMIT),
            ("stop_price", self.stop_price, _WITH_STOP),
        ):
            if (price is None) is (self.order_type in types):
                verb = "needs" if price is None else "takes no"
                raise ValueError(f"a {self.order_type} order {verb} {name}")
        immediate = self.time_in_force in (TimeInForce.IOC, TimeInForce.FOK)
        if immediate and self.order_type in _WITH_STOP:
            raise ValueError(f"{self.time_in_force} goes with market and limit orders only")
        return self

    def ticket(self, strategy_id: StrategyId) -> Ticket:
        return Ticket(
            symbol=self.symbol,
            side=self.side,
            qty=Decimal(self.qty),
            ord_type=self.order_type,
            time_in_force=self.time_in_force,
            strategy_id=strategy_id,
            limit_px=self.limit_price,
            stop_px=self.stop_price,
        )


class OrderRequest(TradingFields):
    client_order_id: GivenOrderId | None = None


class CancelBody(ManualBody):
    """Makes a cancel a manual one: who, when and why are recorded."""


class OrderResponse(ResponseBody):
    client_order_id: ClientOrderId
    status: str
    broker_order_id: str | None
    symbol: str
    side: str
    qty: Quantity
    order_type: str
    limit_price: DecimalText | None
    stop_price: DecimalText | None
    time_in_force: str
    strategy_id: str
    filled_qty: DecimalText
    created_at: Timestamp
    message: str
    ledger_position: int

    @classmethod
    def of(cls, order: Order, message: str, position: int) -> OrderResponse:
        return cls(**_ticket(order), message=message, ledger_position=position)


class OrderDetail(ResponseBody):
    client_order_id: ClientOrderId
    strategy_id: str
    symbol: str
    side: str
    qty: Quantity
    order_type: str
    limit_price: DecimalText | None
    stop_price: DecimalText | None
    time_in_force: str
    status: str
    broker_order_id: str | None
    broker_status: str | None
    error_message: str | None
    retry_count: int
    created_at: Timestamp
    updated_at: Timestamp
    submitted_at: Timestamp | None
    cancel_requested_at: Timestamp | None
    filled_at: Timestamp | None
    filled_qty: DecimalText
    filled_avg_price: AveragePrice | None
    leaves_qty: DecimalText
    metadata: dict[str, str | None]
    parent_order_id: str | None
    slice_num: int | None
    total_slices: int | None
    scheduled_time: Timestamp | None
    flags: list[str]
    ledger_position: int

    @classmethod
    def of(cls, order: Order, updated_at: datetime, position: int) -> OrderDetail:
        return cls(
            **_ticket(order),
            broker_status=order.broker_status,
            error_message=order.error_message,
            retry_count=order.attempt - 1,
            updated_at=updated_at,
            submitted_at=order.submitted_at,
            cancel_requested_at=order.cancel_requested_at,
            filled_at=order.filled_at,
            filled_avg_price=order.avg_px,
            leaves_qty=order.leaves_qty,
            metadata={"reason": order.reason} if order.reason else {},
            parent_order_id=order.parent_order_id,
            slice_num=order.slice_num,
            total_slices=order.total_slices,
            scheduled_time=order.scheduled_time,
            flags=sorted(order.flags),
            ledger_position=position,
        )


def _ticket(order: Order) -> dict[str, Any]:
    """The fields that every view of an order has."""
    ticket = order.ticket
    return {
        "client_order_id": order.client_order_id,
        "status": order.status,
        "broker_order_id": order.order_id,
        "symbol": ticket.symbol,
        "side": ticket.side,
        "qty": ticket.qty,
        "order_type": ticket.ord_type,
        "limit_price": ticket.limit_px,
        "stop_price": ticket.stop_px,
        "time_in_force": ticket.time_in_force,
        "strategy_id": order.strategy_id,
        "filled_qty": order.cum_qty,
        "created_at": order.created_at,
    }


class CancelOrderResponse(ResponseBody):
    client_order_id: ClientOrderId
    order_id: ClientOrderId
    status: str
    message: str
    cancel_requested_at: Timestamp | None
    cancelled_at: Timestamp | None
    broker_notified: bool
    ledger_position: int


class PendingOrdersResponse(ResponseBody):
    orders: list[OrderDetail]
    total: int
    limit: int
    offset: int
    filtered_by_strategy: bool
    user_strategies: list[str]


class RecentFill(ResponseBody):
    client_order_id: ClientOrderId
    symbol: str
    side: str
    qty: DecimalText
    price: DecimalText
    realized_pl: DecimalText
    status: Literal["filled", "partially_filled"]
    timestamp: Timestamp
    execution_id: str | None
    provisional: bool


class RecentFillsResponse(ResponseBody):
    events: list[RecentFill]
    total: int
    limit: int
    filtered_by_strategy: bool
    user_strategies: list[str]
