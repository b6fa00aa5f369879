"""One database for what is told straight; a gateway and an exchange for every ten stories."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import uuid4

import pytest
import pytest_asyncio
import redis

from gateway.adapters.embedded import EmbeddedPostgres, EmbeddedValkey
from gateway.adapters.system_clock import SystemClock
from gateway.aggregates.vocabulary import Symbol
from gateway.ledger.catalog import CATALOG
from gateway.ledger.ledger import Ledger
from gateway.paper.assets import ASSETS
from tests.golden.story import Story
from tests.golden.street import Street
from tests.kit.exchange import Exchange
from tests.kit.house import House, running
from tests.kit.slicing import Ahead


@pytest.fixture(scope="module")
def new_database(postgres: EmbeddedPostgres, migrated: str) -> Iterator[Callable[[], str]]:
    names: list[str] = []

    def create() -> str:
        names.append(f"golden_{uuid4().hex}")
        postgres.create_database(names[-1], template=migrated)
        return postgres.url(names[-1])

    yield create
    for name in names:
        postgres.drop_database(name)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ledger(new_database: Callable[[], str]) -> AsyncIterator[Ledger]:
    async with Ledger.opened(new_database(), CATALOG, build="golden") as opened:
        yield opened


@dataclass(slots=True, kw_only=True)
class Town:
    """A gateway and an exchange, used until every symbol was traded; then another."""

    exchange: Exchange
    ahead: Ahead
    open_house: Callable[[], AbstractAsyncContextManager[House]]
    symbols: list[str] = field(default_factory=list)
    _house: House = field(init=False)
    _open: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def street(self, story: Story) -> Street:
        """Where a story may happen: one that moves the clocks has a town to itself."""
        if not self.symbols or story.moves_clocks:
            await self._move()
        street = Street(self._house, self.ahead, story, Symbol(self.symbols.pop()))
        if story.moves_clocks:
            self.symbols.clear()
        return street

    async def _move(self) -> None:
        await self.leave()
        self.ahead.by = timedelta()
        self.exchange.reset(seed=7)
        self.exchange.ctl("POST", "account", {"cash": "100000000"})
        for symbol in ASSETS:
            self.exchange.price(symbol, "99.99", "100.01")
        self._house = await self._open.enter_async_context(self.open_house())
        self.symbols = list(ASSETS)

    async def leave(self) -> None:
        await self._open.aclose()


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    process = Exchange.start(tmp_path_factory.mktemp("exchange"))
    yield process
    process.stop()


@pytest.fixture(scope="module")
def golden_redis(valkey: EmbeddedValkey) -> str:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    url = valkey.database_url(int(worker.removeprefix("gw")))
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(
    new_database: Callable[[], str],
    golden_redis: str,
    exchange: Exchange,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Town]:
    def open_house() -> AbstractAsyncContextManager[House]:
        return running(
            database=new_database(),
            redis_url=golden_redis,
            exchange=exchange,
            home=tmp_path_factory.mktemp("home"),
            environment={"FAT_FINGER_MAX_ADV_PCT": "0"},
        )

    ahead, now = Ahead(), SystemClock.now
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(SystemClock, "now", lambda self: now(self) + ahead.by)
        town = Town(exchange=exchange, ahead=ahead, open_house=open_house)
        yield town
        await town.leave()
