"""One exchange process for all tests of the room; each test begins in a world of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alpaca.trading.client import TradingClient

from tests.kit.exchange import Exchange
from tests.paper.listener import Listener, listening


@pytest.fixture(scope="session")
def running_exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    exchange = Exchange.start(tmp_path_factory.mktemp("exchange"))
    yield exchange
    exchange.stop()


@pytest.fixture
def exchange(running_exchange: Exchange) -> Exchange:
    """No orders, no prices, no faults, 100,000 dollars; ids are those of seed 7."""
    running_exchange.reset(seed=7)
    return running_exchange


@pytest.fixture
def own_exchange(tmp_path: Path) -> Iterator[Exchange]:
    """An exchange to kill."""
    exchange = Exchange.start(tmp_path / "exchange")
    yield exchange
    exchange.stop()


@pytest.fixture
def client(exchange: Exchange) -> Iterator[TradingClient]:
    """alpaca-py without its retries, answering with plain JSON."""
    yield from open_client(exchange)


def open_client(exchange: Exchange) -> Iterator[TradingClient]:
    client = TradingClient(exchange.key, exchange.secret, url_override=exchange.url, raw_data=True)
    client._retry = 0
    yield client
    client._session.close()


@pytest.fixture
def typed(exchange: Exchange) -> Iterator[TradingClient]:
    """alpaca-py as it comes: typed requests in, typed answers out."""
    client = TradingClient(exchange.key, exchange.secret, url_override=exchange.url)
    yield client
    client._session.close()


@pytest.fixture
def listener(exchange: Exchange) -> Iterator[Listener]:
    """A raw web socket that is already listening."""
    with listening(exchange) as listener:
        yield listener
