"""The questions people ask, against real tables and as of earlier positions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest

from gateway.aggregates.recon_events import (
    BreakChanged,
    BreakOpened,
    BreakResolved,
    ReconciliationPassed,
)
from gateway.aggregates.refusals import LedgerUnavailable, ProjectionBehind
from gateway.aggregates.vocabulary import Side, Symbol
from gateway.ledger.catalog import CATALOG
from gateway.ledger.envelope import Uncommitted
from gateway.ledger.ledger import Ledger
from gateway.projections.catalog import PROJECTIONS
from gateway.projections.engine import Projections
from gateway.projections.queries.breaks import breaks
from gateway.projections.queries.orders import (
    SortBy,
    get_order,
    get_order_as_of,
    live_orders,
    pending_orders,
    recent_fills,
)
from gateway.projections.queries.performance import daily_performance, daily_performance_as_of
from gateway.projections.queries.positions import account_holdings, holdings_as_of, strategy_holdings
from gateway.projections.rebuild import rebuild
from gateway.projections.snapshot import ReadTables
from gateway.projections.verify import verify_projections
from tests.kit.covers import covers
from tests.projections.desk import OPENING, Desk, random_desk, record


@asynccontextmanager
async def house(url: str, desk: Desk) -> AsyncIterator[tuple[Ledger, ReadTables, int]]:
    """The desk's history in a real ledger, and the read tables at its head."""
    tables = ReadTables(url)
    async with Ledger.opened(url, CATALOG, build="test") as ledger:
        engine = Projections(url=url, log=ledger.log, projections=PROJECTIONS)
        await engine.start()
        await tables.open()
        try:
            end = await record(ledger, desk.appends)
            await engine.wait_for(end, timeout=10)
            yield ledger, tables, end
        finally:
            await tables.close()
            await engine.stop()


@covers("INV-09")
async def test_the_tables_of_any_history_equal_the_log_followed_and_rebuilt(database: str) -> None:
    async with house(database, random_desk(7, 400)) as (ledger, _, end):
        followed = await verify_projections(database, ledger.log, PROJECTIONS)
        assert [(proof.equal, proof.position) for proof in followed] == [(True, end)] * len(PROJECTIONS)
        rebuilt = await rebuild(database, ledger.log, PROJECTIONS)
        assert {(p.name, p.rows, p.table_digest) for p in followed} == {
            (p.name, p.rows, p.table_digest) for p in rebuilt
        }


async def test_an_order_is_found_by_those_who_may_see_it(database: str) -> None:
    desk = Desk()
    desk.submit("o1", strategy="alpha")
    async with house(database, desk) as (ledger, tables, end), tables.snapshot() as snapshot:
        found = await get_order(snapshot, "o1", strategies=["alpha"])
        assert found is not None
        assert (found.order, found.position) == (desk.orders["o1"], 1)
        assert await get_order(snapshot, "o1", strategies=["beta"]) is None
        assert await get_order(snapshot, "o1", strategies=[]) is None
        assert await get_order(snapshot, "o2") is None
        assert await get_order_as_of(ledger.log, "o1", end, strategies=["beta"]) is None


async def test_an_order_as_of_a_position_is_what_was_known_then(database: str) -> None:
    desk = Desk()
    desk.submit("o1")
    desk.accept("o1")
    desk.trade("o1", "e1", "40", "10")
    async with house(database, desk) as (ledger, _, end):
        then = await get_order_as_of(ledger.log, "o1", 3)
        now = await get_order_as_of(ledger.log, "o1", end)
        assert await get_order_as_of(ledger.log, "o1", 0) is None
    assert then is not None
    assert now is not None
    assert (then.cum_qty, then.position) == (Decimal(0), 3)
    assert (now.cum_qty, now.order) == (Decimal(40), desk.orders["o1"])


