"""What may still be sent to get out: never more than is held, whoever else is closing."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.aggregates.position.state import Position
from gateway.aggregates.refusals import QtyExceedsPosition
from gateway.aggregates.vocabulary import (
    Actor,
    ActorKind,
    ClientOrderId,
    OrdType,
    Side,
    StrategyId,
    Symbol,
    Ticket,
    TimeInForce,
)
from gateway.commands.adjust_position import shrinks
from gateway.commands.by_hand import Extent, ManualAction, ManualRequest
from gateway.commands.reduce_only import LiveHolding, refuse_beyond_closable
from gateway.telemetry import GateLog

AAPL = Symbol("AAPL")
QUANTITIES = st.decimals(min_value=0, max_value=1000, places=4)


def holding(qty: str | Decimal, foreign: str | Decimal = "0") -> LiveHolding:
    return LiveHolding(symbol=AAPL, qty=Decimal(qty), foreign_leaves=Decimal(foreign), version=7)


def working(**orders: tuple[Side, str]) -> Position:
    """A position on which these live orders have leaves."""
    return Position(
        reserved={ClientOrderId(name): (side, Decimal(leaves)) for name, (side, leaves) in orders.items()}
    )


def ticket(side: Side, qty: str | Decimal) -> Ticket:
    return Ticket(
        symbol=AAPL,
        side=side,
        qty=Decimal(qty),
        ord_type=OrdType.MARKET,
        time_in_force=TimeInForce.DAY,
        strategy_id=StrategyId("alpha"),
    )


def test_open_closing_orders_are_taken_off_and_opening_ones_are_not() -> None:
    position = working(out=(Side.SELL, "30"), more=(Side.BUY, "500"))
    assert holding("100").closable(position) == 70
    assert holding("100", foreign="50").closable(position) == 20
    assert holding("100", foreign="80").closable(position) == 0
    assert holding("-600").closable(position) == 100


def test_an_order_is_not_in_its_own_way() -> None:
    position = working(mine=(Side.SELL, "100"))
    assert holding("100").closable(position) == 0
    assert holding("100").closable(position, except_for=ClientOrderId("mine")) == 100


@given(held=QUANTITIES, foreign=QUANTITIES, ours=QUANTITIES, qty=QUANTITIES, short=st.booleans())
def test_whatever_passes_cannot_flip_the_holding(
    held: Decimal, foreign: Decimal, ours: Decimal, qty: Decimal, short: bool
) -> None:
    side = Side.BUY if short else Side.SELL
    position = working(other=(side, str(ours)))
    try:
        refuse_beyond_closable(ticket(side, qty), holding(-held if short else held, foreign), position)
    except QtyExceedsPosition:
        assert qty > max(Decimal(0), held - foreign - ours)
    else:
        assert qty == 0 or qty + foreign + ours <= held


@pytest.mark.parametrize(("qty", "side"), [("100", Side.BUY), ("-100", Side.SELL), ("0", Side.SELL)])
def test_what_adds_to_a_holding_is_never_a_way_out(qty: str, side: Side) -> None:
    with pytest.raises(QtyExceedsPosition) as refused:
        refuse_beyond_closable(ticket(side, "1"), holding(qty), None)
    assert refused.value.facts["closable"] == 0


@pytest.mark.parametrize(
    ("held", "target", "reduces"),
    [
        ("100", "40", True),
        ("100", "0", True),
        ("-100", "-40", True),
        ("-0.5", "0", True),
        ("100", "150", False),
        ("100", "-40", False),
        ("-100", "-150", False),
        ("0", "10", False),
    ],
)
def test_only_what_stays_on_its_side_and_comes_nearer_to_flat_shrinks(
    held: str, target: str, reduces: bool
) -> None:
    assert shrinks(Decimal(held), Decimal(target)) is reduces


def test_an_extent_covers_everything_a_symbol_or_a_strategys_part() -> None:
    alpha, beta, msft = StrategyId("alpha"), StrategyId("beta"), Symbol("MSFT")
    assert Extent().has(AAPL, alpha)
    assert Extent(symbol=AAPL).has(AAPL, beta)
    assert not Extent(symbol=AAPL).has(msft, beta)
    assert Extent(strategy_id=beta).has(msft, beta)
    assert not Extent(strategy_id=beta).has(msft, alpha)


def test_a_request_names_its_order_by_its_own_minute_and_the_manual_strategies_by_its_action() -> None:
    request = ManualRequest(
        action=ManualAction.CLOSE,
        by=Actor(sub="u1", kind=ActorKind.USER),
        at=datetime(2024, 10, 17, 14, 30, 59, tzinfo=UTC),
        reason="",
        correlation_id="",
        log=GateLog(),
    )
    assert request.order_id(ticket(Side.SELL, "10")) == "20e6eeb38f5a75538dde2552"
    assert [action.strategy_id for action in ManualAction][:4] == [
        "manual_controls_close_position",
        "manual_controls_adjust_position",
        "manual_controls_flatten_all",
        "manual_controls_trade",
    ]
