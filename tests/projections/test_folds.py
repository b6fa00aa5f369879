"""What the tables say, folded from histories that the real aggregates made."""

from __future__ import annotations

from decimal import Decimal
from itertools import islice
from random import Random

import pytest

from gateway.aggregates.cost_basis import FLAT
from gateway.aggregates.exact import total
from gateway.aggregates.vocabulary import OrdStatus, Side
from gateway.projections.catalog import PROJECTIONS
from gateway.projections.folding import Folding, Rows
from gateway.projections.orders import ORDERS
from tests.projections.desk import SYMBOLS, Desk, random_desk

SEEDS = range(12)


def folded(desk: Desk) -> Folding:
    folding = Folding(PROJECTIONS)
    folding.take(desk.log)
    return folding


@pytest.mark.parametrize("seed", SEEDS)
def test_every_table_agrees_with_the_aggregates(seed: int) -> None:
    desk = random_desk(seed, 250)
    rows = folded(desk).rows
    assert {key: row.order for (key,), row in rows["orders"].items()} == desk.orders
    for symbol, position in desk.positions.items():
        row = rows["positions"][(symbol,)]
        assert (row.qty, row.cost, row.realized) == (
            position.account.qty,
            position.account.cost,
            position.account.realized,
        )
        assert (row.reserved_buy, row.reserved_sell) == (position.reserved_buy, position.reserved_sell)
        assert set(row.quarantined_for) == position.quarantines.keys()
        for strategy, book in position.strategies.items():
            owned = rows["strategy_positions"].get((strategy, symbol))
            shown = (owned.qty, owned.cost, owned.realized) if owned else (FLAT.qty, FLAT.cost, FLAT.realized)
            assert shown == (book.qty, book.cost, book.realized)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_the_executions_realized_adds_up_to_the_books(seed: int) -> None:
    desk = random_desk(seed, 250)
    fills = folded(desk).rows["fills"].values()
    for symbol, position in desk.positions.items():
        counting = [fill for fill in fills if fill.symbol == symbol and fill.counts]
        assert total(fill.account_realized for fill in counting) == position.account.realized
        for strategy, book in position.strategies.items():
            mine = [fill.strategy_realized for fill in counting if fill.strategy_id == strategy]
            assert total(mine) == book.realized


@pytest.mark.parametrize("seed", SEEDS)
def test_executions_that_count_are_those_of_the_orders(seed: int) -> None:
    desk = random_desk(seed, 250)
    fills = folded(desk).rows["fills"].values()
    counting = {(f.client_order_id, f.exec_id): (f.qty, f.px) for f in fills if f.counts}
    assert counting == {
        (name, exec_id): (execution.qty, execution.px)
        for name, order in desk.orders.items()
        for exec_id, execution in order.executions.items()
        if execution.qty
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_folding_in_batches_from_stored_rows_equals_folding_at_once(seed: int) -> None:
    log, random = random_desk(seed, 150).log, Random(seed)
    at_once = Folding(PROJECTIONS)
    at_once.take(log)
    rows: dict[str, Rows] = {projection.name: {} for projection in PROJECTIONS}
    events = iter(log)
    while batch := list(islice(events, random.randint(1, 20))):
        for projection in PROJECTIONS:
            folding = Folding([projection])
            folding.rows[projection.name].update(rows[projection.name])
            folding.take(batch)
            names = [column.name for column in projection.table.columns]
            rows[projection.name] = {
                key: projection.load({name: getattr(row, name) for name in names})
                for key, row in folding.rows[projection.name].items()
            }
    assert rows == at_once.rows


def test_a_bust_restates_what_later_executions_realized() -> None:
    desk = Desk()
    for name, side in (("b1", Side.BUY), ("b2", Side.BUY), ("s1", Side.SELL)):
        desk.submit(name, side=side)
    desk.trade("b1", "e1", "100", "10")
    desk.trade("b2", "e2", "100", "20")
    desk.trade("s1", "e3", "100", "18")
    assert _realized(desk) == {"e1": 0, "e2": 0, "e3": 300}
    desk.bust("b2", "e2")
    assert _realized(desk) == {"e1": 0, "e3": 800}
    assert folded(desk).rows["positions"][("AAPL",)].qty == 0


def test_a_correction_restates_what_later_executions_realized() -> None:
    desk = Desk()
    for name, side in (("b1", Side.BUY), ("b2", Side.BUY), ("s1", Side.SELL)):
        desk.submit(name, side=side)
    desk.trade("b1", "e1", "100", "10")
    desk.trade("b2", "e2", "100", "20")
    desk.trade("s1", "e3", "100", "18")
    desk.correct("b2", "e2", "100", "12")
    assert _realized(desk) == {"e1": 0, "e2": 0, "e3": 700}


def test_each_strategy_has_its_own_book_beside_the_accounts() -> None:
    desk = Desk()
    desk.submit("b1", strategy="alpha")
    desk.submit("s1", strategy="beta", side=Side.SELL, qty="50")
    desk.trade("b1", "e1", "100", "10")
    desk.trade("s1", "e2", "50", "12")
    rows = folded(desk).rows
    assert rows["positions"][("AAPL",)].realized == 100
    assert rows["strategy_positions"][("alpha", "AAPL")].realized == 0
    assert rows["strategy_positions"][("beta", "AAPL")].qty == -50
    assert rows["strategy_positions"][("beta", "AAPL")].realized == 0


def test_a_real_execution_takes_the_place_of_an_inferred_one() -> None:
    desk = Desk()
    desk.submit("b1")
    desk.accept("b1")
    desk.total("b1", "40", "10")
    (inferred,) = folded(desk).rows["fills"].values()
    assert (inferred.provisional, inferred.counts, inferred.qty) == (True, True, Decimal(40))
    desk.trade("b1", "e1", "40", "10")
    fills = {fill.exec_id: fill for fill in folded(desk).rows["fills"].values()}
    assert not fills[inferred.exec_id].counts
    assert fills["e1"].counts


def test_the_row_of_an_order_shows_what_the_aggregate_says() -> None:
    desk = Desk()
    desk.submit("b1", symbol=SYMBOLS[1])
    desk.accept("b1")
    desk.trade("b1", "e1", "30", "10.5")
    desk.cancel("b1")
    row = folded(desk).rows["orders"][("b1",)]
    assert (row.symbol, row.order_id, row.broker_status) == ("MSFT", "broker-b1", "partially_filled")
    assert (row.cum_qty, row.leaves_qty, row.avg_px) == (Decimal(30), Decimal(70), Decimal("10.5"))
    assert row.status is OrdStatus.PENDING_CANCEL
    assert row.is_live
    assert row.position == len(desk.log)


def test_an_order_survives_its_way_through_the_table() -> None:
    for order_row in folded(random_desk(99, 300)).rows["orders"].values():
        names = [column.name for column in ORDERS.table.columns]
        assert ORDERS.load({name: getattr(order_row, name) for name in names}) == order_row


def _realized(desk: Desk) -> dict[str, int]:
    fills = folded(desk).rows["fills"].values()
    return {fill.exec_id: int(fill.account_realized) for fill in fills if fill.counts}
