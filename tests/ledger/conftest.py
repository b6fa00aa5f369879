"""An open ledger over a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.ledger.ledger import Ledger
from tests.ledger.accounts import CATALOG


@pytest.fixture
async def ledger(database: str) -> AsyncIterator[Ledger]:
    async with Ledger.opened(database, CATALOG, build="test") as ledger:
        yield ledger