@covers("SEC:S-22")
async def test_pending_orders_are_filtered_sorted_counted_and_paged(database: str) -> None:
    desk = Desk()
    for number, symbol, strategy in ((1, "MSFT", "alpha"), (2, "AAPL", "beta"), (3, "AAPL", "alpha")):
        desk.submit(f"o{number}", symbol=symbol, strategy=strategy)
    desk.submit("done", symbol="AAPL", qty="5")
    desk.trade("done", "e1", "5", "10")
    async with house(database, desk) as (_, tables, end), tables.snapshot() as snapshot:

        async def ids(**filters: object) -> tuple[list[str], int]:
            page = await pending_orders(snapshot, **filters)
            assert page.position == end
            return [row.client_order_id for row in page.orders], page.total

        assert await ids() == (["o3", "o2", "o1"], 3)
        assert await ids(strategies=["alpha"]) == (["o3", "o1"], 2)
        assert await ids(strategies=[]) == ([], 0)
        assert await ids(symbol="AAPL", descending=False) == (["o2", "o3"], 2)
        assert await ids(sort_by=SortBy.SYMBOL, descending=False) == (["o2", "o3", "o1"], 3)
        assert await ids(sort_by=SortBy.STATUS) == (["o1", "o2", "o3"], 3)
        assert await ids(limit=1, offset=1) == (["o2"], 3)
        assert await ids(parent_order_id="nobody") == ([], 0)
        assert [o.client_order_id for o in await live_orders(snapshot, symbol="AAPL")] == ["o2", "o3"]


async def test_recent_fills_come_newest_first_and_tell_which_one_completed_its_order(database: str) -> None:
    desk = Desk()
    desk.submit("o1", qty="100")
    desk.trade("o1", "old", "10", "10")
    desk.next_day()
    morning = desk.now
    desk.trade("o1", "e1", "40", "10")
    desk.trade("o1", "e2", "20", "11")
    desk.trade("o1", "e3", "50", "12")
    desk.bust("o1", "e2")
    desk.submit("o2", strategy="beta", side=Side.SELL, qty="10")
    desk.trade("o2", "f1", "10", "13")
    async with house(database, desk) as (_, tables, end), tables.snapshot() as snapshot:
        page = await recent_fills(snapshot, since=morning)
        assert page.position == end
        assert [(f.exec_id, f.completed) for f in page.fills] == [("f1", True), ("e3", True), ("e1", False)]
        assert [f.exec_id for f in (await recent_fills(snapshot, since=morning, limit=1)).fills] == ["f1"]
        mine = (await recent_fills(snapshot, since=morning, strategies=["alpha"])).fills
        assert [f.exec_id for f in mine] == ["e3", "e1"]
        assert page.fills[0].account_realized == Decimal(20)
        assert page.fills[0].strategy_realized == 0


async def test_holdings_show_the_accounts_book_or_the_strategies_own(database: str) -> None:
    desk = Desk()
    desk.submit("b1", strategy="alpha")
    desk.trade("b1", "e1", "100", "10")
    desk.submit("s1", strategy="beta", side=Side.SELL, qty="80")
    desk.trade("s1", "e2", "50", "12")
    desk.submit("m1", symbol="MSFT", strategy="alpha", qty="10")
    desk.trade("m1", "e3", "10", "30")
    desk.submit("m2", symbol="MSFT", strategy="alpha", qty="10", side=Side.SELL)
    desk.trade("m2", "e4", "10", "31.5")
    desk.quarantine("AAPL", "beta")
    async with house(database, desk) as (ledger, tables, end), tables.snapshot() as snapshot:
        account = await account_holdings(snapshot)
        (aapl,) = account.open
        assert (aapl.symbol, aapl.qty, aapl.avg_px, aapl.realized) == ("AAPL", 50, 10, 100)
        assert (aapl.reserved_buy, aapl.reserved_sell, aapl.quarantined) == (0, 30, True)
        assert (account.realized, account.position) == (Decimal(115), end)

        alpha = await strategy_holdings(snapshot, ["alpha"])
        (mine,) = alpha.open
        assert (mine.qty, mine.avg_px, mine.realized, mine.reserved_sell) == (100, 10, 0, 0)
        assert not mine.quarantined
        assert alpha.realized == 15

        (theirs,) = (await strategy_holdings(snapshot, ["beta"])).open
        assert (theirs.qty, theirs.avg_px, theirs.reserved_sell, theirs.quarantined) == (-50, 12, 30, True)
        assert (await strategy_holdings(snapshot, ["alpha"], symbol="MSFT")).open == ()
        assert (await strategy_holdings(snapshot, [])).open == ()

        for strategies in (None, ["alpha"], ["beta"], ["alpha", "beta"]):
            live = (
                await account_holdings(snapshot)
                if strategies is None
                else await strategy_holdings(snapshot, strategies)
            )
            assert await holdings_as_of(ledger.log, end, strategies=strategies) == live
        assert (await holdings_as_of(ledger.log, 0)).open == ()
        assert (await holdings_as_of(ledger.log, end, symbol="MSFT")).realized == 15


