"""The contract's tests run a whole gateway; one exchange process per worker, a new world per test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.system_clock import SystemClock
from tests.kit.exchange import Exchange
from tests.kit.house import House, running
from tests.kit.slicing import Ahead

CreateTestApp = Callable[..., AbstractAsyncContextManager[House]]


@pytest.fixture(scope="session")
def exchange_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    process = Exchange.start(tmp_path_factory.mktemp("exchange"))
    yield process
    process.stop()


@pytest.fixture
def exchange(exchange_process: Exchange) -> Exchange:
    """A new world: AAPL and MSFT have a price, nobody holds anything, no fault is armed."""
    exchange_process.reset(seed=7)
    exchange_process.price("AAPL", "99.99", "100.01")
    exchange_process.price("MSFT", "199.98", "200.02")
    return exchange_process


@pytest.fixture
def create_test_app(database: str, redis_url: str, exchange: Exchange, tmp_path: Path) -> CreateTestApp:
    """`async with create_test_app(...) as house`."""
    defaults: dict[str, Any] = {"database": database, "redis_url": redis_url, "exchange": exchange}
    return partial(_running, defaults, tmp_path / "home")


def _running(defaults: dict[str, Any], home: Path, **options: Any) -> AbstractAsyncContextManager[House]:
    return running(**{**defaults, "home": home, **options})


@pytest.fixture
async def house(create_test_app: CreateTestApp) -> AsyncIterator[House]:
    """A gateway whose reconciliation gate is open."""
    async with create_test_app() as running_house:
        yield running_house


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Ahead:
    """The gateway's clock, which a test may move ahead; the exchange keeps its own."""
    ahead, now = Ahead(), SystemClock.now
    monkeypatch.setattr(SystemClock, "now", lambda self: now(self) + ahead.by)
    return ahead
