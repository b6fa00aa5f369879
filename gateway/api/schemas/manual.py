"""Manual controls: orders, positions and the whole desk, moved by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field, model_validator

from gateway.aggregates.refusals import FractionalQty
from gateway.aggregates.vocabulary import OrdType
from gateway.api.json_types import (
    DecimalText,
    LongerReason,
    OrderQtyByHand,
    Price,
    Shares,
    SymbolIn,
    WholeShares,
)
from gateway.api.schemas.common import ManualBody, ResponseBody
from gateway.api.schemas.orders import TradingFields


class ManualOrderBody(TradingFields, ManualBody):
    qty: OrderQtyByHand


class CancelAllBody(ManualBody):
    symbol: SymbolIn


class CloseBody(ManualBody):
    qty: Shares | None = Field(None, description="None closes everything, a fraction included.")

    def whole_qty(self) -> Decimal | None:
        """Raises FractionalQty."""
        if self.qty is not None and self.qty != self.qty.to_integral_value():
            raise FractionalQty("qty must be whole shares; leave it out to close everything")
        return self.qty


class AdjustBody(ManualBody):
    target_qty: WholeShares
    order_type: Literal[OrdType.MARKET, OrdType.LIMIT] = OrdType.MARKET
    limit_price: Price | None = None

    @model_validator(mode="after")
    def _price_fits_the_type(self) -> AdjustBody:
        if (self.limit_price is None) is (self.order_type is OrdType.LIMIT):
            raise ValueError("a limit order needs limit_price, a market order takes none")
        return self


class FlattenBody(ManualBody):
    reason: LongerReason
    id_token: str | None = Field(None, max_length=8192, description="A fresh second factor of the caller.")


class FailedCancel(ResponseBody):
    order_id: str
    code: str


class CancelAllOrdersResponse(ResponseBody):
    status: Literal["cancelled", "partial"]
    symbol: str
    cancelled_count: int
    order_ids: list[str]
    failed: list[FailedCancel]
    strategies_affected: list[str]


class ClosePositionResponse(ResponseBody):
    status: Literal["closing", "already_flat"]
    symbol: str
    order_id: str | None
    qty_to_close: DecimalText
    message: str | None


class AdjustPositionResponse(ResponseBody):
    status: Literal["adjusting", "no_change"]
    symbol: str
    current_qty: DecimalText
    target_qty: DecimalText
    order_id: str | None
    message: str | None


class FlattenResult(ResponseBody):
    symbol: str
    status: Literal["closing", "unconfirmed", "already_flat", "failed"]
    order_id: str | None
    code: str | None


class FlattenAllResponse(ResponseBody):
    status: Literal["flattening", "partial", "already_flat"]
    positions_closed: int
    orders_created: list[str]
    strategies_affected: list[str]
    results: list[FlattenResult]


class CancelResult(ResponseBody):
    """One order a kill switch asked to end."""

    order_id: str
    status: str
    code: str | None
