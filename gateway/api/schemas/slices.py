"""Slicing plans, as asked for and as answered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated

from pydantic import Field, model_validator

from gateway.aggregates.client_order_id import parent_strategy, slice_strategy
from gateway.aggregates.order.state import Order
from gateway.aggregates.slice_plan.events import Terms
from gateway.aggregates.slice_plan.state import SlicePlan, roll_up, slice_statuses
from gateway.aggregates.twap import MOST_SLICES, slice_count
from gateway.aggregates.vocabulary import StrategyId
from gateway.api.json_types import AS_INTEGER, DateIn, DecimalText, GivenOrderId, Quantity, Timestamp
from gateway.api.schemas.common import ResponseBody
from gateway.api.schemas.orders import TradingFields


class SlicingRequest(TradingFields):
    client_order_id: GivenOrderId | None = None
    duration_minutes: Annotated[int, Field(ge=1, le=1440), AS_INTEGER]
    interval_seconds: Annotated[int, Field(ge=1, le=86_400), AS_INTEGER] = 60
    trade_date: DateIn | None = Field(None, description="UTC; today unless given, and within a day of it.")

    @model_validator(mode="after")
    def _every_slice_has_a_share(self) -> SlicingRequest:
        slices = slice_count(self.duration_minutes, self.interval_seconds)
        if slices > MOST_SLICES:
            raise ValueError(f"makes {slices} slices; at most {MOST_SLICES} are possible")
        if self.qty < slices:
            raise ValueError(f"{self.qty} shares cannot be cut into {slices} slices")
        return self

    def terms(self, strategy_id: StrategyId, today: date) -> Terms:
        return Terms(
            ticket=self.ticket(strategy_id),
            trade_date=self.trade_date or today,
            minutes=self.duration_minutes,
            interval_seconds=self.interval_seconds,
        )


class PlannedSlice(ResponseBody):
    """`strategy_id` is the word that stands for the strategy in the recipe of the slice's id."""

    slice_num: int
    qty: Quantity
    scheduled_time: Timestamp
    client_order_id: str
    strategy_id: str
    status: str


class Liquidity(ResponseBody):
    enabled: bool
    adv_20d: DecimalText | None
    max_slice_pct_of_adv: float
    max_slice_qty: int | None


class SlicingPlan(ResponseBody):
    parent_order_id: str
    parent_strategy_id: str
    strategy_id: str
    symbol: str
    side: str
    total_qty: Quantity
    total_slices: int
    duration_minutes: int
    interval_seconds: int
    slices: list[PlannedSlice]
    status: str
    liquidity: Liquidity
    message: str
    ledger_position: int

    @classmethod
    def of(
        cls,
        plan: SlicePlan,
        orders: Mapping[int, Order],
        *,
        max_pct_of_adv: Decimal,
        message: str,
        position: int,
    ) -> SlicingPlan:
        ticket, parent = plan.ticket, plan.parent_order_id
        return cls(
            parent_order_id=parent,
            parent_strategy_id=parent_strategy(plan.terms.minutes, plan.interval_seconds),
            strategy_id=ticket.strategy_id,
            symbol=ticket.symbol,
            side=ticket.side,
            total_qty=ticket.qty,
            total_slices=len(plan.slices),
            duration_minutes=plan.terms.minutes,
            interval_seconds=plan.interval_seconds,
            slices=_slices(plan, orders),
            status=roll_up(plan, orders).status,
            liquidity=Liquidity(
                enabled=plan.max_slice_qty is not None,
                adv_20d=plan.adv,
                max_slice_pct_of_adv=float(max_pct_of_adv),
                max_slice_qty=plan.max_slice_qty,
            ),
            message=message,
            ledger_position=position,
        )


def _slices(plan: SlicePlan, orders: Mapping[int, Order]) -> list[PlannedSlice]:
    return [
        PlannedSlice(
            slice_num=one.slice_num,
            qty=one.qty,
            scheduled_time=one.due,
            client_order_id=one.client_order_id,
            strategy_id=slice_strategy(plan.parent_order_id, one.slice_num),
            status=status,
        )
        for one, status in zip(plan.slices, slice_statuses(plan, orders), strict=True)
    ]


class CancelSlicesResponse(ResponseBody):
    parent_order_id: str
    scheduler_canceled: int
    db_canceled: int
    cancel_requested: int
    message: str
