"""The questions people ask over HTTP, against a real ledger and real read tables."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from gateway.adapters.embedded import EmbeddedPostgres
from gateway.aggregates.vocabulary import Side, Symbol
from gateway.api.deps import House
from gateway.ledger.catalog import CATALOG
from gateway.ledger.ledger import Ledger
from gateway.ports import Quote
from gateway.projections.catalog import PROJECTIONS
from gateway.projections.engine import Projections
from gateway.projections.snapshot import ReadTables
from tests.api.house import Straw, straw_house
from tests.kit.covers import covers
from tests.projections.desk import Desk, record

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(slots=True)
class Prices:
    at: datetime
    mids: dict[str, str]

    async def quote(self, symbol: Symbol) -> Quote | None:
        mid = self.mids.get(symbol)
        return Quote(mid=Decimal(mid), at=self.at) if mid is not None else None

    async def adv(self, symbol: Symbol) -> None:
        return None


def a_day() -> Desk:
    """Alpha buys 100 AAPL and sells 40 of them with a profit, beta holds MSFT; one order still rests."""
    desk = Desk()
    desk.submit("buy", qty="100")
    desk.accept("buy")
    desk.trade("buy", "e1", "60", "150")
    desk.trade("buy", "e2", "40", "151")
    desk.submit("sell", side=Side.SELL, qty="40")
    desk.trade("sell", "e3", "40", "160")
    desk.submit("foreign", symbol="MSFT", qty="10", strategy="beta")
    desk.trade("foreign", "m1", "4", "300.125")
    desk.submit("resting", qty="5")
    desk.accept("resting")
    return desk


@asynccontextmanager
async def open_house(url: str, desk: Desk, *, follow: bool = True) -> AsyncIterator[tuple[Straw, int]]:
    tables = ReadTables(url)
    async with Ledger.opened(url, CATALOG, build="test") as ledger:
        engine = Projections(url=url, log=ledger.log, projections=PROJECTIONS)
        await engine.start()
        await tables.open()
        try:
            end = await record(ledger, desk.appends)
            if follow:
                await engine.wait_for(end, timeout=10)
            straw = straw_house(change=_with(ledger, engine, tables, desk.now))
            straw.clock.at = desk.now + timedelta(seconds=30)
            yield straw, end
        finally:
            await tables.close()
            await engine.stop()


def _with(ledger: Ledger, engine: Projections, tables: ReadTables, at: datetime) -> Callable[[House], House]:
    prices = Prices(at=at, mids={"AAPL": "155"})
    return lambda house: replace(
        house, ledger=ledger, projections=engine, read=tables, market=prices, read_wait_seconds=10.0
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def day(postgres: EmbeddedPostgres, migrated: str) -> AsyncIterator[tuple[Straw, int]]:
    """One house for all questions: nobody here changes anything but the clock."""
    name = f"reads_{uuid4().hex}"
    postgres.create_database(name, template=migrated)
    async with open_house(postgres.url(name), a_day()) as opened:
        yield opened
    postgres.drop_database(name)


@pytest.fixture(autouse=True)
def same_allowance_and_clock(request: pytest.FixtureRequest) -> Iterator[None]:
    """What one question used up is given back before the next."""
    yield
    if "day" in request.fixturenames:
        straw, _ = request.getfixturevalue("day")
        straw.allowance.taken.clear()
        straw.clock.at = a_day().now + timedelta(seconds=30)


async def get(straw: Straw, path: str, role: str = "operator", **claims: Any) -> tuple[int, Any]:
    claims = {"strategies": ["alpha"]} | claims
    answer = await straw.ask("GET", f"/api/v1{path}", headers=straw.bearer(role, **claims))
    return answer.status_code, answer.json()


async def test_an_order_is_shown_with_every_key(day: tuple[Straw, int]) -> None:
    status, order = await get(day[0], "/orders/buy")
    assert status == 200
    for key in ("created_at", "updated_at", "submitted_at", "filled_at"):
        assert datetime.fromisoformat(order.pop(key)).tzinfo is not None
    assert order.pop("ledger_position") > 0
    assert order == {
        "client_order_id": "buy",
        "strategy_id": "alpha",
        "symbol": "AAPL",
        "side": "buy",
        "qty": 100,
        "order_type": "limit",
        "limit_price": "150.5",
        "stop_price": None,
        "time_in_force": "day",
        "status": "filled",
        "broker_order_id": "broker-buy",
        "broker_status": "filled",
        "error_message": None,
        "retry_count": 0,
        "cancel_requested_at": None,
        "filled_qty": "100",
        "filled_avg_price": "150.4",
        "leaves_qty": "0",
        "metadata": {},
        "parent_order_id": None,
        "slice_num": None,
        "total_slices": None,
        "scheduled_time": None,
        "flags": [],
    }


@covers("SEC:S-15")
async def test_someone_else_s_order_is_not_there(day: tuple[Straw, int]) -> None:
    for path in ("/orders/foreign", "/orders/nowhere", "/orders/foreign/events", "/orders/foreign?as_of=99"):
        assert (await get(day[0], path))[0] in (404, 422)
    assert (await get(day[0], "/orders/foreign", strategies=["beta"]))[0] == 200
    assert (await get(day[0], "/orders/foreign", role="admin", strategies=[]))[0] == 200


async def test_an_order_as_of_a_position_shows_what_was_known_then(day: tuple[Straw, int]) -> None:
    straw, end = day
    _, now = await get(straw, f"/orders/buy?as_of={end}")
    _, then = await get(straw, "/orders/buy?as_of=3")
    assert (now["status"], then["status"], then["filled_qty"]) == ("filled", "new", "0")
    assert (await get(straw, "/orders/buy?as_of=0"))[0] == 404


@pytest.mark.parametrize("as_of", ["99999", "-1", "x", "2099-01-01T00:00:00Z", "2026-11-18T15:00:00", "1e3"])
async def test_an_as_of_that_cannot_be_is_422(day: tuple[Straw, int], as_of: str) -> None:
    assert (await get(day[0], f"/orders/buy?as_of={as_of}"))[0] == 422
    assert (await get(day[0], f"/positions?as_of={as_of}"))[0] == 422


async def test_before_the_first_event_there_was_nothing(day: tuple[Straw, int]) -> None:
    status, positions = await get(day[0], "/positions?as_of=2000-01-01T00:00:00%2B14:00")
    assert (status, positions["positions"], positions["total_realized_pl"]) == (200, [], "0")
    assert (await get(day[0], "/orders/buy?as_of=2000-01-01T00:00:00Z"))[0] == 404


@covers("SEC:S-22")
async def test_pending_orders_are_cut_to_the_caller_s_strategies(day: tuple[Straw, int]) -> None:
    _, mine = await get(day[0], "/orders/pending")
    assert [order["client_order_id"] for order in mine["orders"]] == ["resting"]
    assert (mine["total"], mine["filtered_by_strategy"], mine["user_strategies"]) == (1, True, ["alpha"])
    _, every = await get(day[0], "/orders/pending?sort_by=symbol&sort_order=asc", role="admin")
    assert [order["client_order_id"] for order in every["orders"]] == ["resting", "foreign"]
    assert (every["filtered_by_strategy"], every["user_strategies"]) == (False, ["*"])
    _, page = await get(
        day[0], "/orders/pending?limit=1&offset=1&sort_by=symbol&sort_order=asc", role="admin"
    )
    assert ([order["client_order_id"] for order in page["orders"]], page["total"]) == (["foreign"], 2)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=1e2",
        "offset=-1",
        "sort_by=qty",
        "sort_order=up",
        "symbol=%20",
        "strategy_id=a%20b",
    ],
)
async def test_a_pending_query_out_of_bounds_is_422(day: tuple[Straw, int], query: str) -> None:
    assert (await get(day[0], f"/orders/pending?{query}"))[0] == 422


@pytest.mark.parametrize("path", ["/orders/pending", "/positions", "/events"])
async def test_asking_for_a_foreign_strategy_is_403(day: tuple[Straw, int], path: str) -> None:
    status, body = await get(day[0], f"{path}?strategy_id=beta")
    assert (status, body["code"]) == (403, "strategy_unauthorized")


async def test_recent_fills_come_newest_first_with_their_realized_pl(day: tuple[Straw, int]) -> None:
    _, fills = await get(day[0], "/orders/recent-fills")
    shown = [
        (f["execution_id"], f["qty"], f["price"], f["realized_pl"], f["status"]) for f in fills["events"]
    ]
    assert shown == [
        ("e3", "40", "160", "384", "filled"),
        ("e2", "40", "151", "0", "filled"),
        ("e1", "60", "150", "0", "partially_filled"),
    ]
    assert fills["total"] == 3
    assert (await get(day[0], "/orders/recent-fills?limit=201"))[0] == 422


async def test_positions_of_a_strategy_and_of_the_account(day: tuple[Straw, int]) -> None:
    straw, end = day
    _, mine = await get(straw, "/positions")
    (aapl,) = mine["positions"]
    del aapl["updated_at"], aapl["last_trade_at"]
    assert aapl == {
        "symbol": "AAPL",
        "qty": "60",
        "avg_entry_price": "150.4",
        "current_price": "155",
        "unrealized_pl": "276",
        "realized_pl": "384",
        "reserved_buy": "5",
        "reserved_sell": "0",
        "quarantined": False,
        "strategy_id": None,
    }
    assert (mine["total_unrealized_pl"], mine["total_realized_pl"]) == ("276", "384")
    assert mine["ledger_position"] == end
    _, account = await get(straw, "/positions", role="auditor", strategies=[])
    assert [position["symbol"] for position in account["positions"]] == ["AAPL", "MSFT"]
    _, one = await get(straw, "/positions?strategy_id=alpha&symbol=aapl")
    assert one["positions"][0]["strategy_id"] == "alpha"


async def test_realtime_pnl_falls_back_to_the_average_without_a_fresh_quote(day: tuple[Straw, int]) -> None:
    _, pnl = await get(day[0], "/positions/pnl/realtime", role="admin")
    shown = {
        p["symbol"]: (p["current_price"], p["price_source"], p["unrealized_pl"], p["unrealized_pl_pct"])
        for p in pnl["positions"]
    }
    assert shown == {
        "AAPL": ("155", "real-time", "276", "3.0585"),
        "MSFT": ("300.125", "fallback", "0", "0"),
    }
    assert (pnl["total_unrealized_pl"], pnl["total_unrealized_pl_pct"]) == ("276", "2.6994")
    day[0].clock.at += timedelta(minutes=2)
    _, stale = await get(day[0], "/positions/pnl/realtime", role="admin")
    assert (stale["realtime_prices_available"], stale["total_unrealized_pl"]) == (False, "0")


@pytest.mark.parametrize("path", ["/positions/pnl/realtime", "/performance/daily"])
async def test_an_empty_scope_is_403(day: tuple[Straw, int], path: str) -> None:
    status, body = await get(day[0], path, role="viewer", strategies=[])
    assert (status, body["code"]) == (403, "no_strategy_access")


async def test_daily_performance_is_realized_pl_by_utc_day(day: tuple[Straw, int]) -> None:
    _, series = await get(day[0], "/performance/daily?start_date=2026-11-01&end_date=2026-11-18")
    assert series.pop("last_updated")
    assert series.pop("note")
    assert series == {
        "daily_pnl": [
            {
                "date": "2026-11-18",
                "realized_pl": "384",
                "cumulative_realized_pl": "384",
                "peak_equity": "384",
                "drawdown_pct": "0",
                "closing_trade_count": 1,
            }
        ],
        "total_realized_pl": "384",
        "max_drawdown_pct": "0",
        "start_date": "2026-11-01",
        "end_date": "2026-11-18",
        "data_source": "realized_only",
        "data_available_from": "2026-11-18",
    }


@pytest.mark.parametrize(
    "query",
    [
        "start_date=2026-11-18&end_date=2026-11-17",
        "end_date=2099-01-01",
        "start_date=2026-01-01&end_date=2026-11-18",
        "start_date=18.11.2026",
        "start_date=1763424000",
        "start_date=2026-11-18T00:00:00Z",
        "start_date=2026-02-30",
    ],
)
async def test_a_range_of_days_that_cannot_be_is_422(day: tuple[Straw, int], query: str) -> None:
    assert (await get(day[0], f"/performance/daily?{query}"))[0] == 422


async def test_denied_strategies_are_named(day: tuple[Straw, int]) -> None:
    status, body = await get(day[0], "/performance/daily?strategies=alpha&strategies=beta&strategies=gamma")
    assert (status, body["denied"]) == (403, ["beta", "gamma"])


@covers("SEC:S-22", "SEC:S-38")
async def test_events_of_others_are_left_out_and_the_cursor_passes_them(day: tuple[Straw, int]) -> None:
    straw, end = day
    _, every = await get(straw, "/events?limit=1000", role="auditor")
    assert [event["position"] for event in every["events"]] == list(range(1, end + 1))
    assert (every["next_after"], every["head"], every["has_more"]) == (end, end, False)
    _, mine = await get(straw, "/events?limit=1000")
    assert {event["strategy_id"] for event in mine["events"]} == {"alpha"}
    assert (mine["next_after"], mine["has_more"]) == (end, False)
    assert len(mine["events"]) < end


async def test_paging_through_events_misses_and_repeats_none(day: tuple[Straw, int]) -> None:
    straw, end = day
    seen, after, more = list[int](), 0, True
    while more:
        _, page = await get(straw, f"/events?after={after}&limit=3", role="auditor")
        seen += [event["position"] for event in page["events"]]
        after, more = page["next_after"], page["has_more"]
    assert seen == list(range(1, end + 1))


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("topic=order.submitted", lambda event: event["topic"] == "order.submitted"),
        ("topic=order.", lambda event: event["topic"].startswith("order.")),
        ("topic=order.fill", lambda event: False),
        ("symbol=msft", lambda event: event["symbol"] == "MSFT"),
        ("stream=order-foreign", lambda event: event["stream"] == "order-foreign"),
        ("strategy_id=beta", lambda event: event["strategy_id"] == "beta"),
        (
            "symbol=aapl&topic=position.filled",
            lambda event: event["topic"] == "position.filled" and event["symbol"] == "AAPL",
        ),
    ],
)
async def test_events_are_filtered(
    day: tuple[Straw, int], query: str, wanted: Callable[[dict[str, Any]], bool]
) -> None:
    _, every = await get(day[0], "/events?limit=1000", role="admin")
    _, page = await get(day[0], f"/events?limit=1000&{query}", role="admin")
    assert page["events"] == [event for event in every["events"] if wanted(event)]
    assert bool(page["events"]) is (query != "topic=order.fill")


async def test_an_order_s_timeline_is_its_stream(day: tuple[Straw, int]) -> None:
    _, story = await get(day[0], "/orders/buy/events")
    topics = [event["topic"] for event in story["events"]]
    assert topics[:2] == ["order.submitted", "order.accepted"]
    assert topics.count("order.filled") == 2
    assert [event["version"] for event in story["events"]] == list(range(1, len(topics) + 1))
    assert {(event["symbol"], event["client_order_id"]) for event in story["events"]} == {("AAPL", "buy")}
    assert story["last_look"] is None
    assert story["events"][0]["actor"] == {"sub": "gateway", "kind": "system", "on_behalf_of": None}


async def test_one_s_own_order_is_found_at_once_without_naming_a_position(database: str) -> None:
    async with open_house(database, a_day(), follow=False) as (straw, _):
        assert (await get(straw, "/orders/resting"))[0] == 200