async def test_performance_counts_each_execution_on_its_own_day_in_the_asked_book(database: str) -> None:
    desk = Desk()
    desk.submit("b1")
    desk.trade("b1", "e1", "100", "10")
    desk.next_day()
    desk.submit("s1", side=Side.SELL, strategy="beta")
    desk.trade("s1", "e2", "60", "11")
    before_bust = len(desk.log)
    desk.trade("s1", "e3", "40", "9")
    desk.bust("s1", "e3")
    first = OPENING.date()
    last = first + timedelta(days=2)
    async with house(database, desk) as (ledger, tables, end), tables.snapshot() as snapshot:
        account = await daily_performance(snapshot, first, last)
        assert [(day.realized, day.closing_trades) for day in account.days] == [(0, 0), (60, 1), (0, 0)]
        assert (account.first_trade_date, account.position) == (first, end)
        beta = await daily_performance(snapshot, first, last, strategies=["beta"])
        assert [day.realized for day in beta.days] == [0, 0]
        assert (await daily_performance(snapshot, first, last, strategies=[])).days == ()
        assert await daily_performance_as_of(ledger.log, end, first, last) == account
        earlier = await daily_performance_as_of(ledger.log, before_bust, first, last)
        assert [day.cumulative for day in earlier.days] == [0, 60, 60]


async def test_breaks_are_listed_while_open_and_kept_when_resolved(database: str) -> None:
    seen = {"kind": "position_qty", "at": OPENING, "ledger_value": "100"}
    later = OPENING + timedelta(minutes=5)
    history = [
        BreakOpened(break_id="b1", symbol=Symbol("AAPL"), broker_value="90", **seen),
        BreakOpened(break_id="b2", symbol=Symbol("MSFT"), broker_value="91", **seen),
        BreakChanged(break_id="b1", at=OPENING, ledger_value="100", broker_value="80"),
        ReconciliationPassed(
            run_id="r1",
            at=later,
            marks={},
            reports_recorded=0,
            breaks_open=2,
            orphans_found=0,
            breaks_seen=("b1",),
        ),
        BreakResolved(break_id="b2", at=later, action="ignore", reason="known since monday", by="alice"),
    ]
    desk = Desk(appends=[(Uncommitted(stream="recon-gate", event=event),) for event in history])
    async with house(database, desk) as (_, tables, _), tables.snapshot() as snapshot:
        (still_open,) = await breaks(snapshot)
        assert (still_open.break_id, still_open.broker_value) == ("b1", "80")
        assert (still_open.first_seen, still_open.last_seen) == (OPENING, later)
        (ended,) = await breaks(snapshot, status="resolved")
        assert (ended.break_id, ended.resolution, ended.resolved_by) == ("b2", "ignore", "alice")
        assert [b.break_id for b in await breaks(snapshot, status=None)] == ["b1", "b2"]
        assert await breaks(snapshot, symbol="MSFT") == []


@covers("FC:G-03")
async def test_one_snapshot_sees_one_table_through_a_swap(database: str) -> None:
    desk = Desk()
    desk.submit("o1")
    async with house(database, desk) as (ledger, tables, _), tables.snapshot() as before:
        await rebuild(database, ledger.log, PROJECTIONS)
        assert await get_order(before, "o1") is not None
        async with tables.snapshot() as after:
            assert await get_order(after, "o1") is not None
            assert before.entries["orders"].table_name == "orders_v2_1"
            assert after.entries["orders"].table_name == "orders_v2_2"


async def test_a_parked_projection_is_not_read(database: str) -> None:
    async with house(database, Desk()) as (_, tables, _):
        with psycopg.connect(database) as connection:
            connection.execute(
                "update read.projection set state = 'failed', last_error = 'why' where name = 'orders'"
            )
        async with tables.snapshot() as snapshot:
            with pytest.raises(ProjectionBehind, match="parked"):
                await get_order(snapshot, "o1")
            assert (await account_holdings(snapshot)).open == ()


async def test_readers_can_only_select(database: str) -> None:
    async with house(database, Desk()) as (_, tables, _), tables.snapshot() as snapshot:
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            await snapshot.connection.execute("update read.projection set position = 9")


async def test_an_unreachable_database_is_said_to_be_so(database: str) -> None:
    tables = ReadTables(database.replace("test_", "nowhere_"))
    await tables.open()
    try:
        with pytest.raises(LedgerUnavailable):
            async with tables.snapshot():
                pass
    finally:
        await tables.close()


def test_every_projection_has_a_name_and_a_table_of_its_own() -> None:
    assert len({p.name for p in PROJECTIONS}) == len({p.table.name for p in PROJECTIONS}) == len(PROJECTIONS)
    assert all(p.name == p.table.name for p in PROJECTIONS)
