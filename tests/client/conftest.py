"""The client is tested against the same whole gateway as the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest

from gateway.client import AsyncClient
from tests.contract.conftest import create_test_app, exchange, exchange_process, house
from tests.kit.house import LOCAL, House

__all__ = ["client", "create_test_app", "exchange", "exchange_process", "house"]


@pytest.fixture
async def client(house: House) -> AsyncIterator[AsyncClient]:
    """Speaks as an admin."""
    transport = httpx2.ASGITransport(app=house.app)
    async with AsyncClient(LOCAL, house.token(), transport=transport) as speaking:
        yield speaking
