"""Golden vectors of the deterministic ids."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from gateway.aggregates.client_order_id import (
    RESERVED_WORDS,
    key_id,
    manual_id,
    order_id_for,
    parent_id,
    parent_strategy,
    slice_id,
)
from gateway.aggregates.vocabulary import OrdType, Side, StrategyId, Symbol, Ticket, TimeInForce
from tests.kit.covers import covers

DAY = date(2024, 10, 17)
HALF_PAST_TWO = datetime(2024, 10, 17, 14, 30, 59, tzinfo=UTC)


def ask(
    side: Side,
    qty: int,
    limit: str | None = None,
    stop: str | None = None,
    *,
    symbol: str = "AAPL",
    time_in_force: TimeInForce = TimeInForce.DAY,
) -> Ticket:
    types = {
        (False, False): OrdType.MARKET,
        (True, False): OrdType.LIMIT,
        (False, True): OrdType.STOP,
        (True, True): OrdType.STOP_LIMIT,
    }
    return Ticket(
        symbol=Symbol(symbol),
        side=side,
        qty=Decimal(qty),
        ord_type=types[limit is not None, stop is not None],
        time_in_force=time_in_force,
        strategy_id=StrategyId("alpha_baseline"),
        limit_px=Decimal(limit) if limit else None,
        stop_px=Decimal(stop) if stop else None,
    )


BUY, SELL, GTC = Side.BUY, Side.SELL, TimeInForce.GTC


@covers("FM:F-146")
@pytest.mark.parametrize(
    ("ticket", "expected"),
    [
        (ask(BUY, 10, symbol="aapl"), "1b5445b3d1a61a15f64411be"),
        (ask(BUY, 10, "150"), "2577f42edf645c813725246c"),
        (ask(BUY, 10, "150.00"), "2577f42edf645c813725246c"),
        (ask(BUY, 10, "150.005"), "84a2fdee53e46a6e975a52cf"),
        (ask(SELL, 5, "99.5", "100", time_in_force=GTC), "dcf9f7adefff127b45d122c8"),
        (ask(BUY, 100, "0.1234", symbol="ABCD"), "b62d0b2d213160ad229a5629"),
        (ask(BUY, 100, "0.12", symbol="ABCD"), "67543feb20ed9bd48597a0c0"),
    ],
)
def test_a_ticket_on_a_date_names_its_order(ticket: Ticket, expected: str) -> None:
    assert order_id_for(ticket, DAY) == expected


@covers("FM:F-146", "FC:D-12")
def test_the_next_day_is_another_order() -> None:
    assert order_id_for(ask(BUY, 10), DAY) != order_id_for(ask(BUY, 10), date(2024, 10, 18))


def test_an_idempotency_key_alone_decides_the_id() -> None:
    assert key_id(StrategyId("alpha_baseline"), "rebalance-7") == "1d81422163550569830e7751"


@pytest.mark.parametrize(
    ("total", "minutes", "interval", "first", "parent", "slice_0"),
    [
        (103, 5, 60, 20, "de5bf58807d0628f57b9943a", "1a705db7d218498c42f16108"),
        (100, 5, 60, 20, "0adb0f41463d309ec3ac9b44", "085dbcf50091688d1eee27ba"),
        (100, 10, 300, 50, "820782b70fd2ce88d373a778", "91664783f9727ab5acb00ee3"),
        (103, 5, 30, 9, "3d863dc76181b61786514415", "5f959f6afab7942a205f9c64"),
    ],
)
def test_a_twap_names_its_parent_and_its_slices(
    total: int, minutes: int, interval: int, first: int, parent: str, slice_0: str
) -> None:
    ticket = ask(BUY, total)
    named = parent_id(ticket, DAY, minutes=minutes, interval_seconds=interval)
    assert named == parent
    assert slice_id(ticket, DAY, parent=named, slice_num=0, qty=Decimal(first)) == slice_0


def test_a_twap_parent_carries_its_effective_interval() -> None:
    assert parent_strategy(5, 30) == "twap_parent_5m_30s"


@pytest.mark.parametrize(
    ("action", "ticket", "expected"),
    [
        ("close_position", ask(SELL, 10), "20e6eeb38f5a75538dde2552"),
        ("manual_trade", ask(BUY, 10), "930e748f20bb99b2012f31a2"),
        ("manual_trade", ask(BUY, 10, "150.5"), "aedd00eda29c4affec5ecb9a"),
        ("manual_trade", ask(BUY, 10, "150.50"), "aedd00eda29c4affec5ecb9a"),
        ("manual_trade", ask(SELL, 5, "99.5", "100", time_in_force=GTC), "6ec7cc2941c21d75ca8b8520"),
        ("flatten_all", ask(SELL, 10), "c0d1c44da04ce9e6ffe626ca"),
    ],
)
def test_a_manual_action_names_its_order_by_the_minute_it_was_asked(
    action: str, ticket: Ticket, expected: str
) -> None:
    assert manual_id(action, ticket, "u1", HALF_PAST_TWO) == expected


def test_an_adjustment_is_named_by_type_and_limit_and_not_by_time_in_force() -> None:
    day, gtc = ask(BUY, 10, "150"), ask(BUY, 10, "150", time_in_force=GTC)
    named = manual_id("adjust_position", day, "u1", HALF_PAST_TWO)
    assert named == manual_id("adjust_position", gtc, "u1", HALF_PAST_TWO)
    assert named != manual_id("adjust_position", ask(BUY, 10), "u1", HALF_PAST_TWO)


def test_the_words_of_the_paths_are_reserved() -> None:
    assert {"pending", "recent-fills", "cancel-all", "slice", "events", "slices", "cancel"} == RESERVED_WORDS
